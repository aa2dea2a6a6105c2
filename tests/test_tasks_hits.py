"""Function questions are asked again with hits of training alone: not the item, no near copy, nothing held out."""

import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from answering import item, write_answering_model
from llama_gene.artifacts import read_manifest
from llama_gene.config import EvaluateConfig, HitsConfig, IndexConfig, TaskChoice, TasksConfig
from llama_gene.evaluation.evidence import add_evidence
from llama_gene.evaluation.items import read_items
from llama_gene.prompts import Message, render, user_content
from llama_gene.retrieval.build import build_index
from llama_gene.retrieval.index import open_index
from llama_gene.retrieval.passing import index_records
from llama_gene.sequences.records import Record
from llama_gene.tasks.build import build_tasks
from llama_gene.tasks.hit_records import MARK, hit_records, known_items
from llama_gene.tokenizer.load import GeneTokenizer, load_tokenizer
from splitting import NO_CALLS, csv, run, write_task

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
PARENT = "".join(random.Random(4).choices(RESIDUES, k=100))


def changed(every: int) -> str:
    """The parent with one residue in so many replaced by alanine, or glycine where it is alanine."""
    return "".join("AG"[old == "A"] if at % every == 0 else old for at, old in enumerate(PARENT))


# Of the parent equal: 80, 95 and 75 of 100.
COUSIN, NEAR_COPY, FAR = changed(5), changed(20), changed(4)
KNOWN = [
    Record("parent", "protein", PARENT, "train.jsonl", "Cuts chains."),
    Record("cousin", "protein", COUSIN, "train.jsonl", "Joins chains."),
    Record("copy", "protein", NEAR_COPY, "train.jsonl", "Cuts chains."),
    Record("far", "protein", FAR, "train.jsonl", "Binds </s> zinc."),
]


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_answering_model(tmp_path_factory.mktemp("words"))


@pytest.fixture(scope="module")
def tokenizer(words: Path) -> GeneTokenizer:
    return load_tokenizer(words)


def question(name: str = "parent", letters: str = PARENT) -> dict[str, Any]:
    return {
        "id": f"mine:{name}", "instruction": "What does it do?", "input": letters, "output": "Cuts chains.",
        "task": "mine", "family": "function", "labels": None, "sequences": [letters], "kinds": ["protein"],
    }  # fmt: skip


def again(
    tokenizer: GeneTokenizer, *, asked: dict[str, Any] | None = None, max_tokens: int = 4000, **hits: Any
) -> tuple[list[dict[str, Any]], Counter[str]]:
    config = TasksConfig(with_hits=HitsConfig(share=1, **hits), max_tokens=max_tokens)
    counts: Counter[str] = Counter()
    made = hit_records(config, [asked or question()], KNOWN, tokenizer, seed=1, total=1, counts=counts)
    return list(made), +counts


def test_neither_the_item_nor_a_near_copy_is_among_its_hits(tokenizer: GeneTokenizer) -> None:
    (made,), counts = again(tokenizer)
    assert "1. cousin: Joins chains." in made["instruction"]
    assert "2. far: Binds < /s> zinc." in made["instruction"]
    assert "3." not in made["instruction"]
    assert made == question() | {"id": f"mine:parent{MARK}", "instruction": made["instruction"]}
    assert counts == {"asked again with hits": 1}


def test_an_item_of_unknown_letters_which_is_unlike_itself_is_not_among_its_hits(tokenizer: GeneTokenizer) -> None:
    letters = "".join("X" if at % 4 == 0 else old for at, old in enumerate(PARENT))
    known = [Record("masked", "protein", letters, "train.jsonl", "Cuts chains.")]
    with index_records(known) as index:
        assert index.find_sequences(letters, "protein")[0].identity < 0.9
    counts: Counter[str] = Counter()
    asked, config = [question("masked~joined", letters)], TasksConfig(max_tokens=4000, with_hits=HitsConfig(share=1))
    (made,) = hit_records(config, asked, known, tokenizer, seed=1, total=1, counts=counts)
    assert made["instruction"] == "What does it do?\n\nAlike sequences of an index:\nNo hit in the index."
    assert +counts == {"asked again, told that there is no hit": 1}


def test_a_sequence_too_short_to_be_looked_up_has_no_hit(tokenizer: GeneTokenizer) -> None:
    (made,), counts = again(tokenizer, asked=question("short", "MK"))
    assert made["instruction"].endswith("No hit in the index.")
    assert counts == {"asked again, told that there is no hit": 1}


def test_the_words_are_those_of_evaluation(tokenizer: GeneTokenizer, tmp_path: Path) -> None:
    """What is searched lies in a file of its own there; all but the E-values, which tell its size, is equal."""
    file = tmp_path / "train.jsonl"
    file.write_text("".join(f">{one.id} {one.description}\n{one.text}\n" for one in KNOWN if one.id != "parent"))
    build_index(IndexConfig(kind="protein"), files=[file], seed=1, output=tmp_path / "idx")
    asked = item(**question() | {"sequences": (PARENT,), "kinds": ("protein",)})
    (shown,) = add_evidence(EvaluateConfig(), [asked], open_index(tmp_path / "idx"), tokenizer, context=4000)
    (made,), _ = again(tokenizer)
    chance = re.compile(r"E-value \S+")
    assert chance.sub("", made["instruction"]) == chance.sub("", shown.instruction)
    assert HitsConfig().neighbours == EvaluateConfig().neighbours
    assert HitsConfig().neighbours_below == EvaluateConfig().neighbours_below


