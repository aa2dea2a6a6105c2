"""Add up what was sampled and measured: letters and tokens of a corpus, and its disk, memory and time.

Assumed, not measured: that cores share the work evenly (but one file is read by one of them), the memory per letter of
a batch and a shard, and that a held-out unit is as large as any other.
"""

import math
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import joblib

from llama_gene.config import CorpusConfig, EngineConfig, Kind, PackConfig, Phase
from llama_gene.corpus.collect import BATCH_LETTERS, InputFile, make_chunks
from llama_gene.corpus.engine import Work, count_workers
from llama_gene.corpus.mix import Mixture, choose_mixture
from llama_gene.corpus.plan_measure import Measured, Rates, Seconds
from llama_gene.corpus.plan_sample import SampleFile
from llama_gene.corpus.split import count_regions, split_by
from llama_gene.storage import is_remote

# Bytes of memory per letter of a batch that is cut and of a shard that is written or packed, as measured on yeast.
_BATCH_BYTES = 16
_SHARD_BYTES = 6
_RECORD_BYTES = 64
_LONGEST_BYTES = 4
# Part of the time of a build that goes into reading, which one file cannot share out.
_READING_SHARE = 0.5


@dataclass(frozen=True)
class SourcePlan:
    """One source, before de-duplication and read once.

    `error` is the half-width of a 95 % interval relative to `letters`, from the spread between the sampled files; None
    where too few were sampled to tell. `sampled_letters` were really read.
    """

    name: str
    kind: Kind
    files: int
    bytes: int
    formats: tuple[str, ...]
    epochs: float
    letters: int
    error: float | None
    records: int
    documents: int
    tokens: int
    sampled_letters: int
    is_measured: bool


@dataclass(frozen=True)
class KindPlan:
    """One kind in the corpus: epochs and `max_letters` are in it. Seconds are of one core."""

    kind: Kind
    train_letters: int
    valid_letters: int
    documents: int
    train_tokens: int
    valid_tokens: int
    letters_per_token: float
    taken_tokens: int
    build_s_per_million: float
    pack_s_per_million: float
    is_measured: bool


@dataclass(frozen=True)
class DiskPlan:
    """Bytes on disk: `peak` is what must be free where the run is written."""

    scratch: int
    corpus: int
    blocks: int
    peak: int
    free: int | None


@dataclass(frozen=True)
class TimePlan:
    """Seconds on this machine with so many workers; `start` is in both of the others."""

    build: float
    pack: float
    start: float
    workers: int


