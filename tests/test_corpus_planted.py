"""What a task asks is planted in longer records, built into a corpus, and must be gone from its training part.

A substitution changes at most 21 words of DNA and 6 of a protein. So of a copy of 125 bases or more in which one in 50
is another, half of the words are left wherever the substitutions lie: it is found for certain. Chance comes in where
their number is drawn, and where fragments end inside the copy.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llama_gene.config import ContaminationConfig, Kind, NearDuplicateConfig
from llama_gene.corpus.accounts import imbalances
from llama_gene.corpus.build import build_corpus
from llama_gene.corpus.contamination import find_holders
from llama_gene.corpus.items import Sought, index_items
from llama_gene.sequences.alphabets import reverse_complement
from llama_gene.tasks.split import SCHEMA
from test_corpus_build import config, read, write_fasta
from test_corpus_contamination import RESIDUES, dna, item, protein, substitute
from test_corpus_near_duplicates import page

# The copies of one item are near duplicates of each other.
ALL_STAY = NearDuplicateConfig(kinds=())
LETTERS: Mapping[Kind, str] = {"dna": "ACGT", "protein": RESIDUES}
DRAW: Mapping[Kind, Callable[[int, int], str]] = {"dna": dna, "protein": protein}


def write_splits(folder: Path, items: Sequence[Mapping[str, object]]) -> Path:
    folder.mkdir()
    for split, rows in (("valid", items[::2]), ("test", items[1::2])):
        pq.write_table(pa.Table.from_pylist(list(rows), schema=SCHEMA), folder / f"{split}.parquet")
    return folder


def ids(folder: Path) -> set[str]:
    return {row["id"].split(":")[0] for split in ("train", "valid") for row in read(folder, split)}


def copies_of(letters: str, kind: Kind, seed: int) -> dict[str, str]:
    """What is planted: the item, its other strand, and both with one letter in 50 changed."""
    near = substitute(letters, LETTERS[kind], max(1, len(letters) // 50), seed)
    whole = {"same": letters, "near": near}
    other = {f"other {name}": reverse_complement(copy) for name, copy in whole.items()}
    return whole | other if kind == "dna" else whole


@pytest.mark.parametrize("kind", ["dna", "protein"])
def test_an_item_its_other_strand_and_copies_with_two_percent_changed_are_taken_out_of_longer_records(tmp_path, kind):
    lengths = {"dna": (200, 300, 1000), "protein": (50, 150, 400)}[kind]
    items = {f"{length}.{seed}": DRAW[kind](length, seed) for length in lengths for seed in range(5)}
    splits = write_splits(tmp_path / "splits", [item("task", [letters], [kind]) for letters in items.values()])
    planted = {
        f"{name}.{copy}".replace(" ", "."): DRAW[kind](150, 1000 + number) + letters + DRAW[kind](100, 2000 + number)
        for number, (name, whole) in enumerate(items.items())
        for copy, letters in copies_of(whole, kind, number).items()
    }
    others = {f"other{number}": DRAW[kind](300 + 10 * number, 3000 + number) for number in range(20)}
    write_fasta(tmp_path / "a.fa", planted | others)
    # Records are documents: nothing is cut. Two of 80 are held out, where items may be.
    chosen = config(("a.fa", kind), fragment_max_bp=1500, near_duplicates=ALL_STAY, valid_share=0.001)
    counts = build_corpus(chosen, data=tmp_path, seed=1, output=tmp_path / "out", exclude=splits).counts
    assert imbalances(counts) == {}
    held = {row["id"].split(":")[0] for row in read(tmp_path / "out", "valid")}
    assert ids(tmp_path / "out") - held == set(others) - held
    assert counts[f"{kind} documents that hold an item of task"] == len(planted) - len(held & set(planted))
    assert len(held) == 1


def words_of(letters: str) -> set[str]:
    """The plain way: every 21-mer as it stands and from the other strand."""
    words = {letters[at : at + 21] for at in range(len(letters) - 20)}
    return {min(word, reverse_complement(word)) for word in words}


def test_of_records_that_are_cut_exactly_the_fragments_go_that_hold_half_of_the_words_alone_or_two_together(tmp_path):
    """Compared with the plain rule, fragment by fragment and neighbour by neighbour."""
    items = {f"{length}.{seed}": dna(length, seed) for length in (200, 300, 1000) for seed in range(4)}
    splits = write_splits(tmp_path / "splits", [item("task", [letters], ["dna"]) for letters in items.values()])
    planted = {
        f"{name}.{copy}".replace(" ", "."): dna(1500, 1000 + number) + letters + dna(1500, 2000 + number)
        for number, (name, whole) in enumerate(items.items())
        for copy, letters in copies_of(whole, "dna", number).items()
    }
    write_fasta(tmp_path / "a.fa", planted)
    chosen = config(("a.fa", "dna"), near_duplicates=ALL_STAY, valid_share=0.001, reverse_share=0)
    made: dict[str, dict[str, dict[int, str]]] = {}
    for name, exclude in (("whole", None), ("clean", splits)):
        build_corpus(chosen, data=tmp_path, seed=1, output=tmp_path / name, exclude=exclude)
        of_records = made.setdefault(name, {})
        for row in read(tmp_path / name, "train"):
            record, span, _ = row["id"].split(":")
            of_records.setdefault(record, {})[int(span.split("-")[0])] = row["text"]
    sought = [words_of(letters) for letters in items.values()]

    def holds(text: str) -> bool:
        words = words_of(text)
        return any(2 * len(words & asked) >= min(len(words), len(asked)) for asked in sought)

    for record, fragments in made["whole"].items():
        alone = {start for start, text in fragments.items() if holds(text)}
        pairs = [two for two in pairwise(sorted(fragments)) if not alone & set(two)]
        cut = {start for two in pairs if holds("".join(fragments[start] for start in two)) for start in two}
        assert set(fragments) - set(made["clean"][record]) == alone | cut
        assert alone | cut, f"{record}: nothing of the copy was found"


def test_a_free_text_answer_is_taken_out_of_longer_pages_whatever_its_case_and_with_a_word_in_fifty_changed(tmp_path):
    answers = {f"{words}.{seed}": page(words, 10 * words + seed) for words in (30, 60, 150) for seed in range(3)}
    rows = [item("function", family="function", labels=None, target=answer) for answer in answers.values()]
    splits = write_splits(tmp_path / "splits", rows)
    (tmp_path / "pages").mkdir()
    planted = {}
    for number, (name, answer) in enumerate(answers.items()):
        changed = answer.split()
        for place in np.random.default_rng(number).choice(len(changed), max(1, len(changed) // 50), replace=False):
            changed[place] = "otherwise"
        for copy, words in (
            ("same", answer),
            ("cased", answer.title().replace(" ", ", ")),
            ("near", " ".join(changed)),
        ):
            planted[f"{name}.{copy}"] = f"{page(50, 5000 + number)} {words}. {page(50, 6000 + number)}"
    others = {f"other{number}": page(100, 7000 + number) for number in range(20)}
    for name, text in (planted | others).items():
        (tmp_path / f"pages/{name}").write_text(text)
    chosen = config(("pages", "text"), near_duplicates=ALL_STAY, valid_share=0.001)
    counts = build_corpus(chosen, data=tmp_path, seed=1, output=tmp_path / "out", exclude=splits).counts
    assert imbalances(counts) == {}
    held = {row["id"].split(":")[0] for row in read(tmp_path / "out", "valid")}
    assert len(held) == 1
    assert ids(tmp_path / "out") - held == set(others) - held
    assert counts["text documents that hold an item of function"] == len(planted) - len(held & set(planted))


@pytest.mark.parametrize("length", [125, 200, 300, 1000])
def test_a_copy_with_exactly_two_percent_changed_is_found_wherever_they_lie(length):
    items = [dna(length, seed) for seed in range(100)]
    index = {"dna": index_items([Sought("task", "dna", letters) for letters in items], "dna", 21)}
    copies = [substitute(letters, "ACGT", length // 50, seed) for seed, letters in enumerate(items)]
    # The worst places: so far apart that no word loses two letters.
    for letters in items:
        worst = list(letters)
        for place in np.linspace(21, length - 22, length // 50).astype(int):
            worst[place] = reverse_complement(worst[place])
        copies.append("".join(worst))
    texts = [dna(100, 1000 + n) + copy + dna(100, 2000 + n) for n, copy in enumerate(copies)]
    assert len(find_holders(texts, "dna", index, ContaminationConfig())) == len(texts)
