"""`tasks add`: what is inferred from the user's own files, what is asked for, and that it works at once."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llama_gene import cli
from llama_gene.errors import ConfigError, DataError
from llama_gene.tasks.add import draft_task, save_task, try_task
from llama_gene.tasks.definitions import Task, load_task
from llama_gene.tasks.drafts import Draft
from llama_gene.tasks.infer import UndecidedError, Wishes

RNG = np.random.default_rng(1)


def dna(length: int) -> str:
    return "".join(RNG.choice(list("ACGT"), length))


def protein(length: int) -> str:
    return "".join(RNG.choice(list("ACDEFGHIKLMNPQRSTVWY"), length))


def table(path: Path, header: str, row: Callable[[int], str], rows: int = 60) -> Path:
    path.write_text("\n".join([header, *(row(number) for number in range(rows))]) + "\n", encoding="utf-8")
    return path


def infer(path: Path, **said: Any) -> Draft:
    return draft_task([path], Wishes(**said), data=path.parent, folder=path.parent / "definitions")


def reader_of(task: Task) -> dict[str, Any]:
    return task.reader.model_dump(exclude_defaults=True)


def test_a_table_of_binding_sites_needs_no_word(tmp_path: Path) -> None:
    draft = infer(table(tmp_path / "My sites.csv", "id,sequence,bound", lambda n: f"s{n},{dna(30)},{n % 2}"))
    task = draft.task
    assert (task.name, task.family, task.title) == ("my-sites", "classification", "bound prediction")
    assert [(label.name, label.values) for label in task.labels] == [("not bound", ("0",)), ("bound", ("1",))]
    assert reader_of(task) == {
        "type": "table", "files": ({"path": "My sites.csv"},), "sequences": ("sequence",), "label": "bound", "id": "id",
    }  # fmt: skip
    assert draft.classes == {"not bound": 30, "bound": 30}


def test_a_split_column_becomes_marks_and_missing_labels_are_left_out(tmp_path: Path) -> None:
    path = table(
        tmp_path / "loc.tsv", "entry\tprotein\tlocation\tset",
        lambda n: f"P{n}\t{protein(80)}\t{('nucleus', 'cytoplasm', 'NA')[n % 3]}\t{('Train', 'val', 'test')[n % 3]}",
    )  # fmt: skip
    task = infer(path).task
    assert {(mark.pattern, mark.split) for mark in task.reader.marks} == {
        ("^(Train)$", "train"), ("^(val)$", "valid"), ("^(test)$", "test"),
    }  # fmt: skip
    assert task.ignore_labels == ("NA",)
    assert task.label_names == ("cytoplasm", "nucleus")


def test_a_column_of_true_and_false_marks_the_validation_items_first(tmp_path: Path) -> None:
    path = table(
        tmp_path / "flip.csv", "sequence,target,set,validation",
        lambda n: f"{protein(60)},{n / 7:.3f},{'test' if n % 4 == 0 else 'train'},{n % 4 == 1}",
    )  # fmt: skip
    task = infer(path).task
    assert task.family == "regression"
    assert [(mark.column, mark.split) for mark in task.reader.marks] == [
        ("validation", "valid"), ("set", "test"), ("set", "train"),
    ]  # fmt: skip


def test_pairs_states_text_and_numbers_make_their_families(tmp_path: Path) -> None:
    def states(length: int) -> str:
        return "".join(RNG.choice(list("HEC"), length))

    pairs = infer(table(tmp_path / "a.csv", "a,b,interacts", lambda n: f"{protein(50)},{dna(40)},{n % 2}")).task
    assert (pairs.family, [item.kind for item in pairs.inputs]) == ("multi-sequence", ["protein", "dna"])
    chains = infer(table(tmp_path / "b.csv", "chain,ss3", lambda n: f"{protein(50)},{states(50)}")).task
    assert (chains.family, chains.label_names) == ("structure", ("alpha helix", "beta sheet", "random coil"))
    words = infer(table(tmp_path / "c.csv", "cds,product", lambda n: f"{dna(60)},protein number {n}")).task
    assert (words.family, words.labels) == ("function", ())
    numbers = infer(table(tmp_path / "d.csv", "seq,expression", lambda n: f"{dna(60)},{n * 0.31}")).task
    assert (numbers.family, numbers.metric) == ("regression", "spearman")


def test_a_dash_among_states_is_unknown_which_is_said_and_no_definition_names_it(tmp_path: Path) -> None:
    draft = infer(table(tmp_path / "d.csv", "chain,dssp", lambda n: f"{protein(40)},{('HHEE--GT' * 6)[n % 8 :][:40]}"))
    assert draft.task.label_names == ("E", "G", "H", "T")
    why = "stands for an unknown state: 25.0% of them are never asked. A state of its own needs another letter"
    assert [note.why for note in draft.inferred if note.what == "left out"] == [why]
    dashed = draft.task.model_dump() | {"labels": [{"name": "loop", "values": ["-"]}, {"name": "H"}]}
    with pytest.raises(ValueError, match="'-' stands for an unknown state: write another letter for it in the file"):
        Task.model_validate(dashed)


def test_a_table_whose_test_rows_are_its_training_rows_is_refused(tmp_path: Path) -> None:
    letters = [dna(40) for _ in range(30)]
    path = table(
        tmp_path / "s.csv", "seq,label,split",
        lambda n: f"{letters[n % 30]},{n % 2},{'train' if n < 30 else 'test'}",
    )  # fmt: skip
    with pytest.raises(DataError, match=r"30 of 30 test items stand in training, too.*--split none"):
        try_task(infer(path), tmp_path, 1)
    assert try_task(infer(path, split="none"), tmp_path, 1)[1].counts["duplicate"] == 30


def test_rna_is_called_rna_and_predictions_of_others_are_no_answer(tmp_path: Path) -> None:
    path = table(
        tmp_path / "r.csv", "rna,activity,Predicted activity",
        lambda n: f"{dna(40).replace('T', 'U')},{n * 0.3},{n * 0.2}",
    )  # fmt: skip
    task = infer(path).task
    assert task.inputs[0].called == "rna"
    assert task.reader.value == "activity"


def test_a_structure_of_another_length_is_counted_and_changes_no_family(tmp_path: Path) -> None:
    path = table(
        tmp_path / "q3.csv", "sequence,dssp",
        lambda n: f"{protein(40)},{''.join(RNG.choice(list('HEC'), 38 if n % 8 == 0 else 40))}", rows=30,
    )  # fmt: skip
    draft = infer(path)
    assert draft.task.family == "structure"
    assert try_task(draft, tmp_path, 1)[1].counts["states do not fit the chain"] == 4


def test_censored_values_are_counted_and_numbers_in_another_form_are_no_text(tmp_path: Path) -> None:
    path = table(
        tmp_path / "ic50.csv", "sequence,ic50",
        lambda n: f"{protein(40)},{'>10' if n % 10 == 0 else 'ND' if n == 1 else n / 7}",
    )  # fmt: skip
    draft = infer(path)
    assert draft.task.family == "regression"
    assert try_task(draft, tmp_path, 1)[1].counts["value is not a number"] == 7
    for written in ("{}.5%", '"{},5"', "{}.5 nM"):
        path = table(tmp_path / "dressed.csv", "sequence,kd", lambda n, cell=written: f"{protein(40)},{cell.format(n)}")
        with pytest.raises(ConfigError, match=r"column 'kd' holds numbers in another form, such as '0[.,]5"):
            infer(path)
        assert infer(path, family="function").task.family == "function"
    with pytest.raises(DataError, match=r"no item can be used \(value is not a number: 60\)"):
        try_task(infer(path, value="kd"), tmp_path, 1)


def test_two_columns_that_are_only_numbered_have_no_order(tmp_path: Path) -> None:
    pairs = [(protein(40), protein(40)) for _ in range(40)]
    rows = [(a, b, n % 2) for n, (a, b) in enumerate(pairs)] + [(b, a, 1) for a, b in pairs[:2]]
    for first, second in (("protein_a", "protein_b"), ("bait", "prey")):
        path = table(
            tmp_path / f"{first}.csv", f"{first},{second},bound", lambda n: ",".join(map(str, rows[n])), len(rows)
        )
        draft = infer(path, sequence=(first, second))
        counts = try_task(draft, tmp_path, 1)[1].counts
        found = (counts.get("equal sequences with different answers", 0), counts.get("duplicate", 0))
        # The first pair is turned round with the opposite label, the second with its own.
        assert (draft.task.swappable, found) == ((True, (2, 1)) if first == "protein_a" else (False, (0, 0)))


def test_a_label_that_looks_like_markup_is_shown_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path / "mark.csv", "sequence,label", lambda n: f"{dna(30)},{('[/b] x', '[sz] :dna:')[n % 2]}")
    assert cli.run(["tasks", "add", str(path), "--check"]) == 0
    assert "[/b] x | [sz] :dna:" in capsys.readouterr().out


def test_a_location_in_a_title_is_the_class(tmp_path: Path) -> None:
    places = ("nucleus", "cytoplasm") * 20
    records = [f">P{n} X_{n} loc={place}\r\n{protein(60).lower()}*\r\n" for n, place in enumerate(places)]
    (tmp_path / "loc.fasta").write_text("".join(records), encoding="utf-8")
    draft = infer(tmp_path / "loc.fasta")
    assert draft.task.label_names == ("cytoplasm", "nucleus")
    assert try_task(draft, tmp_path, 1)[1].counts == {}


def test_a_table_without_a_header_is_numbered(tmp_path: Path) -> None:
    path = tmp_path / "bare.tsv.gz"
    with gzip.open(path, "wt") as file:
        file.writelines(f"{dna(50)}\t{n * 0.17}\n" for n in range(50))
    task = infer(path).task
    assert (task.name, task.reader.header, task.reader.sequences, task.reader.value) == ("bare", False, (0,), 1)


def test_json_lines_with_unequal_keys_are_read(tmp_path: Path) -> None:
    rows = [{"seq": dna(30), "label": "ab"[n % 2]} | ({"note": "x"} if n > 30 else {}) for n in range(60)]
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    assert infer(path).task.label_names == ("a", "b")


def test_fasta_titles_and_fasta_files_name_the_classes(tmp_path: Path) -> None:
    one = tmp_path / "one.fasta"
    one.write_text("".join(f">s{n} x label={'hot' if n % 3 else 'cold'}\n{protein(40)}\n" for n in range(40)))
    assert infer(one).task.label_names == ("hot", "cold")
    folder = tmp_path / "classes"
    folder.mkdir()
    for name, records in (("hot", 20), ("cold", 30)):
        (folder / f"{name}.fa").write_text("".join(f">{name}{n}\n{protein(40)}\n" for n in range(records)))
    task = draft_task([folder], Wishes(), data=tmp_path, folder=tmp_path / "d").task
    assert task.name == "classes"
    assert [(file.path, file.label) for file in task.reader.files] == [
        ("classes/cold.fa", "cold"), ("classes/hot.fa", "hot"),
    ]  # fmt: skip
    (folder / "README.txt").write_text("hot and cold proteins")
    with pytest.raises(ConfigError, match=r"README\.txt: no FASTA, and one of 3 files"):
        infer(folder)


@pytest.mark.parametrize(
    ("header", "row", "option"),
    [
        ("sequence,rating", lambda n: f"{dna(30)},{n % 5}", "family"),
        ("sequence,host,colour", lambda n: f"{dna(30)},{'ab'[n % 2]},{'cd'[n % 2]}", "label"),
        ("promoter,start,Observed TX,TIR category", lambda n: f"{dna(30)},{n},{n / 7},{'ab'[n % 2]}", "label"),
        ("promoter,start,score,fitness", lambda n: f"{dna(30)},{n / 3},{n / 7},{n / 11}", "value"),
        ("sequence", lambda n: dna(30), "label"),
        ("peptide,label", lambda n: f"{'ACDKL'[n % 5] * 4},{'ab'[n % 2]}", "kind"),
        ("word,label", lambda n: f"word number {n},{'ab'[n % 2]}", "sequence"),
    ],
)
def test_what_the_table_does_not_say_is_asked_for_by_name(
    tmp_path: Path, header: str, row: Callable[[int], str], option: str
) -> None:
    with pytest.raises(UndecidedError, match=rf"Give --{option}"):
        infer(table(tmp_path / "t.csv", header, row))


def test_every_answer_to_a_question_is_taken(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "sequence,rating,host", lambda n: f"{dna(30)},{n % 5},{'ab'[n % 2]}")
    assert infer(path, label="host").task.label_names == ("a", "b")
    assert infer(path, label="rating", family="classification").task.label_names == ("0", "1", "2", "3", "4")
    assert infer(path, value="rating").task.family == "regression"
    named = infer(path, label="host", label_names=("a=ant", "b=bee"), title="host", name="mine").task
    assert (named.name, named.title, named.label_names) == ("mine", "host", ("ant", "bee"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("sequence;label\nACGT;1\n", "parted by ';'"),
        ("PK\x03\x04", "Excel"),
        ("[{}]", "one object a line"),
        ("sequence,label\n", "no rows below the header"),
        ("a,a\n1,2\n", "two columns are named 'a'"),
        ("sequence,label\nACGTACGTAC,1,2\n", "3 columns where the header has 2"),
        ("sequence,label\n" + "ACGTACGTAC,x\n" * 9 + "ACGTACGTAA,y\n", "1 class"),
        ("sequence,label\n" + "ACGTACGTAC,x\n" * 9, "No column looks like an answer"),
    ],
)
def test_a_table_that_cannot_be_a_task_says_why(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises((ConfigError, DataError), match=said):
        infer(path)


def test_a_rare_class_is_left_out_and_said(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "sequence,label", lambda n: f"{dna(30)},{'c' if n == 7 else 'ab'[n % 2]}")
    draft = infer(path)
    assert draft.task.ignore_labels == ("c",)
    assert any(note.what == "left out" and note.value == "c" for note in draft.inferred)


def test_the_trial_counts_what_is_dropped(tmp_path: Path) -> None:
    twice = dna(40)
    rows = [f"{dna(40)},{'ab'[n % 2]}" for n in range(60)]
    rows += [f"{twice},a", f"{twice},b", f"{'ACGJ' * 9},a", ",b"]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["sequence,label", *rows]))
    _, trial = try_task(infer(path), tmp_path, seed=1)
    assert trial.counts["equal sequences with different answers"] == 2
    assert trial.counts["not dna letters"] == 1
    assert trial.counts["empty sequence"] == 1
    assert sum(sum(classes.values()) for classes in trial.classes.values()) == 60


def test_variants_of_one_protein_are_not_kept_together(tmp_path: Path) -> None:
    wild = protein(120)
    path = table(
        tmp_path / "gb.csv", "sequence,fitness", lambda n: f"{wild[:n]}{protein(1)}{wild[n + 1 :]},{n * 0.1}"
    )  # fmt: skip
    draft, _ = try_task(infer(path), tmp_path, seed=1)
    assert draft.task.split.similarity is None
    unlike = table(tmp_path / "un.csv", "sequence,fitness", lambda n: f"{protein(120)},{n * 0.1}")
    assert try_task(infer(unlike), tmp_path, seed=1)[0].task.split.similarity is not None


def test_a_written_definition_splits_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table(tmp_path / "sites.csv", "sequence,bound", lambda n: f"{dna(30)},{n % 2}")
    assert cli.run(["tasks", "add", str(tmp_path / "sites.csv"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["classes"] == {"not bound": 30, "bound": 30}
    assert load_task("sites", [tmp_path / "definitions"]).label_names == ("not bound", "bound")
    command = found["next"][0].removeprefix("llama-gene ").split()
    command[-1] = str(tmp_path / "splits")
    assert cli.run(command) == 0
    assert (tmp_path / "splits" / "train.parquet").is_file()


def test_a_definition_is_made_once_and_checked_without_writing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = table(tmp_path / "sites.csv", "sequence,bound", lambda n: f"{dna(30)},{n % 2}")
    assert cli.run(["tasks", "add", str(path), "--check"]) == 0
    assert not (tmp_path / "definitions").exists()
    assert "class balance: not bound 50.0% (30), bound 50.0% (30)" in capsys.readouterr().out
    assert cli.run(["tasks", "add", str(path)]) == 0
    assert cli.run(["tasks", "add", str(path)]) == 2
    assert "'sites' is defined already" in capsys.readouterr().err
    assert cli.run(["tasks", "add", str(path), "--name", "gb1"]) == 2
    assert "gb1.toml" in capsys.readouterr().err


def test_a_save_never_overwrites(tmp_path: Path) -> None:
    draft = infer(table(tmp_path / "sites.csv", "sequence,bound", lambda n: f"{dna(30)},{n % 2}"))
    first = save_task(draft, tmp_path)
    assert first.read_text().startswith("# Made by `llama-gene tasks add`")
    with pytest.raises(ConfigError, match="there already"):
        save_task(draft, tmp_path)


class Terminal:
    """Someone who answers the questions of a terminal in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answers: list[str]) -> None:
        self.asked: list[str] = []
        self.answers = answers
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("typer.prompt", self.prompt)
        monkeypatch.setattr("typer.confirm", lambda *_, **__: True)

    def prompt(self, text: str, default: str = "", **_: Any) -> str:
        self.asked.append(text)
        return self.answers.pop(0) or default