@dataclass(frozen=True)
class CorpusPlan:
    """What a corpus and its token blocks will hold and cost."""

    sources: tuple[SourcePlan, ...]
    kinds: tuple[KindPlan, ...]
    mixture: Mapping[str, Any]
    letters: int
    documents: int
    train_tokens: int
    valid_tokens: int
    disk: DiskPlan
    memory_bytes: int
    time: TimePlan
    sampled_share: float
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Totals:
    """Everything there is to add up.

    Attributes:
        config: Sources and rules.
        pack: Blocks, mixture and limits.
        engine: What will run the tasks.
        files: All files of all sources.
        samples: What was read of them.
        measured: What the samples cost, by kind.
        sources: The plan of each source.
    """

    config: CorpusConfig
    pack: PackConfig
    engine: EngineConfig
    files: Sequence[InputFile]
    samples: Sequence[SampleFile]
    measured: Mapping[Kind, Measured]
    sources: Sequence[SourcePlan]

    def add_up(self, output: Path, *, is_base: bool, begin: float) -> CorpusPlan:
        """The plan of a run that writes to `output`."""
        available = {kind: self._kind_plan(kind) for kind in self.measured}
        phases = self.pack.phases or (Phase(share=1, weights=self.pack.weights),)
        train = {kind: float(plan.train_tokens) for kind, plan in available.items()}
        mixture = choose_mixture(train, phases, self.pack.max_tokens)
        kinds = tuple(_take(plan, mixture) for plan in available.values())
        disk = self._disk(kinds, output)
        time_plan = self._time(kinds, disk)
        memory = self._memory(time_plan.workers)
        sampled = sum(source.sampled_letters for source in self.sources)
        letters = sum(source.letters for source in self.sources)
        return CorpusPlan(
            sources=tuple(self.sources),
            kinds=kinds,
            mixture=mixture.facts(),
            letters=letters,
            documents=sum(plan.documents for plan in kinds),
            train_tokens=sum(plan.taken_tokens for plan in kinds),
            valid_tokens=sum(min(plan.valid_tokens, self.pack.max_valid_tokens) for plan in kinds),
            disk=disk,
            memory_bytes=memory,
            time=time_plan,
            sampled_share=round(min(1.0, sampled / max(1, letters)), 6),
            notes=tuple(self._notes(is_base=is_base)),
            warnings=tuple(self._warnings(mixture, disk, memory, output)),
            seconds=round(time.perf_counter() - begin, 2),
        )

    def _rates(self, kind: Kind) -> Rates:
        return self.measured[kind].rates

    def _kind_plan(self, kind: Kind) -> KindPlan:
        """A kind as the corpus will hold it; nothing is taken of it yet."""
        train = valid = train_tokens = valid_tokens = train_documents = valid_documents = 0.0
        for source in self._of(kind):
            held = self._held_share(source)
            often = (1 - held) * source.epochs
            train, valid = train + source.letters * often, valid + source.letters * held
            train_tokens, valid_tokens = train_tokens + source.tokens * often, valid_tokens + source.tokens * held
            train_documents += source.documents * often
            valid_documents += source.documents * held
        kept = min(1.0, self.config.max_letters.get(kind, math.inf) / max(1.0, train))
        rates = self._rates(kind)
        return KindPlan(
            kind=kind,
            train_letters=round(train * kept),
            valid_letters=round(valid),
            documents=round(train_documents * kept + valid_documents),
            train_tokens=round(train_tokens * kept),
            valid_tokens=round(valid_tokens),
            letters_per_token=round((train + valid) / max(1.0, train_tokens + valid_tokens), 3),
            taken_tokens=0,
            build_s_per_million=round(rates.build.cores * 1e6, 4),
            pack_s_per_million=round(rates.pack.cores * 1e6, 4),
            is_measured=rates.is_measured and all(source.is_measured for source in self._of(kind)),
        )

    def _of(self, kind: Kind) -> list[SourcePlan]:
        return [source for source in self.sources if source.kind == kind]

    def _held_share(self, source: SourcePlan) -> float:
        """Which share of a source is held out: at least one of its units, if it has two."""
        if not source.records:
            return self.config.valid_share
        way = split_by(source.kind, source.records, self.config.region_below_records)
        units = source.records
        if way == "region":
            units *= int(count_regions(source.letters // source.records, self.config.region_bp))
        return max(1, round(units * self.config.valid_share)) / units if units > 1 else 0.0

    def _made(self, kind: Kind) -> float:
        """Letters that are cut: those of each epoch."""
        return sum(source.letters * max(1.0, source.epochs) for source in self._of(kind))

    def _disk(self, kinds: Sequence[KindPlan], output: Path) -> DiskPlan:
        scratch = corpus = blocks = 0.0
        for plan in kinds:
            rates = self._rates(plan.kind)
            scratch += self._made(plan.kind) * rates.scratch_bytes
            corpus += (plan.train_letters + plan.valid_letters) * rates.corpus_bytes
            blocks += self._packed(plan) * rates.block_bytes
        peak = max(scratch + corpus, corpus + blocks)
        return DiskPlan(round(scratch), round(corpus), round(blocks), round(peak), _free(output))

    def _packed(self, plan: KindPlan) -> float:
        """Letters of a kind that go into blocks."""
        valid = min(1.0, self.pack.max_valid_tokens / max(1, plan.valid_tokens))
        return plan.train_letters * plan.taken_tokens / max(1, plan.train_tokens) + plan.valid_letters * valid

    def _time(self, kinds: Sequence[KindPlan], disk: DiskPlan) -> TimePlan:
        chunks = make_chunks(self.files)
        size = sum(source.bytes for source in self.sources)
        builders = count_workers(Work(Path(), size, self.engine), len(chunks))
        letters = sum(plan.train_letters + plan.valid_letters for plan in kinds)
        shards = max(1, math.ceil(letters / self.config.shard_letters))
        packers = count_workers(Work(Path(), disk.corpus, self.engine), shards)
        build = sum(self._made(plan.kind) * _of_one(self._rates(plan.kind).build, builders) for plan in kinds)
        pack = sum(self._packed(plan) * _of_one(self._rates(plan.kind).pack, packers) for plan in kinds)
        # One file is one task: however many cores there are, the largest takes its time.
        longest = max(
            sum(file.path.stat().st_size for file in chunk.files)
            * self._letters_per_byte(chunk.files[0].source)
            * self._rates(chunk.kind).build.wall
            for chunk in chunks
        )
        fixed = max(self._rates(plan.kind).fixed_s for plan in kinds)
        start = sum(self._rates(plan.kind).start_s for plan in kinds)
        start += _import_seconds() if max(builders, packers) > 1 else 0.0
        return TimePlan(
            build=round(max(build, longest * _READING_SHARE) + fixed + start, 2),
            pack=round(pack + fixed + start, 2),
            start=round(start, 2),
            workers=max(builders, packers),
        )

    def _letters_per_byte(self, source: int) -> float:
        return self.sources[source].letters / max(1, self.sources[source].bytes)

    def _memory(self, workers: int) -> int:
        """Peak of all processes: what this one holds now, and what the largest task adds to it."""
        here = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        letters = sum(source.letters * max(1.0, source.epochs) for source in self.sources)
        longest = max((_longest(sample) for sample in self.samples), default=0.0)
        task = max(
            min(BATCH_LETTERS, letters) * _BATCH_BYTES + longest * _LONGEST_BYTES,
            min(self.config.shard_letters, letters) * _SHARD_BYTES,
        )
        records = sum(source.records for source in self.sources) * _RECORD_BYTES
        return round((here + task) * workers + records + (here if workers > 1 else 0))

    def _notes(self, *, is_base: bool) -> Iterator[str]:
        yield (
            "before de-duplication: records that are repeated or alike, and what holds an item of a task, are not "
            "seen in a sample"
        )
        if is_base:
            yield (
                "tokens are counted with the vocabulary that is going to be extended: an upper bound for DNA and "
                "protein, since gene tokens hold several letters; name a finished one with --tokenizer"
            )
        if assumed := [source.name for source in self.sources if not source.is_measured]:
            yield f"assumed, because nothing of it could be read in part: letters of {', '.join(assumed)}"
        if unsure := [source.name for source in self.sources if source.error is None and source.is_measured]:
            yield f"no error is known, because only the beginning of one file was read: {', '.join(unsure)}"
        if self.pack.bpe_dropout:
            yield "pack.bpe_dropout gives more tokens than are counted here; disk and time of blocks include it"
        if self.engine.name == "ray":
            yield "time and memory are those of this machine, not of the Ray cluster"
        yield "assumed: cores share the work evenly, files go on as they begin, and memory per letter of a task"

    def _warnings(self, mixture: Mixture, disk: DiskPlan, memory: int, output: Path) -> Iterator[str]:
        if disk.free is not None and disk.peak > disk.free:
            yield (
                f"{output}: {disk.peak / 1e9:.3g} GB of disk are needed at the peak, {disk.free / 1e9:.3g} GB are "
                "free. Make room, write elsewhere with --output, or lower corpus.max_letters or the sources' epochs."
            )
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if memory > whole:
            yield (
                f"about {memory / 1e9:.3g} GB of memory are needed, this machine has {whole / 1e9:.3g} GB. "
                "Lower engine.workers or corpus.shard_letters."
            )
        for kind, facts in mixture.facts().items():
            if self.pack.max_tokens is not None and facts["short_tokens"]:
                yield (
                    f"{kind}: {facts['short_tokens']:,} of {facts['wanted_tokens']:,} tokens that pack.max_tokens and "
                    "the weights ask for are not there. Add sources, raise their epochs, or lower the weight."
                )


def _take(plan: KindPlan, mixture: Mixture) -> KindPlan:
    return replace(plan, taken_tokens=round(mixture.spans[-1][plan.kind][1] * plan.train_tokens))


def _of_one(seconds: Seconds, workers: int) -> float:
    """Seconds per letter with so many workers: alone, one may use threads on other cores."""
    return seconds.wall if workers == 1 else seconds.cores / min(workers, joblib.cpu_count())


def _longest(sample: SampleFile) -> float:
    """Letters of the longest record: one that fills the beginning of a file may go on to its end."""
    if sample.records > 1 or not sample.used_bytes:
        return sample.longest
    return sample.longest * max(1.0, sample.file.path.stat().st_size / sample.used_bytes)


def _free(output: Path) -> int | None:
    """Free bytes where a folder will lie; None in object storage."""
    if is_remote(output):
        return None
    there = output.absolute()
    while not there.exists():
        there = there.parent
    return shutil.disk_usage(there).free


def _import_seconds() -> float:
    """Seconds until a new worker has imported what it runs."""
    begin = time.perf_counter()
    stages = "import llama_gene.corpus.build, llama_gene.corpus.pack"
    subprocess.run([sys.executable, "-c", stages], check=False)
    return time.perf_counter() - begin
