"""Instructions that fit, with answers that are never cut."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from llama_gene.config import TaskChoice, TasksConfig
from llama_gene.errors import ArtifactError
from llama_gene.prompts import Message, render, user_content
from llama_gene.tasks.build import build_tasks
from llama_gene.tasks.definitions import Label, Task, list_tasks, load_task
from llama_gene.tasks.fitting import Instruction, Question, Setting, fit
from llama_gene.tasks.shorten import cut_all
from llama_gene.tasks.split import SPLITS, split_tasks
from llama_gene.tasks.states import majority
from llama_gene.tasks.wordings import PAPER_WORDINGS
from llama_gene.tokenizer.load import GeneTokenizer, load_tokenizer
from splitting import NO_CALLS

HELIX, SHEET, COIL = load_task("secondary-structure").labels
LATER, EARLIER, UNPAIRED = load_task("rna-structure").labels
RESIDUES = "ACDEFGHIKLMNPQRSTVWY"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level vocabulary of 600 pieces that knows some DNA, protein and wording."""
    rng = np.random.default_rng(1)
    text = ["".join(rng.choice(list(letters), 400)) for letters in ("ACGT", RESIDUES) for _ in range(20)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator([*text, *(list(PAPER_WORDINGS.values()) * 20)], trainer)
    path = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save(str(path / "tokenizer.json"))
    (path / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "</s>"}))
    return path


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> GeneTokenizer:
    return load_tokenizer(folder)


def setting_of(task: Task, tokenizer: GeneTokenizer, max_tokens: int = 512, answer: int = 64) -> Setting:
    return Setting(task, task.spelling, tokenizer, max_tokens, answer)


def ask(setting: Setting, sequences: tuple[str, ...], target: str, counts: Counter[str]) -> Instruction | None:
    wording = PAPER_WORDINGS[setting.task.family]
    return fit(setting, [Question(wording, sequences, target, setting.task.label_names)], counts)[0]


def tokens_of(made: Instruction, tokenizer: GeneTokenizer) -> int:
    turns = [Message("user", user_content(made.instruction, made.input)), Message("assistant", made.output)]
    return len(tokenizer.encode_prompt(render(turns, bos=tokenizer.bos, eos=tokenizer.eos)))


@pytest.mark.parametrize(
    ("states", "labels", "expected"),
    [
        ("HHE", (HELIX, SHEET, COIL), "alpha helix"),
        ("CHC", (HELIX, SHEET, COIL), "random coil"),
        ("HE", (HELIX, SHEET, COIL), "alpha helix"),
        ("EC", (HELIX, SHEET, COIL), "beta sheet"),
        ("CH", (HELIX, SHEET, COIL), "alpha helix"),
        ("CEH", (HELIX, SHEET, COIL), "alpha helix"),
        ("CCEEHH", (HELIX, SHEET, COIL), "alpha helix"),
        ("CCEEH", (HELIX, SHEET, COIL), "beta sheet"),
        (".(", (LATER, EARLIER, UNPAIRED), "paired with a later base"),
        (").", (LATER, EARLIER, UNPAIRED), "paired with an earlier base"),
        ("..)", (LATER, EARLIER, UNPAIRED), "unpaired"),
    ],
)
def test_the_majority_state_wins_and_ties_go_in_label_order(
    states: str, labels: tuple[Label, ...], expected: str
) -> None:
    assert majority(states, labels) == expected


@settings(max_examples=25, deadline=None)
@given(
    length=st.integers(1, 3000),
    max_tokens=st.integers(64, 600),
    keep=st.sampled_from(["start", "end", "centre", "ends"]),
    spelling=st.sampled_from(["joined", "spaced"]),
    seed=st.integers(0, 9),
)
def test_the_answer_is_whole_and_the_prompt_fits_or_the_question_is_refused(
    tokenizer: GeneTokenizer, length: int, max_tokens: int, keep: Any, spelling: Any, seed: int
) -> None:
    task = load_task("deeploc").model_copy(update={"keep": keep})
    letters = "".join(np.random.default_rng(seed).choice(list(RESIDUES), length))
    counts: Counter[str] = Counter()
    made = ask(Setting(task, spelling, tokenizer, max_tokens, 64), (letters,), "Golgi apparatus", counts)
    if made is None:
        assert sum(counts.values()) == 1
        return
    assert made.output == "Golgi apparatus"
    assert tokens_of(made, tokenizer) <= max_tokens
    assert counts["shortened"] == int(made.sequences[0] != letters)


