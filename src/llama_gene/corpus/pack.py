"""`corpus pack`: the corpus as token blocks of whole documents, each with its begin and end token.

How many tokens each kind has is estimated from a sample; from that follows which share of its documents each phase of
training takes. Then every shard of the corpus is encoded and packed by itself, by any engine. Blocks lie in Arrow files
that are mapped into memory, not read: `train/PP-NNNNN.arrow` in order of phase and shard, `valid/00-NNNNN.arrow`.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from llama_gene.artifacts import Ledger, Manifest, build_stage, read_manifest
from llama_gene.config import KINDS, LOCAL, EngineConfig, Kind, PackConfig, Phase, Split
from llama_gene.corpus.engine import Work, run_tasks
from llama_gene.corpus.mix import Mixture, choose_mixture
from llama_gene.corpus.pack_shard import PackTask, open_once, pack_shard
from llama_gene.errors import ArtifactError, DataError
from llama_gene.sequences.files import read_batches
from llama_gene.sequences.letters import count_letters
from llama_gene.storage import remove_tree

logger = logging.getLogger(__name__)

_CODE = 3
_SPLITS: tuple[Split, ...] = ("train", "valid")
# Letters of a kind that its tokens are estimated from: enough for a part in a hundred.
_SAMPLE_LETTERS = 500_000
_LEFT_OUT = "left out: over the mixture or the token limit"


def pack_corpus(
    config: PackConfig, *, corpus: Path, tokenizer: Path, seed: int, output: Path, engine: EngineConfig = LOCAL
) -> Manifest:
    """Encode and pack a corpus, unless that is up to date.

    Args:
        config: Size of blocks, mixture and limits. The corpus is shuffled, so what a limit leaves is a random part.
        corpus: Folder of `corpus build`.
        tokenizer: Folder with tokenizer.json and tokenizer_config.json.
        seed: Seed of every choice; the same inputs and seed give the same bytes, whatever the engine.
        output: Stage folder: train/*.arrow and valid/*.arrow, one block a row. `input_ids` are its documents
            back to back; `lengths` (tokens), `kinds` and `letters` (bases, residues, bytes) have an entry per document.
        engine: What runs the tasks.

    Raises:
        ArtifactError: `corpus` is not a corpus, `output` is not usable, or a worker was killed.
        TokenizerError: the tokenizer cannot be read.
        DataError: no training document fits, or the corpus does not hold what its manifest counts.
    """
    source = read_manifest(corpus)
    if source.stage != "corpus":
        raise ArtifactError(f"{corpus}: a {source.stage!r} folder. Expected the folder of `llama-gene corpus build`.")

    def build(work: Path, ledger: Ledger) -> None:
        done = work / "done"
        whole = sum(shard.stat().st_size for split in _SPLITS for shard in (corpus / split).glob("*.parquet"))
        samples = [SampleTask(corpus, split, source.counts, tokenizer) for split in _SPLITS]
        # By the same workers that pack: a tokenizer takes seconds to open.
        estimates = run_tasks(estimate_tokens, samples, Work(done, whole, engine), "sampling")
        available: dict[Split, Any] = dict(zip(_SPLITS, estimates, strict=True))
        phases = config.phases or (Phase(share=1, weights=config.weights),)
        mixture = choose_mixture(available["train"], phases, config.max_tokens)
        ledger.facts["mixture"] = mixture.facts()
        _tell_what_is_unread(mixture)
        spans: dict[Split, Sequence[Mapping[Kind, tuple[float, float]]]] = {
            "train": mixture.spans,
            "valid": [_valid_spans(available["valid"], config.max_valid_tokens)],
        }
        for split, spans_of_phases in spans.items():
            (work / split).mkdir(exist_ok=True)
            shards = sorted((corpus / split).glob("*.parquet"))
            tasks = [
                PackTask(split, shard, phase, span, left, config, tokenizer, seed, work)
                for phase, (span, left) in enumerate(zip(spans_of_phases, _left_spans(spans_of_phases), strict=True))
                for shard in shards
            ]
            results = run_tasks(pack_shard, tasks, Work(done, whole, engine), f"packing {split}")
            ledger.facts[split] = _add_up(results, split, config.block_tokens, ledger.counts)
            _check(corpus, split, source.counts, ledger.counts)
        remove_tree(done)
        if not ledger.facts["train"]["blocks"]:
            raise DataError(f"{corpus / 'train'}: no training document fits. Check the corpus and pack.max_tokens.")

    inputs = {"corpus": corpus, "tokenizer": tokenizer}
    return build_stage("pack", output, build, config=config, inputs=inputs, seed=seed, code=_CODE)


@dataclass(frozen=True)
class SampleTask:
    """One split of a corpus, what its manifest counts, and the folder of the tokenizer."""

    corpus: Path
    split: Split
    counts: Mapping[str, int]
    tokenizer: Path


def estimate_tokens(task: SampleTask) -> dict[str, float]:
    """Tokens of each kind in one split, begin and end tokens included, from a sample of its first shards."""
    split, counts, tokenizer = task.split, task.counts, open_once(str(task.tokenizer))
    letters_of, tokens_of = Counter[Kind](), Counter[Kind]()
    wanted = {kind: min(_SAMPLE_LETTERS, counts.get(f"{kind} letters {split}", 0)) for kind in KINDS}
    shards = sorted((task.corpus / split).glob("*.parquet"))
    for batch in chain.from_iterable(read_batches(shard, ("kind", "text"), 512) for shard in shards):
        short = {kind for kind in KINDS if letters_of[kind] < wanted[kind]}
        if not short:
            break
        rows = zip(batch["kind"].to_pylist(), batch["text"].to_pylist(), strict=True)
        sample = [(kind, text) for kind, text in rows if kind in short]
        encoded = tokenizer.encode_arrays([text for _, text in sample])
        for (kind, text), ids in zip(sample, encoded, strict=True):
            letters_of[kind] += count_letters(text, kind)
            tokens_of[kind] += len(ids) + (tokenizer.bos_id is not None) + 1
    return {
        kind: tokens_of[kind] / max(1, letters_of[kind]) * counts.get(f"{kind} letters {split}", 0) for kind in KINDS
    }


def _tell_what_is_unread(mixture: Mixture) -> None:
    for kind in KINDS:
        if mixture.available[kind] and not any(wanted[kind] for wanted in mixture.wanted):
            logger.warning("pack: %s has no weight, so none of it is read; name it in pack.weights", kind)


def _valid_spans(available: Mapping[Kind, float], limit: int) -> dict[Kind, tuple[float, float]]:
    return {kind: (0.0, min(1.0, limit / max(1.0, available[kind]))) for kind in KINDS}


def _left_spans(spans: Sequence[Mapping[Kind, tuple[float, float]]]) -> list[dict[Kind, tuple[float, float]]]:
    """For each phase what it counts as left out: nothing, and the last one what is behind its own stretch."""
    nothing: dict[Kind, tuple[float, float]] = dict.fromkeys(KINDS, (1.0, 1.0))
    return [nothing] * (len(spans) - 1) + [{kind: (end, 1.0) for kind, (_, end) in spans[-1].items()}]


def _add_up(results: Iterable[Mapping[str, Any]], split: Split, block: int, counts: Counter[str]) -> dict[str, Any]:
    """What was measured of all shards; their counts are added."""
    blocks = tokens = 0
    kinds: dict[str, Counter[str]] = {}
    for result in results:
        counts.update({f"{split} {name}": number for name, number in result["counts"].items()})
        blocks, tokens = blocks + result["blocks"], tokens + result["tokens"]
        for kind, measured in result["kinds"].items():
            kinds.setdefault(kind, Counter()).update(measured)
            counts[f"{split} {kind} documents"] += measured["documents"]
            counts[f"{split} {kind} letters"] += measured["letters"]
        for kind, left in result["left_out"].items():
            counts[f"{split} documents {_LEFT_OUT}"] += left["documents"]
            for unit, number in left.items():
                counts[f"{split} {kind} {unit} {_LEFT_OUT}"] += number
    return {
        "blocks": blocks,
        "tokens": tokens,
        "fill": round(tokens / (blocks * block), 4) if blocks else 0.0,
        "kinds": {
            kind: {**measured, "letters_per_token": round(measured["letters"] / max(1, measured["text_tokens"]), 3)}
            for kind, measured in sorted(kinds.items())
        },
    }


def _check(folder: Path, split: Split, corpus: Mapping[str, int], counts: Counter[str]) -> None:
    """Refuse blocks that, with what was left out, are not all documents and letters of the corpus."""
    for kind in KINDS:
        for unit in ("documents", "letters"):
            whole = corpus.get(f"{kind} {unit} {split}", 0)
            found = counts[f"{split} {kind} {unit}"] + counts[f"{split} {kind} {unit} {_LEFT_OUT}"]
            if whole:
                counts[f"{split} {kind} {unit} in the corpus"] = whole
            if found != whole:
                raise DataError(
                    f"{folder / split}: {found:,} {kind} {unit}, but the manifest counts {whole:,}. Expected the "
                    "folder as `llama-gene corpus build` left it; build it again."
                )
    counts[f"{split} documents in the corpus"] = sum(corpus.get(f"{kind} documents {split}", 0) for kind in KINDS)
