"""Answer with steps: the model writes its own, then its labels are weighed after them.

The honest order: the steps are generated, never given, so a wrong step can lead to a wrong label. Where the last line
`Answer: ...` is not reached, the labels are weighed after what was written, and the item counts as unread.
"""

from collections.abc import Sequence
from typing import NamedTuple

from transformers import PreTrainedModel

from llama_gene.evaluation.generate import generate_answers
from llama_gene.evaluation.likelihood import Question
from llama_gene.tasks.steps import split_answer, with_answer
from llama_gene.tokenizer.load import GeneTokenizer


class Stepped(NamedTuple):
    """What the model wrote, the steps in it, and the labels to weigh after them."""

    text: str
    steps: str
    question: Question


def write_steps(
    model: PreTrainedModel,
    tokenizer: GeneTokenizer,
    prompts: Sequence[Sequence[int]],
    labels: Sequence[str],
    *,
    max_new_tokens: int,
    batch_items: int,
    title: str = "writing steps",
) -> list[Stepped]:
    """Generated steps of each prompt, and the question that follows them.

    Args:
        model: In evaluation mode, on its device.
        tokenizer: Of the model.
        prompts: Token ids, each ending with the response heading.
        labels: The closed answers.
        max_new_tokens: Longest steps with their answer.
        batch_items: Prompts in one batch, > 0.
        title: Name of the progress bar.

    Raises:
        DataError: a prompt fills the model's context.
    """
    texts = generate_answers(
        model, tokenizer, prompts, max_new_tokens=max_new_tokens, batch_items=batch_items, title=title
    )
    found = []
    for prompt, text in zip(prompts, texts, strict=True):
        parted = split_answer(text)
        steps = parted[0] if parted else text
        question = after_steps(tokenizer, prompt, steps, labels)
        # What is read again may be longer than it was when written: rambling gives way to the labels.
        while (excess := _length(question) - model.config.max_position_embeddings) > 0 and steps:
            steps = steps[:-excess]
            question = after_steps(tokenizer, prompt, steps, labels)
        found.append(Stepped(text, steps, question))
    return found


def after_steps(tokenizer: GeneTokenizer, prompt: Sequence[int], steps: str, labels: Sequence[str]) -> Question:
    """The labels as they stand after steps in training: what all of them begin with belongs to the prompt.

    Args:
        tokenizer: Of the model.
        prompt: Token ids, ending with the response heading.
        steps: Lines before the last one.
        labels: The closed answers, at least two, all different.
    """
    answers = [[*tokenizer.encode_answer(with_answer(steps, label)), tokenizer.eos_id] for label in labels]
    shared = next(place for place, ids in enumerate(zip(*answers, strict=False)) if len(set(ids)) > 1)
    return Question((*prompt, *answers[0][:shared]), tuple(tuple(answer[shared:]) for answer in answers))


def _length(question: Question) -> int:
    return len(question.prompt) + max(map(len, question.answers))
