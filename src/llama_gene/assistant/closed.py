"""Answer the questions of closed tasks: the probability of each label, as evaluation weighs it."""

from collections.abc import Sequence

import numpy as np

from llama_gene.assistant.conversation import Assistant, Question, ask_task, labels_of
from llama_gene.assistant.display import Answer
from llama_gene.errors import DataError
from llama_gene.evaluation.likelihood import Question as Weighing
from llama_gene.evaluation.likelihood import score_answers
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.states import letter_spans

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
    shares = _weigh(assistant, [question], labels)[0]
    return question, Answer(
        label=labels[int(shares.argmax())],
        probabilities=dict(zip(labels, shares.tolist(), strict=True)),
        notices=question.notices,
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
    """One question per token with the letters before it, as it was trained; every letter takes its token's state."""
    if len(sequences) != 1:
        raise DataError(f"task {task.name!r} asks about 1 sequence at a time, not {len(sequences)}. Give one.")
    chain, most = sequences[0], assistant.config.max_chain_letters
    if len(chain) > most:
        raise DataError(
            f"task {task.name!r}: the chain has {len(chain):,} letters and every token of it is asked; the chat "
            f"reads at most {most:,}. Give a shorter one, or raise chat.max_chain_letters."
        )
    spans = letter_spans(chain) if task.spelling == "spaced" else assistant.tokenizer.offsets(chain)
    spans = [(start, end) for start, end in spans if end > start]
    questions = [ask_task(assistant, task, [chain[max(0, start - task.context_letters) : end]]) for start, end in spans]
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
