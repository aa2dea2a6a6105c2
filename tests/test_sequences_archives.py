"""Small files in the form in which archives publish them, as `corpus fetch` brings them."""

import gzip
import json
from collections import Counter

from llama_gene.sequences.readers import read_records


def pack(path, *lines):
    """A gzipped file of these lines."""
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    return path


def marks(text, *parts):
    """Where these parts stand in a text, as S2ORC writes it down."""
    return json.dumps([{"start": text.index(part), "end": text.index(part) + len(part)} for part in parts])


PAPER = "On cells\n\nA. Author\n\nCells live.\n\n1 Methods\n\nWe looked (1).\n\nB. Other. Old cells. 1999."


def test_a_shard_of_s2orc_gives_title_headings_and_paragraphs_but_no_authors_and_references(tmp_path):
    annotations = {
        "title": marks(PAPER, "On cells"), "author": marks(PAPER, "A. Author"), "abstract": marks(PAPER, "Cells live."),
        "sectionheader": marks(PAPER, "Methods"), "paragraph": marks(PAPER, "We looked (1)."),
        "bibentry": marks(PAPER, "B. Other. Old cells. 1999."), "table": None,
    }  # fmt: skip
    paper = {"corpusid": 7, "externalids": {"pubmed": "1"}, "content": {"text": PAPER, "annotations": annotations}}
    path = pack(tmp_path / "20260101_000042_abcde.gz", json.dumps(paper), json.dumps(paper | {"corpusid": 8}))
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
