"""An audit as one short table of words and numbers, for the terminal and the page."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from llama_gene.config import KINDS, Kind
from llama_gene.tokenizer.audit.formats import FormatAgreement
from llama_gene.tokenizer.audit.motifs import MOTIFS
from llama_gene.tokenizer.audit.records import Audit, LimitCheck

KIND_NAMES: dict[Kind, str] = {"dna": "DNA", "protein": "protein", "text": "English", "coding": "coding pairs"}
LETTERS: dict[Kind, str] = {"dna": "bases", "protein": "residues", "text": "bytes", "coding": "letters"}
NOTHING = "–"
_MOST_SOURCES = 20
_MOST_WORDS = 5


class Row(NamedTuple):
    """What was measured of the tokenizer, of its base and of the tokenizer beside it; – where nothing was."""

    what: str
    tokenizer: str
    base: str
    beside: str


def summary_rows(found: Audit) -> list[Row]:
    """The headline numbers, in the order they are read."""

    def row(what: str, tell: Callable[[Audit], str], base: str = NOTHING) -> Row:
        return Row(what, tell(found), base, tell(found.beside) if found.beside else NOTHING)

    return [
        row("tokens", lambda one: count(one.size), count(found.base_size) if found.base else NOTHING),
        row("new tokens", lambda one: count(one.new_tokens)),
        row("new tokens used", lambda one: f"{count(one.new_tokens_used)} ({percent(one.new_tokens_used_share)})"),
        row("new tokens never made", lambda one: count(one.unreachable_new_tokens)),
        row("base ids moved", lambda one: count(one.base_ids_moved)),
        *_letter_rows(found),
        row("English tokens changed", lambda one: _english(one, "changed_share")),
        row("English tokens changed, sequences aside", lambda one: _english(one, "changed_share_outside_sequences")),
        row("words changed most", _changed_words),
        row("texts that do not come back", lambda one: count(one.round_trip_failures)),
        row("motifs among new tokens", _motifs),
        *(row(f"ids as tokenizer.json: {name}", _format_teller(name)) for name in _formats(found)),
        *(Row(f"while reading: {reason}", count(number), NOTHING, NOTHING) for reason, number in found.reading.items()),
    ]


def _letter_rows(found: Audit) -> Iterator[Row]:
    for kind in KINDS:
        if kind in found.kinds:
            yield letters_row(found, kind)
            sources = list(found.kinds[kind].sources)
            for name in sources[:_MOST_SOURCES] if len(sources) > 1 else ():
                yield letters_row(found, kind, name)
            if len(sources) > _MOST_SOURCES:
                yield Row(f"  … {len(sources) - _MOST_SOURCES} more", NOTHING, NOTHING, NOTHING)


def letters_row(found: Audit, kind: Kind, source: str = "") -> Row:
    """Letters per token of a kind, or of one of its sources."""
    whole = found.kinds[kind]
    numbers = whole.sources[source] if source else whole
    other = found.beside.kinds[kind] if found.beside else None
    beside = other.sources[source] if other and source else other
    return Row(
        f"  {source}" if source else f"{KIND_NAMES[kind]}: {LETTERS[kind]} per token",
        decimal(numbers.letters_per_token),
        decimal(numbers.base_letters_per_token),
        decimal(beside.letters_per_token if beside else None),
    )


def limit_rows(found: Audit) -> list[tuple[str, str, str, str]]:
    """Each limit: its name, what was measured, the limit, the verdict."""
    return [
        (check.name, NOTHING if check.measured is None else f"{check.measured:,}", f"{check.limit:,}", verdict(check))
        for check in found.limits
    ]


def verdict(check: LimitCheck) -> str:
    """kept, broken, or not measured."""
    return {True: "kept", False: "broken", None: "not measured"}[check.passed]


def terminal_table(found: Audit) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns and rows for the terminal: only the columns that say something, limits last."""
    rows = summary_rows(found)
    columns = {"what": 0, "tokenizer": 1}
    columns |= {"base": 2} if found.base else {}
    columns |= {"beside": 3} if found.beside else {}
    told = [tuple(row[place] for place in columns.values()) for row in rows]
    blank = ("",) * (len(columns) - 2)
    told += [
        (f"limit {name} {limit}", f"{measured} {word}", *blank) for name, measured, limit, word in limit_rows(found)
    ]
    return tuple(columns), told


def count(value: int | None) -> str:
    """A whole number for a person.

    >>> count(92000), count(None)
    ('92,000', '–')
    """
    return NOTHING if value is None else f"{value:,}"


def decimal(value: float | None) -> str:
    """A ratio for a person: two decimals."""
    return NOTHING if value is None else f"{value:.2f}"


def percent(share: float | None) -> str:
    """A share for a person.

    >>> percent(0.0031), percent(0.93), percent(None)
    ('0.31 %', '93.00 %', '–')
    """
    return NOTHING if share is None else f"{100 * share:.2f} %"


def agreement(found: FormatAgreement) -> str:
    """How a format agrees, in words."""
    if not found.texts:
        return "no texts"
    spaces = found.differing_with_runs_of_spaces
    aside = f" (and {spaces:,} with runs of spaces)" if spaces else ""
    return f"{found.differing:,} of {found.texts:,} texts differ{aside}"


def _english(found: Audit, share: str) -> str:
    return percent(getattr(found.kinds["text"], share)) if "text" in found.kinds else NOTHING


def _changed_words(found: Audit) -> str:
    words = found.kinds["text"].changed_words if "text" in found.kinds else ()
    return ", ".join(change.word for change in words[:_MOST_WORDS]) or NOTHING


def _motifs(found: Audit) -> str:
    names = {motif.name for one in found.ranges.values() for motif in one.motifs}
    return f"{len(names)} of {len(MOTIFS)}" if found.ranges else NOTHING


def _formats(found: Audit) -> list[str]:
    return list(dict.fromkeys([*found.formats, *(found.beside.formats if found.beside else ())]))


def _format_teller(name: str) -> Callable[[Audit], str]:
    return lambda one: agreement(one.formats[name]) if name in one.formats else NOTHING
