r"""The rules for text: what papers hold besides prose leaves.

Made for plain text (papers, pages turned into text); the readers of JATS and Markdown have taken most of it out by its
tags. Where a rule cannot be sure it leaves the text as it is: a reference list must look like one, thanks are one
paragraph behind their heading, a table has two rows. Legends of figures, lists of abbreviations and words of any
language stay. Nothing is added or put into other words, except that `&lt;` becomes `<` and a word cut at a line end
becomes whole.
"""

import html
import re
from collections import Counter
from collections.abc import Callable
from typing import Literal

# Of control characters only tabs and line feeds stay. Those of one byte go by bytes.translate, a hundred times faster
# than a pattern.
_ONE_BYTE_CONTROLS = bytes(byte for byte in (*range(32), 127) if byte not in b"\t\n")
_LONGER_CONTROLS = re.compile(rb"\xc2[\x80-\x9f]")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BLANK_LINES = re.compile(r"\n{3,}")
_SPACE = "space or control character"

_TEX = re.compile(r"\\documentclass\b.{0,4000}?\\end\{document\}", re.DOTALL)
_TAG = re.compile(
    r"</?(?:i|b|u|p|a|em|strong|su[bp]|br|hr|span|div|img|font|italic|bold|underline|sc|monospace|xref|ext-link|table|"
    r"thead|tbody|t[rdh]|[uo]l|li|h[1-6]|title|sec|fig|graphic|label|caption|ref|inline-formula|tex-math|"
    r"mml:\w+)(?:\s[^<>\n]*)?/?>",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#\d{2,6}|#x[0-9a-fA-F]{2,5});")
_CITATION = re.compile(r"[ \xa0]\[[1-9]\d{0,2}(?:\s*[,;–-]\s*[1-9]\d{0,2})*\](?![\w-])")
_MANY_CITATIONS = 5
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_CUT_WORD = re.compile(r"-\n[ \t]*(?!(?:and|or|to|nor|but)\b)([a-z]+)")
_LAST_LETTERS = re.compile(r"[^\W\d_]{2,}\Z")
_LONGEST_WORD = 60

_INTERESTS = r"(?:competing|conflicts?(?: of)?|declarations? of(?: competing)?) interests?(?: statements?)?"
_CREDITS = rf"authors?['’]?s?['’]? contributions?|{_INTERESTS}|funding(?: sources?| information| statement)?"
_NUMBERING = r"(?:(?:\d{1,2}|[IVX]{1,4})\.?\s+)?"
_REFERENCES = re.compile(
    rf"{_NUMBERING}(?:references(?: and notes| cited)?|literature cited|bibliography|works cited|reference list)[.:]?",
    re.IGNORECASE,
)
_THANKS = re.compile(
    rf"{_NUMBERING}(?:acknowledge?ments?|{_CREDITS}|pre-publication history|disclosures?)[.:]?", re.IGNORECASE
)
_LABELLED = re.compile(rf"(?:{_CREDITS})\s*[.:]\s*\S", re.IGNORECASE)
_IMPRINT = re.compile(
    r"(?:correspondence(?: to)?|e-?mail|citation|copyright|received|(?:academic )?editors?|reviewed by|edited by|"
    r"published online)\s*:\s*\S",
    re.IGNORECASE,
)
_BODY = re.compile(
    rf"{_NUMBERING}(?:abstract|summary|introduction|background|(?:materials? and |patients and )?methods?|results?"
    r"(?: and discussion)?|discussion|conclusions?|appendix.{0,40}|abbreviations?|supporting information|"
    r"supplement\w* .{0,30}|additional (?:data )?files?.{0,40}|footnotes?|figure legends?|figures and tables|"
    r"notes? added.{0,20})[.:]?",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"(?:(?:supplementary )?(?:fig(?:ure|\.)?|table|scheme|plate|box|movie|video)|additional (?:data )?file)"
    r"\s*S?\d{1,3}[A-Za-z]?[.:]?|figures and tables|footnotes|supplementary material|click here for .{0,40}\bfile\b.*",
    re.IGNORECASE,
)
_CAPTION = re.compile(r"(?:fig(?:ure|\.)?|table)\s*S?\d", re.IGNORECASE)
_PAGE = re.compile(
    r"[-–—]?\s*\d{1,4}\s*[-–—]?|page \d+(?: of \d+)?|\(page numbers? not for citation purposes\)", re.IGNORECASE
)
_ADDRESS = re.compile(
    r"(?:[\w ,-]{0,40}:\s*)?<?(?:(?:https?|ftp)://\S+|www\.\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+)>?[\s.,;]*", re.IGNORECASE
)
_YEAR = re.compile(r"\b(?:19|20)\d\d[a-z]?\b")
_PAGES = re.compile(r"\d+\s*[-–]\s*\d+|\bdoi\b|\bet al\b|:\s*[A-Z]?\d+", re.IGNORECASE)
_GAP = re.compile(r"\S {2,}(?=\S)")
_LIST_ITEM = re.compile(r"\(?\d{1,2}[.)]\s")
_NUMBERS = re.compile(r"[\d.,;:%±()<>=+−–/*-]")

_SHORT = 120
_LONG_PARAGRAPH = 600
_MOST_THANKS = 4000
_REFERENCE_SHARE = 0.3


def clean_text(text: str, rules: Literal["prose", "keep"]) -> tuple[str, Counter[str]]:
    r"""A text by the rules, and the UTF-8 bytes that left by reason.

    Args:
        text: As read.
        rules: prose: all of this module; keep: only white space and control characters leave.

    >>> clean_text("Bold <i>E. coli</i> grew.\n\nFigure 1\n\n12\n", "prose")
    ('Bold E. coli grew.', Counter({'label': 9, 'markup': 7, 'space or control character': 3, 'page number': 3}))
    """
    removed: Counter[str] = Counter()
    page = _apply(_tidy, text, _SPACE, removed)
    if rules == "prose":
        for reason, step in _STEPS:
            page = _apply(step, page, reason, removed)
        page = _drop_lines(page, removed)
        page = _apply(_join_words, page, "cut word joined", removed)
        page = _apply(_tidy, page, _SPACE, removed)
    return page, +removed


def _apply(step: Callable[[str], str], text: str, reason: str, removed: Counter[str]) -> str:
    found = step(text)
    if found is not text:
        removed[reason] += _bytes(text) - _bytes(found)
    return found


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _tidy(text: str) -> str:
    """One kind of line end, no control characters, no space at line ends, one blank line between paragraphs."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    data = text.encode("utf-8", "surrogatepass").translate(None, _ONE_BYTE_CONTROLS)
    page = _LONGER_CONTROLS.sub(b"", data).replace(_BYTE_ORDER_MARK, b"").decode("utf-8", "surrogatepass")
    if " \n" in page or "\t\n" in page:
        page = "\n".join(line.rstrip(" \t") for line in page.split("\n"))
    if "\n\n\n" in page:
        page = _BLANK_LINES.sub("\n\n", page)
    return page.strip()


def _drop_markup(text: str) -> str:
    if "<" in text or "\\documentclass" in text:
        text = _TAG.sub("", _TEX.sub("", text))
    return _ENTITY.sub(lambda match: html.unescape(match[0]), text) if "&" in text else text


def _drop_citations(text: str) -> str:
    """Text without [1-3], where there are so many of them that they must be citations."""
    return _CITATION.sub("", text) if len(_CITATION.findall(text)) >= _MANY_CITATIONS else text


def _join_words(text: str) -> str:
    """Words cut at line ends made whole; the hyphen stays where the text has the word with it elsewhere."""
    if "-\n" not in text:
        return text
    known = set(_WORD.findall(text))

    def join(match: re.Match[str]) -> str:
        head = _LAST_LETTERS.search(text[max(0, match.start() - _LONGEST_WORD) : match.start()])
        if not head:
            return match[0]
        with_hyphen, without = f"{head[0]}-{match[1]}", f"{head[0]}{match[1]}"
        return f"-{match[1]}" if with_hyphen in known and without not in known else match[1]

    # From the line end back: to try every word of a text for one takes longer than all other rules.
    return _CUT_WORD.sub(join, text)


_STEPS: tuple[tuple[str, Callable[[str], str]], ...] = (("markup", _drop_markup), ("citation", _drop_citations))


def _drop_lines(text: str, removed: Counter[str]) -> str:
    """Text without the lines that are no prose."""
    lines = text.split("\n")
    kept: list[str] = []
    found: Counter[str] = Counter()
    at = 0
    while at < len(lines):
        reason, end = _judge(lines, at)
        if reason:
            # Each line with its line feed; the last line has none, which the sum below sets right.
            found[reason] += sum(_bytes(line) + 1 for line in lines[at:end])
        else:
            kept.extend(lines[at:end])
        at = end
    if not found:
        return text
    page = "\n".join(kept)
    surplus = found.total() - (_bytes(text) - _bytes(page))
    found[max(found, key=found.__getitem__)] -= surplus
    removed.update(found)
    return page


def _judge(lines: list[str], at: int) -> tuple[str, int]:
    """(why the line leaves or "", the line after it); more than one line leaves where they belong together."""
    line = lines[at].strip()
    reason, end = "", at + 1
    if line and len(line) <= _SHORT:
        reason, end = _judge_short(line, lines, at)
    if not reason and _IMPRINT.match(line):
        reason = "imprint"
    elif not reason and _LABELLED.match(line):
        reason, end = "thanks and interests", _end_of_paragraph(lines, at)
    elif not reason and _is_row(line):
        while end < len(lines) and _is_row(lines[end].strip()):
            end += 1
        # One line in columns may be prose set wide; a table has more.
        reason = "table" if end > at + 1 else ""
    return (reason, end) if reason and end > at else ("", at + 1)


def _judge_short(line: str, lines: list[str], at: int) -> tuple[str, int]:
    """The same for lines that may be headings or labels."""
    if _REFERENCES.fullmatch(line):
        end = _end_of_references(lines, at + 1)
        return ("reference list", end) if end > at + 1 else ("", at + 1)
    if _THANKS.fullmatch(line):
        end = _end_of_paragraph(lines, at + 1)
        return ("thanks and interests", end) if end > at + 1 else ("", at + 1)
    for reason, pattern in (("label", _LABEL), ("page number", _PAGE), ("address", _ADDRESS)):
        if pattern.fullmatch(line):
            return reason, at + 1
    return "", at + 1


def _end_of_references(lines: list[str], start: int) -> int:
    """Where the reference list that starts here ends; `start` where what follows does not look like one."""
    end, signs, entries = start, 0, 0
    while end < len(lines):
        line = lines[end].strip()
        has_sign = bool(_YEAR.search(line)) or bool(_PAGES.search(line))
        if _BODY.fullmatch(line) or _THANKS.fullmatch(line) or _LABEL.fullmatch(line) or _CAPTION.match(line):
            break
        if len(line) > _LONG_PARAGRAPH and not (_YEAR.search(line) and _PAGES.search(line)):
            break
        signs += has_sign
        entries += bool(line)
        end += 1
    return end if entries and signs >= _REFERENCE_SHARE * entries else start


def _end_of_paragraph(lines: list[str], start: int) -> int:
    """Behind the first paragraph from here on; `start` where there is none or it is too long for thanks."""
    end = start
    while end < len(lines) and not lines[end].strip():
        end += 1
    first, size = end, 0
    while end < len(lines) and lines[end].strip():
        line = lines[end].strip()
        if any(pattern.fullmatch(line) for pattern in (_BODY, _REFERENCES, _THANKS, _LABEL)):
            break
        size += len(line)
        end += 1
    return end if end > first and size <= _MOST_THANKS else start


def _is_row(line: str) -> bool:
    """True for a line that stands in columns."""
    if line.count("\t") >= 2 or (line.startswith("|") and line.endswith("|") and line.count("|") > 2):
        return True
    if len(line) > 2 * _SHORT or not line or _LIST_ITEM.match(line):
        return False
    if len(_GAP.findall(line)) >= 3:
        return True
    numbers = len(_NUMBERS.findall(line))
    return numbers >= 4 and numbers >= 0.7 * len(line.replace(" ", "")) and len(line.split()) > 2
