"""English from plain text, Markdown, JATS and PubMed XML.

Titles and paragraphs stay; tables, formulas and references go.
"""

import html
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO
from xml.etree import ElementTree

from llama_gene.config import Kind
from llama_gene.sequences.fasta import Entry
from llama_gene.sequences.files import Inspector, Item, open_bytes

# A longer text file is given in several records, so that memory does not grow with it.
_BLOCK_BYTES = 1 << 20

_DROPPED_TAGS = frozenset(
    (
        "ref-list", "ref", "table-wrap", "table-wrap-group", "table", "fig", "fig-group", "disp-formula",
        "disp-formula-group", "inline-formula", "tex-math", "math", "supplementary-material", "fn", "fn-group",
        "label", "graphic", "inline-graphic", "media", "object-id", "ack", "glossary", "alternatives",
    )
)  # fmt: skip
_NUMBERS = re.compile(r"^[+−–-]?\d+[+−–-]?$")
_EMPTY_BRACKETS = re.compile(r"\s*[(\[][\s,;:–—-]*(?:and|see|reviewed in|e\.g\.)?[\s,;:–—-]*[)\]]")
_SPACE_BEFORE_STOP = re.compile(r"\s+([.,;:?!])")

_LINK_TARGET = r"""\((?:[^()"]|"[^"]*"|\([^()]*\))*\)"""
_MARKDOWN_DROPS = re.compile(
    r"(?ms)<!--.*?-->"
    r"|<(table|math|script|style|cnx-pi|svg|iframe)\b.*?</\1>"
    r"|^(`{3,}|~{3,}).*?^\2[^\n]*$"
    rf"|!\[(?:[^\[\]]|\[[^\[\]]*\])*\](?:{_LINK_TARGET})?"
    r"|\{[:#][^}\n]*\}"
    r"|\$\$.*?\$\$"
    r"|^[ \t]*\|.*?$"
    r"|^[ \t]*:?-{3,}:?(?:[ \t]*\|[ \t]*:?-{3,}:?)+[ \t]*$"
    r"|^[ \t]*(?:[-*_][ \t]*){3,}$"
)
_MARKDOWN_LINK = re.compile(rf"\[((?:[^\[\]]|\[[^\[\]]*\])*)\](?:{_LINK_TARGET}|\[[^\]]*\])")
_MARKDOWN_REFERENCE = re.compile(r"(?m)^[ \t]*\[[^\]]+\]:[ \t]+\S.*$")
_MARKDOWN_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_MARKDOWN_MARK = re.compile(r"(?m)^[ \t]{0,3}(?:#{1,6}[ \t]+|>[ \t]?)|[ \t]+#+[ \t]*$")
_MARKDOWN_BULLET = re.compile(r"(?m)^([ \t]*)[*+-][ \t]+")
_MARKDOWN_EMPHASIS = re.compile(
    r"(\*{1,3}|(?<![A-Za-z0-9])_{1,3})(?=\S)((?:(?!\1|\n\n).)+?)(?<=\S)\1(?![A-Za-z0-9]|\1)", re.DOTALL
)
_MARKDOWN_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
# Escaped characters are kept out of the way in the private use area while the marks are taken out.
_HIDDEN = 0xE000
_HIDDEN_CHARACTER = re.compile("[\ue000-\ue07f]")
# OpenStax pages write a bare reference to a figure as [\[link\]](#figure) or [[link]](#figure).
_BARE_LINKS = ("\ue05blink\ue05d", "[link]")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?P<head>.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_TITLE = re.compile(r"""(?m)^title:[ \t]*(?P<title>.+?)[ \t]*$""")


def parse_text(item: Item, kind: Kind, inspector: Inspector) -> Iterator[Entry]:
    """A plain text as one entry; a file over 1 MiB as several, cut at blank lines."""
    yield from _documents(item, inspector, tidy)


