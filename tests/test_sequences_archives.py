"""Small files in the form in which archives publish them, as `corpus fetch` brings them."""

import gzip
import json
import zipfile
from collections import Counter

import pytest

from llama_gene.errors import DataError
from llama_gene.sequences.gff import read_gff_coding
from llama_gene.sequences.readers import read_records
from published import (
    BACTERIUM,
    CDS,
    COLI,
    PLAIN,
    PLANT,
    PUBMED,
    STRUCTURED,
    WITHOUT,
    marks,
    pack,
    s2orc_paper,
    write_ensembl,
    write_parquet,
)


def test_a_shard_of_s2orc_gives_title_headings_and_paragraphs_but_no_authors_and_references(tmp_path):
    papers = [json.dumps(s2orc_paper(number)) for number in (7, 8)]
    path = pack(tmp_path / "20260101_000042_abcde.gz", *papers)
    first, second = read_records(path, "text")
    assert (first.id, second.id) == ("7", "8")
    assert first.text == "On cells\n\nCells live.\n\nMethods\n\nWe looked (1)."


def test_a_shard_of_the_second_s2orc_gives_the_title_and_the_marked_body(tmp_path):
    body = "Methods\n\nWe looked.\n\nFigure 1. A cell."
    annotations = {"section_header": marks(body, "Methods"), "paragraph": marks(body, "We looked.")}
    paper = {
        "corpusid": 7, "title": "On cells", "body": {"text": body, "annotations": annotations},
        "bibliography": {"text": "B. Other.", "annotations": {}},
    }  # fmt: skip
    (record,) = read_records(pack(tmp_path / "part-0.gz", json.dumps(paper)), "text")
    assert (record.id, record.text) == ("7", "On cells\n\nMethods\n\nWe looked.")
    assert record.annotations == {"title": "On cells"}


def test_a_paper_of_s2orc_without_marks_is_read_whole_and_one_without_text_is_counted(tmp_path):
    counts = Counter()
    papers = [
        {"corpusid": 1, "content": {"text": "All of it.", "annotations": {"paragraph": None}}},
        {"corpusid": 2, "content": {"text": None, "annotations": {}}},
    ]
    path = pack(tmp_path / "shard.gz", *map(json.dumps, papers))
    records = list(read_records(path, "text", on_invalid="skip", counts=counts))
    assert [(record.id, record.text) for record in records] == [("1", "All of it.")]
    assert counts == {"empty record": 1}


def test_shards_of_abstracts_and_short_summaries_are_read_by_line(tmp_path):
    abstract = {"corpusid": 3, "openaccessinfo": {"license": "CCBY"}, "abstract": "Cells live."}
    summary = {"corpusid": 4, "model": "tldr@v2.0.0", "text": "They do."}
    path = pack(tmp_path / "shard.gz", json.dumps(abstract), json.dumps(summary))
    records = [(record.id, record.text) for record in read_records(path, "text")]
    assert records == [("3", "Cells live."), ("4", "They do.")]


def test_json_without_a_name_that_says_so_is_told_from_text(tmp_path):
    whole = tmp_path / "whole"
    whole.write_text('{\n "title": "On cells",\n "text": "Cells live."\n}\n')
    assert [record.text for record in read_records(whole, "text")] == ["On cells\n\nCells live."]
    page = tmp_path / "page"
    page.write_text("{:.no_toc}\n[link] and words\n")
    assert [record.text for record in read_records(page, "text")] == ["{:.no_toc}\n[link] and words"]


def test_a_pubmed_file_gives_title_and_abstract_of_each_article_and_counts_those_without(tmp_path):
    articles = STRUCTURED + WITHOUT + PLAIN.format(number=13, version=1) + PLAIN.format(number=13, version=2)
    counts = Counter()
    path = pack(tmp_path / "pubmed26n0001.xml.gz", PUBMED.format(articles=articles))
    first, *rest = read_records(path, "text", counts=counts)
    assert (first.id, first.annotations) == ("11", {"title": "On E. coli."})
    assert first.text == "On E. coli.\n\nAIM: To see 10^6 cells.\n\nWe saw H2O."
    assert [(record.id, record.text) for record in rest] == [(name, "Short.\n\nCells live.") for name in ("13", "13.2")]
    assert counts == {"article without abstract left out": 1}


def test_the_articles_before_a_cut_in_a_pubmed_file_are_read_and_the_cut_is_told(tmp_path):
    path = tmp_path / "pubmed.xml"
    path.write_text(PUBMED.format(articles=PLAIN.format(number=1, version=1) + STRUCTURED)[:-200])
    counts = Counter()
    assert [record.id for record in read_records(path, "text", on_invalid="skip", counts=counts)] == ["1"]
    assert counts == {"broken XML": 1}
    with pytest.raises(DataError, match=r"pubmed.xml: not well-formed XML .* Fetch the file again"):
        list(read_records(path, "text"))


def test_rows_of_parquet_are_read_as_json_objects_are(tmp_path):
    rows = [
        {"id": number, "Title": "On cells", "text": f"Cell {number}.", "vector": [0.5] * 9, "image": b"\0"}
        for number in range(600)
    ]
    path = write_parquet(tmp_path / "train-00000-of-00001.parquet", rows, row_group_size=100)
    records = list(read_records(path, "text"))
    assert [record.id for record in records] == [str(number) for number in range(600)]
    assert (records[7].text, records[7].annotations) == ("On cells\n\nCell 7.", {"title": "On cells"})


