"""A tiny random LLaMA with the built-in vocabulary, for the tests of the assistant."""

from dataclasses import replace
from pathlib import Path

import torch

from llama_gene.assistant.asking import Question
from llama_gene.assistant.conversation import Assistant
from llama_gene.model.folders import new_llama, save_model
from llama_gene.tokenizer.tiny import tiny_vocabulary
from llama_gene.tokenizer.vocabulary import write_vocabulary

CONTEXT = 512
_PADDING_ROWS = 64


def make_chat_model(place: Path) -> Path:
    """A model folder with more rows than tokens, as padding makes them."""
    torch.set_num_threads(1)
    (place / "vocabulary").mkdir()
    write_vocabulary(tiny_vocabulary(), place / "vocabulary")
    sizes = {
        "vocab_size": tiny_vocabulary().size + _PADDING_ROWS,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": CONTEXT,
    }
    save_model(new_llama(sizes, seed=1), place / "vocabulary", place / "model")
    return place / "model"


def having(assistant: Assistant, **settings: object) -> Assistant:
    """The assistant with other settings."""
    return replace(assistant, config=assistant.config.model_copy(update=settings))


def prompt_text(assistant: Assistant, question: Question) -> str:
    """A question as the model reads it."""
    return assistant.tokenizer.decode(question.prompt)
