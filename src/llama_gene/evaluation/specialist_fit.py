"""Fit the two kinds of specialist on training items; what they leave open is chosen on validation items.

Axes: N items, K outputs, L labels.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from llama_gene.evaluation.linear import validation_mcc
from llama_gene.evaluation.metrics import Array
from llama_gene.evaluation.specialist import Card, Specialist
from llama_gene.evaluation.specialist_linear import (
    LOGISTIC_STRENGTHS,
    RIDGE_PENALTIES,
    fit_labels,
    fit_values,
    kmer_features,
)
from llama_gene.evaluation.specialist_network import (
    SequenceNetwork,
    lay_out,
    read_letters,
    training_batches,
    weights_of,
)
from llama_gene.progress import show_progress

_BATCH_ITEMS = 64
_LEARNING_RATE = 3e-3
_WEIGHT_DECAY = 1e-2


@dataclass(frozen=True)
class Examples:
    """Items of one split: letters per input, the number or the label's number of each, (N,), and its leakage group."""

    items: tuple[tuple[str, ...], ...]
    targets: Array
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Fitted:
    """A specialist, its score on validation (-inf where there is none), and what was chosen there."""

    specialist: Specialist
    score: float
    chosen: Mapping[str, float]


def fit_linear(card: Card, train: Examples, valid: Examples) -> Fitted:
    """The linear model with the penalty that is best on validation.

    Args:
        card: Says kinds, labels and the longest k-mer.
        train: Training items.
        valid: Validation items.
    """
    features_NF = kmer_features(train.items, card.kinds, card.kmer_max)
    tried = []
    for strength in LOGISTIC_STRENGTHS if card.labels else RIDGE_PENALTIES:
        if card.labels:
            weights = fit_labels(features_NF, train.targets, len(card.labels), strength)
        else:
            weights = fit_values(features_NF, (train.targets - card.centre) / card.scale, strength)
        specialist = Specialist(card, weights)
        name = "inverse penalty" if card.labels else "penalty"
        tried.append(Fitted(specialist, validation_score(specialist, valid), {name: strength}))
    return max(tried, key=lambda fitted: fitted.score)


def fit_network(card: Card, train: Examples, valid: Examples, *, epochs: int, seed: int) -> Fitted:
    """The network after the epoch that is best on validation; of equal ones the last.

    Args:
        card: Says kinds, labels, width and the longest sequence.
        train: Training items.
        valid: Validation items.
        epochs: Passes over the training items.
        seed: Seed of the weights, the order and the dropout.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        after_epochs = _train(card, train, valid, epochs, seed)
        return max(after_epochs, key=lambda fitted: (fitted.score, fitted.chosen["epoch"]))


def _train(card: Card, train: Examples, valid: Examples, epochs: int, seed: int) -> Iterator[Fitted]:
    """The network after each epoch."""
    network = SequenceNetwork(card.kinds, channels=card.channels, outputs=max(1, len(card.labels)))
    numbers = read_letters(train.items, card.kinds, max_letters=card.max_letters, keep=card.keep)
    lengths = [max(map(len, item)) for item in numbers]
    targets = _tensor(card, train)
    rng = np.random.default_rng(seed)
    order = [list(training_batches(lengths, _BATCH_ITEMS, rng)) for _ in range(epochs)]
    optimizer = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=sum(map(len, order)) + 1)
    for epoch, batches in enumerate(show_progress(order, f"{card.task}: training a small network"), start=1):
        network.train()
        for places in batches:
            given = lay_out([numbers[place] for place in places], card.kinds)
            _step(network, given, targets[places], optimizer)
            schedule.step()
        specialist = Specialist(card, weights_of(network))
        yield Fitted(specialist, validation_score(specialist, valid), {"epoch": epoch})


def _tensor(card: Card, examples: Examples) -> Tensor:
    if card.labels:
        return torch.from_numpy(examples.targets)
    return torch.from_numpy(((examples.targets - card.centre) / card.scale).astype(np.float32))


def _step(
    network: SequenceNetwork, given: Sequence[tuple[Tensor, Tensor]], targets: Tensor, optimizer: torch.optim.Optimizer
) -> None:
    outputs_BK = network(given)
    if targets.is_floating_point():
        loss = torch.nn.functional.mse_loss(outputs_BK[:, 0], targets)
    else:
        loss = torch.nn.functional.cross_entropy(outputs_BK, targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def validation_score(specialist: Specialist, valid: Examples) -> float:
    """Spearman of numbers, MCC of labels; -inf where it is undefined."""
    predicted = specialist.predict(valid.items)
    if specialist.card.labels:
        return validation_mcc(valid.targets, predicted.argmax(axis=1)) if len(predicted) else -np.inf
    a, b = rankdata(predicted), rankdata(valid.targets)
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return -np.inf
    return float(np.corrcoef(a, b)[0, 1])