def test_sequences_of_parquet_are_checked_and_counted_by_reason(tmp_path):
    rows = [{"sequence": letters, "label": 1} for letters in ("acgt", "MKLV", None, "ACGTN")]
    counts = Counter()
    path = write_parquet(tmp_path / "data", rows)
    found = [(record.id, record.text) for record in read_records(path, "dna", on_invalid="skip", counts=counts)]
    assert found == [("1", "ACGT"), ("4", "ACGTN")]
    assert counts == {"records upper-cased": 1, "wrong alphabet": 1, "empty record": 1}


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[: len(data) // 2], "not a Parquet file .* Expected a whole file; fetch it again"),
        (lambda data: data[:4] + bytes(60) + data[64:], "damaged behind row 0 .* Fetch the file again"),
    ],
    ids=["cut", "damaged"],
)
def test_a_damaged_parquet_file_is_refused_in_one_line(tmp_path, damage, words):
    path = write_parquet(tmp_path / "a.parquet", [{"text": f"Cell {number}."} for number in range(50)])
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=words):
        list(read_records(path, "text"))
    counts = Counter()
    assert list(read_records(path, "text", on_invalid="skip", counts=counts)) == []
    assert counts.total() - counts["no records"] == 1


def test_parquet_without_a_known_column_says_what_is_looked_for(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", [{"label": 1}])
    with pytest.raises(DataError, match=r"a.parquet: no column of protein. Expected a header with one of sequence"):
        list(read_records(path, "protein"))


def test_each_gff_of_an_ensembl_folder_finds_the_genome_and_proteins_of_its_assembly(tmp_path):
    bacterium, plant = write_ensembl(tmp_path)
    (pair,) = read_records(bacterium, "coding")
    assert pair.text == "GTGGCTTGGTAA\nMAW"  # code 11, which the file does not name, starts with GTG
    counts = Counter()
    (pair,) = read_records(plant, "coding", counts=counts)
    assert pair.text == "ATGTGGTGGTAG\nMWW"
    assert counts == {"coding pairs with our translation, since none is given": 1}


def test_a_coding_region_that_disagrees_with_the_protein_beside_it_is_no_pair(tmp_path):
    bacterium, _ = write_ensembl(tmp_path)
    proteins = tmp_path / f"{COLI}.pep.all.fa.gz"
    proteins.write_bytes(gzip.compress(b">AAC1 pep\nMAY\n"))
    counts = Counter()
    assert list(read_records(bacterium, "coding", on_invalid="skip", counts=counts)) == []
    assert counts["no coding pair: the given translation is another"] == 1


def test_the_residue_of_a_first_codon_that_is_cut_is_no_disagreement(tmp_path):
    bacterium, _ = write_ensembl(tmp_path)
    line = CDS.format(seqid="Chromosome", protein="AAC1").replace("\t3\t14\t.\t+\t0", "\t4\t14\t.\t+\t2")
    bacterium.write_bytes(gzip.compress(line.encode()))
    proteins = tmp_path / f"{COLI}.pep.all.fa.gz"
    proteins.write_bytes(gzip.compress(b">AAC1 pep\nXAW\n"))
    assert [record.text for record in read_records(bacterium, "coding")] == ["GCTTGGTAA\nAW"]


def test_a_gff_takes_no_genome_of_another_species_and_no_proteins_for_one(tmp_path):
    bacterium, plant = write_ensembl(tmp_path)
    for file in tmp_path.glob("Zea_mays*.fa.gz"):
        file.unlink()
    with pytest.raises(DataError, match=r"Zea_mays.Zm-B73.v5.60.gff3.gz: no genome. Expected ##FASTA"):
        list(read_gff_coding(plant))
    (tmp_path / f"{COLI}.dna.toplevel.fa.gz").unlink()
    (tmp_path / f"{COLI}.dna_rm.toplevel.fa.gz").unlink()
    with pytest.raises(DataError, match="no genome"):
        list(read_gff_coding(bacterium))


def test_a_zip_of_ncbi_datasets_gives_pairs_of_each_assembly(tmp_path):
    path = tmp_path / "GCF_1.1.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for accession, genome, residues in (("GCF_1.1", BACTERIUM, "MAW"), ("GCF_2.1", PLANT, "MWW")):
            folder = f"ncbi_dataset/data/{accession}"
            archive.writestr(f"{folder}/{accession}_ASM1v1_genomic.fna", f">c\n{genome}\n")
            archive.writestr(f"{folder}/cds_from_genomic.fna", ">lcl|x\nATGTAA\n")
            archive.writestr(f"{folder}/genomic.gff", CDS.format(seqid="c", protein="P"))
            archive.writestr(f"{folder}/protein.faa", f">P a protein\n{residues}\n")
    counts = Counter()
    pairs = [record.text for record in read_records(path, "coding", on_invalid="skip", counts=counts)]
    assert pairs == ["GTGGCTTGGTAA\nMAW", "ATGTGGTGGTAG\nMWW"]
