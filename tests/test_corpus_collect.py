"""The first pass: the same rows whatever records are looked at together."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_gene.config import CleanConfig, CorpusConfig, NearDuplicateConfig, Source
from llama_gene.corpus.arrays import load_array
from llama_gene.corpus.collect import (
    CollectTask,
    book_path,
    collect_chunk,
    list_inputs,
    make_chunks,
    spool_path,
)
from llama_gene.corpus.deduplicate import digests
from llama_gene.corpus.spool import RowWriter, count_batches, read_batch

FASTA = {
    "dna": f">a one\n{'ACGT' * 9}NNNN{'GGCA' * 9}\n>b\nacgr\n>c\n{'ACGTTGCA' * 500}\n",
    "protein": f">p1\n{'MKLVAW' * 6}\n>p2\nMKL\n>p3 a protein, partial [x]\n{'MKLEEW' * 6}x*\n>p4\nMKJ\n",
}


def collect(folder: Path, kind: str, **rules: str) -> dict:
    """What the pass says of the file of this kind; batches have 1,500 letters, regions 1,000."""
    (folder / "in").mkdir(exist_ok=True)
    (folder / "in" / f"{kind}.fa").write_text(FASTA[kind])
    config = CorpusConfig(
        sources=(Source(path=f"in/{kind}.fa", kind=kind),), min_letters=20, region_bp=1000, on_invalid="skip",
        near_duplicates=NearDuplicateConfig(kinds=()), clean=CleanConfig(**rules),
    )  # fmt: skip
    (chunk,) = make_chunks(list_inputs(config, folder))
    return collect_chunk(CollectTask(chunk, config, folder, is_sketched=False, batch_letters=1500))


def rows(folder: Path) -> list[list[dict]]:
    """The rows of each batch."""
    spool = spool_path(folder, 0)
    return [read_batch(spool, number).to_pylist() for number in range(count_batches(spool))]


def test_runs_of_dna_are_rows_and_a_long_one_is_cut_where_regions_end(tmp_path):
    told = collect(tmp_path, "dna")
    left, right, whole = "ACGT" * 9, "GGCA" * 9, "ACGTTGCA" * 500
    a = {"record": 0, "id": "a", "length": 76}
    c = [
        {"record": 1, "id": "c", "length": 4000, "start": start, "text": whole[start : start + 1000]}
        for start in (0, 1000, 2000, 3000)
    ]
    first = [{**a, "start": 0, "text": left}, {**a, "start": 40, "text": right}, *c[:2]]
    assert rows(tmp_path) == [first, c[2:]]
    book = load_array(book_path(tmp_path, 0))
    assert book["digest"].tolist() == digests([f"{left}N{right}", whole], "dna").tolist()
    assert [book[name].tolist() for name in ("letters", "regions", "file")] == [[72, 4000], [1, 4], [0, 0]]
    assert told["batches"] == 2
    assert told["letters"] == 4072
    assert told["counts"] == {
        "dna records read": 3, "dna letters read": 4080, "dna records removed: shorter than min_letters": 1,
        "dna letters removed: shorter than min_letters": 3, "dna letters removed: unknown base N": 4,
        "dna letters removed: ambiguous base": 1, "dna reading: records upper-cased": 1,
    }  # fmt: skip


def test_proteins_are_rows_and_what_leaves_is_counted(tmp_path):
    told = collect(tmp_path, "protein")
    assert rows(tmp_path) == [
        [
            {"record": 0, "id": "p1", "start": 0, "length": 36, "text": "MKLVAW" * 6},
            {"record": 1, "id": "p3", "start": 0, "length": 37, "text": "MKLEEW" * 6 + "X"},
        ]
    ]
    assert told["counts"] == {
        "protein records read": 4, "protein letters read": 79,
        "protein records removed: letters outside the alphabet": 1,
        "protein letters removed: letters outside the alphabet": 3,
        "protein records removed: shorter than min_letters": 1, "protein letters removed: shorter than min_letters": 3,
        "protein reading: records upper-cased": 1, "protein reading: final stops dropped": 1,
        "protein reading: letters outside the alphabet": 1,
    }  # fmt: skip


def test_a_rule_for_proteins_takes_single_ones_out(tmp_path):
    told = collect(tmp_path, "protein", protein_fragments="drop")
    assert [row["id"] for batch in rows(tmp_path) for row in batch] == ["p1"]
    assert told["counts"]["protein records removed: protein fragment"] == 1
    assert told["counts"]["protein letters removed: protein fragment"] == 37


@pytest.mark.parametrize("kind", ["dna", "protein"])
def test_it_does_not_matter_how_many_records_are_looked_at_together(tmp_path, monkeypatch, kind):
    together, alone = tmp_path / "together", tmp_path / "alone"
    for folder, letters in ((together, 1_000_000), (alone, 1)):
        folder.mkdir()
        monkeypatch.setattr("llama_gene.corpus.collect._GROUP_LETTERS", letters)
        collect(folder, kind)
    for path in (spool_path, book_path):
        assert path(together, 0).read_bytes() == path(alone, 0).read_bytes()


@settings(deadline=None)
@given(st.lists(st.integers(0, 12), max_size=30), st.lists(st.integers(0, 30), max_size=4), st.integers(1, 20))
def test_a_batch_ends_with_the_row_that_fills_it_whatever_rows_come_together(tmp_path_factory, sizes, cuts, full):
    path = tmp_path_factory.mktemp("rows") / "rows.arrow"
    schema = pa.schema({"number": pa.int64(), "text": pa.string()})
    with RowWriter(path, schema, batch_letters=full) as writer:
        borders = sorted({0, len(sizes), *(cut for cut in cuts if cut < len(sizes))})
        for begin, end in pairwise(borders):
            lengths = np.array(sizes[begin:end], np.int64)
            writer.add([range(begin, end), ["x" * size for size in lengths]], lengths)
    expected: list[list[int]] = [[]]
    for number in range(len(sizes)):
        expected[-1].append(number)
        if sum(sizes[row] for row in expected[-1]) >= full:
            expected.append([])
    found = [read_batch(path, number)["number"].to_pylist() for number in range(count_batches(path))]
    assert found == [batch for batch in expected if batch]
    assert writer.batches == len(found)
