"""Planted copies: pieces of an index, mutated as far as wanted, whose origin every method is asked for."""

import random
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from _retrieval_child import cpu_seconds
from llama_gene.config import GeneKind, IndexConfig
from llama_gene.errors import ConfigError
from llama_gene.progress import show_progress
from llama_gene.retrieval.aligners import FINDERS, Method, choose_method
from llama_gene.retrieval.index import Index, open_index
from llama_gene.sequences.alphabets import DNA, PROTEIN, reverse_complement

MOST = 10
LENGTH = 300
LEVELS = (0.9, 0.7, 0.5, 0.3)
INDELS = 0.01
ALPHABETS = {"dna": DNA.letters, "protein": PROTEIN.letters}
# Those that take seconds for one query are asked fewer of the same queries.
_SLOW: dict[tuple[Method, GeneKind], int] = {
    ("hmmer", "dna"): 2, ("mmseqs", "protein"): 1, ("mmseqs", "dna"): 2, ("diamond", "protein"): 5,
}  # fmt: skip


class Planted(NamedTuple):
    """A mutated copy of `start:end` of text number `text`, on a strand."""

    text: int
    start: int
    end: int
    strand: str
    letters: str


def random_letters(kind: GeneKind, number: int, rng: random.Random) -> str:
    """Letters that are all as likely."""
    return "".join(rng.choices(ALPHABETS[kind], k=number))


def write_fasta(path: Path, texts: Sequence[str]) -> Path:
    """Records s0, s1 …"""
    path.write_text("".join(f">s{number}\n{text}\n" for number, text in enumerate(texts)), encoding="ascii")
    return path


def mutate(letters: str, kind: GeneKind, identity: float, rng: random.Random) -> str:
    """A copy with this share of its letters kept, and some inserted or lost."""
    alphabet = ALPHABETS[kind]
    changed = [letter if rng.random() < identity else rng.choice(alphabet.replace(letter, "")) for letter in letters]
    edited = []
    for letter in changed:
        edit = rng.random()
        edited.append("" if edit < INDELS / 2 else letter + rng.choice(alphabet) if edit < INDELS else letter)
    return "".join(edited)


def plant(texts: Sequence[str], kind: GeneKind, identity: float, number: int, rng: random.Random) -> list[Planted]:
    """So many copies from texts that are long enough, of DNA every other on the other strand."""
    long = [place for place, text in enumerate(texts) if len(text) >= LENGTH]
    planted = []
    for turn in range(number):
        text = rng.choices(long, [len(texts[place]) for place in long])[0]
        start = rng.randrange(len(texts[text]) - LENGTH + 1)
        letters = mutate(texts[text][start : start + LENGTH], kind, identity, rng)
        strand = "" if kind == "protein" else "+-"[turn % 2]
        planted.append(
            Planted(text, start, start + LENGTH, strand, reverse_complement(letters) if strand == "-" else letters)
        )
    return planted


def plant_levels(texts: Sequence[str], kind: GeneKind, number: int, rng: random.Random) -> dict[float, list[Planted]]:
    """Copies of each identity."""
    return {level: plant(texts, kind, level, number, rng) for level in LEVELS}


def ask_methods(folder: Path, kind: GeneKind, planted: Mapping[float, Sequence[Planted]]) -> dict[str, Any]:
    """recall@10 of every method that is installed, by identity, and processor seconds of a query."""
    methods = [method for method in FINDERS if installed(method, kind)]
    return {
        method: ask(open_index(folder, IndexConfig(method=method)), kind, planted, _SLOW.get((method, kind)))
        for method in show_progress(methods, f"Asking {kind}")
    }


def ask(
    index: Index, kind: GeneKind, planted: Mapping[float, Sequence[Planted]], most_asked: int | None = None
) -> dict[str, Any]:
    """recall@10 by identity, and processor seconds of a query."""
    recall, seconds = {}, []
    for level, copies in planted.items():
        right = []
        for copy in copies[:most_asked]:
            started = cpu_seconds()
            hits = index.find_sequences(copy.letters, kind, MOST)
            seconds.append(cpu_seconds() - started)
            right.append(any(_is_origin(hit, copy) for hit in hits))
        recall[f"{level:g}"] = round(statistics.mean(right), 3)
    return {
        "asked": len(seconds),
        "recall@10": recall,
        "first_s": round(seconds[0], 3),
        "median_s": round(statistics.median(seconds[1:] or seconds), 4),
    }


def strangers_found(index: Index, kind: GeneKind, planted: Sequence[Planted], rng: random.Random) -> float:
    """The share of shuffled sequences that have a hit."""
    found = []
    for copy in planted:
        letters = "".join(rng.sample(copy.letters, len(copy.letters)))
        found.append(bool(index.find_sequences(letters, kind, MOST)))
    return round(statistics.mean(found), 3)


def _is_origin(hit: Any, copy: Planted) -> bool:
    is_there = hit.start < copy.end and hit.end > copy.start
    return hit.id == f"s{copy.text}" and hit.strand == copy.strand and is_there


def installed(method: Method, kind: GeneKind) -> bool:
    """Whether a method is there and finds this kind."""
    try:
        choose_method(IndexConfig(method=method), kind, "A" * LENGTH, 0)
    except ConfigError:
        return False
    return True
