"""The model's answers to the items of a task: labels weighed, other answers written."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from llama_gene.config import EvaluateConfig
from llama_gene.evaluation.generate import generate_answers
from llama_gene.evaluation.items import Item
from llama_gene.evaluation.likelihood import Question, score_answers
from llama_gene.evaluation.tasks import ModelAnswers
from llama_gene.model.folders import load_pair
from llama_gene.prompts import Message, render, user_content
from llama_gene.tokenizer.load import GeneTokenizer


def load_answerer(folder: Path) -> tuple[PreTrainedModel, GeneTokenizer]:
    """A model folder, ready to answer: float32 on a processor; on an accelerator the weights keep their stored type."""
    cuda = torch.cuda.is_available()
    model, tokenizer = load_pair(folder, dtype=None if cuda else torch.float32)
    return model.to("cuda" if cuda else "cpu").eval(), tokenizer


def answer_items(
    config: EvaluateConfig, model: PreTrainedModel, tokenizer: GeneTokenizer, items: Sequence[Item], *, seed: int
) -> ModelAnswers:
    """The model's answers to the items of one task: by likelihood where the labels are closed, else written freely.

    Args:
        config: Batch size, longest answer, and how many closed items are also answered freely.
        model: In evaluation mode, on its device.
        tokenizer: Of the model.
        items: All of one task.
        seed: Chooses the closed items that are also answered freely.
    """
    prompts = [prompt_ids(item, tokenizer) for item in items]
    task, labels = items[0].task, items[0].labels

    def write(places: Sequence[int]) -> list[str]:
        return generate_answers(
            model, tokenizer, [prompts[place] for place in places], max_new_tokens=config.max_new_tokens,
            batch_items=config.batch_items, title=f"{task}: answering",
        )  # fmt: skip

    if labels is None:
        return ModelAnswers(tuple(write(range(len(items)))), None, (), {})
    options = tuple((*tokenizer.encode_answer(label), tokenizer.eos_id) for label in labels)
    questions = [Question(tuple(prompt), options) for prompt in prompts]
    scores = score_answers(model, questions, batch_items=config.batch_items, title=f"{task}: weighing labels")
    probabilities = np.array([score.probability for score in scores])
    size = min(config.generate_items, len(items))
    sample = np.sort(np.random.default_rng(seed).choice(len(items), size=size, replace=False)).tolist()
    return ModelAnswers(
        texts=tuple(labels[best] for best in probabilities.argmax(axis=1)),
        probabilities=probabilities,
        per_token=tuple(labels[int(score.per_token.argmax())] for score in scores),
        generated=dict(zip(sample, write(sample), strict=True)),
    )


def prompt_ids(item: Item, tokenizer: GeneTokenizer) -> list[int]:
    """Token ids of an item's question, up to the response heading: the same text as in training."""
    question = Message("user", user_content(item.instruction, item.input))
    return tokenizer.encode_prompt(render([question], bos=tokenizer.bos, eos=tokenizer.eos))
