"""The model's answers to the items of a task: labels weighed, other answers written, calls handed to their tool.

Axes: N items, L labels.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy.special import softmax
from transformers import PreTrainedModel

from llama_gene.config import EvaluateConfig
from llama_gene.evaluation.calibration import Attempt, calibrate
from llama_gene.evaluation.calls import are_calls, is_right, one_line, wants_call
from llama_gene.evaluation.generate import generate_answers, generate_labels
from llama_gene.evaluation.items import Item
from llama_gene.evaluation.likelihood import AnswerScores, Question, score_answers
from llama_gene.evaluation.metrics import Array
from llama_gene.evaluation.scorer import label_numbers
from llama_gene.evaluation.steps import write_steps
from llama_gene.evaluation.tasks import ModelAnswers, with_values
from llama_gene.evaluation.tools import Tool, answer_calls
from llama_gene.prompts import render
from llama_gene.tokenizer.load import GeneTokenizer

# Beyond a right call, so that one that goes on is seen to be wrong.
_CALL_ROOM_TOKENS = 8


def prompt_ids(item: Item, tokenizer: GeneTokenizer) -> list[int]:
    """Token ids of an item's question, up to the response heading: the same text as in training."""
    return tokenizer.encode_prompt(render(item.messages, bos=tokenizer.bos, eos=tokenizer.eos))


def has_room(
    config: EvaluateConfig, tokenizer: GeneTokenizer, training: Sequence[Item], *, context: int
) -> Callable[[Item], bool]:
    """Whether a question of a task leaves room for the longest answer that training shows of it.

    Args:
        config: The longest answer, and the longest steps before it.
        tokenizer: Of the model.
        training: Training items of the task.
        context: Tokens that the model reads.
    """
    answers = {item.output for item in training}
    steps = config.max_step_tokens if any(item.steps for item in training) else 0
    longest = max((len(tokenizer.encode_answer(answer)) + 1 for answer in answers), default=0)
    room = steps + max(longest, config.max_new_tokens)
    return lambda item: len(prompt_ids(item, tokenizer)) + room <= context


def answer_items(
    config: EvaluateConfig,
    model: PreTrainedModel,
    tokenizer: GeneTokenizer,
    items: Sequence[Item],
    *,
    train: Sequence[Item],
    seed: int,
    valid: Sequence[Item] = (),
    tool: Tool | None = None,
) -> ModelAnswers:
    """The model's answers to the items of one task: by likelihood where the labels are closed, else written freely.

    Where a tool answers, the model writes its calls; a right call always has room.

    Args:
        config: Batch size, longest answer, how labels are weighed and calibrated, and how many are also written.
        model: In evaluation mode, on its device.
        tokenizer: Of the model.
        items: All of one task.
        train: Training items of the task, for the numbers that answers stand for.
        seed: Chooses the closed items that are also answered in writing, and the validation items.
        valid: Validation items of the task, to calibrate by; none of them may be among the items.
        tool: Answers the calls; None: the task has none.
    """
    if tool is not None:
        room = max(config.max_new_tokens, len(tokenizer.encode_answer(items[0].output)) + _CALL_ROOM_TOKENS)
        return answer_calls(items, _write(config, model, tokenizer, items, room), tool, train=train)
    if are_calls(items):
        return ModelAnswers(_answer_by_calls(config, model, tokenizer, items), None, (), {})
    if items[0].labels is None:
        return ModelAnswers(tuple(_write(config, model, tokenizer, items, config.max_new_tokens)), None, (), {})
    if any(item.steps for item in items):
        answers = _answer_in_steps(config, model, tokenizer, items)
    else:
        answers = _answer_by_label(config, model, tokenizer, items, valid, seed)
    return with_values(config, answers, train, items)


def _answer_by_calls(
    config: EvaluateConfig, model: PreTrainedModel, tokenizer: GeneTokenizer, items: Sequence[Item]
) -> tuple[str, ...]:
    """What the model writes turn by turn, a line each, up to its first wrong answer."""
    written: list[list[str]] = [[] for _ in items]
    going = list(range(len(items)))
    for turn in range(max(len(item.turns) for item in items)):
        going = [place for place in going if len(items[place].turns) > turn]
        asked = [items[place].at_turn(turn) for place in going]
        answers = dict(zip(going, _write_turn(config, model, tokenizer, asked), strict=True))
        for place in going:
            written[place].append(one_line(answers[place]) if len(items[place].turns) > 1 else answers[place])
        going = [place for place, item in zip(going, asked, strict=True) if is_right(answers[place], item.output)]
    return tuple("\n".join(lines) for lines in written)


def _write_turn(
    config: EvaluateConfig, model: PreTrainedModel, tokenizer: GeneTokenizer, asked: Sequence[Item]
) -> list[str]:
    """Written answers to one turn of several items; where no call is due, only its beginning is of interest."""
    calls = [len(tokenizer.encode_answer(item.output)) for item in asked if wants_call(item.output)]
    longest = max(calls, default=0) + _CALL_ROOM_TOKENS
    return _write(config, model, tokenizer, asked, longest)


