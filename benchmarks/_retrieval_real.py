"""The part of `retrieval.py` on real texts and whole collections: passages, time and memory at size, functions.

Nothing here is planted in made-up letters: abstracts are asked for by their own questions among full papers, pieces of
all proteomes and genomes by mutated copies, and FUNCTION texts are answered by the nearest protein.
"""

import gzip
import json
import random
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from _retrieval_child import cpu_seconds
from _retrieval_planted import LENGTH, ask, installed, plant, strangers_found, write_fasta
from llama_gene.config import GeneKind, IndexConfig
from llama_gene.evaluation.answers import token_f1
from llama_gene.model.encoder import load_encoder
from llama_gene.progress import show_progress
from llama_gene.retrieval.aligners import Method
from llama_gene.retrieval.build import build_index
from llama_gene.retrieval.hits import PassageHit
from llama_gene.retrieval.index import Index, open_index
from llama_gene.sequences.readers import list_files, read_records

Search = Callable[[str, int], Sequence[PassageHit]]
WHERE: dict[GeneKind, str] = {"protein": "proteins/proteomes", "dna": "genomes/bacteria"}
_MOST = 10
# Asked of everything there is, at 70 % identity.
_AT_SIZE: dict[GeneKind, dict[Method, int]] = {
    "protein": {"hmmer": 4, "parasail": 1, "diamond": 1},
    "dna": {"seeds": 4, "parasail": 1, "mappy": 4},
}
_STRANGERS = 20
_GENE_BP = 600
_GENOME = "genomes/genbank/mycoplasma_GCF_000023685.gbff.gz"
_PROTEINS = "proteins/uniprot_flat.dat.gz"
_ASKED_FUNCTIONS = 60
_LIMITS = (1.1, 0.9, 0.7, 0.5, 0.3)


def read_letters(data: Path, kind: GeneKind) -> list[str]:
    """The letters of every record."""
    files = list_files(data / WHERE[kind])
    return [record.text for file in files for record in read_records(file, kind, on_invalid="skip")]