def parse_markdown(item: Item, kind: Kind, inspector: Inspector) -> Iterator[Entry]:
    """A Markdown file as one entry of prose; a file over 1 MiB as several, cut at blank lines."""
    yield from _documents(item, inspector, strip_markdown)


def parse_jats(item: Item, kind: Kind, inspector: Inspector) -> Iterator[Entry]:
    """A JATS article as one entry: title, abstract, then headings and paragraphs of the body."""
    with open_bytes(item) as stream:
        try:
            root = ElementTree.parse(stream).getroot()
        except (ElementTree.ParseError, ValueError, LookupError) as error:
            message = f"{item.label}: not well-formed XML ({error}). Fetch the file again."
            inspector.refuse("broken XML", message, records=1)
            return
    title = _inline(root.find(".//article-meta//article-title"))
    blocks = [title]
    for abstract in root.iterfind(".//article-meta/abstract"):
        if abstract.get("abstract-type") in (None, "summary", "section"):
            blocks += _blocks(abstract)
    for body in root.iterfind("./body"):
        blocks += _blocks(body)
    identifier = next((tag.text for tag in root.iterfind(".//article-meta/article-id[@pub-id-type='doi']")), None)
    text = "\n\n".join(block for block in blocks if block)
    yield Entry((identifier or item.name).strip(), title, text, {"title": title} if title else {}, 1)


def parse_pubmed(item: Item, kind: Kind, inspector: Inspector) -> Iterator[Entry]:
    """The articles of a PubMed file that have an abstract, each its title and sections, one at a time."""
    with open_bytes(item) as stream:
        try:
            events = ElementTree.iterparse(stream, events=("start", "end"))
            _, root = next(events)
            for event, element in events:
                if event == "end" and element.tag == "PubmedArticle":
                    entry = _pubmed_entry(element)
                    if entry.letters:
                        yield entry
                    else:
                        inspector.note("article without abstract left out")
                    root.clear()  # or the tree of a file of 30,000 articles is held
        except (ElementTree.ParseError, ValueError, LookupError) as error:
            inspector.refuse(
                "broken XML",
                f"{item.label}: not well-formed XML ({error}). Fetch the file again. What follows was not read.",
            )


def _pubmed_entry(article: ElementTree.Element) -> Entry:
    """Title and abstract of a `PubmedArticle`; without letters where there is no abstract."""
    number = article.find("MedlineCitation/PMID")
    version = "1" if number is None else number.get("Version", "1")
    name = ("" if number is None else number.text or "") + ("" if version == "1" else f".{version}")
    title = _inline(article.find("MedlineCitation/Article/ArticleTitle"))
    sections = list(filter(None, map(_section, article.iterfind("MedlineCitation/Article/Abstract/AbstractText"))))
    text = "\n\n".join(filter(None, [title, *sections])) if sections else ""
    return Entry(name, title, text, {"title": title} if title else {})


def _section(part: ElementTree.Element) -> str:
    """A part of an abstract, behind its label where it has one: `METHODS: We looked.`"""
    label, text = part.get("Label", ""), _inline(part)
    return f"{label}: {text}" if text and label and label != "UNLABELLED" else text


def _documents(item: Item, inspector: Inspector, clean: Callable[[str], str]) -> Iterator[Entry]:
    with open_bytes(item) as stream:
        for number, (line, block) in enumerate(_text_blocks(stream), start=1):
            text = decode(block, line, item, inspector, letters=len(block))
            if text is not None:
                yield Entry(item.name if number == 1 else f"{item.name}#{number}", "", clean(text), {}, line)