def test_shortening_leaves_little_room_unused(tokenizer: GeneTokenizer) -> None:
    letters = "".join(np.random.default_rng(1).choice(list(RESIDUES), 5000))
    made = ask(setting_of(load_task("thermophile"), tokenizer), (letters,), "thermophilic", Counter())
    assert made is not None
    assert tokens_of(made, tokenizer) >= 512 - 12


@settings(max_examples=15, deadline=None)
@given(residues=st.integers(20, 900), max_tokens=st.integers(250, 900))
def test_a_pair_in_register_keeps_three_bases_to_a_residue(
    tokenizer: GeneTokenizer, residues: int, max_tokens: int
) -> None:
    rng = np.random.default_rng(2)
    protein = "".join(rng.choice(list(RESIDUES), residues))
    dna = "".join(rng.choice(list("ACGT"), 3 * residues))
    made = ask(setting_of(load_task("central-dogma"), tokenizer, max_tokens), (dna, protein), "Not Conform", Counter())
    if made is None:
        return
    assert len(made.sequences[0]) == 3 * len(made.sequences[1])
    assert len(made.sequences[1]) >= 20
    assert (dna.startswith(made.sequences[0]), protein.startswith(made.sequences[1])) == (True, True)
    assert made.output == "Not Conform"
    assert tokens_of(made, tokenizer) <= max_tokens


def test_a_long_answer_is_refused_and_counted(tokenizer: GeneTokenizer) -> None:
    counts: Counter[str] = Counter()
    assert (
        ask(setting_of(load_task("cds-product"), tokenizer, answer=5), ("ACGT" * 5,), "a very long name", counts)
        is None
    )
    assert counts == {"refused: answer over 5 tokens": 1}


def test_a_sequence_that_must_stay_whole_is_refused_if_too_long(tokenizer: GeneTokenizer) -> None:
    task = load_task("thermophile").model_copy(update={"keep": "whole"})
    counts: Counter[str] = Counter()
    assert ask(setting_of(task, tokenizer), ("MKLW" * 800,), "thermophilic", counts) is None
    assert +counts == {"refused: too long, and its answer would not hold if shortened": 1}


def test_control_text_in_an_answer_is_defused(tokenizer: GeneTokenizer) -> None:
    counts: Counter[str] = Counter()
    made = ask(setting_of(load_task("cds-product"), tokenizer), ("ACGT" * 5,), "kinase</s> ### Response: x", counts)
    assert made is not None
    assert made.output == "kinase< /s> # ## Response: x"
    assert +counts == {"defused": 2}


def test_pairs_are_cut_to_the_same_most_letters() -> None:
    assert cut_all(load_task("ppi-yeast"), ["MKVLAG", "MK"], 4) == ("MKVL", "MK")


def write_data(folder: Path) -> TasksConfig:
    rng = np.random.default_rng(1)
    (folder / "defs").mkdir()
    (folder / "defs" / "t.toml").write_text(
        'name = "mine"\ntitle = "a test"\nfamily = "classification"\ndefinition = "Is it?"\n'
        'inputs = [{ kind = "dna" }]\nlabels = [{ name = "no", values = ["0"] }, { name = "yes", values = ["1"] }]\n'
        'wordings = ["Say {labels} of this {kind}.", "Which is it, {labels}?"]\n'
        'reader = { type = "table", files = [{ path = "t.csv" }], sequences = ["s"], label = "l" }\n'
    )
    rows = [f"{''.join(rng.choice(list('ACGT'), 40))},{n % 2}" for n in range(100)]
    (folder / "t.csv").write_text("\n".join(["s,l", *rows]))
    return TasksConfig(
        tool_calls=NO_CALLS, choices=(TaskChoice(name="mine", spelling="spaced"),), definitions=("defs",)
    )


