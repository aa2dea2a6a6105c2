"""Write an audit: `audit.json` holds every number, `audit.html` is one page that loads nothing from outside."""

from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from llama_gene.artifacts import write_json, write_text
from llama_gene.pages.render import render_page
from llama_gene.tokenizer.audit.motifs import MOTIFS
from llama_gene.tokenizer.audit.plots import letters_by_source, range_lengths, used_lengths
from llama_gene.tokenizer.audit.records import Audit
from llama_gene.tokenizer.audit.summary import (
    KIND_NAMES,
    LETTERS,
    NOTHING,
    agreement,
    count,
    decimal,
    limit_rows,
    percent,
    summary_rows,
)

_PAGE = Path(__file__).with_name("page.html")
_RANGE_NAMES = {"dna": "DNA", "protein": "Protein", "new": "New"}


class Card(NamedTuple):
    """One headline number; `verdict` is above (well), below (not well) or nothing."""

    name: str
    value: str
    note: str
    verdict: str = ""


def write_audit(found: Audit, folder: Path) -> None:
    """Write audit.json and audit.html into a folder, which is made where it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "audit.json", found.as_json())
    write_text(folder / "audit.html", audit_page(found))


def audit_page(found: Audit) -> str:
    """One self-contained HTML page: no script, no outside request."""
    kinds = list(found.kinds)
    return render_page(
        _PAGE,
        audit=found,
        title=Path(found.tokenizer).name,
        beside=Path(found.beside.tokenizer).name if found.beside else "",
        cards=_cards(found),
        rows=summary_rows(found),
        limits=limit_rows(found),
        sources=[(KIND_NAMES[kind], Markup(letters_by_source(found, kind))) for kind in kinds],
        ranges=[(_RANGE_NAMES[name], Markup(range_lengths(found, name))) for name in found.ranges],
        used=[(KIND_NAMES[kind], Markup(used_lengths(found, kind))) for kind in kinds],
        kind_names=KIND_NAMES,
        letters=LETTERS,
        range_names=_RANGE_NAMES,
        motifs_known=len(MOTIFS),
        nothing=NOTHING,
        count=count,
        decimal=decimal,
        percent=percent,
        agreement=agreement,
    )


def _cards(found: Audit) -> list[Card]:
    cards = [
        Card("tokens", count(found.size), f"base {count(found.base_size)}"),
        Card("new tokens", count(found.new_tokens), f"{percent(found.new_tokens_used_share)} stood in the texts"),
    ]
    for kind, numbers in found.kinds.items():
        before = numbers.base_letters_per_token
        note = f"base {decimal(before)}" if before else f"{count(numbers.letters)} {LETTERS[kind]} read"
        cards.append(Card(f"{KIND_NAMES[kind]}: {LETTERS[kind]} per token", decimal(numbers.letters_per_token), note))
    if "text" in found.kinds and found.kinds["text"].changed_share is not None:
        text = found.kinds["text"]
        aside = f"{percent(text.changed_share_outside_sequences)} with sequences aside"
        cards.append(Card("English tokens changed", percent(text.changed_share), aside))
    differing = found.format_differences
    formats = ", ".join(found.formats)
    cards += [
        Card("never made", count(found.unreachable_new_tokens), "new tokens that nothing is written with"),
        Card("formats", _agree(differing), f"tokenizer.json against {formats}", _good(not differing)),
    ]
    kept = [check.passed for check in found.limits if check.passed is not None]
    if found.limits:
        cards.append(Card("limits kept", f"{sum(kept)} of {len(kept)}", "of those measured", _good(all(kept))))
    return cards


def _agree(differing: int | None) -> str:
    if differing is None:
        return "not compared"
    return f"{differing:,} texts differ" if differing else "same ids"


def _good(well: bool) -> str:
    return "above" if well else "below"