def _answer_by_label(
    config: EvaluateConfig,
    model: PreTrainedModel,
    tokenizer: GeneTokenizer,
    items: Sequence[Item],
    valid: Sequence[Item],
    seed: int,
) -> ModelAnswers:
    labels = items[0].labels or ()
    scores = _weigh(config, model, tokenizer, items)
    attempt = None
    if config.calibrate != "none":
        known = [valid[place] for place in _sample(len(valid), config.calibrate_most, seed)]
        attempt = calibrate(
            config.calibrate, _logits(config, _weigh(config, model, tokenizer, known), len(labels)),
            label_numbers([item.output for item in known], labels), groups=[item.group or item.id for item in known],
            fewest=config.calibrate_items,
        )  # fmt: skip
    sample = _sample(len(items), config.generate_items, seed)
    written = _write(config, model, tokenizer, [items[place] for place in sample], config.max_new_tokens)
    return _decide(config, labels, scores, attempt, dict(zip(sample, written, strict=True)))


def _answer_in_steps(
    config: EvaluateConfig, model: PreTrainedModel, tokenizer: GeneTokenizer, items: Sequence[Item]
) -> ModelAnswers:
    """Steps are written first, then the labels are weighed after them; all items have a written answer."""
    task, labels = items[0].task, items[0].labels or ()
    stepped = write_steps(
        model, tokenizer, [prompt_ids(item, tokenizer) for item in items], labels,
        max_new_tokens=config.max_step_tokens, batch_items=config.batch_items, title=f"{task}: writing steps",
    )  # fmt: skip
    scores = score_answers(
        model, [each.question for each in stepped], batch_items=config.batch_items, batch_tokens=config.batch_tokens,
        title=f"{task}: weighing labels", total=len(items),
    )  # fmt: skip
    return _decide(config, labels, scores, None, dict(enumerate(each.text for each in stepped)))


def _decide(
    config: EvaluateConfig,
    labels: Sequence[str],
    scores: Sequence[AnswerScores],
    attempt: Attempt | None,
    written: dict[int, str],
) -> ModelAnswers:
    logits_NL = _logits(config, scores, len(labels))
    plain_NL = softmax(logits_NL, axis=1)
    fitted = attempt.fitted if attempt else None
    probabilities_NL = fitted.apply(logits_NL) if fitted else plain_NL
    return ModelAnswers(
        texts=tuple(labels[best] for best in probabilities_NL.argmax(axis=1)),
        probabilities=probabilities_NL,
        per_token=tuple(labels[int(score.per_token.argmax())] for score in scores),
        generated=written,
        uncalibrated=plain_NL if fitted else None,
        calibration=attempt,
    )


def _logits(config: EvaluateConfig, scores: Sequence[AnswerScores], labels: int) -> Array:
    """What decides, (N, L): the log-likelihood of each label, or its mean over the label's tokens."""
    chosen = [score.per_token if config.decide_by == "per_token" else score.log_probability for score in scores]
    return np.array(chosen).reshape(-1, labels)


def _weigh(
    config: EvaluateConfig, model: PreTrainedModel, tokenizer: GeneTokenizer, items: Sequence[Item]
) -> list[AnswerScores]:
    """The scores of each item's labels; prompts are made as they are needed."""
    labels = items[0].labels or () if items else ()
    options = tuple((*tokenizer.encode_answer(label), tokenizer.eos_id) for label in labels)
    questions = (Question(tuple(prompt_ids(item, tokenizer)), options) for item in items)
    return score_answers(
        model, questions, batch_items=config.batch_items, batch_tokens=config.batch_tokens, total=len(items),
        title=f"{items[0].task}: weighing labels" if items else "",
    )  # fmt: skip


def _write(
    config: EvaluateConfig, model: PreTrainedModel, tokenizer: GeneTokenizer, items: Sequence[Item], longest: int
) -> list[str]:
    """Written answers: of closed items as the settings say, else free."""
    if not items:
        return []
    prompts: Iterable[list[int]] = (prompt_ids(item, tokenizer) for item in items)
    batches = {
        "batch_items": config.batch_items, "batch_tokens": config.batch_tokens, "total": len(items),
    }  # fmt: skip
    title = f"{items[0].task}: answering"
    if items[0].labels and config.decoding == "constrained":
        return generate_labels(model, tokenizer, prompts, items[0].labels, title=title, **batches)
    return generate_answers(
        model, tokenizer, prompts, max_new_tokens=longest, title=title, **batches
    )  # fmt: skip


def _sample(count: int, most: int, seed: int) -> list[int]:
    """At most so many places, drawn without replacement, in order."""
    drawn = np.random.default_rng(seed).choice(count, size=min(most, count), replace=False) if count else np.array([])
    return np.sort(drawn).astype(int).tolist()
