"""What `llama-gene index` finds, how fast it builds and answers, and what neighbours alone are worth.

Sequences: mutated copies (substitutions at random, and one letter in a hundred inserted or lost) of pieces of the index
are asked for, DNA on both strands; recall@10 is the share whose origin (for DNA: place and strand) is among ten hits.
The peer is the same search by aligning with everything (parasail). Passages: recall@10 of full text, of vectors, and of
both fused. With LLAMA_GENE_DATA also real abstracts asked for by their own questions among full papers, the time of
searches in real proteomes and genomes, and function tasks answered by the nearest training sequence, with those above
an identity left out (`_retrieval_real.py`).
"""

import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from _harness import read_arguments, report, summary, take_turns
from _retrieval_real import measure_real
from llama_gene.config import GeneKind, IndexConfig
from llama_gene.retrieval.build import build_index
from llama_gene.retrieval.hits import PassageHit
from llama_gene.retrieval.index import Index, open_index
from llama_gene.sequences.alphabets import DNA, PROTEIN, reverse_complement
from llama_gene.storage import tree_bytes

MOST = 10
_QUERY = {"protein": 300, "dna": 300}
_LEVELS = {"protein": (0.9, 0.7, 0.5, 0.3, 0.2), "dna": (0.95, 0.8, 0.7, 0.6, 0.5)}
_INDELS = 0.01
_ALPHABETS = {"dna": DNA, "protein": PROTEIN}
_GENOME_BP = 100_000
_TOPIC_WORDS, _PASSAGES_A_TOPIC, _WORDS_ASKED = 12, 3, 4


def main() -> None:
    arguments = read_arguments(__doc__)
    data = None if arguments.quick else os.environ.get("LLAMA_GENE_DATA")
    sizes = (
        {"proteins": 1_000, "genomes": 4, "asked": 20, "topics": 100}
        if arguments.quick
        else {"proteins": 20_000, "genomes": 50, "asked": 100, "topics": 1_000}
    )
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        held = {
            "protein": [_letters("protein", _QUERY["protein"], rng) for _ in range(sizes["proteins"])],
            "dna": [_letters("dna", _GENOME_BP, rng) for _ in range(sizes["genomes"])],
        }
        topics = _write_topics(folder / "texts", sizes["topics"], rng)
        for kind, texts in held.items():
            _write_fasta(folder / f"{kind}.fa", texts)
        files = [folder / "protein.fa", folder / "dna.fa", folder / "texts"]
        started = time.perf_counter()
        counts = build_index(IndexConfig(), files=files, seed=1, output=folder / "idx").counts
        seconds = time.perf_counter() - started
        index = open_index(folder / "idx")
        ours: dict[str, Any] = {
            "build": {"seconds": round(seconds, 2), "bytes": tree_bytes(folder / "idx"), **counts},
            "sequences": {
                kind: _sequence_recall(index, kind, texts, sizes["asked"], rng) for kind, texts in held.items()
            },
            "passages": _passage_recall(index, topics, rng),
        }
        everything = open_index(folder / "idx", IndexConfig(method="parasail"))
        asked = [_mutate(text, "protein", 0.5, rng) for text in held["protein"][:5]]
        pair = take_turns(
            lambda: _ask(index, asked),
            lambda: _ask(everything, asked),
            units=len(asked),
            rounds=1 if arguments.quick else 3,
        )
        if data:
            ours["real"] = measure_real(Path(data), folder)
    ours["search"] = summary(pair.ours, "proteins_per_s")
    report(
        arguments,
        work={"letters_of_query": _QUERY, "most": MOST, "indels": _INDELS, "genome_bp": _GENOME_BP, **sizes},
        ours=ours,
        peers={"exhaustive": summary(pair.peer, "proteins_per_s")},
        ratios={"exhaustive": pair.ratio},
        table=_rows(ours, pair.ratio),
    )


def _ask(index: Index, asked: Sequence[str]) -> None:
    for letters in asked:
        index.find_sequences(letters, "protein", MOST)


def _letters(kind: GeneKind, number: int, rng: random.Random) -> str:
    return "".join(rng.choices(_ALPHABETS[kind].letters, k=number))


def _write_fasta(path: Path, texts: Sequence[str]) -> None:
    path.write_text("".join(f">s{number}\n{text}\n" for number, text in enumerate(texts)), encoding="ascii")


def _mutate(letters: str, kind: GeneKind, identity: float, rng: random.Random) -> str:
    """A copy with this share of its letters kept, and some inserted or lost."""
    alphabet = _ALPHABETS[kind].letters
    changed = [letter if rng.random() < identity else rng.choice(alphabet.replace(letter, "")) for letter in letters]
    edited = []
    for letter in changed:
        edit = rng.random()
        edited.append("" if edit < _INDELS / 2 else letter + rng.choice(alphabet) if edit < _INDELS else letter)
    return "".join(edited)


