"""What `tokenizer audit` writes, shows and refuses."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from auditing import write_grown
from llama_gene import cli
from llama_gene.tokenizer.tiny import tiny_vocabulary
from llama_gene.tokenizer.vocabulary import extend_vocabulary, write_vocabulary


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "a<b>.fa").write_text(">1\nAATAAAGGG\n>2\nAATAAA\n")
    (tmp_path / "p$1$.faa").write_text(">1\nMKMKWW\n")
    (tmp_path / "page.txt").write_text("The <script>aMKb</script> gene, see https://example.org/MK\n")
    return {"dna": tmp_path / "a<b>.fa", "protein": tmp_path / "p$1$.faa", "text": tmp_path / "page.txt"}


@pytest.fixture
def grown(tmp_path: Path) -> Path:
    return write_grown(tmp_path / "grown & more")


@pytest.fixture
def other(tmp_path: Path) -> Path:
    folder = tmp_path / "other"
    folder.mkdir()
    write_vocabulary(extend_vocabulary(tiny_vocabulary(), ["GG", "ZZZ"], [("G", "G")]), folder)
    return folder


def arguments(grown: Path, files: dict[str, Path], *more: object) -> list[str]:
    given = [word for kind, path in files.items() for word in (f"--{kind}", str(path))]
    return ["tokenizer", "audit", str(grown), "--base", "tiny", *given, *map(str, more)]


class Page(HTMLParser):
    """Notes each element, and whether all that were opened are closed in order."""

    EMPTY = ("meta", "path", "use", "rect", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in self.EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


def test_json_is_one_document_equal_to_the_file(grown, files, tmp_path, capsys):
    assert cli.run(arguments(grown, files, "--json", "--output", tmp_path / "out")) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((tmp_path / "out/audit.json").read_text())
    assert told["kinds"]["dna"]["sources"]["a<b>.fa"]["letters"] == 15
    assert told["kinds"]["text"]["changed_words"][0]["after"]
    assert told["beside"] is None
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"audit.json", "audit.html"}


def test_the_page_loads_nothing_and_all_text_from_outside_is_escaped(grown, files, other, tmp_path, capsys):
    assert cli.run(arguments(grown, files, "--output", tmp_path / "out", "--beside", other)) == 0
    text = (tmp_path / "out/audit.html").read_text()
    page = Page(text)
    assert not page.open
    assert not {"script", "link", "img", "iframe", "object", "b>.fa"} & {tag for tag, _ in page.found}
    assert not re.search(r"(?:src|href|action|data)\s*=\s*[\"']?\s*(?:https?:)?//", text)
    assert "url(http" not in text
    assert "@import" not in text
    assert "grown &amp; more" in text
    assert "a&lt;b&gt;.fa" in text
    assert "p$1$.faa" in page.words


def test_every_picture_is_described_and_ids_are_unique(grown, files, other, tmp_path, capsys):
    assert cli.run(arguments(grown, files, "--output", tmp_path / "out", "--beside", other)) == 0
    page = Page((tmp_path / "out/audit.html").read_text())
    pictures = [values for tag, values in page.found if tag == "svg"]
    assert len(pictures) == 3 + 2 + 3  # letters per token, two ranges, tokens written
    assert all(values["role"] == "img" and len(values["aria-label"]) > 20 for values in pictures)
    ids = [values["id"] for _, values in page.found if "id" in values]
    assert len(ids) == len(set(ids))


def test_the_terminal_shows_two_tokenizers_side_by_side(grown, files, other, capsys):
    assert cli.run(arguments(grown, files, "--beside", other)) == 0
    shown = capsys.readouterr().out
    # AATAAA GG G→AATAAA G G G, AATAAA: 15 letters in 5 tokens; the other: A A T A A A GG G, A A T A A A: 14.
    assert re.search(r"DNA: bases per token +3\.00 +1\.00 +1\.07", shown)
    assert re.search(r"tokens +775 +768 +770", shown)
    assert re.search(r"new tokens never made +0 +– +1", shown)
    assert "{" not in shown


def test_beyond_a_limit_the_files_are_written_the_result_shown_and_the_exit_code_two(grown, files, tmp_path, capsys):
    limits = ("--set", "audit.max_changed_share=0.001", "--set", "audit.min_dna_letters_per_token=4")
    assert cli.run(arguments(grown, files, "--json", "--output", tmp_path / "out", *limits)) == 2
    shown = capsys.readouterr()
    share = json.loads(shown.out)["kinds"]["text"]["changed_share"]
    assert f"audit.max_changed_share: measured {share:,}, limit 0.001;" in shown.err
    assert "audit.min_dna_letters_per_token: measured 3.0, limit 4" in shown.err
    assert "max_base_ids_moved" not in shown.err
    assert shown.err.count("\n") == 1
    assert 'class="verdict broken"' in (tmp_path / "out/audit.html").read_text()


def test_a_negative_limit_is_refused(grown, capsys):
    assert cli.run(["tokenizer", "audit", str(grown), "--set", "audit.max_unreachable=-1"]) == 2
    assert "audit.max_unreachable" in capsys.readouterr().err


def test_without_texts_and_base_the_page_is_whole(grown, tmp_path, capsys):
    assert cli.run(["tokenizer", "audit", str(grown), "--output", str(tmp_path / "out")]) == 0
    assert not Page((tmp_path / "out/audit.html").read_text()).open


def test_files_of_the_same_name_stay_apart(grown, tmp_path, capsys):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.fa").write_text(">1\nAATAAA\n")
    given = [word for folder in ("a", "b") for word in ("--dna", str(tmp_path / folder / "x.fa"))]
    assert cli.run(["tokenizer", "audit", str(grown), *given, "--json"]) == 0
    sources = json.loads(capsys.readouterr().out)["kinds"]["dna"]["sources"]
    assert list(sources) == [str(tmp_path / folder / "x.fa") for folder in ("a", "b")]
