"""The model's answers to the items of a task: labels weighed, other answers written, calls handed to their tool."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from llama_gene.config import EvaluateConfig
from llama_gene.evaluation.generate import generate_answers
from llama_gene.evaluation.items import Item
from llama_gene.evaluation.likelihood import Question, score_answers
from llama_gene.evaluation.steps import Stepped, write_steps
from llama_gene.evaluation.tasks import ModelAnswers, with_values
from llama_gene.evaluation.tools import Tool, answer_calls
from llama_gene.model.folders import load_pair
from llama_gene.prompts import Message, render, user_content
from llama_gene.tokenizer.load import GeneTokenizer

# Beyond a right call, so that one that goes on is seen to be wrong.
_CALL_ROOM_TOKENS = 8


def load_answerer(folder: Path) -> tuple[PreTrainedModel, GeneTokenizer]:
    """A model folder, ready to answer: float32 on a processor; on an accelerator the weights keep their stored type."""
    cuda = torch.cuda.is_available()
    model, tokenizer = load_pair(folder, dtype=None if cuda else torch.float32)
    return model.to("cuda" if cuda else "cpu").eval(), tokenizer


def answer_items(
    config: EvaluateConfig,
    model: PreTrainedModel,
    tokenizer: GeneTokenizer,
    items: Sequence[Item],
    *,
    train: Sequence[Item],
    seed: int,
    tool: Tool | None = None,
) -> ModelAnswers:
    """The model's answers to the items of one task: by likelihood where the labels are closed, else written freely.

    Where a tool answers, the model writes its calls; a right call always has room.

    Args:
        config: Batch size, longest answer, and how many closed items are also answered freely.
        model: In evaluation mode, on its device.
        tokenizer: Of the model.
        items: All of one task.
        train: Training items of the task, for the numbers that answers stand for.
        seed: Chooses the closed items that are also answered freely.
        tool: Answers the calls; None: the task has none.
    """
    prompts = [prompt_ids(item, tokenizer) for item in items]
    task, labels = items[0].task, items[0].labels

    def write(places: Sequence[int], longest: int = config.max_new_tokens) -> list[str]:
        return generate_answers(
            model, tokenizer, [prompts[place] for place in places], max_new_tokens=longest,
            batch_items=config.batch_items, title=f"{task}: answering",
        )  # fmt: skip

    if tool is not None:
        room = max(config.max_new_tokens, len(tokenizer.encode_answer(items[0].output)) + _CALL_ROOM_TOKENS)
        return answer_calls(items, write(range(len(items)), room), tool, train=train)
    if labels is None:
        return ModelAnswers(tuple(write(range(len(items)))), None, (), {})
    stepped: list[Stepped] = []
    if any(item.steps for item in items):
        stepped = write_steps(
            model, tokenizer, prompts, labels, max_new_tokens=config.max_step_tokens, batch_items=config.batch_items,
            title=f"{task}: writing steps",
        )  # fmt: skip
    options = tuple((*tokenizer.encode_answer(label), tokenizer.eos_id) for label in labels)
    questions = [each.question for each in stepped] or [Question(tuple(prompt), options) for prompt in prompts]
    scores = score_answers(model, questions, batch_items=config.batch_items, title=f"{task}: weighing labels")
    probabilities = np.array([score.probability for score in scores])
    size = min(config.generate_items, len(items))
    sample = np.sort(np.random.default_rng(seed).choice(len(items), size=size, replace=False)).tolist()
    answers = ModelAnswers(
        texts=tuple(labels[best] for best in probabilities.argmax(axis=1)),
        probabilities=probabilities,
        per_token=tuple(labels[int(score.per_token.argmax())] for score in scores),
        generated=dict(enumerate(each.text for each in stepped)) or dict(zip(sample, write(sample), strict=True)),
    )
    return with_values(config, answers, train, items)


def prompt_ids(item: Item, tokenizer: GeneTokenizer) -> list[int]:
    """Token ids of an item's question, up to the response heading: the same text as in training."""
    question = Message("user", user_content(item.instruction, item.input))
    return tokenizer.encode_prompt(render([question], bos=tokenizer.bos, eos=tokenizer.eos))
