"""What an index holds about a question: sequences that align with its own, and passages that speak of it.

It stands beside the answer, whatever the model says. Whether the model reads it too is a setting (`chat.evidence`):
models that were not tuned with hits before their questions answer worse with them (`evaluate --index` measures it).
What is found is text from outside: before it enters a prompt it goes through `prompts.defuse`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from llama_gene.assistant.agent import Step, show_call
from llama_gene.config import ChatConfig, GeneKind
from llama_gene.errors import LlamaGeneError
from llama_gene.prompts import defuse
from llama_gene.retrieval.hits import (
    NO_HIT,
    PassageHit,
    SequenceHit,
    quote_sequences,
    render_passages,
    render_sequences,
)
from llama_gene.retrieval.several import AnyIndex
from llama_gene.sequences.alignment import Traced
from llama_gene.sequences.records import Record
from llama_gene.tokenizer.load import GeneTokenizer
from llama_gene.tools.search import SEARCH_TOOLS

PASSAGES_HEADING = "Passages of an index:"
# Identifier, source, first letter and the one after the last: what a hit is known by.
_Place = tuple[str, str, int, int]
# What is found takes at most this part of the context, so that question and answer have room.
_SHARE = 4


@dataclass(frozen=True)
class Searching:
    """The index is searched next. That takes time but not the model, so a server can do it elsewhere."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Neighbours:
    """The sequences of the index that align with one of the question, best first.

    `letters` is how many were searched. `rows` has the alignment with each hit, None where it is too long to draw.
    `note` says what there is to say: no hit, nothing of that kind in the index, a part that was searched alone, or why
    nothing was searched.
    """

    name: str
    kind: GeneKind
    letters: int
    hits: tuple[SequenceHit, ...] = ()
    rows: tuple[Traced | None, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Found:
    """What the index holds about a turn; `passages_note` is "" where passages were found or not looked for."""

    index: str
    neighbours: tuple[Neighbours, ...]
    passages: tuple[PassageHit, ...] = ()
    passages_note: str = ""


def look_up(index: AnyIndex, question: str, sequences: Sequence[Record], config: ChatConfig) -> Found:
    """Everything that the index holds about a question; what cannot be searched is said, and stops nothing.

    Args:
        index: Opened.
        question: In the user's words; "" looks for no passages.
        sequences: Checked records that the question is about.
        config: `neighbours` and `passages` say how many; 0: none is looked for.
    """
    neighbours = [_neighbours_of(index, record, config.neighbours) for record in sequences] if config.neighbours else []
    passages: tuple[PassageHit, ...] = ()
    note = ""
    if question and config.passages and index.counts.get("passages"):
        try:
            passages = index.find_passages(question[: index.config.longest_query], config.passages)
            note = "" if passages else NO_HIT
        except LlamaGeneError as error:
            note = str(error)
    return Found(index.name, tuple(neighbours), passages, note)


def _neighbours_of(index: AnyIndex, record: Record, most: int) -> Neighbours:
    kind: GeneKind = "dna" if record.kind == "dna" else "protein"
    letters = record.text[: index.config.longest_query]
    asked = Neighbours(record.id, kind, len(letters))
    if not index.counts.get(f"{kind} records"):
        return replace(asked, note=f"The index holds no {'DNA' if kind == 'dna' else kind} sequences.")
    try:
        hits = index.find_sequences(letters, kind, most)
        rows = tuple(index.align(letters, hit) for hit in hits)
    except LlamaGeneError as error:
        return replace(asked, note=str(error))
    whole = len(record.text)
    part = f"The first {len(letters):,} of {whole:,} letters were searched." if len(letters) < whole else ""
    return replace(asked, hits=hits, rows=rows, note=_join(part, "" if hits else NO_HIT))


def describe_found(found: Found) -> str:
    """What was found as plain text for people; no hit is said to be none.

    >>> print(describe_found(Found("idx", (Neighbours("mine", "dna", 12, note="No hit in the index."),))))
    mine in the index idx: No hit in the index.
    """
    parts = []
    for one in found.neighbours:
        parts.append(f"{one.name} in the index {found.index}:{' ' if one.note else ''}{one.note}")
        parts += [render_sequences(one.hits)] * bool(one.hits)
    if found.passages or found.passages_note:
        parts.append(f"Passages of the index {found.index}:{' ' if found.passages_note else ''}{found.passages_note}")
        parts += [render_passages(found.passages)] * bool(found.passages)
    return "\n".join(parts)


def hits_of(step: Step) -> tuple[SequenceHit | PassageHit, ...]:
    """The hits of a search that the model asked for itself; none where a step is no search or failed."""
    if step.error or step.tool not in SEARCH_TOOLS:
        return ()
    kind = SequenceHit if step.tool == "search_sequences" else PassageHit
    return tuple(kind(**hit) for hit in step.result)


def show_search(step: Step) -> str:
    """A search of the model's own with its hits in full, as `describe_found` writes them."""
    hits = hits_of(step)
    sequences = [hit for hit in hits if isinstance(hit, SequenceHit)]
    passages = [hit for hit in hits if isinstance(hit, PassageHit)]
    told = render_sequences(sequences) if sequences else render_passages(passages)
    return f"{show_call(step)} ({step.seconds:.2f} s)\n{told}"


def without_hits_of(steps: Sequence[Step], found: Found) -> Found:
    """What was found, less what searches of the model's own showed already, so that each source stands once."""
    shown = {_place_of(hit) for step in steps for hit in hits_of(step)}
    passages = tuple(hit for hit in found.passages if _place_of(hit) not in shown)
    note = _join(found.passages_note, _note_of(len(found.passages) - len(passages)))
    neighbours = tuple(_without(one, shown) for one in found.neighbours)
    return replace(found, neighbours=neighbours, passages=passages, passages_note=note)


def _without(asked: Neighbours, shown: set[_Place]) -> Neighbours:
    kept = [place for place, hit in enumerate(asked.hits) if _place_of(hit) not in shown]
    return replace(
        asked,
        hits=tuple(asked.hits[place] for place in kept),
        rows=tuple(asked.rows[place] for place in kept),
        note=_join(asked.note, _note_of(len(asked.hits) - len(kept))),
    )


def _place_of(hit: SequenceHit | PassageHit) -> _Place:
    return hit.id, hit.source, hit.start, hit.end


def _note_of(left_out: int) -> str:
    hits = "1 hit stands" if left_out == 1 else f"{left_out} hits stand"
    return f"{hits} above, found by the model's own search." if left_out else ""


def _join(*notes: str) -> str:
    return " ".join(filter(None, notes))


def quote_found(found: Found, tokenizer: GeneTokenizer, context: int) -> str:
    """What was found as the model reads it: harmless, and no more than has room; "" for nothing.

    Args:
        found: What the index holds.
        tokenizer: Of the model.
        context: Tokens that the model reads; a quarter of them may be hits.
    """
    hits = [hit for one in found.neighbours for hit in one.hits]
    for shown in range(len(hits) + len(found.passages), 0, -1):
        passages = found.passages[: max(0, shown - len(hits))]
        parts = [quote_sequences(hits[:shown])] * bool(hits)
        parts += [f"{PASSAGES_HEADING}\n{render_passages(passages)}"] * bool(passages)
        quoted = defuse("\n\n".join(parts), tokenizer.special_tokens).text
        if len(tokenizer.encode(quoted)) <= context // _SHARE:
            return quoted
    return ""