def test_hits_give_way_where_there_is_no_room_and_the_answer_keeps_its_own(tokenizer: GeneTokenizer) -> None:
    (whole,), _ = again(tokenizer)
    prompt = render([Message("user", user_content(whole["instruction"], PARENT))])
    # Three for begin, end and word-begin, 64 for the longest answer.
    room = len(tokenizer.encode(prompt)) + 3 + 64
    assert again(tokenizer, max_tokens=room)[0] == [whole]
    (less,), counts = again(tokenizer, max_tokens=room - 1)
    assert "1. cousin" in less["instruction"]
    assert "2. far" not in less["instruction"]
    assert counts == {"asked again with hits": 1, "hits left out: no room": 1}
    assert again(tokenizer, max_tokens=300) == ([], {"not asked again: no room for a hit": 1})


def write_splits(folder: Path) -> None:
    """Three families of proteins, each with one function; members differ in a third of their residues."""
    rng = random.Random(7)
    rows = []
    for family in range(3):
        parent = rng.choices(RESIDUES, k=60)
        for number in range(20):
            letters = [rng.choice(RESIDUES) if rng.random() < 1 / 3 else old for old in parent]
            rows.append((f"f{family}n{number}", "".join(letters), f"Does thing {family}."))
    definition = (
        'name = "mine"\nfamily = "function"\n'
        'inputs = [{ kind = "protein" }]\n'
        'reader = { type = "table", files = [{ path = "mine.csv" }], id = "id", sequences = ["s"], label = "l" }\n'
    )
    write_task(folder, definition, {"mine.csv": csv(rows, head="id,s,l")})
    run(folder, "mine")


def build(folder: Path, words: Path, name: str, **hits: Any) -> Path:
    config = TasksConfig(
        choices=(TaskChoice(name="mine"),), definitions=("tasks",), tool_calls=NO_CALLS, with_hits=HitsConfig(**hits),
        max_tokens=2000,
    )  # fmt: skip
    build_tasks(config, splits=folder / "out", tokenizer=words, seed=1, output=folder / name)
    return folder / name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, words: Path) -> Path:
    folder = tmp_path_factory.mktemp("hits")
    write_splits(folder)
    for name, share in (("none", 0.0), ("half", 0.5), ("all", 1.0), ("again", 0.5)):
        build(folder, words, name, share=share)
    return folder


def lines_of(folder: Path, split: str) -> list[str]:
    return (folder / f"{split}.jsonl").read_text().splitlines()


def test_plain_questions_stay_as_they_are_and_tests_are_never_asked_again(folder: Path) -> None:
    for split in ("train", "valid", "test"):
        plain = lines_of(folder / "none", split)
        half, whole = lines_of(folder / "half", split), lines_of(folder / "all", split)
        assert plain == half[: len(plain)] == whole[: len(plain)]
        assert len(whole) == len(plain) * (1 if split == "test" else 2)
        assert set(half) <= set(whole)
        assert (folder / "half" / f"{split}.jsonl").read_bytes() == (folder / "again" / f"{split}.jsonl").read_bytes()
    assert len(lines_of(folder / "none", "train")) < len(lines_of(folder / "half", "train")) < 80


def test_no_held_out_item_is_ever_shown(folder: Path) -> None:
    items = {split: [json.loads(line) for line in lines_of(folder / "all", split)] for split in ("train", "valid")}
    trained = {one["id"].removeprefix("mine:") for one in items["train"]}
    for record in (*items["train"], *items["valid"]):
        shown = re.findall(r"^\d\. (\w+): ", record["instruction"], re.MULTILINE)
        assert set(shown) <= trained - {record["id"].removeprefix("mine:").removesuffix(MARK)}
        assert record["id"].endswith(MARK) == ("Alike sequences of an index:" in record["instruction"])
        assert len(shown) <= 3
    assert {one.id for one in known_items(folder / "all" / "train.jsonl", "mine")} == {
        name for name in trained if not name.endswith(MARK)
    }


def test_the_books_say_how_many_were_asked_again(folder: Path) -> None:
    manifest = read_manifest(folder / "all")
    assert manifest.facts["mine"]["items"] == {"train": 48, "valid": 6, "test": 6}
    assert manifest.facts["mine"]["with_hits"] == {"train": 48, "valid": 6}
    told = manifest.counts.get("mine: asked again, told that there is no hit", 0)
    assert manifest.counts["mine: asked again with hits"] + told == 54
    assert "with_hits" not in read_manifest(folder / "none").facts["mine"]


def test_evaluation_counts_each_item_once(folder: Path) -> None:
    assert [one.id for one in read_items(folder / "all" / "train.jsonl")] == [
        one.id for one in read_items(folder / "none" / "train.jsonl")
    ]
