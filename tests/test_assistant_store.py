"""Sequences by accession from a folder of files."""

from pathlib import Path

import pytest

from llama_gene.assistant.inputs import read_typed
from llama_gene.assistant.store import INDEX, Store, open_store
from llama_gene.errors import DataError
from llama_gene.sequences.readers import read_records

GENBANK = """\
LOCUS       NC_000001  24 bp DNA linear BCT 01-JAN-2020
DEFINITION  A small genome.
ACCESSION   NC_000001
VERSION     NC_000001.3
FEATURES             Location/Qualifiers
     CDS             1..9
                     /locus_tag="b0001"
                     /protein_id="NP_000001.1"
                     /translation="MK"
ORIGIN
        1 atgaaataac gtacgtacgt acgt
//
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "a.gb").write_text(GENBANK)
    (tmp_path / "b.fa").write_text(">sp|P0A7G6|RECA_ECOLI Protein RecA\nMAIDENKQKALAAALGQIEKQFGK\n>seq42\nMKVLWWE\n")
    (tmp_path / "notes.txt").write_text("nothing here")
    return open_store(tmp_path)


def test_an_accession_in_a_question_is_its_sequence(store):
    typed = read_typed("Is nc_000001.3 a promoter?", store=store)
    assert typed.question == "Is a promoter?"
    (record,) = typed.sequences
    assert (record.kind, record.text) == ("dna", "ATGAAATAACGTACGTACGTACGT")
    assert typed.notices[0].startswith("NC_000001")
    assert typed.notices[0].startswith("NC_000001.3: 24 letters from a.gb")


def test_a_record_is_read_no_more_often_than_sequences_are_allowed(store, monkeypatch):
    found: list[str] = []
    find = Store.find
    monkeypatch.setattr(Store, "find", lambda self, name: found.append(name) or find(self, name))
    with pytest.raises(DataError, match="more than 3 sequences"):
        read_typed("compare " + "seq42 " * 1000, most=3, store=store)
    assert len(found) == 4


@pytest.mark.parametrize("name", ["P0A7G6", "p0a7g6", "(P0A7G6)", "seq42"])
def test_a_protein_is_found_by_its_accession_or_name(store, name):
    (record,) = read_typed(f"what does {name} do?", store=store).sequences
    assert record.kind == "protein"
    assert record.text.startswith("M")


def test_a_version_may_be_left_out(store):
    assert store.find("NC_000001") is not None
    assert store.find("NC_000001.3") == store.find("nc_000001")


def test_what_the_store_has_not_is_said(store):
    typed = read_typed("Is NC_999999.1 like B2 or abc123?", store=store)
    assert typed.sequences == ()
    assert typed.notices == ("NC_999999.1: not in the store of sequences (chat.store).",)
    assert read_typed("Is NC_000001.3 one?").sequences == ()


@pytest.mark.parametrize("attack", ["../../etc/passwd1", "x'1--", 'x";drop1', "%2e%2e1", "P0A7G6/../1"])
def test_a_word_can_choose_no_path_and_no_statement(store, attack):
    typed = read_typed(f"look at {attack} please", store=store)
    assert typed.sequences == ()
    assert store.find("P0A7G6") is not None


def test_the_index_is_made_once_and_again_when_a_file_changes(store):
    made = (store.folder / INDEX).stat().st_mtime_ns
    assert open_store(store.folder) == store
    assert (store.folder / INDEX).stat().st_mtime_ns == made
    (store.folder / "c.fa").write_text(">late1\nACGTACGTAC\n")
    assert open_store(store.folder).find("late1") is not None


def test_a_broken_index_is_made_again(store):
    (store.folder / INDEX).write_bytes(b"no database")
    assert open_store(store.folder).find("seq42") is not None


def test_a_folder_without_sequences_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        open_store(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(DataError, match="no record of GenBank, FASTA or UniProt"):
        open_store(tmp_path)


@pytest.mark.real_data
def test_every_entry_of_a_real_uniprot_file_is_found_by_its_accession(data, tmp_path):
    (tmp_path / "uniprot.dat.gz").write_bytes((data / "proteins" / "uniprot_flat.dat.gz").read_bytes())
    store = open_store(tmp_path)
    records = list(read_records(tmp_path / "uniprot.dat.gz", "protein", on_invalid="skip"))
    assert len(records) > 1000
    assert store.known(record.id for record in records) == {record.id for record in records}
    assert store.find(records[-1].id).text == records[-1].text
