"""A small convolutional network over letters, trained from nothing: labels, values or both, one sequence or several.

Each sequence is read by two convolutions (one reader per kind of sequence); what they find is pooled as a whole and in
stretches, so that both "somewhere" and "where" can be used. Two sequences of one kind also meet in product and
difference. Trained on the training items alone; of all epochs the one that is best on validation counts. How many
letters are read in all is a setting, so that the time is known beforehand and does not depend on the machine's speed.

Axes: B items in a batch, N items, T places of a sequence, C channels, L labels.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import nn
from torch.nn.functional import cross_entropy, max_pool1d, mse_loss, one_hot

from llama_gene.evaluation.baselines import Answers
from llama_gene.evaluation.features import place_of_end
from llama_gene.evaluation.items import Item
from llama_gene.evaluation.linear import validation_mcc
from llama_gene.evaluation.numbers import values_of
from llama_gene.progress import show_progress
from llama_gene.sequences.alphabets import DNA, PROTEIN

# Longer sequences lose their middle: signals stand at the ends.
READ_LETTERS = {"dna": 1000, "protein": 400}
_LETTERS = {"dna": DNA.letters, "protein": PROTEIN.letters}
_WIDTH = {"dna": 11, "protein": 7}
_CHANNELS = 48
_STRETCHES = 12
_BATCH = 64
_RATE = 4e-3
_DROPOUT = 0.4
# Few items are read more often, so that there are steps enough to learn from.
_EPOCHS, _MOST_EPOCHS, _LEAST_STEPS = 12, 40, 400

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class _Split:
    """Items as tensors: codes of the letters, (N, T) for each sequence, 0 where there is none; labels; values."""

    codes: tuple[torch.Tensor, ...]
    labels: torch.Tensor
    values: torch.Tensor

    def part(self, members: torch.Tensor) -> "_Split":
        return _Split(tuple(codes[members] for codes in self.codes), self.labels[members], self.values[members])

    def batches(self, order: torch.Tensor) -> Iterator["_Split"]:
        return (self.part(members) for members in order.split(_BATCH))


def answer_by_cnn(
    train: Sequence[Item], valid: Sequence[Item], asked: Sequence[Item], *, letters: int, seed: int
) -> Answers:
    """The answers of a network trained on one task of labels, of values, or of both.

    Args:
        train: Training items.
        valid: Validation items, to choose the epoch; may be empty: the last one counts.
        asked: Items to answer.
        letters: Letters read in training, all epochs together, about; at least one epoch is run.
        seed: Of weights, order and dropout.
    """
    lengths, end = [_length(train, place) for place in range(len(train[0].kinds))], None
    if train[0].family == "structure":
        # Windows are laid so that the asked part ends at one place in all of them, whatever is shown around it.
        end = max(map(place_of_end, train))
        lengths = [end + max(len(item.sequences[0]) - place_of_end(item) for item in train)]
    scale = _scale(train)
    known, checked, wanted = (_tensors(items, train[0], lengths, end, scale) for items in (train, valid, asked))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _Network(train[0], lengths, values_of(train) is not None)
        epochs = _epochs(network, known, checked, letters, train[0].task)
    labels = train[0].labels
    scores_NL, values_N = _predict(network, wanted)
    texts = tuple(labels[best] for best in scores_NL.argmax(axis=1)) if labels else ("",) * len(asked)
    values = tuple((values_N * scale[1] + scale[0]).tolist()) if network.value is not None else None
    return Answers(f"two convolutions, epoch {epochs[0]} of {epochs[1]}", texts, values)


def _length(items: Sequence[Item], place: int) -> int:
    """Places read of one sequence: the longest, up to the limit of its kind."""
    return min(max(len(item.sequences[place]) for item in items), READ_LETTERS.get(items[0].kinds[place], 400)) or 1


def _scale(train: Sequence[Item]) -> tuple[float, float]:
    """Mean and spread of the training values."""
    values = np.array([item.value for item in train if item.value is not None], dtype=float)
    return (float(values.mean()), float(values.std()) or 1.0) if len(values) == len(train) else (0.0, 1.0)


def _tensors(
    items: Sequence[Item], like: Item, lengths: Sequence[int], end: int | None, scale: tuple[float, float]
) -> _Split:
    number = {label: place for place, label in enumerate(like.labels or ())}
    starts = [0 if end is None else end - place_of_end(item) for item in items]
    codes = tuple(
        _codes([item.sequences[place] for item in items], kind, length, starts)
        for place, (kind, length) in enumerate(zip(like.kinds, lengths, strict=True))
    )
    values = [(item.value - scale[0]) / scale[1] if item.value is not None else 0.0 for item in items]
    return _Split(
        codes, torch.tensor([number.get(item.output, 0) for item in items], dtype=torch.long), torch.tensor(values)
    )  # fmt: skip


def _codes(texts: Sequence[str], kind: str, length: int, starts: Sequence[int]) -> torch.Tensor:
    """Numbers of the letters from 1, unknown ones last, (N, T) of uint8; each text begins at its start, if that is
    below 0 without the letters before."""
    letters = _LETTERS.get(kind, PROTEIN.letters)
    table = np.full(256, len(letters) + 1, dtype=np.uint8)
    for number, letter in enumerate(letters, start=1):
        table[[ord(letter), ord(letter.lower())]] = number
    if kind == "dna":
        table[[ord("U"), ord("u")]] = table[ord("T")]
    codes = np.zeros((len(texts), length), dtype=np.uint8)
    for row, (text, start) in enumerate(zip(texts, starts, strict=True)):
        kept = text[max(0, -start) :]
        if not start and len(kept) > length:
            kept = kept[: length // 2] + kept[len(kept) - (length - length // 2) :]
        found = table[np.frombuffer(kept.encode("latin-1", "replace"), dtype=np.uint8)]
        room = codes[row, max(0, start) :]
        room[: len(found)] = found[: len(room)]
    return torch.from_numpy(codes)


class _Reader(nn.Module):
    """One sequence to a vector: the greatest answer of each filter anywhere, and in each stretch."""

    def __init__(self, kind: str, length: int, windows: bool) -> None:
        super().__init__()
        self.signs = len(_LETTERS.get(kind, PROTEIN.letters)) + 2
        width = _WIDTH.get(kind, 7)
        self.first = nn.Conv1d(self.signs - 1, _CHANNELS, width, padding=width // 2)
        self.second = nn.Conv1d(_CHANNELS, _CHANNELS, 5, padding=2)
        self.shrink = 1 if windows else 2 if length <= 150 else 4
        places = -(-length // self.shrink)
        self.stretches = places if windows else min(_STRETCHES, places)
        self.size = _CHANNELS * (1 + self.stretches)

    def forward(self, codes_BT: torch.Tensor) -> torch.Tensor:
        signs_BTC = one_hot(codes_BT.long(), self.signs)[:, :, 1:].float()
        found_BCT = torch.relu(self.first(signs_BTC.transpose(1, 2)))
        found_BCT = max_pool1d(found_BCT, self.shrink, ceil_mode=True)
        found_BCT = torch.relu(self.second(found_BCT)) + found_BCT
        stretch = -(-found_BCT.shape[2] // self.stretches)
        local = max_pool1d(found_BCT, stretch, ceil_mode=True)
        room = self.stretches - local.shape[2]
        local = nn.functional.pad(local, (0, room)) if room else local
        return torch.cat([found_BCT.amax(dim=2), local.flatten(1)], dim=1)


class _Network(nn.Module):
    """Readers, one per kind, and a head of labels and, where there are values, one of them."""

    def __init__(self, item: Item, lengths: Sequence[int], has_values: bool) -> None:
        super().__init__()
        windows = item.family == "structure"
        longest = {kind: max(t for k, t in zip(item.kinds, lengths, strict=True) if k == kind) for kind in item.kinds}
        self.kinds, self.longest = item.kinds, longest
        self.readers = nn.ModuleDict({kind: _Reader(kind, longest[kind], windows) for kind in sorted(longest)})
        sizes = [self.readers[kind].size for kind in item.kinds]
        self.pair = len(sizes) == 2 and item.kinds[0] == item.kinds[1]
        size = int(sum(sizes)) + (2 * int(sizes[0]) if self.pair else 0)
        self.mix = nn.Sequential(nn.Dropout(_DROPOUT), nn.Linear(size, 64), nn.ReLU(), nn.Dropout(_DROPOUT))
        self.label = nn.Linear(64, len(item.labels)) if item.labels else None
        self.value = nn.Linear(64, 1) if has_values else None

    def forward(self, codes: Sequence[torch.Tensor]) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        parts = [
            self.readers[kind](nn.functional.pad(one, (0, self.longest[kind] - one.shape[1])))
            for one, kind in zip(codes, self.kinds, strict=True)
        ]
        if self.pair:
            parts += [parts[0] * parts[1], (parts[0] - parts[1]).abs()]
        mixed = self.mix(torch.cat(parts, dim=1))
        labels_BL = self.label(mixed) if self.label is not None else None
        return labels_BL, self.value(mixed)[:, 0] if self.value is not None else None


def _epochs(network: _Network, train: _Split, valid: _Split, letters: int, task: str) -> tuple[int, int]:
    """Train, keep the weights of the best epoch on validation, and give its number and that of all."""
    places = sum(codes.shape[1] for codes in train.codes) * len(train.labels)
    steps = -(-len(train.labels) // _BATCH)
    most = max(1, min(max(_EPOCHS, min(_MOST_EPOCHS, _LEAST_STEPS // steps)), letters // places))
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=most * steps)
    best, best_epoch, kept = -np.inf, 0, deepcopy(network.state_dict())
    for epoch in show_progress(range(1, most + 1), f"{task}: convolutions"):
        network.train()
        for batch in train.batches(torch.randperm(len(train.labels))):
            optimizer.zero_grad()
            _loss(network, batch).backward()
            optimizer.step()
            schedule.step()
        score = _validation(network, valid) if len(valid.labels) else float(epoch)
        if score > best:
            best, best_epoch, kept = score, epoch, deepcopy(network.state_dict())
    network.load_state_dict(kept)
    return best_epoch, most


def _loss(network: _Network, batch: _Split) -> torch.Tensor:
    labels_BL, values_B = network(batch.codes)
    losses = [cross_entropy(labels_BL, batch.labels)] if labels_BL is not None else []
    losses += [mse_loss(values_B, batch.values)] if values_B is not None else []
    return torch.stack(losses).sum()


def _validation(network: _Network, valid: _Split) -> float:
    """MCC of the labels, or rank correlation of the values where there are some."""
    scores_NL, values_N = _predict(network, valid)
    wanted = valid.labels.numpy()
    if network.value is not None and len(wanted) > 2 and np.ptp(values_N) > 0:
        return float(np.nan_to_num(spearmanr(values_N, valid.values.numpy()).statistic, nan=-1.0))
    return validation_mcc(wanted, scores_NL.argmax(axis=1))


@torch.inference_mode()
def _predict(network: _Network, asked: _Split) -> tuple[Array, Array]:
    """Scores of the labels, (N, L), and values, (N,); one column and zeros where there are none."""
    network.eval()
    labels, values = [], []
    for batch in asked.batches(torch.arange(len(asked.labels))):
        labels_BL, values_B = network(batch.codes)
        labels.append(np.zeros((len(batch.labels), 1)) if labels_BL is None else labels_BL.numpy())
        values.append(np.zeros(len(batch.labels)) if values_B is None else values_B.numpy())
    return np.concatenate(labels), np.concatenate(values)
