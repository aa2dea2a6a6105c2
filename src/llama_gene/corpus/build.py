"""`corpus build`: files to a shuffled corpus of documents, split for validation before anything is cut.

Three passes of tasks that any engine runs: collect (read, clean), make parts (split, cut, compare with task items) and
write shards (shuffle, Parquet). Between them it is decided, from what every task wrote down, which records are
repeated, which genomes are alike, and what is held out. Memory does not grow with the letters. The counts account for
every record, letter and document; a corpus that does not balance is not written.
"""

import logging
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from llama_gene.artifacts import Ledger, Manifest, build_stage
from llama_gene.config import KINDS, LOCAL, ControlsConfig, CorpusConfig, EngineConfig, Kind
from llama_gene.corpus.accounts import imbalances, removed_reasons
from llama_gene.corpus.arrays import load_array, save_array
from llama_gene.corpus.collect import (
    BATCH_LETTERS,
    Chunk,
    CollectTask,
    InputFile,
    collect_chunk,
    list_inputs,
    make_chunks,
    source_name,
)
from llama_gene.corpus.decide import decide
from llama_gene.corpus.documents import PartTask, make_part
from llama_gene.corpus.engine import Work, run_tasks
from llama_gene.corpus.english import control_files, held_out_english
from llama_gene.corpus.items import Sought, count_items, read_items, save_items
from llama_gene.corpus.near_identical import GENOMIC
from llama_gene.corpus.shards import ShardTask, write_shard
from llama_gene.corpus.spool import count_batches
from llama_gene.errors import DataError
from llama_gene.storage import remove_tree, tree_bytes

logger = logging.getLogger(__name__)

_CODE = 5
_SCRATCH = "scratch"
_MOST_SHARDS = 4096


def build_corpus(
    config: CorpusConfig,
    *,
    data: Path,
    seed: int,
    output: Path,
    exclude: Path | None = None,
    controls: ControlsConfig | None = None,
    engine: EngineConfig = LOCAL,
) -> Manifest:
    """Build the corpus folder, unless it is up to date.

    Args:
        config: Sources and rules.
        data: Folder that the sources' paths start from.
        seed: Seed of every choice; the same inputs and seed give the same bytes, whatever the engine.
        output: Stage folder: train/*.parquet and valid/*.parquet with columns id, kind, text, source, split.
        exclude: `tasks split` folder whose validation and test items must not be in the training split.
        controls: Names English that is asked about later and must not be in it either.
        engine: What runs the tasks.

    Raises:
        ConfigError: no source is named.
        DataError: a path leads to nothing, a record is bad (`on_invalid = "error"`), or no training letter is left.
        ArtifactError: `output` or `exclude` is not usable, or a worker was killed.
    """
    files = list_inputs(config, data)
    inputs = {f"{number:06d} {file.label}": file.path for number, file in enumerate(files)}
    if exclude is not None:
        inputs["exclude"] = exclude
    inputs |= control_files(controls, data) if controls else {}

    def build(work: Path, ledger: Ledger) -> None:
        scratch = work / _SCRATCH
        for folder in (scratch, work / "train", work / "valid"):
            folder.mkdir(exist_ok=True)
        size = sum(file.path.stat().st_size for file in files)
        builder = _Builder(config, files, seed, work, Work(scratch / "done", size, engine), ledger)
        builder.build(exclude, held_out_english(controls, data) if controls else ())
        ledger.facts["scratch_bytes"] = sum(tree_bytes(scratch / name) for name in ("spool", "plan", "parts"))
        remove_tree(scratch)

    return build_stage("corpus", output, build, config=config, inputs=inputs, seed=seed, code=_CODE)


