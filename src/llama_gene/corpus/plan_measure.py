"""Run `corpus build` and `corpus pack` on a sample of one kind, to measure what a letter costs on this machine.

Three runs: a small one that pays for what is compiled, loaded and opened once, the same again, which costs what any
run does, and the whole sample. Time per letter is the difference of the last two, so neither is scaled with the
letters. What runs is the stages themselves, in one process.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, TypeVar

from llama_gene.config import KINDS, CorpusConfig, EngineConfig, Kind, PackConfig, Source, Split
from llama_gene.corpus import build
from llama_gene.corpus.pack import SampleTask, estimate_tokens, pack_corpus
from llama_gene.corpus.pack_shard import open_once
from llama_gene.corpus.plan_sample import SampleFile, read_heads
from llama_gene.errors import DataError
from llama_gene.sequences.files import read_batches
from llama_gene.sequences.letters import count_letters
from llama_gene.storage import is_remote, tree_bytes

T = TypeVar("T")
_ALONE = EngineConfig(name="local", workers=1)
_SMALL_LETTERS = 50_000
_TOKEN_LETTERS = 600_000
_PACKED_TOKENS = 400_000
_DUPLICATES = ("duplicate", "near duplicate")
_SPLITS: tuple[Split, ...] = ("train", "valid")


class Seconds(NamedTuple):
    """How long something took: on the clock, and of all cores together."""

    wall: float
    cores: float


@dataclass(frozen=True)
class Rates:
    """What one letter of a kind costs on this machine, and what does not depend on the letters.

    Attributes:
        build: Seconds per letter of `corpus build`.
        pack: Seconds per letter of `corpus pack`.
        scratch_bytes: Bytes per letter that `corpus build` removes at its end.
        corpus_bytes: Bytes per letter of its shards.
        block_bytes: Bytes per letter of token blocks.
        fixed_s: Seconds of any run of both stages.
        start_s: Seconds until a new process has compiled and opened what it needs.
        is_measured: False where nothing of the kind could be sampled.
    """

    build: Seconds
    pack: Seconds
    scratch_bytes: float
    corpus_bytes: float
    block_bytes: float
    fixed_s: float = 0.0
    start_s: float = 0.0
    is_measured: bool = True


# Of genomes and proteomes on two cores of a Xeon, 2.0 letters per token; only where there is no sample.
TYPICAL = Rates(Seconds(4e-7, 4e-7), Seconds(2e-7, 2e-7), 2.0, 0.5, 2.0, is_measured=False)


@dataclass
class Cut:
    """What became of the letters of one source in the sample corpus."""

    letters: int = 0
    documents: int = 0
    encoded_letters: int = 0
    tokens: int = 0


@dataclass(frozen=True)
class Measured:
    """Of one kind its rates, and of each of its sources in the sample what became of the letters."""

    rates: Rates
    cuts: dict[int, Cut] = field(default_factory=dict)


@dataclass(frozen=True)
class _Run:
    letters: int
    built: Seconds
    packed: Seconds
    estimating: Seconds
    in_blocks: int
    rates: Rates

    @property
    def wall(self) -> float:
        return self.built.wall + self.packed.wall + self.estimating.wall


class Bench:
    """Where samples are run: settings, tokenizer and an empty folder."""

    def __init__(self, config: CorpusConfig, pack: PackConfig, tokenizer: Path, seed: int, folder: Path) -> None:
        self._config = config
        self._pack = pack.model_copy(
            update={"weights": {}, "phases": (), "max_tokens": _PACKED_TOKENS, "max_valid_tokens": _PACKED_TOKENS // 4}
        )
        self._tokenizer = tokenizer
        self._seed = seed
        self._folder = folder
        self._runs = 0

    def measure(self, kind: Kind, samples: Sequence[SampleFile]) -> Measured:
        """Build and pack the samples of a kind; typical rates where nothing of them stays."""
        samples = [sample for sample in samples if sample.letters]
        if not samples:
            return Measured(TYPICAL)
        small = self._small(kind, samples)
        first, again, whole = self._try(small), self._try(small), self._try(samples)
        if whole is None:
            return Measured(TYPICAL)
        run, corpus = whole
        cuts = self._cuts(corpus, kind, {sample.file.source for sample in samples})
        rates = _difference(first[0], again[0], run) if first and again else run.rates
        return Measured(rates, cuts)

    def _small(self, kind: Kind, samples: Sequence[SampleFile]) -> list[SampleFile]:
        """A little of one file."""
        sample = min(samples, key=lambda sample: sample.letters)
        if sample.letters < 2 * _SMALL_LETTERS:
            return [sample]
        folder = self._next_folder()
        source = Source(path=str(sample.path), kind=kind, format=sample.format)
        heads = read_heads(replace(sample.file, path=sample.path), source, _SMALL_LETTERS, folder)
        return [head for head, _ in heads] or [sample]

    def _next_folder(self) -> Path:
        self._runs += 1
        folder = self._folder / f"{self._runs:03d}"
        folder.mkdir()
        return folder

    def _try(self, samples: Sequence[SampleFile]) -> tuple[_Run, Path] | None:
        """A run, and its corpus; None where nothing is left of the samples."""
        logger = logging.getLogger(build.__name__)
        try:
            # That a sample has nothing held out says nothing of the whole.
            logger.disabled = True
            return self._run(samples)
        except DataError:
            return None
        finally:
            logger.disabled = False

    def _run(self, samples: Sequence[SampleFile]) -> tuple[_Run, Path]:
        folder = self._next_folder()
        sources = tuple(
            Source(
                path=str(sample.path if is_remote(sample.path) else sample.path.absolute()),
                kind=sample.file.kind, name=str(sample.file.source), format=sample.format,
            )
            for sample in samples
        )  # fmt: skip
        config = self._config.model_copy(update={"sources": sources, "max_letters": {}, "on_invalid": "skip"})
        corpus, blocks = folder / "corpus", folder / "blocks"
        made, built = _time(
            lambda: build.build_corpus(config, data=folder, seed=self._seed, output=corpus, engine=_ALONE)
        )
        packed, packing = _time(
            lambda: pack_corpus(
                self._pack, corpus=corpus, tokenizer=self._tokenizer, seed=self._seed, output=blocks, engine=_ALONE
            )
        )
        tasks = [SampleTask(corpus, split, made.counts, self._tokenizer) for split in _SPLITS]
        _, estimating = _time(lambda: [estimate_tokens(task) for task in tasks])
        packing = Seconds(*(max(a - b, a / 8) for a, b in zip(packing, estimating, strict=True)))
        kept = sum(made.counts.get(f"{kind} letters {split}", 0) for kind in KINDS for split in _SPLITS)
        gone = (made.counts.get(f"{kind} letters removed: {why}", 0) for kind in KINDS for why in _DUPLICATES)
        read = kept + sum(gone)
        in_blocks = sum(facts["letters"] for split in _SPLITS for facts in packed.facts[split]["kinds"].values())
        rates = Rates(
            Seconds(built.wall / read, built.cores / read),
            Seconds(packing.wall / in_blocks, packing.cores / in_blocks),
            made.facts["scratch_bytes"] / read,
            _size(corpus) / kept,
            _size(blocks) / in_blocks,
        )
        return _Run(read, built, packing, estimating, in_blocks, rates), corpus

    def _cuts(self, corpus: Path, kind: Kind, sources: set[int]) -> dict[int, Cut]:
        """Documents, letters and tokens of each source of a sample corpus."""
        tokenizer = open_once(str(self._tokenizer))
        added = 1 + (tokenizer.bos_id is not None)
        cuts: dict[int, Cut] = {}
        room = dict.fromkeys(sources, _TOKEN_LETTERS // len(sources))
        for shard in sorted(corpus.glob("*/*.parquet")):
            for batch in read_batches(shard, ("source", "text"), 256):
                wanted = []
                for name, text in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    source, letters = int(name), count_letters(text, kind)
                    cut = cuts.setdefault(source, Cut())
                    cut.letters += letters
                    cut.documents += 1
                    if room[source] > 0:
                        room[source] -= letters
                        wanted.append((cut, letters, text))
                for (cut, letters, _), ids in zip(
                    wanted, tokenizer.encode_arrays([text for _, _, text in wanted]), strict=True
                ):
                    cut.encoded_letters += letters
                    cut.tokens += len(ids) + added
        return cuts


def _time(work: Callable[[], T]) -> tuple[T, Seconds]:
    wall, cores = time.perf_counter(), time.process_time()
    made = work()
    took = time.perf_counter() - wall
    return made, Seconds(took, max(took, time.process_time() - cores))


def _difference(first: _Run, again: _Run, run: _Run) -> Rates:
    """What a letter costs beyond what every run costs."""
    if run.letters < 2 * again.letters or run.in_blocks < 2 * again.in_blocks:
        return run.rates
    building = _slope(run.built, again.built, run.letters - again.letters)
    packing = _slope(run.packed, again.packed, run.in_blocks - again.in_blocks)
    fixed = again.built.wall + again.packed.wall - again.letters * (building.wall + packing.wall)
    return replace(
        run.rates,
        build=building,
        pack=packing,
        fixed_s=max(0.0, fixed) + run.estimating.wall,
        start_s=max(0.0, first.wall - again.wall),
    )


def _slope(run: Seconds, small: Seconds, letters: int) -> Seconds:
    """Seconds per letter of what a run has more than a small one; never less than half of it all."""
    return Seconds(*(max(whole - part, whole / 2) / letters for whole, part in zip(run, small, strict=True)))


def _size(folder: Path) -> int:
    return sum(tree_bytes(folder / split) for split in _SPLITS)
