"""Task definitions and wordings."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_gene.errors import ConfigError
from llama_gene.tasks.definitions import Task, list_tasks, load_task, read_task, task_files
from llama_gene.tasks.wordings import PAPER_WORDINGS, input_text, instruction_text
from llama_gene.tasks.write import definition_text, write_definition

GOOD = """
name = "mine"
title = "core promoter detection"
family = "classification"
definition = "Is it a promoter?"
inputs = [{ kind = "dna" }]
labels = [{ name = "no", values = ["0"] }, { name = "yes", values = ["1"] }]
reader = { type = "table", files = [{ path = "a.csv" }], sequences = ["sequence"], label = "label" }
"""


def write(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_five_families_are_registered() -> None:
    families = {task.family for task in list_tasks()}
    assert families == {"classification", "structure", "multi-sequence", "function", "regression"}


@pytest.mark.parametrize("fact", ["definition", "source", "licence", "citation"])
def test_every_registered_task_says_where_it_comes_from(fact: str) -> None:
    assert [task.name for task in list_tasks() if not getattr(task, fact)] == []


def test_a_definition_that_names_no_metric_is_decided_by_the_usual_one(tmp_path: Path) -> None:
    assert read_task(write(tmp_path, GOOD)).decided_by == "mcc"
    assert read_task(write(tmp_path, 'metric = "macro_f1"' + GOOD)).decided_by == "macro_f1"


def test_registered_tasks_are_decided_by_the_usual_score_of_their_answers() -> None:
    assert [task.name for task in list_tasks() if task.metric != task.may_decide[0]] == []
    decided = {task.name: task.decided_by for task in list_tasks()}
    assert decided["rna-structure"] == decided["secondary-structure"] == "per_residue_mcc"
    assert (decided["enzyme-number"], decided["enzyme-class"], decided["gb1"]) == ("fmax", "mcc", "spearman")


def test_a_folder_of_definitions_adds_tasks(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    assert task_files([tmp_path])["mine"] == path
    assert load_task("mine", [tmp_path]).label_names == ("no", "yes")


def test_a_name_used_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path, GOOD.replace('"mine"', '"gb1"'))
    with pytest.raises(ConfigError, match="already defined"):
        list_tasks([tmp_path])


def test_an_unknown_task_gets_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="did you mean 'promoter-core'"):
        load_task("promotor-core")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("title =", "titel =", "title"),
        ("definition =", "definitoin =", "defini"),
        ('family = "classification"', 'family = "class"', "family"),
        (', { name = "yes", values = ["1"] }', "", "at least two labels"),
        ('name = "yes"', 'name = "NO"', "must differ"),
        ('values = ["1"]', 'values = ["0"]', "must differ"),
        ('name = "yes"', 'name = "yes, sir"', "no ', '"),
        ('inputs = [{ kind = "dna" }]', 'inputs = [{ kind = "dna" }, { kind = "dna" }]', "takes 1 input"),
        ('inputs = [{ kind = "dna" }]', 'inputs = [{ kind = "dna" }]\nwordings = ["Is {what} it?"]', "{what}"),
        ("name =", "name = = ", "not TOML"),
        (
            "name =",
            'metric = "accuracy"\nname =',
            "accuracy cannot decide for this classification task. Expected mcc or",
        ),
        ("name =", 'metric = "spearman"\nname =', "spearman cannot decide"),
        ("name =", 'metric = "precision"\nname =', "metric: Input should be"),
    ],
)
def test_a_bad_definition_is_explained_in_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        read_task(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_wordings_are_those_of_the_paper_examples() -> None:
    labels = ["alpha helix", "beta sheet", "random coil"]
    found = instruction_text(
        PAPER_WORDINGS["structure"], title="secondary structure prediction", kinds=["protein"], labels=labels
    )
    assert found == (
        "Determine the secondary structure prediction of following protein sequence, "
        "The result will be one of the following: alpha helix, beta sheet, random coil"
    )
    pair = instruction_text(
        PAPER_WORDINGS["multi-sequence"],
        title="Conform to the Central Dogma prediction",
        kinds=["DNA", "Protein"],
        labels=["Conform", "Not Conform"],
    )
    assert pair == (
        "Determine the Conform to the Central Dogma prediction of following DNA sequence and Protein sequence , "
        "The result will be one of the following: Conform, Not Conform"
    )


def test_two_inputs_are_parted_by_four_marks() -> None:
    assert input_text(["AC", "MK"], ["dna", "protein"], "spaced") == "dna sequence: A C\n####\nprotein sequence: M K"


@pytest.mark.parametrize("task", list_tasks(), ids=lambda task: task.name)
def test_a_written_definition_reads_back_as_the_same_task(tmp_path: Path, task: Task) -> None:
    assert read_task(write_definition(task, tmp_path, ["Why: a test."])) == task


@settings(deadline=None)
@given(text=st.text(min_size=1))
def test_any_text_of_a_definition_survives_the_writing(text: str) -> None:
    task = load_task("gb1").model_copy(update={"definition": text, "source": text})
    assert tomllib.loads(definition_text(task))["definition"] == text


def test_a_definition_is_never_overwritten(tmp_path: Path) -> None:
    path = write_definition(load_task("gb1"), tmp_path)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"gb1\.toml: there already"):
        write_definition(load_task("gb1").model_copy(update={"title": "other"}), tmp_path)
    assert path.read_bytes() == before


def test_a_row_of_table_9_that_reads_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="another family or other inputs"):
        read_task(write(tmp_path, GOOD.replace("reader =", 'table9 = "protein classification"\nreader =')))


def test_every_wording_of_every_task_can_be_filled() -> None:
    for task in list_tasks():
        kinds = [wanted.called for wanted in task.inputs]
        filled = [
            instruction_text(wording, title=task.title, kinds=kinds, labels=("a", "b"), definition=task.definition)
            for wording in task.questions
        ]
        assert len(set(filled)) >= 3, task.name
        assert task.questions[0] == PAPER_WORDINGS[task.family], task.name
