"""Answer the questions of closed tasks: the probability of each label, as evaluation weighs it."""

from collections.abc import Sequence

import numpy as np

from llama_gene.assistant.conversation import Assistant, Question, ask_task, labels_of
from llama_gene.assistant.display import Answer
from llama_gene.errors import DataError
from llama_gene.evaluation.likelihood import Question as Weighing
from llama_gene.evaluation.likelihood import score_answers
from llama_gene.evaluation.steps import write_steps
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.states import letter_spans, token_spans, window_of

_AT_ONCE = 16


def classify(assistant: Assistant, task: Task, sequences: Sequence[str]) -> tuple[Question, Answer]:
    """The likeliest label of an item and the probability of each; for structure, the state of every letter.

    Args:
        assistant: The model.
        task: A task with closed answers.
        sequences: Checked letters, one per input of the task.

    Returns:
        The question as it was asked (of a chain: its last one) and the answer; probabilities sum to 1.

    Raises:
        DataError: the task has free answers, the number of sequences is wrong, or the question does not fit.
    """
    labels = labels_of(assistant, task)
    if not labels:
        raise DataError(f"task {task.name!r} has no closed answers. Ask it as a question with a free answer.")
    if task.family == "structure":
        return _read_chain(assistant, task, labels, sequences)
    question = ask_task(assistant, task, sequences)
    if task.steps:
        return question, _reason(assistant, question, labels)
    shares = _weigh(assistant, [question], labels)[0]
    return question, Answer(
        label=labels[int(shares.argmax())],
        probabilities=dict(zip(labels, shares.tolist(), strict=True)),
        notices=question.notices,
    )


def _reason(assistant: Assistant, question: Question, labels: Sequence[str]) -> Answer:
    """The model writes its steps, then the labels are weighed after them, as evaluation does."""
    (stepped,) = write_steps(
        assistant.model, assistant.tokenizer, [question.prompt], labels, max_new_tokens=assistant.context_tokens,
        batch_items=1,
    )  # fmt: skip
    shares = score_answers(assistant.model, [stepped.question], batch_items=1)[0].probability
    return Answer(
        label=labels[int(shares.argmax())],
        probabilities=dict(zip(labels, shares.tolist(), strict=True)),
        notices=question.notices,
        steps=stepped.steps,
    )


def _weigh(
    assistant: Assistant, questions: Sequence[Question], labels: Sequence[str]
) -> list["np.ndarray[tuple[int], np.dtype[np.float64]]"]:
    tokenizer = assistant.tokenizer
    options = tuple((*tokenizer.encode_answer(label), tokenizer.eos_id) for label in labels)
    weighings = [Weighing(question.prompt, options) for question in questions]
    return [scores.probability for scores in score_answers(assistant.model, weighings, batch_items=_AT_ONCE)]


def _read_chain(
    assistant: Assistant, task: Task, labels: Sequence[str], sequences: Sequence[str]
) -> tuple[Question, Answer]:
    """One question per token or letter, as it was trained; every letter takes the state of the part it is in."""
    if len(sequences) != 1:
        raise DataError(f"task {task.name!r} asks about 1 sequence at a time, not {len(sequences)}. Give one.")
    chain, most = sequences[0], assistant.config.max_chain_letters
    if len(chain) > most:
        raise DataError(
            f"task {task.name!r}: the chain has {len(chain):,} letters and every {task.unit} of it is asked; the chat "
            f"reads at most {most:,}. Give a shorter one, or raise chat.max_chain_letters."
        )
    by_letter = task.unit == "letter" or task.spelling == "spaced"
    spans = letter_spans(chain) if by_letter else token_spans(chain, assistant.tokenizer.offsets(chain))
    questions = [_ask_part(assistant, task, chain, span) for span in spans]
    weights = np.array([end - start for start, end in spans], dtype=np.float64)
    shares = np.array(_weigh(assistant, questions, labels))
    signs = {label.name: label.written[0] for label in task.labels}
    states = "".join(
        signs[labels[best]] * (end - start) for best, (start, end) in zip(shares.argmax(axis=1), spans, strict=True)
    )
    mean = (weights[:, None] * shares).sum(axis=0) / weights.sum()
    return questions[-1], Answer(
        label=labels[int(mean.argmax())],
        probabilities=dict(zip(labels, mean.tolist(), strict=True)),
        chain=chain,
        states=states,
        sureness=float((weights * shares.max(axis=1)).sum() / weights.sum()),
    )


def _ask_part(assistant: Assistant, task: Task, chain: str, span: tuple[int, int]) -> Question:
    letters, before = window_of(task, chain, span)
    part = (before, before + span[1] - span[0]) if task.is_marked else None
    return ask_task(assistant, task, [letters], part=part)
