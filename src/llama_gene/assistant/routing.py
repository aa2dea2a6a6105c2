"""Which task a question in free words asks for: full-text likeness to the tasks that the model learnt.

Each task is a few short texts: its title, its definition, its labels, its name, each wording. A question is compared
with all of them by TF-IDF over words and their parts (so `promoters` is like `promoter`), and the task of the likest
text is taken, if it is like enough and asks about such sequences. The choice is never silent: it says its task and
likeness.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer

from llama_gene.config import Kind
from llama_gene.tasks.definitions import Task

# Words of every question, which tell no task from another.
_COMMON = ENGLISH_STOP_WORDS | frozenset(
    (
        "dna", "rna", "protein", "proteins", "sequence", "sequences", "letters", "following", "determine", "tell",
        "result", "answer", "question", "task", "read", "choose", "possible", "whether", "given", "predict",
        "prediction", "detection", "detect", "detecting", "does", "please", "synthetic", "holds", "hold", "kind",
        "piece", "stretch", "say", "this", "think", "gene", "genes",
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
    def _other_weights(self) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
        return self._fitted.transform(text for text, _ in self.others)

    @cached_property
    def _fitted(self) -> TfidfVectorizer:
        """Knows the words of the tasks and of the others."""
        texts = [*(text for _, text in self._texts), *(text for text, _ in self.others)]
        return TfidfVectorizer(analyzer=_features, sublinear_tf=True).fit(texts)

    @cached_property
    def _weights(self) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
        return self._fitted.transform(text for _, text in self._texts)

    def rank(self, question: str) -> list[Route]:
        """Every task with its likeness to a question, likest first; of equal ones in the order of the tasks.

        A question for an explanation ("What is a promoter?") or for a text ("Write a poem on promoters.") is like none.
        """
        if not self.tasks or not _features(question) or _is_general(question):
            return []
        likeness = (self._fitted.transform([question]) @ self._weights.T).toarray()[0]
        best: dict[str, float] = {}
        for (name, _), value in zip(self._texts, likeness.tolist(), strict=True):
            best[name] = max(value, best.get(name, 0.0))
        return [Route(name, value) for name, value in sorted(best.items(), key=lambda pair: -pair[1])]

    def choose(self, question: str, kinds: Sequence[Kind], *, at_least: float) -> Route | None:
        """The likest task that asks about such sequences; None where none is like enough.

        Args:
            question: In the user's words, without its sequences.
            kinds: Of the sequences, in order.
            at_least: Least likeness, 0 to 1.
        """
        fitting = {task.name for task in self.tasks if fits(task, kinds)}
        most = max(at_least, self._like_others(question, kinds))
        found = [route for route in self.rank(question) if route.likeness >= most and route.task in fitting]
        following = found[1].task if len(found) > 1 else ""
        return replace(found[0], next_task=following) if found else None

    def liken(self, question: str, texts: Sequence[str]) -> list[float]:
        """The likeness of a question to each text, 0 to 1; 0 for a question about a notion."""
        if not texts or _is_general(question):
            return [0.0] * len(texts)
        return (self._fitted.transform([question]) @ self._fitted.transform(texts).T).toarray()[0].tolist()

    def _like_others(self, question: str, kinds: Sequence[Kind]) -> float:
        """The greatest likeness to a question about such sequences that no task answers, 0 to 1."""
        near = [place for place, (_, wanted) in enumerate(self.others) if wanted == tuple(kinds)]
        if not near or not self.tasks:
            return 0.0
        return float((self._fitted.transform([question]) @ self._other_weights[near].T).max())


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


def _texts_of(task: Task, labels: Sequence[str]) -> Iterable[str]:
    yield task.title
    yield task.definition
    yield f"{task.title} {' '.join(labels)}"
    yield task.name.replace("-", " ")
    if labels:
        yield " ".join(labels)
    yield from task.wordings


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
