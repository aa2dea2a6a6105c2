"""Which task a question in free words asks for: full-text likeness to the tasks that the model learnt.

Each task is a few short texts: its title, its definition, its labels, its name, each wording. A question is compared
with all of them by TF-IDF over words and their parts (so `promoters` is like `promoter`), and by how many of its words
the task knows at all, so that one which shares a word and is about something else is like none. The likest task is
taken if it is like enough and asks about such sequences. The choice is never silent: it says its task and likeness.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from itertools import takewhile
from typing import Any

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer

from llama_gene.config import Kind
from llama_gene.tasks.definitions import Task, list_tasks
from llama_gene.tasks.tool_questions import tool_wordings

# Words of every question, which tell no task from another.
_COMMON = ENGLISH_STOP_WORDS | frozenset(
    (
        "dna", "rna", "protein", "proteins", "sequence", "sequences", "letters", "following", "determine", "tell",
        "result", "answer", "question", "task", "read", "choose", "possible", "whether", "given", "predict",
        "prediction", "detection", "detect", "detecting", "does", "please", "synthetic", "holds", "hold", "kind",
        "piece", "stretch", "say", "this", "think", "gene", "genes", "show", "check", "rate", "describe", "call",
        "called", "look", "guess", "estimate", "judge", "decide", "assess", "evaluate", "classify", "identify", "give",
        "gives", "list", "write", "want", "know", "help", "let", "use", "used", "using", "make", "makes", "made", "yes",
        "true", "really", "exactly", "likely", "maybe", "kindly", "ok", "thanks", "thank", "hello", "right", "come",
        "comes", "lie", "lies", "sit", "sits", "carry", "carries", "contain", "contains", "word", "words", "number",
        "pair", "second", "type", "types", "sort", "class", "classes", "category", "classification", "predicted",
        "region", "regions", "fragment", "segment", "string", "strip", "bit", "molecule", "nucleotide", "nucleotides",
        "base", "bases", "bp", "nt", "amino", "acid", "acids", "aa", "residue", "residues", "chain", "peptide",
        "polypeptide", "model", "act", "acts", "work", "works", "match", "matches", "happen", "happens", "role", "form",
        "forms", "play", "plays", "see", "seen", "tells", "need", "needs", "try", "agree",
    )
)  # fmt: skip
_WORD = re.compile(r"[a-z0-9]+")
# Such a question asks about a notion, not about the sequence beside it.
_EXPLAIN = re.compile(r"\s*(why|who|when|explain|how (do|does|can|are)|what (is|are) (an? )?\w+\?*\s*$)", re.IGNORECASE)
# So does one that begins like this and refers to nothing that was given: a request for a text, or a question of fact.
_GENERAL = re.compile(
    r"\W*(please )?(write|compose|draft|invent|list|summari[sz]e|tell|teach|say|give|recommend|make|describe|name|what|"
    r"which|how|are|do|can|in general)\b",
    re.IGNORECASE,
)
_REFERS = re.compile(
    r"\b(it|its|this|that|these|those|they|them|their|here|both|the|my|our|given|following|below|above)\b",
    re.IGNORECASE,
)
# Shorter ones are no sentences: "which product?"
_FEWEST_WORDS = 4
_PARTS = (4, 5)
_SHORT = 4
# Two words with a stem of so many letters, and so many more letters at most, are forms of one.
_STEM, _ENDING = 4, 4
_SHORTEST = 3
# What a word of biology counts that a task does not know; a word of another topic counts nothing.
_OF_THE_FIELD = 0.5


@dataclass(frozen=True)
class Route:
    """A task that a question resembles; `likeness` is 0 to 1, `next_task` the next that it could be, or ""."""

    task: str
    likeness: float
    next_task: str = ""


@dataclass(frozen=True)
class Router:
    """The tasks that questions may be taken for, with their closed answers.

    `others` are questions that no task answers, such as those for tools, and the kinds of sequences they are about: a
    question that is more like one of them is taken for no task.
    """

    tasks: tuple[Task, ...]
    labels: Mapping[str, Sequence[str]]
    others: tuple[tuple[str, tuple[Kind, ...]], ...] = ()

    @cached_property
    def _texts(self) -> list[tuple[str, str]]:
        return [(task.name, text) for task in self.tasks for text in _texts_of(task, self.labels.get(task.name, ()))]

    @cached_property
    def _known(self) -> dict[str, frozenset[str]]:
        """The telling words of each task."""
        names = dict.fromkeys(name for name, _ in self._texts)
        return {name: _words(" ".join(text for of, text in self._texts if of == name)) for name in names}

    @cached_property
    def _fitted(self) -> TfidfVectorizer:
        """Knows the words of the tasks and of the others."""
        texts = [*(text for _, text in self._texts), *(text for text, _ in self.others)]
        return TfidfVectorizer(analyzer=_features, sublinear_tf=True).fit(texts)

    @cached_property
    def _weights(self) -> Any:
        """A row for each text, then one for each of the others."""
        return self._fitted.transform([*(text for _, text in self._texts), *(text for text, _ in self.others)])

    @cached_property
    def _vector(self) -> Callable[[str], Any]:
        """The weights of a question; of the last few they are kept, as a turn compares its question more than once."""
        return lru_cache(maxsize=8)(lambda question: self._fitted.transform([question]))

    def rank(self, question: str) -> list[Route]:
        """Every task with its likeness to a question, likest first; of equal ones in the order of the tasks.

        A question for an explanation ("What is a promoter?") or for a text ("Write a poem on promoters.") is like none.
        """
        return self._compare(question, ())[0]

    def choose(self, question: str, kinds: Sequence[Kind], *, at_least: float) -> Route | None:
        """The likest task that asks about such sequences; None where none is like enough.

        Args:
            question: In the user's words, without its sequences.
            kinds: Of the sequences, in order.
            at_least: Least likeness, 0 to 1.
        """
        ranked, other = self._compare(question, kinds)
        fitting = {task.name for task in self.tasks if fits(task, kinds)}
        found = [route for route in ranked if route.likeness >= max(at_least, other) and route.task in fitting]
        following = found[1].task if len(found) > 1 else ""
        return replace(found[0], next_task=following) if found else None

    def liken(self, question: str, texts: Sequence[str]) -> list[float]:
        """The likeness of a question to each text, 0 to 1; 0 for a question about a notion."""
        if not texts or _is_general(question):
            return [0.0] * len(texts)
        asked, cosines = _telling(question), (self._vector(question) @ self._fitted.transform(texts).T).toarray()[0]
        return [_likeness(cosine, asked, _words(text)) for cosine, text in zip(cosines.tolist(), texts, strict=True)]

    def _compare(self, question: str, kinds: Sequence[Kind]) -> tuple[list[Route], float]:
        """Every task, likest first, and the greatest likeness to one of the others about such sequences."""
        if not self.tasks or not _features(question) or _is_general(question):
            return [], 0.0
        asked, cosines = _telling(question), (self._vector(question) @ self._weights.T).toarray()[0].tolist()
        best: dict[str, float] = {}
        for (name, _), cosine in zip(self._texts, cosines, strict=False):
            best[name] = max(cosine, best.get(name, 0.0))
        routes = [Route(name, _likeness(cosine, asked, self._known[name])) for name, cosine in best.items()]
        others = [
            _likeness(cosine, asked, _words(text))
            for (text, wanted), cosine in zip(self.others, cosines[len(self._texts) :], strict=True)
            if wanted == tuple(kinds)
        ]
        return sorted(routes, key=lambda route: -route.likeness), max(others, default=0.0)


def fits(task: Task, kinds: Sequence[Kind]) -> bool:
    """True where sequences of these kinds are items of a task, one or several.

    >>> from llama_gene.tasks.definitions import load_task
    >>> fits(load_task("central-dogma"), ["dna", "protein"]), fits(load_task("central-dogma"), ["dna"])
    (True, False)
    """
    wanted = [item.kind for item in task.inputs]
    if not wanted or not kinds or task.brings_questions:
        return False
    return len(kinds) % len(wanted) == 0 and list(kinds) == wanted * (len(kinds) // len(wanted))


def _is_general(question: str) -> bool:
    """True for a question about a notion, or a request, that refers to nothing given.

    >>> _is_general("Write a sentence on binding."), _is_general("Write what this protein does.")
    (True, False)
    """
    if _EXPLAIN.match(question):
        return True
    is_sentence = len(question.split()) >= _FEWEST_WORDS
    return is_sentence and bool(_GENERAL.match(question)) and not _REFERS.search(question)


def asks_for_a_notion(question: str) -> bool:
    """True for a question for an explanation that refers to nothing given.

    >>> asks_for_a_notion("What is a promoter?"), asks_for_a_notion("Explain what this codes for.")
    (True, False)
    """
    return bool(_EXPLAIN.match(question)) and not _REFERS.search(question)


def _texts_of(task: Task, labels: Sequence[str]) -> Iterable[str]:
    yield task.title
    yield task.definition
    yield f"{task.title} {' '.join(labels)}"
    yield task.name.replace("-", " ")
    if labels:
        yield " ".join(labels)
    yield from task.wordings


def _likeness(cosine: float, asked: Set[str], known: Set[str]) -> float:
    """The cosine of a question and a text, the less the fewer of the question's telling words are known, 0 to 1.

    Measured on paraphrases and on questions about other things: the root lets a short text and a long one weigh alike,
    the square lets one unknown word among two outweigh any cosine. "How strong is the coffee in this kitchen?" has a
    cosine of 0.25 with a promoter's strength, and a likeness of 0.06.
    """
    if not asked or not cosine:
        return 0.0
    share = sum(_knows(known, word) for word in asked) / len(asked)
    return math.sqrt(min(1.0, cosine)) * share**2


def _knows(known: Set[str], word: str) -> float:
    """1 where a word is one of those known, or a form of one; less for another one of biology; else 0.

    >>> _knows({"helix", "strand"}, "helices"), _knows({"helix", "strand"}, "kitchen")
    (1.0, 0.0)
    """
    if any(_is_same(word, other) for other in known):
        return 1.0
    return _OF_THE_FIELD if _is_of_the_field(word) else 0.0


def _is_same(word: str, other: str) -> bool:
    if word[:_SHORTEST] != other[:_SHORTEST]:  # most words: told at once
        return False
    stem = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(word, other, strict=False)))
    is_stem = stem >= _STEM or (stem >= _SHORTEST and stem == min(len(word), len(other)))
    return stem == len(word) == len(other) or (is_stem and max(len(word), len(other)) - stem <= _ENDING)


@lru_cache(maxsize=4096)
def _is_of_the_field(word: str) -> bool:
    return any(_is_same(word, other) for other in _field_words())


@cache
def _field_words() -> frozenset[str]:
    """The telling words of all registered tasks and of the questions for tools."""
    tasks = (" ".join(_texts_of(task, task.label_names)) for task in list_tasks())
    return _words(" ".join((*tasks, *(text for text, _ in tool_wordings()))))


@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[str]:
    """The telling words of a text of ours; those of a user's are not kept."""
    return _telling(text)


def _telling(text: str) -> frozenset[str]:
    return frozenset(word for word in _WORD.findall(text.lower()) if word not in _COMMON)


def _features(text: str) -> list[str]:
    """Telling words of a text, and parts of the long ones."""
    words = [word for word in _WORD.findall(text.lower()) if word not in _COMMON]
    parts = [
        f"{word}"[start : start + size]
        for word in words
        if len(word) > _SHORT
        for size in _PARTS
        for start in range(len(word) - size + 1)
    ]
    return [f"={word}" for word in words] + parts
