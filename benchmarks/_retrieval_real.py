"""The part of `retrieval.py` that needs real data: passages, latency, and function tasks answered by neighbours."""

import gzip
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _data import make_tokenizer
from llama_gene.config import IndexConfig, TaskChoice, TasksConfig
from llama_gene.evaluation.baselines import Answers, most_frequent
from llama_gene.evaluation.items import Item, read_items
from llama_gene.evaluation.metrics import difference, draw_scores, estimate, unit_of_items
from llama_gene.evaluation.scorer import measure_answers
from llama_gene.progress import show_progress
from llama_gene.retrieval.build import build_index
from llama_gene.retrieval.index import Index, open_index
from llama_gene.retrieval.transfer import transfer_annotation
from llama_gene.sequences.readers import list_files, read_records
from llama_gene.storage import tree_bytes
from llama_gene.tasks.build import build_tasks
from llama_gene.tasks.split import split_tasks

_TASKS = ("protein-product", "protein-function", "protein-go-function", "resistance-gene")
# Above 1 nothing is left out.
_LIMITS = (1.1, 0.9, 0.7, 0.5, 0.3)
_MOST = 10
_LETTERS = 2000
_QUERIES = {"protein": 20, "dna": 5}
_BASES_ASKED = 1000


def measure_real(data: Path, folder: Path) -> dict[str, Any]:
    """Figures of real data, by name."""
    found: dict[str, Any] = {"passages": _abstracts(data, folder)}
    for kind, files in (("protein", data / "proteins/proteomes"), ("dna", data / "genomes/bacteria")):
        found[f"{kind}_search"] = _latency(kind, files, folder)
    make_tokenizer(folder)
    found["function_tasks"] = {name: _task(name, data, folder) for name in show_progress(_TASKS, "Tasks")}
    return found


def _abstracts(data: Path, folder: Path) -> dict[str, Any]:
    """Each abstract of PubMedQA is asked for by its question, among all of them and full papers."""
    with gzip.open(data / "text/pubmedqa_labelled.json.gz", "rt", encoding="utf-8") as file:
        abstracts = json.load(file)
    place = folder / "abstracts"
    place.mkdir()
    for name, one in abstracts.items():
        (place / f"{name}.txt").write_text("\n\n".join(one["CONTEXTS"]), encoding="utf-8")
    files = [place, data / "text/craft", data / "text/plos_jats"]
    started = time.perf_counter()
    counts = build_index(IndexConfig(), files=files, seed=1, output=folder / "papers").counts
    seconds = time.perf_counter() - started
    index = open_index(folder / "papers")
    searches = {"words": index.passages_by_words, "vectors": index.passages_by_vectors, "fused": index.find_passages}
    right: dict[str, list[bool]] = {name: [] for name in searches}
    times: list[float] = []
    for name, one in show_progress(abstracts.items(), "Asking"):
        for search, find in searches.items():
            started = time.perf_counter()
            sources = {Path(hit.source).stem for hit in find(one["QUESTION"], _MOST)}
            times += [time.perf_counter() - started] if search == "fused" else []
            right[search].append(name in sources)
    return {
        "questions": len(abstracts), "passages": counts["passages"], "build_s": round(seconds, 1),
        "recall@10": {search: round(statistics.mean(values), 3) for search, values in right.items()},
        "median_s": round(statistics.median(times), 4),
    }  # fmt: skip


def _latency(kind: str, files: Path, folder: Path) -> dict[str, Any]:
    """Build and query times; the queries are records of the index, or the middle of them."""
    output = folder / f"{kind}-idx"
    gene_kind = "dna" if kind == "dna" else "protein"
    started = time.perf_counter()
    counts = build_index(IndexConfig(kind=gene_kind), files=[files], seed=1, output=output).counts
    seconds = time.perf_counter() - started
    index = open_index(output)
    times, right = [], []
    for file in list_files(files)[: _QUERIES[kind]]:
        record = max(_first(file, gene_kind, 20), key=lambda one: len(one.text))
        middle = len(record.text) // 2
        letters = record.text[max(0, middle - _BASES_ASKED // 2) : middle + _BASES_ASKED // 2]
        started = time.perf_counter()
        hits = index.find_sequences(letters, gene_kind, _MOST)
        times.append(time.perf_counter() - started)
        right.append(any(hit.id == record.id for hit in hits))
    return {
        "letters": counts[f"{kind} letters"], "records": counts[f"{kind} records"], "build_s": round(seconds, 1),
        "bytes": tree_bytes(output), "queries": len(times), "found": round(statistics.mean(right), 3),
        "median_s": round(statistics.median(times), 2),
    }  # fmt: skip


def _first(file: Path, kind: Any, number: int) -> list[Any]:
    records = read_records(file, kind, on_invalid="skip")
    return [record for record, _ in zip(records, range(number), strict=False)]


def _task(name: str, data: Path, folder: Path) -> dict[str, Any]:
    """Scores of the nearest training sequence's answer below each identity; the most frequent where there is none."""
    place = folder / name
    config = TasksConfig(choices=(TaskChoice(name=name, test=300),), max_tokens=4096, on_invalid="skip", leak_items=0)
    split_tasks(config, data=data, seed=1, output=place / "splits")
    build_tasks(config, splits=place / "splits", tokenizer=folder / "tokenizer", seed=1, output=place / "instructions")
    train, test = (list(read_items(place / "instructions" / f"{split}.jsonl")) for split in ("train", "test"))
    kind = "dna" if train[0].kinds[0] == "dna" else "protein"
    # The annotation stands where the reader of such headers finds it; the second sequence of an item is never read.
    rows = (f">t{at} ~~~~~~{item.output}~~~\n{item.sequences[0]}\n" for at, item in enumerate(train))
    (place / "train.fa").write_text("".join(rows), encoding="utf-8")
    build_index(IndexConfig(kind=kind), files=[place / "train.fa"], seed=1, output=place / "idx")
    index = open_index(place / "idx")
    common = most_frequent(train)
    measured = {"without": measure_answers(test, Answers("most frequent", (common,) * len(test)))}
    answered: dict[str, float] = {}
    for limit in _LIMITS:
        texts = _transfer(index, test, kind, limit)
        label = "all" if limit > 1 else f"below {limit:g}"
        answered[label] = round(statistics.mean(text is not None for text in texts), 3)
        measured[label] = measure_answers(test, Answers("neighbour", tuple(text or common for text in texts)))
    return {"train": len(train), "test": len(test), "with_a_neighbour": answered, **_scores(measured, test)}


def _transfer(index: Index, test: Sequence[Item], kind: Any, limit: float) -> list[str | None]:
    found = (
        transfer_annotation(index, item.sequences[0][:_LETTERS], kind, "product", identity_below=limit) for item in test
    )
    return [None if one is None else one.text for one in found]


def _scores(measured: dict[str, dict[str, Any]], test: Sequence[Item]) -> dict[str, Any]:
    """The headline of each way with its interval, and what it adds to the most frequent answer."""
    metric = next(iter(measured["without"]))
    units, _ = unit_of_items([item.group for item in test])
    drawn = draw_scores({way: scores[metric] for way, scores in measured.items()}, units=units, resamples=500, seed=1)
    shown = {}
    for way, one in drawn.items():
        score, gain = estimate(one), difference(one, drawn["without"])
        shown[way] = {
            "score": round(score.value, 3), "interval": [round(score.low, 3), round(score.high, 3)],
            "added": round(gain.value, 3), "added_interval": [round(gain.low, 3), round(gain.high, 3)],
        }  # fmt: skip
    return {"metric": metric, "neighbours": shown}
