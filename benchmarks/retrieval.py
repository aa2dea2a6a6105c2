"""What `llama-gene index` finds, how fast it builds and answers, and what neighbours alone are worth.

Sequences: mutated copies (substitutions at random, and one letter in a hundred inserted or lost) of pieces of the index
are asked for, DNA on both strands, by every method that is installed; recall@10 is the share whose origin (for DNA:
place and strand) is among ten hits. The peer is exact alignment with everything (parasail). Passages: recall@10 of full
text, of vectors, and of both, of made-up topics. With LLAMA_GENE_DATA the letters are those of real proteins and
genomes, and there are real abstracts, whole collections and function texts (`_retrieval_real.py`). LLAMA_GENE_ENCODER
names the folder of a sentence-embedding model, by whose vectors the abstracts are then asked for as well, in an index
of their own. Seconds are those of the processor, the programs' included: they stay the same on a busy machine.
"""

import os
import random
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from _harness import read_arguments, report
from _retrieval_child import cpu_seconds
from _retrieval_planted import (
    INDELS,
    LENGTH,
    LEVELS,
    MOST,
    ask_methods,
    plant_levels,
    random_letters,
    strangers_found,
    write_fasta,
)
from _retrieval_real import (
    measure_at_size,
    measure_encoder,
    measure_functions,
    measure_gene,
    measure_passages,
    read_letters,
    run_child,
)
from llama_gene.config import GENE_KINDS, GeneKind
from llama_gene.retrieval.hits import PassageHit
from llama_gene.retrieval.index import open_index

_QUICK = {"asked": 5, "topics": 100, "protein": 300_000, "dna": 400_000}
_FULL = {"asked": 10, "topics": 300, "protein": 1_000_000, "dna": 1_000_000}
_PIECE = {"protein": 300, "dna": 100_000}
_TOPIC_WORDS, _PASSAGES_A_TOPIC, _WORDS_ASKED = 12, 3, 4


def main() -> None:
    arguments = read_arguments(__doc__)
    named = None if arguments.quick else os.environ.get("LLAMA_GENE_DATA")
    data = Path(named) if named else None
    encoder = os.environ.get("LLAMA_GENE_ENCODER")
    sizes = _QUICK if arguments.quick else _FULL
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        letters = {kind: read_letters(data, kind) if data else _made_up(kind, sizes[kind], rng) for kind in GENE_KINDS}
        ours: dict[str, Any] = {
            "sequences": {kind: _measure(kind, letters[kind], sizes, folder, rng) for kind in GENE_KINDS},
            "topics": _measure_topics(folder, sizes["topics"], rng),
        }
        if data:
            ours["at_size"] = {kind: measure_at_size(kind, letters[kind], folder, rng) for kind in GENE_KINDS}
            ours["gene"] = measure_gene(data, folder)
            ours["passages"] = measure_passages(data, folder)
            ours |= {"encoder": measure_encoder(data, folder, Path(encoder))} if encoder else {}
            ours["functions"] = measure_functions(data, folder)
    largest = ours["at_size"]["protein"]["methods"] if data else ours["sequences"]["protein"]["methods"]
    exact = largest["parasail"]["median_s"]
    chosen = largest.get("hmmer", largest["parasail"])["median_s"]
    report(
        arguments,
        work={"letters_of_query": LENGTH, "most": MOST, "indels": INDELS, "real": bool(data), **sizes},
        ours=ours,
        peers={"exhaustive": {kind: found["methods"]["parasail"] for kind, found in ours["sequences"].items()}},
        ratios={"exhaustive": exact / chosen},
        table=_rows(ours, exact / chosen),
    )


def _made_up(kind: GeneKind, letters: int, rng: random.Random) -> list[str]:
    return [random_letters(kind, _PIECE[kind], rng) for _ in range(letters // _PIECE[kind])]


def _measure(
    kind: GeneKind, texts: Sequence[str], sizes: dict[str, int], folder: Path, rng: random.Random
) -> dict[str, Any]:
    """An index of so many letters drawn from the texts: its build, what every method finds, and what is chosen."""
    drawn, held = [], 0
    for text in rng.sample(texts, len(texts)):
        if held >= sizes[kind]:
            break
        drawn.append(text[: sizes[kind] - held])
        held += len(drawn[-1])
    output = folder / kind
    build = run_child("build", kind, output, write_fasta(folder / f"{kind}.fa", drawn))
    planted = plant_levels(drawn, kind, sizes["asked"], rng)
    index = open_index(output)
    return {
        "build": build,
        "chosen": index.choose_method(planted[LEVELS[0]][0].letters, kind)._asdict(),
        "methods": ask_methods(output, kind, planted),
        "strangers_with_a_hit": strangers_found(index, kind, planted[LEVELS[0]], rng),
    }


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


def _measure_topics(folder: Path, number: int, rng: random.Random) -> dict[str, Any]:
    """recall@10 of the passages of a topic, asked for by four of its words; processor seconds of a question."""
    topics = _write_topics(folder / "texts", number, rng)
    build = run_child("build", "text", folder / "topics", folder / "texts")
    index = open_index(folder / "topics")
    questions = [" ".join(rng.sample(list(own), _WORDS_ASKED)) for own in topics]
    searches = {"words": index.passages_by_words, "vectors": index.passages_by_vectors, "both": index.find_passages}
    return {"build": build, **{name: _ask_topics(search, questions) for name, search in searches.items()}}


def _ask_topics(search: Callable[[str, int], Sequence[PassageHit]], questions: Sequence[str]) -> dict[str, float]:
    shares = []
    started = cpu_seconds()
    for number, question in enumerate(questions):
        right = sum(Path(hit.source).name.startswith(f"{number}-") for hit in search(question, MOST))
        shares.append(right / _PASSAGES_A_TOPIC)
    seconds = (cpu_seconds() - started) / len(questions)
    return {"recall@10": round(statistics.mean(shares), 3), "mean_s": round(seconds, 4)}


def _rows(ours: dict[str, Any], ratio: float) -> list[tuple[str, ...]]:
    levels = [f"{level:g}" for level in LEVELS]
    rows = [
        ("search", *(f"recall@10 at {level}" for level in levels), "seconds a query", "ratio to aligning everything")
    ]
    for kind, measured in ours["sequences"].items():
        for method, found in measured["methods"].items():
            shown = f"{ratio:.1f}" if (kind, method) == ("protein", "hmmer") else ""
            recalls = (f"{found['recall@10'][level]:g}" for level in levels)
            rows.append((f"{kind}, {method}", *recalls, f"{found['median_s']:.3f}", shown))
    for place in ("topics", "passages", "encoder"):
        found = {name: one for name, one in ours.get(place, {}).items() if isinstance(one, dict) and "recall@10" in one}
        rows += [(f"{place} by {name}", f"{one['recall@10']:g}", "", "", "", f"{one['mean_s']:.4f}", "")
                 for name, one in found.items()]  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
