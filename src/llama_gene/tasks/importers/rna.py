"""Secondary structures of RNA, as bpRNA-1m publishes them and as its derived sets are.

Layouts (bprna.cgrb.oregonstate.edu, "Download"; Danaee et al. 2018, supplement):
- .dbn: comment lines with #, the sequence, the dot-bracket, or FASTA-like with > and both lines;
- .st: the same first lines, then arrays of loop types, which are not read;
- .bpseq: comment lines, then `position base partner`, 1-based, partner 0 where there is none;
- .ct: a line with the length, then `position base previous next partner position`;
- .json, .jsonl: one object a line with `seq` and `label`, the dot-bracket (TR0, VL0 and TS0 of SPOT-RNA).

A file holds one structure or many, a folder any number of files. Brackets of every kind are read: an opening one (or a
capital) pairs with a later base, a closing one (or a small letter) with an earlier one.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from llama_gene.config import Split
from llama_gene.sequences.files import Inspector, Item, open_text
from llama_gene.tasks.importers.found import (
    Definition,
    Found,
    Origin,
    Request,
    Row,
    as_published,
    as_table,
    describe_task,
    label,
    table_reader,
)
from llama_gene.tasks.importers.layout import (
    columns_of,
    items_below,
    need_items,
    parts_of,
    path_of,
    read_rows,
    split_in,
    stem_of,
    suffix_of,
)
from llama_gene.tasks.sources import UNKNOWN_STATE

_BPRNA = Origin(
    "bpRNA-1m", "see the source databases",
    "Danaee et al. 2018, Nucleic Acids Research 46:5381; Singh et al. 2019, Nature Communications 10:5407",
)  # fmt: skip
_PAIRS = {"(": ")", "[": "]", "{": "}", "<": ">", **{letter: letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}}
_UNPAIRED = ".,:-_"
# A task takes - for a state that is not known; in these files it is an unpaired base.
_WRITTEN = str.maketrans(UNKNOWN_STATE, ".")
_SETS: Mapping[str, Split] = {"TR": "train", "VL": "valid", "TS": "test"}
_SPOT_RNA = re.compile(r"(?:^|[_.-])(TR|VL|TS)\d(?:$|[_.-])", re.IGNORECASE)
_LATER, _EARLIER = tuple(_PAIRS), tuple(_PAIRS.values())


class Structure(NamedTuple):
    """A chain and its dot-bracket, where it stands and what it is called."""

    where: str
    name: str
    letters: str
    brackets: str


def find_bprna(request: Request) -> Iterator[Found]:
    """One task of all structures: whether a base pairs with a later one, with an earlier one, or not."""
    items = items_below(request.path)
    lines = [
        item for item in items if suffix_of(item) in (".json", ".jsonl") and {"seq", "label"} <= set(columns_of(item))
    ]
    files = [item for item in items if suffix_of(item) in _PARSERS]
    need_items([*lines, *files], request.path, f"files {', '.join(_PARSERS)}, or .json with seq and label")
    if lines:
        yield _from_lines(request, lines, f"{request.prefix}-json" if files else request.prefix)
    if files:
        name = request.prefix
        made = _define(table_reader(name, answer=True, split=True))
        yield as_table(name, made, _rows(request, files))


def _from_lines(request: Request, lines: Sequence[Item], name: str) -> Found:
    """JSON lines, read as they are; as a table, where one does not fit its sequence or an unpaired base is a dash."""
    quiet = Inspector("skip")  # the table counts what does not fit
    structures = (found for item in lines for found in _json_lines(item, quiet))
    if not all(_fits(found, quiet) and UNKNOWN_STATE not in found.brackets for found in structures):
        return as_table(name, _define(table_reader(name, answer=True, split=True)), _rows(request, lines))
    reader = {
        "type": "table", "format": "jsonl", "sequences": ["seq"], "label": "label",
        "files": [{"path": path_of(item), "split": _split_of(item, request.path)} for item in lines],
    }  # fmt: skip
    return as_published(name, _define(reader))


def _define(reader: Definition) -> Definition:
    return describe_task(
        title="RNA secondary structure prediction", family="structure", inputs=[("dna", "rna")], reader=reader,
        origin=_BPRNA, keep="end",
        question="Is the base asked for of this RNA, written with T for U, paired with one that follows, with one "
        "before it, or unpaired?",
        labels=[
            label("paired with a later base", *_LATER), label("paired with an earlier base", *_EARLIER),
            label("unpaired", *_UNPAIRED.replace(UNKNOWN_STATE, "")),
        ],
    )  # fmt: skip


def _rows(request: Request, files: Sequence[Item]) -> Iterator[Row]:
    for item in files:
        split = _split_of(item, request.path)
        for found in _PARSERS.get(suffix_of(item), _json_lines)(item, request.inspector):
            if _fits(found, request.inspector):
                states = found.brackets.translate(_WRITTEN)
                yield Row((found.letters,), found.name or stem_of(item), states, split=split)


def _split_of(item: Item, root: Path) -> Split | None:
    """The split that a file or folder names, in words or as SPOT-RNA does: TR0, VL0, TS0."""
    names = [stem_of(item), *reversed(parts_of(item, root)[:-1])]
    found = (_SPOT_RNA.search(name) for name in names)
    return split_in(names) or next((_SETS[match[1].upper()] for match in found if match), None)


def _fits(found: Structure, inspector: Inspector) -> bool:
    """Whether a structure belongs to its sequence; what does not is counted."""
    if len(found.letters) != len(found.brackets):
        inspector.refuse(
            "structure of another length than its sequence",
            f"{found.where}: {len(found.brackets)} places of structure for {len(found.letters)} bases. Mend the file.",
        )
        return False
    problem = unbalanced(found.brackets)
    if problem:
        inspector.refuse("brackets that do not pair", f"{found.where}: {problem}. Mend the file.")
        return False
    return True


def unbalanced(brackets: str) -> str:
    """What is wrong with a dot-bracket; "" where every bracket has its mate.

    >>> unbalanced("((.[.)).]"), unbalanced("(("), unbalanced("?")
    ('', "'(' is never closed", "'?' is no structure")
    """
    opened = dict.fromkeys(_LATER, 0)
    mates = dict(zip(_EARLIER, _LATER, strict=True))
    for mark in brackets:
        if mark in opened:
            opened[mark] += 1
        elif mark in mates:
            opened[mates[mark]] -= 1
            if opened[mates[mark]] < 0:
                return f"{mark!r} closes nothing"
        elif mark not in _UNPAIRED:
            return f"{mark!r} is no structure"
    return next((f"{mark!r} is never closed" for mark, number in opened.items() if number), "")


def _dot_bracket(item: Item, inspector: Inspector) -> Iterator[Structure]:
    """Structures of .dbn and .st: a line of letters and the line below it; a comment or a title begins the next."""
    name, held = "", list[str]()
    with open_text(item, errors="replace") as text:
        for number, line in enumerate(text, start=1):
            line = line.strip()
            if line.startswith((">", "#")):
                if held:
                    yield from _finished(item, number, name, held, inspector)
                    name, held = "", []
                name = _named(line) or name
            elif line:
                held.append(line)
        if held:
            yield from _finished(item, number, name, held, inspector)


def _finished(item: Item, number: int, name: str, held: Sequence[str], inspector: Inspector) -> Iterator[Structure]:
    where = f"{item.label}:{number}"
    if len(held) < 2:
        inspector.refuse("sequence without a structure", f"{where}: {name or 'a record'} has no line of structure.")
        return
    # A free energy may stand behind the structure, as in the output of RNAfold.
    yield Structure(where, name, held[0], held[1].split()[0])


def _named(line: str) -> str:
    """The name in a title or in `#Name: x`."""
    if line.startswith(">"):
        return line[1:].split(maxsplit=1)[0] if line[1:].strip() else ""
    key, _, value = line[1:].partition(":")
    return value.strip() if key.strip().lower() == "name" else ""


def _bpseq(item: Item, inspector: Inspector) -> Iterator[Structure]:
    """Structures of .bpseq: `position base partner`."""
    yield from _from_partners(item, columns=3, base=1, partner=2, inspector=inspector)


def _ct(item: Item, inspector: Inspector) -> Iterator[Structure]:
    """Structures of .ct: `position base previous next partner position`."""
    yield from _from_partners(item, columns=6, base=1, partner=4, inspector=inspector)


def _from_partners(item: Item, *, columns: int, base: int, partner: int, inspector: Inspector) -> Iterator[Structure]:
    name, first = "", 0
    letters: list[str] = []
    partners: list[str] = []
    with open_text(item, errors="replace") as text:
        for number, line in enumerate(text, start=1):
            cells = line.split()
            is_row = len(cells) >= columns and cells[0].isdecimal() and len(cells[base]) == 1
            # Position 1 begins a structure, whatever stands between them.
            if is_row and cells[0] == "1" and letters:
                yield from _paired(item, first, name, letters, partners, inspector)
                letters, partners = [], []
            if is_row:
                first = first if letters else number
                letters.append(cells[base])
                partners.append(cells[partner])
            elif line.startswith("#"):
                name = _named(line.strip()) or name
        if letters:
            yield from _paired(item, first, name, letters, partners, inspector)


def _paired(
    item: Item, first: int, name: str, letters: Sequence[str], partners: Sequence[str], inspector: Inspector
) -> Iterator[Structure]:
    """The states of a chain from its partners, which must point at each other."""
    where = f"{item.label}:{first}"
    numbers = [int(text) if text.isdecimal() else -1 for text in partners]
    for place, other in enumerate(numbers, start=1):
        if other and not (0 < other <= len(numbers) and numbers[other - 1] == place and other != place):
            inspector.refuse(
                "partners that do not agree",
                f"{where}: base {place} pairs with {other}, which does not pair with it. Mend the file.",
            )
            return
    states = "".join(
        "." if not other else "(" if other > place else ")" for place, other in enumerate(numbers, start=1)
    )
    yield Structure(where, name, "".join(letters), states)


def _json_lines(item: Item, inspector: Inspector) -> Iterator[Structure]:
    """Structures of JSON lines with `seq` and `label`."""
    for where, row in read_rows(item, inspector):
        yield Structure(where, str(row.get("id") or ""), str(row.get("seq") or ""), str(row.get("label") or ""))


_PARSERS = {".dbn": _dot_bracket, ".dot": _dot_bracket, ".st": _dot_bracket, ".bpseq": _bpseq, ".ct": _ct}
