"""Measure a tokenizer: how short it writes genes, what its new tokens are used for, and what it did to English.

Texts are read once and not kept. The parts: `measure` counts, `words` finds changed words, `tokens` looks at the new
tokens, `formats` compares file formats, `limits` judges, `page` shows.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from llama_gene.config import AuditConfig, Kind, OnInvalid
from llama_gene.errors import TokenizerError
from llama_gene.sequences.readers import list_files, read_texts
from llama_gene.tokenizer.audit.formats import TextSample, compare_formats
from llama_gene.tokenizer.audit.limits import check_limits
from llama_gene.tokenizer.audit.measure import Base, Measured, kind_audits, measure, open_base, open_measured
from llama_gene.tokenizer.audit.records import Audit, Source
from llama_gene.tokenizer.audit.tokens import (
    collisions,
    range_audits,
    read_extension,
    shown,
    unreachable,
)
from llama_gene.tokenizer.extend import read_base
from llama_gene.tokenizer.load import GeneTokenizer, load_tokenizer

_DEFAULT_LIMITS = AuditConfig()


def audit_files(
    config: AuditConfig,
    tokenizer: Path,
    *,
    base: Path | None = None,
    beside: Path | None = None,
    dna: Sequence[Path] = (),
    protein: Sequence[Path] = (),
    text: Sequence[Path] = (),
    on_invalid: OnInvalid = "error",
) -> Audit:
    """Measure the tokenizer of a folder on files; arguments as in `audit`.

    Args:
        dna: Files, folders or globs of held-out sequences, each file a source; `protein` and `text` likewise.
        on_invalid: error: stop at a bad record; skip: count it.
    """
    counts: Counter[str] = Counter()

    def sources(paths: Sequence[Path], kind: Kind) -> list[Source]:
        files = list(dict.fromkeys(file for path in paths for file in list_files(path)))
        alike = Counter(file.name for file in files)
        return [
            Source(
                file.name if alike[file.name] == 1 else str(file),
                read_texts([file], kind, on_invalid=on_invalid, counts=counts),
            )
            for file in files
        ]

    found = audit(
        tokenizer, config=config, base=base, beside=beside, dna=sources(dna, "dna"),
        protein=sources(protein, "protein"), text=sources(text, "text"),
    )  # fmt: skip
    return replace(found, reading=dict(counts))


def audit(
    tokenizer: Path,
    *,
    config: AuditConfig = _DEFAULT_LIMITS,
    base: Path | None = None,
    beside: Path | None = None,
    dna: Iterable[Source] = (),
    protein: Iterable[Source] = (),
    text: Iterable[Source] = (),
) -> Audit:
    """Measure the tokenizer of a folder on texts, against its base, and side by side with a second one.

    Args:
        tokenizer: Folder with tokenizer.json and tokenizer_config.json.
        config: Limits; broken ones are noted in the result, not raised.
        base: A .model, a tokenizer.json, their folder, or `tiny`; None: nothing is compared.
        beside: A second tokenizer folder; held against the base only if it keeps the base's ids.
        dna: Held-out sequences by source; `protein` and `text` likewise. They are streamed.

    Raises:
        TokenizerError: a tokenizer or the base cannot be read, or the base is the larger one.
    """
    old = open_base(read_base(base)) if base else None
    gene = load_tokenizer(tokenizer)
    if old and old.vocabulary.size > gene.size:
        raise TokenizerError(
            f"{base}: has {old.vocabulary.size} tokens, {tokenizer} only {gene.size}. Name the base it grew from."
        )
    sides = [open_measured(gene, old)]
    if beside:
        second = load_tokenizer(beside)
        sides.append(open_measured(second, old if old and not _moved(second, old) else None))
    sample = TextSample()
    texts: dict[Kind, Iterable[Source]] = {"dna": dna, "protein": protein, "text": text}
    for kind, sources in texts.items():
        for source in sources:
            for batch in measure(sides, old, kind, source):
                sample.add(kind, batch)
    found = [_conclude(side, base, sample) for side in sides]
    return replace(found[0], limits=check_limits(config, found[0]), beside=found[1] if beside else None)


def _conclude(side: Measured, base: Path | None, sample: TextSample) -> Audit:
    gene, old = side.gene, side.base
    extension = read_extension(gene.folder)
    base_size = old.vocabulary.size if old else extension.base_size if extension else gene.size
    new = range(base_size, gene.size)
    times_V = side.times()
    used = int((times_V[base_size:] > 0).sum())
    unmade = unreachable(gene, new, times_V)
    return Audit(
        tokenizer=str(gene.folder),
        base=str(base) if old else None,
        size=gene.size,
        base_size=base_size,
        new_tokens=len(new),
        new_tokens_used=used,
        new_tokens_used_share=round(used / len(new), 4) if new else 0.0,
        unreachable_new_tokens=len(unmade),
        unreachable=shown(unmade),
        base_ids_moved=_moved(gene, old) if old else None,
        kinds=kind_audits(side),
        ranges=range_audits(side, extension.ranges if extension else {"new": new}),
        collisions=collisions(side, extension.ranges) if extension else None,
        formats=compare_formats(gene, sample.texts),
    )


def _moved(gene: GeneTokenizer, old: Base) -> int:
    """Ids of the base that stand for another token, or for none."""
    shared = min(gene.size, old.vocabulary.size)
    other = sum(gene.token(token_id) != old.vocabulary.tokenizer.id_to_token(token_id) for token_id in range(shared))
    return other + old.vocabulary.size - shared