def _text_blocks(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(line, bytes) of stretches that end at a blank line once they are long enough."""
    first, size = 1, 0
    lines: list[bytes] = []
    for number, line in enumerate(stream, start=1):
        lines.append(line)
        size += len(line)
        if size >= _BLOCK_BYTES and not line.strip():
            yield first, b"".join(lines)
            first, size, lines = number + 1, 0, []
    if lines:
        yield first, b"".join(lines)


def decode(
    data: bytes, line: int, item: Item, inspector: Inspector, *, records: int = 1, letters: int = 0
) -> str | None:
    """UTF-8 text with plain line feeds; None after a refusal.

    Args:
        data: Bytes that start at `line` of the item.
        line: 1-based.
        item: Where they come from.
        inspector: What happens where they are not UTF-8.
        records: Whole records that are lost then.
        letters: Of these, as far as they can be told.
    """
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        bad = line + data.count(b"\n", 0, error.start)
        inspector.refuse(
            "not UTF-8",
            f"{item.label}:{bad}: byte 0x{data[error.start]:02x} is not UTF-8. Expected UTF-8 text; convert the file, "
            "for example with iconv -f LATIN1 -t UTF-8.",
            records=records,
            letters=letters,
        )
        return None


def tidy(text: str) -> str:
    """Text without spaces at line ends and with one blank line between paragraphs.

    >>> tidy("One. \\n\\n\\n\\nTwo.\\n")
    'One.\\n\\nTwo.'
    """
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in text.split("\n"))).strip()


def strip_markdown(text: str) -> str:
    """The prose of a Markdown page: no front matter, images, tables, formulas, HTML or marks; links as their text.

    >>> strip_markdown("---\\ntitle: Cells\\n---\\n## *In* [short](a.md)\\n\\n![x](y.png)\\n| a |\\nA **cell** lives.")
    'Cells\\n\\nIn short\\n\\nA cell lives.'
    """
    title = ""
    head = _FRONT_MATTER.match(text)
    if head:
        found = _TITLE.search(head["head"])
        title = found["title"].strip("\"'") if found else ""
        text = text[head.end() :]
    text = _MARKDOWN_ESCAPE.sub(lambda match: chr(_HIDDEN + ord(match[1])), text)
    text = _MARKDOWN_REFERENCE.sub("", _MARKDOWN_DROPS.sub("", text))
    text = _MARKDOWN_LINK.sub(lambda match: "" if match[1] in _BARE_LINKS else match[1], text)
    text = _MARKDOWN_TAG.sub("", text).replace("`", "")
    text = _MARKDOWN_BULLET.sub(r"\1- ", _MARKDOWN_MARK.sub("", text))
    for _ in range(3):  # emphasis inside emphasis
        text = _MARKDOWN_EMPHASIS.sub(r"\2", text)
    text = _HIDDEN_CHARACTER.sub(lambda match: chr(ord(match[0]) - _HIDDEN), html.unescape(text)).replace("\xa0", " ")
    text = _EMPTY_BRACKETS.sub("", text)
    return tidy(f"{title}\n\n{text}" if title else text)


def _blocks(element: ElementTree.Element) -> list[str]:
    """Headings and paragraphs below an element, in order."""
    blocks: list[str] = []
    for child in element:
        tag = _tag(child)
        if tag in ("p", "title", "verse-line"):
            blocks.append(_inline(child))
        elif tag not in _DROPPED_TAGS:
            blocks += _blocks(child)
    return blocks


def _inline(element: ElementTree.Element | None) -> str:
    """The text of a paragraph on one line, without citations and formulas."""
    if element is None:
        return ""
    text = " ".join("".join(_pieces(element)).split())
    return _SPACE_BEFORE_STOP.sub(r"\1", _EMPTY_BRACKETS.sub("", text)).strip()


def _pieces(element: ElementTree.Element) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        tag = _tag(child)
        if tag == "sup" and child.get("ref-type") is None and _NUMBERS.match((child.text or "").strip()):
            yield f"^{(child.text or '').strip()}"
        elif tag not in _DROPPED_TAGS and not (tag == "xref" and child.get("ref-type") in ("bibr", "fn", "table-fn")):
            yield from _pieces(child)
            if tag in ("p", "list-item", "title"):
                yield " "
        yield child.tail or ""


def _tag(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]
