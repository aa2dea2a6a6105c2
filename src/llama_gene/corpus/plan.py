"""`corpus plan`: letters, tokens, disk, memory and time of a corpus, before anything long starts.

A small sample of every source is drawn and really built and packed on this machine, in seconds whatever the corpus.
Letters follow from the bytes that the sample stands for, costs from what its letters cost. Records that are repeated or
alike, genomes that are alike and items of tasks cannot be seen in a sample: all numbers are before they leave.
"""

import math
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from llama_gene.config import KINDS, LOCAL, CorpusConfig, EngineConfig, Kind, PackConfig
from llama_gene.corpus.collect import InputFile, list_inputs, source_name
from llama_gene.corpus.plan_measure import Bench, Cut, Measured
from llama_gene.corpus.plan_sample import Estimate, SampleFile, draw_group, estimate, group_files
from llama_gene.corpus.plan_totals import CorpusPlan, SourcePlan, Totals
from llama_gene.tokenizer.extend import read_base
from llama_gene.tokenizer.vocabulary import write_vocabulary

_SOURCE_LETTERS = 4_000_000
_ALL_LETTERS = 12_000_000
# Letters per byte on disk and letters per document of what could not be sampled.
_LETTERS_PER_BYTE = {"plain": 0.9, "compressed": 3.0}
_PACKED = (".gz", ".zst", ".bz2", ".xz", ".zip")


def plan_corpus(
    config: CorpusConfig,
    pack: PackConfig,
    *,
    data: Path,
    seed: int,
    engine: EngineConfig = LOCAL,
    tokenizer: Path | None = None,
    base: Path | None = None,
    output: Path = Path(),
) -> CorpusPlan:
    """Estimate what `corpus build` and `corpus pack` will give and need.

    Args:
        config: Sources and rules.
        pack: Blocks, mixture and limits.
        data: Folder that the sources' paths start from.
        seed: Seed of the choice of files, and of the run.
        engine: What will run the tasks; Ray is planned as this machine.
        tokenizer: Folder of the tokenizer to count tokens with.
        base: Without one: the vocabulary that is going to be extended; None: `tiny`. It gives more tokens.
        output: Where the run will be written, which need not be there yet.

    Raises:
        ConfigError: no source is named.
        DataError: a path leads to nothing.
        TokenizerError: the tokenizer cannot be read.
    """
    begin = time.perf_counter()
    files = list_inputs(config, data)
    with tempfile.TemporaryDirectory(prefix="llama-gene-plan-") as place:
        folders = [Path(place) / name for name in ("samples", "tokenizer", "runs")]
        for folder in folders:
            folder.mkdir()
        if tokenizer is None:
            write_vocabulary(read_base(base), folders[1])
        samples = _draw(files, config, seed, folders[0])
        bench = Bench(config, pack, tokenizer or folders[1], seed, folders[2])
        measured = {
            kind: bench.measure(kind, [sample for sample in samples if sample.file.kind == kind])
            for kind in KINDS
            if any(file.kind == kind for file in files)
        }
    sources = tuple(
        _plan_source(number, [file for file in files if file.source == number], config, samples, measured)
        for number in range(len(config.sources))
    )
    total = Totals(config, pack, engine, files, samples, measured, sources)
    return total.add_up(output, is_base=tokenizer is None, begin=begin)


def _draw(files: Sequence[InputFile], config: CorpusConfig, seed: int, folder: Path) -> list[SampleFile]:
    """Samples of all groups of files: as many letters of each source, within what all may have."""
    groups = group_files(files)
    groups_of = Counter(source for source, _ in groups)
    most = min(_SOURCE_LETTERS, _ALL_LETTERS // len(groups_of))
    samples = []
    for number, ((source, _), members) in enumerate(groups.items()):
        place = folder / f"{number:06d}"
        place.mkdir()
        rng = np.random.default_rng([seed, number])
        samples += draw_group(members, config, most=most // groups_of[source], rng=rng, folder=place)
    return samples


def _plan_source(
    number: int,
    files: Sequence[InputFile],
    config: CorpusConfig,
    samples: Sequence[SampleFile],
    measured: Mapping[Kind, Measured],
) -> SourcePlan:
    source = config.sources[number]
    sizes = {file.path: file.path.stat().st_size for file in files}
    of_source = [sample for sample in samples if sample.file.source == number]
    letters = records = variance = 0.0
    is_known = is_measured = True
    for members in group_files(files).values():
        paths = {file.path for file in members}
        size = sum(sizes[path] for path in paths)
        found = estimate([sample for sample in of_source if sample.file.path in paths], size)
        if found is None:
            packed = "compressed" if members[0].path.suffix.lower() in _PACKED else "plain"
            found = Estimate(size * _LETTERS_PER_BYTE[packed], 1.0, None)
            is_measured = is_measured and not size
        letters += found.letters
        records += found.records
        is_known = is_known and found.error is not None
        variance += ((found.error or 0.0) * found.letters) ** 2
    cut = measured[source.kind].cuts.get(number) or _pool(measured[source.kind].cuts.values())
    return SourcePlan(
        name=source_name(source),
        kind=source.kind,
        files=len(files),
        bytes=sum(sizes.values()),
        formats=tuple(sorted({sample.format for sample in of_source})) or (source.format,),
        epochs=source.epochs,
        letters=round(letters),
        error=round(math.sqrt(variance) / max(letters, 1.0), 4) if is_known else None,
        records=round(records),
        documents=round(letters * cut.documents / cut.letters),
        tokens=round(letters * cut.tokens / cut.encoded_letters),
        sampled_letters=sum(sample.letters for sample in of_source),
        is_measured=is_measured,
    )


def _pool(cuts: Iterable[Cut]) -> Cut:
    """All sources together; where there is none, documents of 650 letters and two letters per token."""
    cuts = list(cuts)
    if not cuts:
        return Cut(650, 1, 650, 325)
    return Cut(
        sum(cut.letters for cut in cuts), sum(cut.documents for cut in cuts),
        sum(cut.encoded_letters for cut in cuts), sum(cut.tokens for cut in cuts),
    )  # fmt: skip