def test_on_a_terminal_questions_are_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(tmp_path / "t.csv", "sequence,label,class", lambda n: f"{dna(30)},{n % 2},{'xy'[n % 2]}")
    terminal = Terminal(monkeypatch, ["no such column", "label", "cold", "hot", "heat tolerance", ""])
    assert cli.run(["tasks", "add", str(path)]) == 0
    assert terminal.asked[0].startswith("Several columns could be the answer")
    assert terminal.asked[1:] == [terminal.asked[0], "name of 0", "name of 1", "title", "definition"]
    task = load_task("t", [tmp_path / "definitions"])
    assert (task.title, task.label_names) == ("heat tolerance", ("cold", "hot"))
    assert task.definition == "Which holds for this dna sequence: cold or hot?"


def test_json_never_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path / "t.csv", "sequence,label,class", lambda n: f"{dna(30)},{n % 2},{'xy'[n % 2]}")
    terminal = Terminal(monkeypatch, [])
    assert cli.run(["tasks", "add", str(path), "--json"]) == 2
    assert terminal.asked == []
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Give --label: one of label, class." in shown.err


def test_the_list_is_filtered_by_family_and_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["tasks", "list", "--family", "structure", "--kind", "dna", "--json"]) == 0
    assert [task["name"] for task in json.loads(capsys.readouterr().out)] == ["rna-structure"]
    assert cli.run(["tasks", "list", "--kind", "rna"]) == 2
    assert "expected one of dna, protein" in capsys.readouterr().err


def test_a_task_is_shown_with_its_scores_and_the_files_it_misses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["tasks", "show", "promoter-core", "--data", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "Determine core promoter detection of following dna sequence" in shown
    assert all(text in shown for text in ("DNABERT-2", "0.694", "row 'DNA classification'", "missing", "no example"))


def test_the_example_of_a_task_is_the_users_own_item(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table(tmp_path / "sites.csv", "sequence,bound", lambda n: f"{'TTGACA' if n == 0 else ''}{dna(30)},{n % 2}")
    assert cli.run(["tasks", "add", str(tmp_path / "sites.csv")]) == 0
    capsys.readouterr()
    place = ["--definitions", str(tmp_path / "definitions"), "--data", str(tmp_path)]
    assert cli.run(["tasks", "show", "sites", *place]) == 0
    shown = capsys.readouterr().out
    assert "### Input:\nTTGACA" in shown
    assert shown.rstrip().endswith("[not bound]")
