"""Answer the questions of closed tasks: the probability of each label, as evaluation weighs it.

An item is asked about in one question or in several: a chain of the structure family once for each of its parts, a
long sequence once for each of its windows. The answer is the mean of the parts' probabilities. Of log-probabilities
the mean would be no good: one window that is sure for want of evidence (or of a motif that lies in another one) could
then veto a label, while a mean of probabilities lets each part say its share and stays the chance that a part drawn at
random is labelled so.

Axes: N parts, L labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import numpy as np
from scipy.special import softmax

from llama_gene.assistant.asking import Question, ask_task
from llama_gene.assistant.conversation import Assistant, labels_of
from llama_gene.assistant.display import Answer
from llama_gene.assistant.examples import shots_of
from llama_gene.assistant.windows import cut_windows, window_letters
from llama_gene.errors import DataError
from llama_gene.evaluation.batches import BATCH_TOKENS
from llama_gene.evaluation.likelihood import AnswerScores, score_answers
from llama_gene.evaluation.likelihood import Question as Weighing
from llama_gene.evaluation.metrics import Array
from llama_gene.evaluation.steps import write_steps
from llama_gene.prompts import Message
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.states import Span, letter_spans, token_spans, window_of

_AT_ONCE = 16


@dataclass(frozen=True)
class Plan:
    """What is asked to answer about one item: questions, and how many letters each of them counts for.

    `windows`: how many parts a sequence too long was asked in; 1: it was asked whole. `chain` is read part by part.
    """

    task: Task
    labels: tuple[str, ...]
    questions: tuple[Question, ...]
    weights: tuple[int, ...]
    notices: tuple[str, ...] = ()
    windows: int = 1
    chain: str = ""


def classify(
    assistant: Assistant, task: Task, sequences: Sequence[str], shots: Sequence[Message] = ()
) -> tuple[Question, Answer]:
    """The likeliest label of an item and the probability of each; for structure, the state of every letter.

    Args:
        assistant: The model.
        task: A task with closed answers.
        sequences: Checked letters, one per input of the task.
        shots: Solved items as turns before the question, as `shots_for` gives them.

    Returns:
        The question as it was asked (of several: the last one) and the answer; probabilities sum to 1.

    Raises:
        DataError: the task has free answers, the number of sequences is wrong, or the question does not fit.
    """
    plan = plan_item(assistant, task, sequences, shots)
    (answered,) = assistant.workplace.on_model(lambda: answer_plans(assistant, [plan], batch_items=_AT_ONCE))
    return plan.questions[-1], answered


def plan_item(assistant: Assistant, task: Task, sequences: Sequence[str], shots: Sequence[Message] = ()) -> Plan:
    """The questions that an item of a closed task is asked about in; arguments and errors as `classify`."""
    labels = labels_of(assistant, task)
    if not labels:
        raise DataError(f"task {task.name!r} has no closed answers. Ask it as a question with a free answer.")
    if task.family == "structure":
        return _plan_chain(assistant, task, labels, sequences)
    task = _with_steps(assistant, task)
    size = window_letters(assistant, task, sequences, shots)
    if size is None:
        question = ask_task(assistant, task, sequences, shots=shots)
        return Plan(task, labels, (question,), (1,), question.notices)
    whole = sequences[0]
    parts = cut_windows(whole, size, most=assistant.config.max_windows)
    questions = tuple(ask_task(assistant, task, [part], shots=shots) for part in parts)
    told = (
        f"{task.inputs[0].called}: {len(whole):,} letters do not fit, so it was asked about in {len(parts)} windows of "
        f"{size:,} letters that overlap by half; the answer is the mean of their probabilities."
    )
    return Plan(task, labels, questions, (1,) * len(parts), (told,), windows=len(parts))


def shots_for(assistant: Assistant, task: Task, sequences: Sequence[str]) -> tuple[Message, ...]:
    """The solved items that stand before a question, as the settings say; none before the many of a chain.

    Raises:
        DataError: there are too few.
    """
    if task.family == "structure":
        return ()
    return shots_of(assistant.examples.get(task.name), assistant.config.shots, sequences)


def _with_steps(assistant: Assistant, task: Task) -> Task:
    return task.model_copy(update={"steps": False}) if assistant.config.steps == "never" else task


def answer_plans(
    assistant: Assistant, plans: Sequence[Plan], *, batch_items: int, batch_tokens: int = BATCH_TOKENS
) -> list[Answer]:
    """The answer to each plan; all questions are weighed together.

    Args:
        assistant: The model.
        plans: Of one task.
        batch_items: Most questions in one forward pass, > 0.
        batch_tokens: Most tokens in one forward pass, > 0.
    """
    if not plans:
        return []
    task, labels = plans[0].task, plans[0].labels
    prompts = [question.prompt for plan in plans for question in plan.questions]
    steps = [""] * len(prompts)
    if task.steps or (assistant.config.steps == "always" and task.family != "structure"):
        stepped = write_steps(
            assistant.model, assistant.tokenizer, prompts, labels, max_new_tokens=assistant.context_tokens,
            batch_items=batch_items,
        )  # fmt: skip
        weighings, steps = [one.question for one in stepped], [one.steps for one in stepped]
    else:
        options = tuple((*assistant.tokenizer.encode_answer(label), assistant.tokenizer.eos_id) for label in labels)
        weighings = [Weighing(prompt, options) for prompt in prompts]
    scores = score_answers(assistant.model, weighings, batch_items=batch_items, batch_tokens=batch_tokens)
    shares_NL = _probabilities(assistant, task, scores)
    borders = [0, *accumulate(len(plan.questions) for plan in plans)]
    return [
        replace(
            _join(plan, shares_NL[start:end]),
            steps=steps[start] if plan.windows == 1 else "",
            measured=assistant.measured.get(task.name),
        )
        for plan, (start, end) in zip(plans, pairwise(borders), strict=True)
    ]


def _probabilities(assistant: Assistant, task: Task, scores: Sequence[AnswerScores]) -> Array:
    """Probabilities of the labels, (N, L), decided and calibrated as where the model was evaluated."""
    measured = assistant.measured.get(task.name)
    by_token = measured is not None and measured.decide_by == "per_token"
    logits_NL = np.array([score.per_token if by_token else score.log_probability for score in scores])
    if measured is None or measured.calibration is None or len(measured.calibration.bias) != logits_NL.shape[1]:
        return np.asarray(softmax(logits_NL, axis=1))
    return measured.calibration.apply(logits_NL)


def _join(plan: Plan, shares_NL: Array) -> Answer:
    """One answer of the parts' probabilities, each weighted by its letters."""
    weights_N = np.array(plan.weights, dtype=np.float64)
    mean_L = weights_N @ shares_NL / weights_N.sum()
    answer = Answer(
        label=plan.labels[int(mean_L.argmax())],
        probabilities=dict(zip(plan.labels, mean_L.tolist(), strict=True)),
        notices=plan.notices,
        windows=plan.windows,
        sureness=float(mean_L.max()),
    )
    if not plan.chain:
        return answer
    signs = {label.name: label.written[0] for label in plan.task.labels}
    chosen = [signs[plan.labels[best]] for best in shares_NL.argmax(axis=1)]
    return replace(
        answer,
        chain=plan.chain,
        states="".join(sign * letters for sign, letters in zip(chosen, plan.weights, strict=True)),
        sureness=float(weights_N @ shares_NL.max(axis=1) / weights_N.sum()),
    )


def _plan_chain(assistant: Assistant, task: Task, labels: tuple[str, ...], sequences: Sequence[str]) -> Plan:
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
    questions = tuple(_ask_part(assistant, task, chain, span) for span in spans)
    return Plan(task, labels, questions, tuple(end - start for start, end in spans), chain=chain)


def _ask_part(assistant: Assistant, task: Task, chain: str, span: Span) -> Question:
    letters, before = window_of(task, chain, span)
    part = (before, before + span[1] - span[0]) if task.is_marked else None
    return ask_task(assistant, task, [letters], part=part)
