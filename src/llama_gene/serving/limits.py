"""How much one request may ask."""

from collections.abc import Sequence

from llama_gene.serving.answering import Service
from llama_gene.serving.refusals import RefusedError

_MOST_LETTERS_PER_TOKEN = 64


def check_number(service: Service, inputs: Sequence[object], where: str) -> None:
    """Raises:
    RefusedError: more texts or items than one request may hold.
    """
    if len(inputs) > service.config.max_inputs:
        raise RefusedError(
            400, f"{where}: {len(inputs):,} inputs; one request may hold {service.config.max_inputs:,}. Send several."
        )


def check_size(service: Service, letters: int, where: str) -> None:
    """Refuse what can never fit before it is encoded, which takes seconds for a million letters.

    Raises:
        RefusedError: more letters than the longest tokens could spell in the model's context.
    """
    context = service.engine.context
    if letters > context * _MOST_LETTERS_PER_TOKEN:
        raise RefusedError(
            400, f"{where}: {letters:,} letters; the model reads {context:,} tokens. Shorten it.",
            code="context_length_exceeded",
        )  # fmt: skip


def check_tokens(service: Service, tokens: int, where: str) -> None:
    """Raises:
    RefusedError: more tokens than the model reads.
    """
    context = service.engine.context
    if tokens > context:
        raise RefusedError(
            400, f"{where}: {tokens:,} tokens; the model reads {context:,}. Shorten it.", code="context_length_exceeded"
        )


def check_letters(service: Service, sequences: Sequence[str], where: str) -> None:
    """Raises:
    RefusedError: a sequence is longer than one may be.
    """
    longest = max(map(len, sequences), default=0)
    if longest > service.config.max_letters:
        raise RefusedError(
            413, f"{where}: {longest:,} letters; a sequence may have {service.config.max_letters:,}. Cut it."
        )