def _sequence_recall(
    index: Index, kind: GeneKind, texts: Sequence[str], number: int, rng: random.Random
) -> dict[str, Any]:
    """recall@10 by identity and, for DNA, strand; the share of unrelated queries with a hit; seconds of a query."""
    found: dict[str, Any] = {}
    times: list[float] = []
    for level in _LEVELS[kind]:
        hits: dict[str, list[bool]] = {}
        for turn in range(number):
            strand = "" if kind == "protein" else "+-"[turn % 2]
            hits.setdefault(strand or "all", []).append(_is_found(index, kind, texts, level, strand, rng, times))
        found[f"{level:g}"] = {strand: round(statistics.mean(right), 3) for strand, right in hits.items()}
    strangers = [bool(index.find_sequences(_letters(kind, _QUERY[kind], rng), kind, MOST)) for _ in range(number)]
    return {
        "recall@10": found,
        "strangers_with_a_hit": round(statistics.mean(strangers), 3),
        "median_s": round(statistics.median(times), 4),
    }


def _is_found(
    index: Index,
    kind: GeneKind,
    texts: Sequence[str],
    level: float,
    strand: str,
    rng: random.Random,
    times: list[float],
) -> bool:
    place = rng.randrange(len(texts))
    start = rng.randrange(len(texts[place]) - _QUERY[kind] + 1)
    query = _mutate(texts[place][start : start + _QUERY[kind]], kind, level, rng)
    started = time.perf_counter()
    hits = index.find_sequences(reverse_complement(query) if strand == "-" else query, kind, MOST)
    times.append(time.perf_counter() - started)
    return any(
        hit.id == f"s{place}" and hit.strand == strand and hit.start < start + _QUERY[kind] and hit.end > start
        for hit in hits
    )


def _write_topics(folder: Path, number: int, rng: random.Random) -> list[list[str]]:
    """Texts on made-up topics: of the twelve words of its topic a passage holds six, among words that all share."""
    folder.mkdir()
    made: set[str] = set()
    while len(made) < number * _TOPIC_WORDS + 200:
        made.add("".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(4)))
    words = sorted(made)
    rng.shuffle(words)
    common, special = words[:200], words[200:]
    topics = [special[at * _TOPIC_WORDS : (at + 1) * _TOPIC_WORDS] for at in range(number)]
    for topic, own in enumerate(topics):
        for part in range(_PASSAGES_A_TOPIC):
            text = rng.sample(own, _TOPIC_WORDS // 2) + rng.choices(common, k=40)
            rng.shuffle(text)
            (folder / f"{topic}-{part}.txt").write_text(" ".join(text) + ".", encoding="utf-8")
    return topics


def _passage_recall(index: Index, topics: Sequence[Sequence[str]], rng: random.Random) -> dict[str, Any]:
    """recall@10 of the passages of a topic, asked for by four of its words; seconds of a question."""
    searches: dict[str, Callable[[str], Sequence[PassageHit]]] = {
        "words": lambda question: index.passages_by_words(question, MOST),
        "vectors": lambda question: index.passages_by_vectors(question, MOST),
        "fused": lambda question: index.find_passages(question, MOST),
    }
    recalls: dict[str, list[float]] = {name: [] for name in searches}
    times: list[float] = []
    for number, own in enumerate(topics):
        question = " ".join(rng.sample(list(own), _WORDS_ASKED))
        for name, search in searches.items():
            started = time.perf_counter()
            hits = search(question)
            if name == "fused":
                times.append(time.perf_counter() - started)
            right = sum(Path(hit.source).name.startswith(f"{number}-") for hit in hits)
            recalls[name].append(right / _PASSAGES_A_TOPIC)
    return {
        "recall@10": {name: round(statistics.mean(values), 3) for name, values in recalls.items()},
        "median_s": round(statistics.median(times), 4),
    }


def _rows(ours: dict[str, Any], ratio: float) -> list[tuple[str, ...]]:
    rows = [("search", "recall@10", "seconds a query", "ratio to aligning everything")]
    for kind, found in ours["sequences"].items():
        shown = f"{ratio:.1f}" if kind == "protein" else ""
        for level, recalls in found["recall@10"].items():
            words = ", ".join(f"{strand} {recall:g}" for strand, recall in recalls.items())
            rows.append((f"{kind}, identity {level}", words, f"{found['median_s']:.3f}", shown))
    for name, recall in ours["passages"]["recall@10"].items():
        rows.append((f"passages by {name}", f"{recall:g}", f"{ours['passages']['median_s']:.3f}", ""))
    return rows


if __name__ == "__main__":
    main()