@dataclass(frozen=True)
class _Builder:
    """One run of the stage: what its passes have in common."""

    config: CorpusConfig
    files: Sequence[InputFile]
    seed: int
    output: Path
    work: Work
    ledger: Ledger

    def build(self, exclude: Path | None, english: Iterable[Sought]) -> None:
        """All passes."""
        chunks = make_chunks(self.files)
        collected = self._collect(chunks)
        spool, plan = self._folder("spool"), self._folder("plan")
        decide(chunks, self.files, self.config, self.seed, spool=spool, plan=plan, ledger=self.ledger)
        parts, available = self._make_parts(chunks, collected, self._index_items(exclude, english))
        self._write_shards(parts, available)
        self._check(available)

    def _index_items(self, exclude: Path | None, english: Iterable[Sought]) -> Path | None:
        """A folder with what must not be read; None where nothing is looked for."""
        limits = self.config.contamination
        indexes = read_items(exclude, limits, english) if limits.enabled else {}
        if not indexes:
            return None
        items = self._folder("items")
        self.ledger.facts["task_items"] = count_items(indexes)
        save_items(indexes, items)
        return items

    def _folder(self, name: str) -> Path:
        folder = self.output / _SCRATCH / name
        folder.mkdir(exist_ok=True)
        return folder

    def _count(self, results: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The results, their counts added to the ledger's."""
        kept = []
        for result in results:
            self.ledger.counts.update(result["counts"])
            kept.append(result)
        return kept

    def _collect(self, chunks: Sequence[Chunk]) -> list[Mapping[str, Any]]:
        files_of = Counter(file.kind for file in self.files)
        tasks = [
            CollectTask(
                chunk, self.config, self._folder("spool"), chunk.kind in GENOMIC and files_of[chunk.kind] > 1,
                BATCH_LETTERS,
            )
            for chunk in chunks
        ]  # fmt: skip
        return self._count(run_tasks(collect_chunk, tasks, self.work, "reading"))

    def _make_parts(
        self, chunks: Sequence[Chunk], collected: Sequence[Mapping[str, Any]], items: Path | None
    ) -> tuple[tuple[Path, ...], dict[Kind, int]]:
        """The part files, and the training letters of each kind in them."""
        tasks = [
            PartTask(
                chunk, batch, self.config, self.seed, self._folder("spool"), self._folder("plan"),
                self._folder("parts"), self._shards(chunks, collected), items,
            )
            for chunk, result in zip(chunks, collected, strict=True)
            for batch in range(result["batches"])
        ]  # fmt: skip
        available: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        for task, result in zip(tasks, self._count(run_tasks(make_part, tasks, self.work, "cutting")), strict=True):
            available[task.chunk.kind] += result["train_letters"]
        return tuple(self._folder("parts") / f"{task.name}.arrow" for task in tasks), available

    def _shards(self, chunks: Sequence[Chunk], collected: Sequence[Mapping[str, Any]]) -> int:
        """How many shards there will be."""
        letters = sum(
            result["letters"] * self.config.sources[chunk.files[0].source].epochs
            for chunk, result in zip(chunks, collected, strict=True)
        )
        return min(_MOST_SHARDS, math.ceil(letters / self.config.shard_letters) or 1)

    def _write_shards(self, parts: tuple[Path, ...], available: Mapping[Kind, int]) -> None:
        digests = [load_array(part.with_suffix(".valid.npy")) for part in parts]
        valid = self._folder("plan") / "valid.npy"
        save_array(valid, np.unique(np.concatenate([np.zeros(0, np.uint64), *digests])))
        limits = self.config.max_letters
        shares = {kind: min(1.0, limits.get(kind, math.inf) / max(1, available[kind])) for kind in KINDS}
        names = [source_name(source) for source in self.config.sources]
        shards = count_batches(parts[0]) if parts else 0
        tasks = [ShardTask(shard, parts, valid, shares, names, self.seed, self.output) for shard in range(shards)]
        self._count(run_tasks(write_shard, tasks, self.work, "writing shards"))

    def _check(self, available: Mapping[Kind, int]) -> None:
        """Refuse a corpus that lost count or has no training letters; tell what no part is held out of."""
        counts = self.ledger.counts
        if missing := imbalances(counts):
            raise RuntimeError(f"the corpus lost count of {missing}; this is a defect of llama-gene, please report it")
        if not any(counts[f"{kind} documents train"] for kind in KINDS):
            raise DataError(_nothing_left(counts, any(available.values())))
        for kind in KINDS:
            if counts[f"{kind} documents train"] and not counts[f"{kind} documents valid"]:
                logger.warning("corpus: no %s is held out: each source has one unit or a near-identical twin", kind)


def _nothing_left(counts: Counter[str], is_limited: bool) -> str:
    reasons = [
        f"{kind}: {reason} {number}"
        for kind in KINDS
        for unit in ("records", "documents")
        for reason, number in sorted(removed_reasons(counts, kind, unit).items())
    ]
    read = sum(counts[f"{kind} records read"] for kind in KINDS)
    if is_limited:
        reasons.append("corpus.max_letters leaves no room for any document")
    return (
        f"corpus: nothing is left for training of {read} records read ({'; '.join(reasons) or 'the files are empty'}). "
        "Check the sources' paths and kinds and corpus.min_letters."
    )