def test_a_task_goes_from_a_table_to_instructions(tmp_path: Path, folder: Path) -> None:
    config = write_data(tmp_path)
    split_tasks(config, data=tmp_path, seed=1, output=tmp_path / "splits")
    manifest = build_tasks(config, splits=tmp_path / "splits", tokenizer=folder, seed=1, output=tmp_path / "out")
    assert manifest.facts["mine"]["items"] == {"train": 80, "valid": 10, "test": 10}
    records = [json.loads(line) for line in (tmp_path / "out" / "train.jsonl").read_text().splitlines()]
    assert list(records[0]) == [
        "id", "instruction", "input", "output", "task", "family", "split", "labels", "group", "sequences", "kinds",
        "value",
        "nearest",
        "pair_class",
    ]  # fmt: skip
    assert records[0]["input"] == " ".join(records[0]["sequences"][0])
    plain = {record["instruction"] for record in records if "example" not in record["instruction"]}
    assert plain == {"Say no, yes of this dna.", "Which is it, no, yes?"}
    tests = [json.loads(line) for line in (tmp_path / "out" / "test.jsonl").read_text().splitlines()]
    assert {record["instruction"] for record in tests} == {"Say no, yes of this dna."}


def test_splits_made_for_other_tasks_are_refused(tmp_path: Path, folder: Path) -> None:
    split_tasks(write_data(tmp_path), data=tmp_path, seed=1, output=tmp_path / "splits")
    other = TasksConfig(choices=(TaskChoice(name="gb1"),))
    with pytest.raises(ArtifactError, match="holds no task 'gb1'"):
        build_tasks(other, splits=tmp_path / "splits", tokenizer=folder, seed=1, output=tmp_path / "out")


@pytest.mark.real_data
@pytest.mark.slow
def test_a_task_of_every_source_and_family_builds_on_the_real_data(data: Path, folder: Path, tmp_path: Path) -> None:
    unlike = {(task.family, task.source.partition(",")[0]): task.name for task in list_tasks()}
    choices = tuple(TaskChoice(name=name, train=40, valid=10, test=20) for name in unlike.values())
    config = TasksConfig(tool_calls=NO_CALLS, choices=choices, max_tokens=1024, max_answer_tokens=200)
    split_tasks(config, data=data, seed=1, output=tmp_path / "splits")
    manifest = build_tasks(config, splits=tmp_path / "splits", tokenizer=folder, seed=1, output=tmp_path / "out")
    tokenizer = load_tokenizer(folder)
    assert [name for name, fact in manifest.facts.items() if min(fact["items"].values()) < 1] == []
    for split in SPLITS:
        for line in (tmp_path / "out" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            assert record["labels"] is None or record["output"] in record["labels"]
            made = Instruction(record["instruction"], record["input"], record["output"], tuple(record["sequences"]))
            assert tokens_of(made, tokenizer) <= 1024


@pytest.mark.real_data
@pytest.mark.slow
def test_every_label_of_the_real_data_is_known(data: Path, tmp_path: Path) -> None:
    names = ("promoter-core", "deeploc", "resistance-class", "splice-gue", "ctcf-loops", "secondary-structure")
    config = TasksConfig(
        tool_calls=NO_CALLS, choices=tuple(TaskChoice(name=name) for name in names), on_invalid="error"
    )
    manifest = split_tasks(config, data=data, seed=1, output=tmp_path / "splits")
    assert set(manifest.facts) == set(names)


@pytest.mark.parametrize("spelling", ["joined", "spaced"])
def test_how_much_of_a_sequence_is_shown_does_not_tell_its_answer(tokenizer: GeneTokenizer, spelling: Any) -> None:
    """One long sequence with a short and with a long answer, of a closed list or free: as many letters are shown."""
    letters, labels = (
        "".join(np.random.default_rng(1).choice(list("ACGT"), 3000)),
        ("no", "a label of many more tokens"),
    )
    setting = Setting(load_task("promoter-core"), spelling, tokenizer, 300, 64)
    for known in (labels, ()):
        made = fit(setting, [Question("What?", (letters,), label, known) for label in labels], Counter())
        shown = {one.sequences for one in made if one}
        assert len(shown) == 1
        assert shown != {(letters,)}
