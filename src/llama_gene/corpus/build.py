"""`corpus build`: files to a mixed, shuffled corpus of documents, split for validation before anything is cut.

Three passes, each in memory that does not grow with the letters: collect (read, clean, de-duplicate), document (split,
cut, compare with task items) and write (mix, shuffle, Parquet). The counts account for every record, letter and
document; a corpus that does not balance is not written.
"""

import logging
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llama_gene.artifacts import Ledger, Manifest, build_stage
from llama_gene.config import KINDS, CorpusConfig
from llama_gene.corpus.accounts import imbalances, removed_reasons
from llama_gene.corpus.collect import InputFile, Survey, collect, list_inputs, source_name
from llama_gene.corpus.contamination import drop_contaminated, read_items
from llama_gene.corpus.documents import Cutter, make_documents
from llama_gene.corpus.mix import choose_mixture
from llama_gene.corpus.near_identical import group_near_identical
from llama_gene.corpus.shards import Scattered, scatter, write_shards
from llama_gene.corpus.split import FileSplit, FileUnits, plan_split
from llama_gene.errors import DataError

logger = logging.getLogger(__name__)

_CODE = 1
_SPOOL = "spool"


def build_corpus(config: CorpusConfig, *, data: Path, seed: int, output: Path, exclude: Path | None = None) -> Manifest:
    """Build the corpus folder, unless it is up to date.

    Args:
        config: Sources and rules.
        data: Folder that the sources' paths start from.
        seed: Seed of every choice; the same inputs and seed give the same bytes.
        output: Stage folder: train/*.parquet and valid/*.parquet with columns id, kind, text, source, split.
        exclude: `tasks split` folder whose validation and test sequences must not be in the training split.

    Raises:
        ConfigError: no source is named.
        DataError: a path leads to nothing, a record is bad (`on_invalid = "error"`), or no training letter is left.
        ArtifactError: `output` or `exclude` is not usable.
    """
    files = list_inputs(config, data)
    inputs = {f"{number:06d} {file.label}": file.path for number, file in enumerate(files)}
    if exclude is not None:
        inputs["exclude"] = exclude

    def build(work: Path, ledger: Ledger) -> None:
        for name in (_SPOOL, "train", "valid"):
            shutil.rmtree(work / name, ignore_errors=True)
        (work / _SPOOL).mkdir()
        _build(config, files, work, ledger, seed=seed, exclude=exclude)
        shutil.rmtree(work / _SPOOL)

    return build_stage("corpus", output, build, config=config, inputs=inputs, seed=seed, code=_CODE)


def _build(
    config: CorpusConfig, files: Sequence[InputFile], work: Path, ledger: Ledger, *, seed: int, exclude: Path | None
) -> None:
    counts = ledger.counts
    spool = work / _SPOOL / "records.arrow"
    surveys = collect(files, config, spool, counts)
    plan = _plan(config, files, surveys, seed, ledger)
    documents = make_documents(spool, files, plan, Cutter(config, np.random.default_rng([seed, 1])), counts)
    if exclude is not None:
        documents = drop_contaminated(documents, read_items(exclude, counts), counts)
    letters = sum(survey.letters for survey in surveys)
    scattered = scatter(documents, work / _SPOOL, letters, np.random.default_rng([seed, 2]))
    spool.unlink()
    mixture = choose_mixture(scattered.train_letters, config.weights, config.max_letters)
    _refuse_empty(scattered, sum(mixture.kept.values()), counts)
    write_shards(
        scattered,
        mixture,
        work,
        source_names=[source_name(source) for source in config.sources],
        shard_letters=config.shard_letters,
        rng=np.random.default_rng([seed, 3]),
        counts=counts,
    )
    if missing := imbalances(counts):
        raise RuntimeError(f"the corpus lost count of {missing}; this is a defect of llama-gene, please report it")
    ledger.facts["mixture"] = mixture.facts()
    _tell_shortages(counts, ledger.facts["mixture"])


def _plan(
    config: CorpusConfig, files: Sequence[InputFile], surveys: Sequence[Survey], seed: int, ledger: Ledger
) -> list[FileSplit]:
    """Group near-identical genomes, choose what is held out, and write both down."""
    sketches = {number: survey.sketch for number, survey in enumerate(surveys) if len(survey.sketch)}
    groups = group_near_identical(sketches, config.near_identical)
    twins = {number for group in groups for number in group}
    units = [
        FileUnits(file.source, file.kind, survey.records, survey.regions, has_twin=number in twins)
        for number, (file, survey) in enumerate(zip(files, surveys, strict=True))
    ]
    plan = plan_split(units, share=config.valid_share, region_below_records=config.region_below_records, seed=seed)
    for split in plan:
        ledger.counts[f"files split by {split.by}"] += 1
    ledger.facts["near_identical"] = [[files[number].label for number in group] for group in groups]
    ledger.facts["sources"] = _describe_sources(config, files, surveys, plan)
    return plan


def _describe_sources(
    config: CorpusConfig, files: Sequence[InputFile], surveys: Sequence[Survey], plan: Sequence[FileSplit]
) -> list[dict[str, Any]]:
    described = []
    for number, source in enumerate(config.sources):
        members = [place for place, file in enumerate(files) if file.source == number]
        described.append(
            {
                "name": source_name(source),
                "kind": source.kind,
                "files": len(members),
                "records": sum(surveys[place].records for place in members),
                "letters": sum(surveys[place].letters for place in members),
                "units": sum(len(plan[place].held) for place in members),
                "held_out_units": sum(int(plan[place].held.sum()) for place in members),
            }
        )
    return described


def _refuse_empty(scattered: Scattered, kept: int, counts: Counter[str]) -> None:
    if kept:
        return
    reasons = [
        f"{kind}: {reason} {number}"
        for kind in KINDS
        for unit in ("records", "documents")
        for reason, number in sorted(removed_reasons(counts, kind, unit).items())
    ]
    read = sum(counts[f"{kind} records read"] for kind in KINDS)
    if any(letters.any() for letters in scattered.train_letters.values()):
        reasons.append("corpus.weights or corpus.max_letters leave no room for any document")
    raise DataError(
        f"corpus: nothing is left for training of {read} records read ({'; '.join(reasons) or 'the files are empty'}). "
        "Check the sources' paths and kinds and corpus.min_letters."
    )


def _tell_shortages(counts: Counter[str], mixture: dict[str, Any]) -> None:
    for kind in KINDS:
        if counts[f"{kind} documents train"] and not counts[f"{kind} documents valid"]:
            logger.warning("corpus: no %s is held out: each source has one unit or a near-identical twin", kind)
        short = mixture.get(kind, {}).get("short_letters", 0)
        if short:
            logger.warning("corpus: %s falls %d letters short of its share of the mixture", kind, short)
