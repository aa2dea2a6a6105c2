"""Read texts once and count what each tokenizer makes of them. Memory holds one batch."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from llama_gene.config import KINDS, Kind
from llama_gene.tokenizer.audit.records import KindAudit, Source, SourceAudit
from llama_gene.tokenizer.audit.words import Drift, Encoded, Pieces, gone, note_drift, read_pieces
from llama_gene.tokenizer.encode import BulkEncoder
from llama_gene.tokenizer.load import GeneTokenizer
from llama_gene.tokenizer.vocabulary import Vocabulary

Ids = npt.NDArray[np.int32]

_BATCH_TEXTS = 500
_BATCH_LETTERS = 2_000_000


@dataclass(frozen=True)
class Base:
    """What a tokenizer is held against."""

    vocabulary: Vocabulary
    encoder: BulkEncoder
    pieces: Pieces


def open_base(vocabulary: Vocabulary) -> Base:
    """A base ready to encode; special-token strings in texts stay plain text."""
    vocabulary.tokenizer.encode_special_tokens = True
    tokens = [str(vocabulary.tokenizer.id_to_token(token_id)) for token_id in range(vocabulary.size)]
    return Base(vocabulary, BulkEncoder(vocabulary.tokenizer), read_pieces(tokens))


@dataclass
class Tally:
    """Counts of one source."""

    texts: int = 0
    letters: int = 0
    tokens: int = 0
    base_tokens: int = 0
    changed: int = 0
    failures: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(mine + theirs for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True)))


@dataclass
class Measured:
    """One tokenizer, and what was counted of it; `base` is None where there is nothing to compare with."""

    gene: GeneTokenizer
    pieces: Pieces
    base: Base | None
    tallies: dict[Kind, dict[str, Tally]] = field(default_factory=dict)
    times_by_kind: dict[Kind, npt.NDArray[np.int64]] = field(default_factory=dict)
    drift: Drift = field(default_factory=Drift)

    def times(self) -> npt.NDArray[np.int64]:
        """How often each token stood in the texts of all kinds."""
        return sum(self.times_by_kind.values(), start=np.zeros(self.gene.size, np.int64))


def open_measured(gene: GeneTokenizer, base: Base | None) -> Measured:
    """A tokenizer of which nothing was counted yet."""
    return Measured(gene, read_pieces([gene.token(token_id) for token_id in range(gene.size)]), base)


def batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Texts in lots of up to 500, fewer where they are long."""
    batch: list[str] = []
    letters = 0
    for text in texts:
        batch.append(text)
        letters += len(text)
        if len(batch) == _BATCH_TEXTS or letters >= _BATCH_LETTERS:
            yield batch
            batch, letters = [], 0
    if batch:
        yield batch


def measure(sides: Sequence[Measured], base: Base | None, kind: Kind, source: Source) -> Iterator[list[str]]:
    """Count one source for each tokenizer; gives each batch of texts when it is counted."""
    for texts in batches(source.texts):
        before = base.encoder.encode(texts) if base else None
        for side in sides:
            tally = side.tallies.setdefault(kind, {}).setdefault(source.name, Tally())
            ids = side.gene.encode_arrays(texts)
            _count(side, tally, kind, texts, ids)
            if side.base and before is not None:
                old, new = side.base.pieces, side.pieces
                pairs = zip(
                    texts, (Encoded(one, old) for one in before), (Encoded(one, new) for one in ids), strict=True
                )
                _compare(tally, pairs, side.drift if kind == "text" else None)
        yield texts


def _count(side: Measured, tally: Tally, kind: Kind, texts: Sequence[str], encoded: Sequence[Ids]) -> None:
    tally.texts += len(texts)
    tally.tokens += sum(map(len, encoded))
    tally.letters += sum(len(text.encode()) if kind == "text" else len(text) for text in texts)
    tally.failures += sum(side.gene.decode(ids.tolist()) != text for text, ids in zip(texts, encoded, strict=True))
    times_V = side.times_by_kind.setdefault(kind, np.zeros(side.gene.size, np.int64))
    times_V += np.bincount(np.concatenate(encoded), minlength=side.gene.size)


def _compare(tally: Tally, encodings: Iterable[tuple[str, Encoded, Encoded]], drift: Drift | None) -> None:
    """Hold each text's encoding by the base against the new one."""
    for text, before, after in encodings:
        tally.base_tokens += len(before.ids)
        tally.changed += int(gone(before.spans(), after.spans()).sum())
        if drift:
            note_drift(drift, text, before, after)


def kind_audits(side: Measured) -> dict[Kind, KindAudit]:
    """What was counted, by kind."""
    return {kind: _kind_audit(side, kind) for kind in KINDS if kind in side.tallies}


def _kind_audit(side: Measured, kind: Kind) -> KindAudit:
    sources = side.tallies[kind]
    # Words are looked at in text alone.
    drift = side.drift if kind == "text" and side.base else None
    return KindAudit(
        **vars(_numbers(sum(sources.values(), start=Tally()), side.base)),
        changed_share_outside_sequences=_share(drift.changed, drift.tokens) if drift else None,
        changed_words=drift.most_frequent() if drift else (),
        lengths_used=lengths(side.pieces.widths, side.times_by_kind[kind]),
        sources={name: _numbers(tally, side.base) for name, tally in sources.items()},
    )


def lengths(widths: npt.NDArray[np.int64], times: npt.NDArray[np.int64]) -> dict[str, int]:
    """How often each length comes, shortest first.

    >>> lengths(np.array([1, 3, 1]), np.array([2, 5, 1]))
    {'1': 3, '3': 5}
    """
    counts = np.bincount(widths, weights=times).astype(np.int64)
    return {str(length): int(counts[length]) for length in np.flatnonzero(counts).tolist()}


def _numbers(tally: Tally, base: Base | None) -> SourceAudit:
    return SourceAudit(
        texts=tally.texts,
        letters=tally.letters,
        tokens=tally.tokens,
        letters_per_token=round(tally.letters / max(tally.tokens, 1), 4),
        base_letters_per_token=round(tally.letters / max(tally.base_tokens, 1), 4) if base else None,
        changed_share=_share(tally.changed, tally.base_tokens) if base else None,
        round_trip_failures=tally.failures,
    )


def _share(part: int, whole: int) -> float:
    return round(part / max(whole, 1), 6)
