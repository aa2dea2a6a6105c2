"""How training questions are put: the task's first wording, another one, or its definition with solved examples.

Held-out questions always have the first wording and no example, so that scores can be compared.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from llama_gene.config import WordingConfig
from llama_gene.tasks.examples import Solved, draw_examples
from llama_gene.tasks.fitting import Instruction, Question, Setting, fit
from llama_gene.tasks.shorten import cut_all, longest
from llama_gene.tasks.wordings import DEFINED, DEFINED_CLOSED, input_text, marked_text

_CODON = 3


@dataclass(frozen=True)
class Phrasing:
    """The ways in which one task is asked."""

    config: WordingConfig
    questions: tuple[str, ...]
    pool: tuple[Solved, ...] = ()


def put(setting: Setting, phrasing: Phrasing, question: Question, *, group: str, rng: np.random.Generator) -> Question:
    """A training question in words drawn for it.

    Args:
        setting: Of the task.
        phrasing: Its wordings, their shares, and the items that examples are drawn from.
        question: In the first wording.
        group: Leakage group of the item, none of which may be an example.
        rng: Draws the way, the wording and the examples.
    """
    draw = rng.random()
    if draw < phrasing.config.defined:
        examples = draw_examples(
            phrasing.pool, setting.task.examples, labels=question.labels, group=group, rng=rng
        )  # fmt: skip
        if examples:
            wording = DEFINED_CLOSED if question.labels else DEFINED
            return replace(question, wording=wording, examples=examples)
    elif draw < phrasing.config.defined + phrasing.config.others and len(phrasing.questions) > 1:
        return replace(question, wording=phrasing.questions[int(rng.integers(1, len(phrasing.questions)))])
    return question


def fit_phrased(setting: Setting, questions: Sequence[Question], counts: Counter[str]) -> list[Instruction | None]:
    """Instructions that fit; where examples leave no room for a whole sequence, the question is put plainly.

    Args:
        setting: Task, spelling, tokenizer and limits.
        questions: As `put` gave them.
        counts: Receives what was shortened, defused, refused or put plainly.
    """
    shown = [place for place, question in enumerate(questions) if question.examples]
    tried: Counter[str] = Counter()
    made = dict(zip(shown, fit(setting, [questions[place] for place in shown], tried), strict=True))
    fitted = {place for place, instruction in made.items() if instruction is not None}
    counts["defused"] += tried["defused"]
    counts["asked by the definition with examples"] += len(fitted)
    counts["asked without examples: no room beside the sequence"] += len(shown) - len(fitted)
    plain = [place for place in range(len(questions)) if place not in fitted]
    asked = [replace(questions[p], wording=setting.task.questions[0], examples="") if p in made else questions[p]
             for p in plain]  # fmt: skip
    made |= dict(zip(plain, fit(setting, asked, counts), strict=True))
    return [made[place] for place in range(len(questions))]


def solve(setting: Setting, question: Question, group: str) -> Solved | None:
    """A training question as an example; None where it cannot be shown short, or its answer would want steps."""
    task = setting.task
    if question.reading is not None:
        return None
    most = task.examples.letters // (_CODON if task.in_register else 1)
    if longest(task, question.sequences) > most and (task.family == "structure" or task.keep == "whole"):
        return None
    if question.part:
        return Solved(marked_text(question.sequences[0], question.part, setting.spelling), question.target, group)
    shown = cut_all(task, question.sequences, most)
    return Solved(input_text(shown, setting.names, setting.spelling), question.target, group)
