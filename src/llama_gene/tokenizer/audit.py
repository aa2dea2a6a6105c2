"""Measure a tokenizer: how short it writes genes, what its new tokens are used for, and what it did to English."""

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from llama_gene.config import KINDS, Kind
from llama_gene.errors import TokenizerError
from llama_gene.tokenizer.extend import EXTENSION_FILE, read_base
from llama_gene.tokenizer.load import GeneTokenizer, load_tokenizer
from llama_gene.tokenizer.vocabulary import Vocabulary

_BATCH = 500


@dataclass(frozen=True)
class KindAudit:
    """One kind of text.

    `letters` are bases, residues or UTF-8 bytes. `changed_share` is the share of the base's tokens whose borders are
    gone, None without a base.
    """

    texts: int
    letters: int
    tokens: int
    letters_per_token: float
    base_letters_per_token: float | None
    changed_share: float | None
    round_trip_failures: int


@dataclass(frozen=True)
class Audit:
    """What `audit` found.

    `new_tokens_used` counts new tokens that stood in the texts; an unreachable one is not made even from its own
    letters.
    """

    size: int
    base_size: int
    new_tokens: int
    new_tokens_used: int
    new_tokens_used_share: float
    unreachable_new_tokens: int
    base_ids_moved: int | None
    kinds: dict[Kind, KindAudit]

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return asdict(self)


@dataclass
class _Tally:
    texts: int = 0
    letters: int = 0
    tokens: int = 0
    base_tokens: int = 0
    changed: int = 0
    failures: int = 0


def audit(
    tokenizer: Path,
    *,
    base: Path | None = None,
    dna: Iterable[str] = (),
    protein: Iterable[str] = (),
    text: Iterable[str] = (),
) -> Audit:
    """Measure the tokenizer of a folder on texts, and against its base.

    Args:
        tokenizer: Folder with tokenizer.json and tokenizer_config.json.
        base: A .model, a tokenizer.json, their folder, or `tiny`; None: nothing is compared.
        dna: Held-out sequences; `protein` and `text` likewise. They are streamed.

    Raises:
        TokenizerError: the tokenizer or the base cannot be read, or the base is the larger one.
    """
    gene = load_tokenizer(tokenizer)
    old = read_base(base) if base else None
    if old:
        old.tokenizer.encode_special_tokens = True
    base_size = old.size if old else _recorded_base_size(tokenizer, gene)
    if base_size > gene.size:
        raise TokenizerError(
            f"{base}: has {base_size} tokens, {tokenizer} only {gene.size}. Name the base it grew from."
        )
    used: Counter[int] = Counter()
    texts: dict[Kind, Iterable[str]] = {"dna": dna, "protein": protein, "text": text}
    kinds = {kind: _measure(gene, old, kind, texts[kind], used) for kind in KINDS}
    new = gene.size - base_size
    used_new = sum(token_id >= base_size for token_id in used)
    return Audit(
        size=gene.size,
        base_size=base_size,
        new_tokens=new,
        new_tokens_used=used_new,
        new_tokens_used_share=round(used_new / new, 4) if new else 0.0,
        unreachable_new_tokens=_unreachable(gene, range(base_size, gene.size)),
        base_ids_moved=_moved(gene, old) if old else None,
        kinds={kind: found for kind, found in kinds.items() if found.texts},
    )


def _recorded_base_size(folder: Path, gene: GeneTokenizer) -> int:
    path = folder / EXTENSION_FILE
    return int(json.loads(path.read_text(encoding="utf-8"))["base_size"]) if path.is_file() else gene.size


def _measure(
    gene: GeneTokenizer, old: Vocabulary | None, kind: Kind, texts: Iterable[str], used: Counter[int]
) -> KindAudit:
    tally = _Tally()
    for batch in _batches(texts):
        encoded = gene.encode_batch(batch)
        for line, ids in zip(batch, encoded, strict=True):
            tally.texts += 1
            tally.letters += len(line.encode()) if kind == "text" else len(line)
            tally.tokens += len(ids)
            tally.failures += gene.decode(ids) != line
            used.update(ids)
        if old:
            _compare(tally, gene, old, batch, encoded)
    return KindAudit(
        texts=tally.texts,
        letters=tally.letters,
        tokens=tally.tokens,
        letters_per_token=round(tally.letters / max(tally.tokens, 1), 4),
        base_letters_per_token=round(tally.letters / max(tally.base_tokens, 1), 4) if old else None,
        changed_share=round(tally.changed / max(tally.base_tokens, 1), 6) if old else None,
        round_trip_failures=tally.failures,
    )


def _compare(
    tally: _Tally, gene: GeneTokenizer, old: Vocabulary, batch: Sequence[str], encoded: Sequence[Sequence[int]]
) -> None:
    before = (found.ids for found in old.tokenizer.encode_batch_fast(list(batch), add_special_tokens=False))
    for ids, new_ids in zip(before, encoded, strict=True):
        tally.base_tokens += len(ids)
        if ids != list(new_ids):
            kept = set(_spans(new_ids, gene.token))
            tally.changed += sum(span not in kept for span in _spans(ids, gene.token))


def _spans(ids: Iterable[int], token: Callable[[int], str]) -> Iterator[tuple[int, int]]:
    start = 0
    for token_id in ids:
        end = start + len(token(token_id))
        yield start, end
        start = end


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(texts)
    while batch := list(itertools.islice(remaining, _BATCH)):
        yield batch


def _unreachable(gene: GeneTokenizer, ids: range) -> int:
    """New tokens that their own letters, standing on a line of their own, are not cut into."""
    found = gene.encode_batch(["\n" + gene.token(token_id) for token_id in ids])
    return sum(encoded[-1] != token_id for token_id, encoded in zip(ids, found, strict=True))


def _moved(gene: GeneTokenizer, old: Vocabulary) -> int:
    return sum(gene.token(token_id) != old.tokenizer.id_to_token(token_id) for token_id in range(old.size))
