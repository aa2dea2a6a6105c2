"""Questions about abstracts, answered yes, no or maybe: which are asked, and what a model answers.

The abstract is given without its conclusion, as in the "reasoning required" setting of PubMedQA (Jin et al. 2019), and
the likeliest of the three labels is the answer.
"""

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
from transformers import PreTrainedModel

from llama_gene.config import ControlsConfig, resolve
from llama_gene.corpus.english import DECISIONS, AbstractQuestion, is_held_out, read_pubmedqa
from llama_gene.errors import DataError
from llama_gene.evaluation.likelihood import Question, score_answers
from llama_gene.prompts import Message, defuse, render, user_content
from llama_gene.tokenizer.load import GeneTokenizer

INSTRUCTION = (
    "Answer the question about the following abstract, The result will be one of the following: yes, no, maybe."
)


def held_out_questions(config: ControlsConfig, data: Path) -> tuple[AbstractQuestion, ...]:
    """The held-out questions, at most `pubmedqa_items`, in an order that has nothing to do with the file's.

    Raises:
        DataError: no such file, another layout, or none of its records is held out.
    """
    if not config.pubmedqa:
        return ()
    path = resolve(config.pubmedqa, data)
    asked = [question for question in read_pubmedqa(path) if is_held_out(question.id)]
    if not asked:
        raise DataError(f"{path}: none of its records belongs to the held-out fifth. Expected more records.")
    asked.sort(key=lambda question: blake2b(question.id.encode(), digest_size=8).digest())
    return tuple(asked[: config.pubmedqa_items])


def decide(
    model: PreTrainedModel, tokenizer: GeneTokenizer, questions: Sequence[AbstractQuestion], *, batch_items: int
) -> tuple[str, ...]:
    """The likeliest of yes, no and maybe for each question."""
    answers = tuple((*tokenizer.encode_answer(word), tokenizer.eos_id) for word in DECISIONS)
    room = model.config.max_position_embeddings - max(map(len, answers))
    weighed = [Question(tuple(prompt_within(question, tokenizer, room)), answers) for question in questions]
    scores = score_answers(model, weighed, batch_items=batch_items, title="weighing yes, no, maybe")
    return tuple(DECISIONS[int(np.argmax(score.log_probability))] for score in scores)


def prompt_within(question: AbstractQuestion, tokenizer: GeneTokenizer, most_tokens: int) -> list[int]:
    """Token ids of a question; the end of its abstract gives way until they fit.

    Args:
        question: What is asked.
        tokenizer: Of the model.
        most_tokens: What the model reads.

    Raises:
        DataError: the question does not fit without any abstract.
    """
    words = question.context.split(" ")
    while True:
        ids = _prompt(question, " ".join(words), tokenizer)
        if len(ids) <= most_tokens:
            return ids
        if not words:
            raise DataError(
                f"PubMedQA question {question.id!r} has {len(ids)} tokens without its abstract, the model reads "
                f"{most_tokens}. Take a model that reads more, or leave evaluate.controls.pubmedqa empty."
            )
        words = words[: min(len(words) - 1, len(words) * most_tokens // len(ids))]


def _prompt(question: AbstractQuestion, context: str, tokenizer: GeneTokenizer) -> list[int]:
    asked = defuse(f"{context}\n\nQuestion: {question.question}", tokenizer.special_tokens).text
    content = user_content(INSTRUCTION, asked)
    return tokenizer.encode_prompt(render([Message("user", content)], bos=tokenizer.bos, eos=tokenizer.eos))
