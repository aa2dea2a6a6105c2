"""Choose the next token of every answer: the likeliest, or drawn from the likeliest with a seed of the request's own.

An answer depends on its own logits, settings and seed alone, never on the answers beside it.

Axes: B rows, V vocabulary.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from llama_gene.tokenizer.load import GeneTokenizer

_LIKELIEST = 256


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen. `temperature` 0: the likeliest; else 0 < `top_p` <= 1 bounds what is drawn from."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 1


GREEDY = Sampling()


@dataclass(frozen=True)
class Choice:
    """A chosen token, its log-probability in nats before sampling settings, and the likeliest (id, nats) there."""

    token: int
    log_probability: float = 0.0
    likeliest: tuple[tuple[int, float], ...] = ()


def forbidden_ids(tokenizer: GeneTokenizer, rows: int) -> list[int]:
    """Ids no answer may hold: padding rows of the weights, and special tokens but the end token."""
    vocabulary = tokenizer.vocabulary
    special = {vocabulary[token] for token in tokenizer.special_tokens} - {tokenizer.eos_id}
    return [*sorted(special), *range(tokenizer.size, rows)]


def choose(
    logits_BV: torch.Tensor,
    samplings: Sequence[Sampling],
    draws: Sequence[random.Random],
    top_logprobs: Sequence[int | None],
) -> list[Choice]:
    """One token per row.

    Args:
        logits_BV: Minus infinity where a token is forbidden.
        samplings: Of each row.
        draws: Source of chance of each row; used once where the temperature is above 0.
        top_logprobs: How many likeliest tokens to tell of; None: no log-probabilities.
    """
    best = logits_BV.argmax(dim=1).tolist()
    return [
        _describe(
            logits_BV[row],
            sample(logits_BV[row], sampling, draw.random()) if sampling.temperature else best[row],
            wanted,
        )
        for row, (sampling, draw, wanted) in enumerate(zip(samplings, draws, top_logprobs, strict=True))
    ]


def sample(logits_V: torch.Tensor, sampling: Sampling, draw: float) -> int:
    """A token by chance, from the fewest likeliest whose probabilities reach `top_p`.

    Args:
        logits_V: Minus infinity where a token is forbidden.
        sampling: With a temperature above 0.
        draw: 0 <= draw < 1; decides.

    >>> sample(torch.tensor([0.0, 2.0, 1.0]), Sampling(temperature=1.0, top_p=0.6), 0.99)
    1
    """
    shares_V = ((logits_V - logits_V.max()).double() / sampling.temperature).softmax(dim=0)
    shares, ids = shares_V.topk(min(_LIKELIEST, len(shares_V)))
    if float(shares.sum()) < sampling.top_p:
        shares, ids = shares_V.sort(descending=True)
    totals = shares.cumsum(dim=0)
    kept = min(int((totals < sampling.top_p).sum()) + 1, len(totals))
    target = draw * totals[kept - 1]
    return int(ids[int(torch.searchsorted(totals[:kept], target, right=True).clamp(max=kept - 1))])


def _describe(logits_V: torch.Tensor, token: int, wanted: int | None) -> Choice:
    if wanted is None:
        return Choice(token)
    nats_V = logits_V.log_softmax(dim=0)
    values, ids = nats_V.topk(wanted)
    pairs = zip(ids.tolist(), values.tolist(), strict=True)
    return Choice(token, float(nats_V[token]), tuple((one, nats) for one, nats in pairs if nats > -torch.inf))
