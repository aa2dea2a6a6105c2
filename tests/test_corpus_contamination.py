"""Validation and test items of tasks are found in documents, on both strands and with a few substitutions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llama_gene.config import ContaminationConfig, Kind
from llama_gene.corpus.contamination import count_held, find_holders
from llama_gene.corpus.items import ItemIndex, count_items, load_items, read_items, save_items
from llama_gene.corpus.kmers import join, words_in
from llama_gene.errors import ArtifactError
from llama_gene.sequences.alphabets import reverse_complement
from llama_gene.sequences.readers import read_records
from llama_gene.tasks.split import SCHEMA

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
LIMITS = ContaminationConfig()
ANSWER = (
    "Binds the upstream element of seven heat shock genes, where it holds the polymerase back until the cell is warm."
)


def random_letters(letters: str, length: int, seed: int) -> str:
    return "".join(np.random.default_rng(seed).choice(list(letters), length))


def dna(length: int, seed: int) -> str:
    return random_letters("ACGT", length, seed)


def protein(length: int, seed: int) -> str:
    return random_letters(RESIDUES, length, seed)


def substitute(letters: str, alphabet: str, number: int, seed: int) -> str:
    """Put another letter at some different places."""
    rng = np.random.default_rng(seed)
    changed = list(letters)
    for place in rng.choice(len(letters), number, replace=False):
        changed[place] = rng.choice([letter for letter in alphabet if letter != changed[place]])
    return "".join(changed)


def item(task: str, sequences: Sequence[str] = (), kinds: Sequence[Kind] = (), **columns: object) -> dict[str, object]:
    row = dict.fromkeys(SCHEMA.names) | {"task": task, "family": "classification", "target": "yes"}
    return row | {"labels": ["yes", "no"], "sequences": list(sequences), "kinds": list(kinds)} | columns


def index(
    folder: Path, items: Sequence[Mapping[str, object]], limits: ContaminationConfig = LIMITS
) -> dict[Kind, ItemIndex]:
    """Half of the items are validation ones, half test ones, as `tasks split` writes them."""
    for split, rows in (("valid", items[::2]), ("test", items[1::2])):
        pq.write_table(pa.Table.from_pylist(list(rows), schema=SCHEMA), folder / f"{split}.parquet")
    return read_items(folder, limits)


@pytest.fixture
def indexes(tmp_path: Path) -> dict[Kind, ItemIndex]:
    return index(
        tmp_path,
        [
            item("promoter", [dna(300, seed=1)], ["dna"]),
            item("enhancer", [dna(200, seed=2)], ["dna"]),
            item("enzyme", [protein(200, seed=3)], ["protein"]),
            item("function", [protein(150, seed=4)], ["protein"], family="function", target=ANSWER, labels=None),
        ],
    )


def test_an_item_its_other_strand_and_a_copy_with_two_percent_substitutions_are_found_in_longer_records(indexes):
    promoter = dna(300, seed=1)
    copies = [promoter, reverse_complement(promoter), substitute(promoter, "ACGT", 6, seed=5)]
    copies.append(reverse_complement(copies[-1]))
    texts = [dna(400, seed=10 + n) + copy + dna(300, seed=20 + n) for n, copy in enumerate(copies)]
    texts.append(dna(1000, seed=30))
    assert find_holders(texts, "dna", indexes, LIMITS) == dict.fromkeys(range(4), ("promoter",))


def test_a_protein_item_and_a_copy_with_two_percent_substitutions_are_found_in_longer_proteins(indexes):
    enzyme = protein(200, seed=3)
    copies = [enzyme, substitute(enzyme, RESIDUES, 4, seed=5)]
    texts = [protein(100, seed=10 + n) + copy + protein(60, seed=20 + n) for n, copy in enumerate(copies)]
    texts.append(protein(400, seed=30))
    assert find_holders(texts, "protein", indexes, LIMITS) == {0: ("enzyme",), 1: ("enzyme",)}


@pytest.mark.parametrize(
    "quote",
    [
        ANSWER,
        ANSWER.upper().replace(" ", "\n"),
        "“" + ANSWER.replace(" ", " \u2014 ").replace(",", ";") + "”",
        "element of seven HEAT shock genes—where it ‘holds’ the polymerase back; until the cell",
    ],
)
def test_a_free_text_answer_is_found_in_english_whatever_its_case_and_punctuation(indexes, quote):
    padding = "Nothing of this has been said before in any other place, as far as anyone can say today. "
    texts = [padding * 3, padding + quote + " " + padding]
    assert find_holders(texts, "text", indexes, LIMITS) == {1: ("function",)}


def test_twelve_of_thirteen_words_are_too_few_and_runs_do_not_reach_over_two_documents(indexes):
    words = ANSWER.split()
    first, second = " ".join(words[:12]), " ".join(words[12:])
    assert find_holders([first, second], "text", indexes, LIMITS) == {}
    assert find_holders([first + " " + second], "text", indexes, LIMITS) == {0: ("function",)}


def test_names_of_classes_and_states_are_not_looked_for_in_text(tmp_path):
    long = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    rows = [item("class", target=long, labels=[long]), item("states", target=long, labels=None, family="structure")]
    assert "text" not in index(tmp_path, rows)


def test_half_of_an_items_words_is_the_border(tmp_path):
    wanted = dna(120, 7)  # 100 words of 21 letters
    indexes = index(tmp_path, [item("task", [wanted], ["dna"])])
    texts = [dna(200, 8) + wanted[:letters] + "N" + dna(200, 9) for letters in (69, 70)]
    assert find_holders(texts, "dna", indexes, LIMITS) == {1: ("task",)}, "49 and 50 words"
    assert len(find_holders(texts, "dna", indexes, ContaminationConfig(dna_share=0.49))) == 2
    assert not find_holders(texts, "dna", indexes, ContaminationConfig(dna_share=0.51))


def test_a_word_that_stands_twice_counts_once(tmp_path):
    wanted = dna(120, 7)
    indexes = index(tmp_path, [item("task", [wanted], ["dna"])])
    twice = wanted[:60] + "N" + wanted[:60] + "N" + dna(500, 8)
    assert not find_holders([twice], "dna", indexes, LIMITS), "40 of 100 words, each twice"


def test_a_fragment_that_lies_in_a_long_item_goes_and_one_that_overlaps_it_a_little_stays(tmp_path):
    gene = dna(5000, seed=7)
    indexes = index(tmp_path, [item("gene", [gene], ["dna"])])
    inside, scrap, overlap = gene[2000:2600], reverse_complement(gene[100:140]), gene[4800:] + dna(400, seed=8)
    assert set(find_holders([inside, scrap, overlap], "dna", indexes, LIMITS)) == {0, 1}


def test_a_protein_piece_that_lies_in_a_long_item_goes(tmp_path):
    titin = protein(3000, seed=7)
    indexes = index(tmp_path, [item("fold", [titin], ["protein"])])
    texts = [titin[1000:1200], titin[1000:1030] + protein(300, seed=8)]
    assert set(find_holders(texts, "protein", indexes, LIMITS)) == {0}


def test_bare_repeats_hold_nothing(tmp_path):
    repeat = "CA" * 150
    rows = [
        item("repeat", [repeat], ["dna"]),
        item("flanked", [dna(1000, 1) + repeat + dna(1000, 2)], ["dna"]),
        item("poly", ["Q" * 90 + protein(300, 3)], ["protein"]),
    ]
    indexes = index(tmp_path, rows)
    assert count_items(indexes)["repeat"] == {"dna too short": 1}
    assert not find_holders([repeat, "A" * 300, dna(500, 4) + repeat], "dna", indexes, LIMITS)
    assert not find_holders(["Q" * 60], "protein", indexes, LIMITS)


def test_words_are_counted_as_by_hand():
    def starts(text: str, kind: Kind, length: int) -> list[int]:
        return words_in(join([text], kind).letters, kind, length).starts.tolist()

    assert starts("ACGTN" + "A" * 22, "dna", 21) == [5, 6]
    assert starts("MKLVAWG*MKLVAW", "protein", 6) == [0, 1, 8]
    assert starts("one, two... THREE-four\u00a0five!", "text", 3) == [0, 5, 12]
    assert starts("one two", "text", 3) == []
    runs = words_in(join(["One: two three", "“one” two—THREE", "one two\nthree four"], "text").letters, "text", 3).words
    assert [int(run == runs[0]) for run in runs] == [1, 1, 1, 0]


def test_an_index_without_a_word_is_saved_and_holds_nothing(tmp_path):
    save_items(index(tmp_path, [item("short", ["ACGT"], ["dna"])]), tmp_path / "items")
    assert find_holders([dna(300, seed=1)], "dna", load_items(tmp_path / "items"), LIMITS) == {}


def test_items_are_counted_by_task(indexes, tmp_path):
    assert count_items(indexes) == {
        "enhancer": {"dna looked for": 1},
        "enzyme": {"protein looked for": 1},
        "function": {"protein looked for": 1, "text looked for": 1},
        "promoter": {"dna looked for": 1},
    }
    short = index(tmp_path, [item("short", ["ACGTACGT", dna(60, 1)], ["dna", "dna"])])
    assert count_items(short) == {"short": {"dna too short": 1, "dna looked for": 1}}


def test_a_document_that_holds_items_of_two_tasks_is_counted_for_both(indexes):
    text = dna(300, seed=1) + dna(50, seed=9) + reverse_complement(dna(200, seed=2))
    held = find_holders([text], "dna", indexes, LIMITS)
    assert held == {0: ("enhancer", "promoter")}
    counts = Counter()
    count_held(counts, "dna", held[0])
    assert counts == {
        "dna documents that hold an item of enhancer": 1,
        "dna documents that hold an item of promoter": 1,
    }


def test_lower_case_items_and_uracil_are_read_as_the_corpus_writes_them(tmp_path):
    rna = dna(100, 1).replace("T", "U").lower()
    indexes = index(tmp_path, [item("rna", [rna], ["dna"])])
    assert find_holders([dna(100, 1)], "dna", indexes, LIMITS) == {0: ("rna",)}


def test_a_saved_index_finds_the_same(indexes, tmp_path):
    save_items(indexes, tmp_path / "items")
    loaded = load_items(tmp_path / "items")
    assert count_items(loaded) == count_items(indexes)
    texts = [dna(300, seed=1), dna(300, seed=9)]
    assert find_holders(texts, "dna", loaded, LIMITS) == find_holders(texts, "dna", indexes, LIMITS)
    assert not any(array.flags.owndata for array in (loaded["dna"].words, loaded["dna"].filter))


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="not a folder of task items"):
        load_items(tmp_path)
    pq.write_table(pa.table({"task": ["a"]}), tmp_path / "valid.parquet")
    with pytest.raises(ArtifactError, match=r"column 'family' is missing\. Expected the folder of `llama-gene tasks"):
        read_items(tmp_path, LIMITS)


def test_the_result_does_not_depend_on_the_batches(indexes):
    texts = [dna(50, seed=n) + dna(300 if n % 3 else 200, seed=1 + n % 4) for n in range(40)]
    whole = find_holders(texts, "dna", indexes, LIMITS)
    single = {
        place: held[0] for place, text in enumerate(texts) if (held := find_holders([text], "dna", indexes, LIMITS))
    }
    assert whole == single
    assert whole


@pytest.mark.parametrize(("length", "least"), [(1000, 0.97), (300, 0.85), (70, 0.65)])
def test_how_many_copies_with_two_percent_substitutions_are_found(tmp_path, length, least):
    """By 21-mers: short items lose too many where two substitutions lie far from both ends. See the module."""
    number = 200
    items = [dna(length, seed=n) for n in range(number)]
    indexes = index(tmp_path, [item("task", items, ["dna"] * number)])
    rng = np.random.default_rng(1)
    copies = [substitute(one, "ACGT", rng.binomial(length, 0.02), seed=n) for n, one in enumerate(items)]
    texts = [dna(400, seed=1000 + n) + copy + dna(400, seed=2000 + n) for n, copy in enumerate(copies)]
    found = len(find_holders(texts, "dna", indexes, LIMITS)) / number
    assert found >= least


@pytest.mark.real_data
@pytest.mark.slow
def test_real_genomes_proteins_and_papers_hold_no_random_item(data, tmp_path):
    rows = [item("dna", [dna(70, seed=n), dna(400, seed=10_000 + n)], ["dna"] * 2) for n in range(1000)]
    rows += [
        item("protein", [protein(60, seed=n), protein(400, seed=10_000 + n)], ["protein"] * 2) for n in range(1000)
    ]
    rows += [item("text", family="function", labels=None, target=ANSWER)]
    indexes = index(tmp_path, rows)
    for path, kind in (
        ("genomes/yeast/R64-1-1.fa.gz", "dna"),
        ("proteins/proteomes/archaea_178306.faa.gz", "protein"),
        ("text/craft", "text"),
    ):
        files = sorted((data / path).glob("*")) if (data / path).is_dir() else [data / path]
        texts = [record.text for file in files for record in read_records(file, kind)]
        pieces = [text[at : at + 800] for text in texts for at in range(0, len(text), 800)]
        assert pieces
        assert not find_holders(pieces, kind, indexes, LIMITS)