def run_child(*arguments: object) -> dict[str, Any]:
    """What `_retrieval_child.py` prints."""
    command = [sys.executable, Path(__file__).with_name("_retrieval_child.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return dict(json.loads(done.stdout))


def measure_at_size(kind: GeneKind, texts: Sequence[str], folder: Path, rng: random.Random) -> dict[str, Any]:
    """All that there is of a kind: build, and a query by each method."""
    output, fasta = folder / f"all-{kind}", write_fasta(folder / f"all-{kind}.fa", texts)
    planted = {0.7: plant(texts, kind, 0.7, _STRANGERS, rng)}
    found: dict[str, Any] = {
        "build": run_child("build", kind, output, fasta),
        "one_search": run_child("find", kind, output, planted[0.7][0].letters),
        "methods": {
            method: ask(open_index(output, IndexConfig(method=method)), kind, planted, number)
            for method, number in show_progress(_AT_SIZE[kind].items(), f"All {kind}")
            if installed(method, kind)
        },
        "strangers_with_a_hit": strangers_found(open_index(output), kind, planted[0.7][:3], rng),
    }
    fasta.unlink()
    shutil.rmtree(output)
    return found


def measure_gene(data: Path, folder: Path) -> dict[str, Any]:
    """A gene of a small genome rich in A and T, by nhmmer and by what is chosen now; shuffled pieces of it."""
    build = run_child("build", "dna", folder / "genome", data / _GENOME)
    (record,) = read_records(data / _GENOME, "dna")
    letters = record.text[100_000 : 100_000 + _GENE_BP]
    rng = random.Random(3)
    seconds: dict[str, float] = {}
    methods: tuple[Method | str, ...] = ("hmmer", "auto") if installed("hmmer", "dna") else ("auto",)
    for method in methods:
        index = open_index(folder / "genome", IndexConfig.model_validate({"method": method}))
        started = cpu_seconds()
        (hit, *_) = index.find_sequences(letters, "dna", _MOST)
        seconds[f"{method} ({hit.method})"] = round(cpu_seconds() - started, 3)
    index = open_index(folder / "genome")
    strangers = plant([record.text], "dna", 1.0, _STRANGERS, rng)
    return {
        "bases": build["dna letters"], "query_bp": _GENE_BP, "cpu_s": seconds,
        "strangers_with_a_hit": strangers_found(index, "dna", strangers, rng), "strangers_bp": LENGTH,
    }  # fmt: skip


def measure_passages(data: Path, folder: Path) -> dict[str, Any]:
    """Each abstract of PubMedQA is asked for by its question, among all of them and full papers."""
    abstracts = _write_abstracts(data, folder / "abstracts")
    build = run_child(
        "build", "text", folder / "papers", folder / "abstracts", data / "text/craft", data / "text/plos_jats"
    )
    alike = open_index(folder / "papers", IndexConfig(vector_weight=1))
    searches = _searches(open_index(folder / "papers")) | {"both, of equal weight": alike.find_passages}
    return {"questions": len(abstracts), "build": build, **_ask_all(searches, abstracts)}


def measure_encoder(data: Path, folder: Path, encoder: Path) -> dict[str, Any]:
    """The same among the abstracts alone, where a sentence-embedding model makes the vectors, and where it does not.

    Papers are left out, since a processor takes long to embed them.
    """
    abstracts = _write_abstracts(data, folder / "asked")
    run_child("build", "text", folder / "fitted", folder / "asked")
    model, started = load_encoder(encoder), cpu_seconds()
    built = build_index(
        IndexConfig(encoder=str(encoder)), files=[folder / "asked"], seed=1, output=folder / "encoded",
        load_encoder=lambda _: model,
    )  # fmt: skip
    build = {"cpu_s": round(cpu_seconds() - started, 1), "passages": built.counts["passages"]}
    encoded = open_index(folder / "encoded", load_encoder=lambda _: model)
    searches = _searches(open_index(folder / "fitted")) | {
        "encoder": encoded.passages_by_vectors, "words and encoder, as set by default": encoded.find_passages,
    }  # fmt: skip
    about = {"name": encoder.name, "dimensions": model.dimensions, "tokens_read": model.most_tokens}
    return {"model": about, "questions": len(abstracts), "build": build, **_ask_all(searches, abstracts)}


def _write_abstracts(data: Path, place: Path) -> dict[str, Any]:
    """A file for each abstract, without its conclusion; the records of PubMedQA by the names of the files."""
    with gzip.open(data / "text/pubmedqa_labelled.json.gz", "rt", encoding="utf-8") as file:
        abstracts: dict[str, Any] = json.load(file)
    place.mkdir()
    for name, one in abstracts.items():
        (place / f"{name}.txt").write_text("\n\n".join(one["CONTEXTS"]), encoding="utf-8")
    return abstracts


def _searches(index: Index) -> dict[str, Search]:
    return {
        "words": index.passages_by_words, "vectors": index.passages_by_vectors,
        "both, as set by default": index.find_passages,
    }  # fmt: skip


def _ask_all(searches: Mapping[str, Search], abstracts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _ask_abstracts(search, abstracts) for name, search in show_progress(searches.items(), "Asking passages")
    }


def _ask_abstracts(search: Search, abstracts: Mapping[str, Any]) -> dict[str, float]:
    first, ten, seconds = [], [], []
    for name, one in abstracts.items():
        started = cpu_seconds()
        sources = [Path(hit.source).stem for hit in search(one["QUESTION"], _MOST)]
        seconds.append(cpu_seconds() - started)
        first.append(sources[:1] == [name])
        ten.append(name in sources)
    return {
        "recall@1": round(statistics.mean(first), 3), "recall@10": round(statistics.mean(ten), 3),
        "mean_s": round(statistics.mean(seconds), 4),
    }  # fmt: skip


def measure_functions(data: Path, folder: Path) -> dict[str, Any]:
    """FUNCTION texts answered by the nearest protein that has one, itself left out; F1 of words, 0 where none has."""
    run_child("build", "protein", folder / "uniprot", data / _PROTEINS)
    index = open_index(folder / "uniprot")
    records = [record for record in read_records(data / _PROTEINS, "protein") if record.annotations.get("function")]
    rng = random.Random(1)
    texts = [str(record.annotations["function"]) for record in records]
    asked = rng.sample([record for record in records if len(record.text) <= 2000], _ASKED_FUNCTIONS)
    scores: dict[float, list[float]] = {limit: [] for limit in _LIMITS}
    answered: dict[float, list[bool]] = {limit: [] for limit in _LIMITS}
    for record in show_progress(asked, "Asking functions"):
        hits = [hit for hit in index.find_sequences(record.text, "protein", 100) if hit.id != record.id]
        for limit in _LIMITS:
            text = _function_of(hits, limit)
            answered[limit].append(bool(text))
            scores[limit].append(token_f1(text, str(record.annotations["function"])))
    drawn = [token_f1(rng.choice(texts), str(record.annotations["function"])) for record in asked]
    return {
        "proteins": len(records), "asked": len(asked), "any_protein": round(statistics.mean(drawn), 3),
        "below_identity": {
            "all" if limit > 1 else f"{limit:g}": {
                "with_a_neighbour": round(statistics.mean(answered[limit]), 3),
                "f1_of_words": round(statistics.mean(scores[limit]), 3),
            }
            for limit in _LIMITS
        },
    }  # fmt: skip


def _function_of(hits: Sequence[Any], limit: float) -> str:
    known = (
        str(hit.annotations["function"]) for hit in hits if hit.identity < limit and hit.annotations.get("function")
    )
    return next(known, "")
