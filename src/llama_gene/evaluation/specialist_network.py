"""A small convolutional network of sequences: the specialist of kind `cnn`.

Each input is read by its own two convolutions over one-hot letters and their place (11 letters wide, then 5 after
pooling by 4, with a residual); their greatest and mean activations feed one linear layer. It reads any length, and
letters outside the plain alphabet as nothing. It runs on the processor: a few minutes are enough to train it.

Axes: B items in a batch, A letters of the alphabet and two for the place, T letters, C channels, K outputs, N items.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from llama_gene.evaluation.batches import by_length
from llama_gene.evaluation.metrics import Array
from llama_gene.sequences.alphabets import DNA, PROTEIN
from llama_gene.tasks.definitions import Keep
from llama_gene.tasks.shorten import cut

_LETTERS = {"dna": DNA.letters, "protein": PROTEIN.letters}
_UNKNOWN = 255
_FIRST_WIDTH, _SECOND_WIDTH, _POOL = 11, 5, 4
_DROPOUT = 0.3
_PLACES = 2

# One-hot letters (B, A, T), and 1 where there is a letter (B, T), for each input.
Inputs = Sequence[tuple[Tensor, Tensor]]


class _Reader(nn.Module):
    """One input: convolutions, then the greatest and the mean activation of each channel, (B, 2C)."""

    def __init__(self, kind: str, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(len(_LETTERS[kind]) + _PLACES, channels, _FIRST_WIDTH, padding=_FIRST_WIDTH // 2)
        self.second = nn.Conv1d(channels, channels, _SECOND_WIDTH, padding=_SECOND_WIDTH // 2)

    def forward(self, letters_BAT: Tensor, there_BT: Tensor) -> Tensor:
        pool = nn.functional.max_pool1d
        hidden_BCT = torch.relu(self.first(letters_BAT)) * there_BT[:, None]
        hidden_BCT, there_B1T = pool(hidden_BCT, _POOL, ceil_mode=True), pool(there_BT[:, None], _POOL, ceil_mode=True)
        hidden_BCT = (hidden_BCT + torch.relu(self.second(hidden_BCT))) * there_B1T
        mean_BC = hidden_BCT.sum(dim=2) / there_B1T.sum(dim=2).clamp(min=1)
        return torch.cat([hidden_BCT.amax(dim=2), mean_BC], dim=1)


class SequenceNetwork(nn.Module):
    """The whole network: inputs to outputs, (B, K)."""

    def __init__(self, kinds: Sequence[str], *, channels: int, outputs: int) -> None:
        super().__init__()
        self.readers = nn.ModuleList(_Reader(kind, channels) for kind in kinds)
        self.dropout = nn.Dropout(_DROPOUT)
        self.head = nn.Linear(2 * channels * len(kinds), outputs)

    def forward(self, inputs: Inputs) -> Tensor:
        read = [reader(*given) for reader, given in zip(self.readers, inputs, strict=True)]
        return self.head(self.dropout(torch.cat(read, dim=1)))


def open_network(weights: Mapping[str, Array], kinds: Sequence[str], *, channels: int, outputs: int) -> SequenceNetwork:
    """The network of saved weights, ready to answer.

    Raises:
        RuntimeError: the weights are those of another network.
    """
    network = SequenceNetwork(kinds, channels=channels, outputs=outputs)
    network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})
    return network.eval()


def weights_of(network: SequenceNetwork) -> dict[str, Array]:
    """Every array of a network by name."""
    return {name: tensor.detach().numpy().copy() for name, tensor in network.state_dict().items()}


def letter_numbers(letters: str, kind: str) -> Array:
    """The number of each letter in its alphabet as uint8, 255 where it is no plain letter.

    >>> letter_numbers("ACNu", "dna").tolist()
    [0, 1, 255, 3]
    """
    table = np.full(256, _UNKNOWN, dtype=np.uint8)
    for number, letter in enumerate(_LETTERS[kind]):
        table[[ord(letter), ord(letter.lower())]] = number
    if kind == "dna":
        table[[ord("U"), ord("u")]] = table[ord("T")]
    return table[np.frombuffer(letters.encode("latin-1", "replace"), dtype=np.uint8)]


def read_letters(
    items: Sequence[Sequence[str]], kinds: Sequence[str], *, max_letters: int, keep: Keep
) -> list[list[Array]]:
    """The letter numbers of each item's inputs, cut to the longest that is read."""
    return [
        [letter_numbers(cut(letters, max_letters, keep), kind) for letters, kind in zip(item, kinds, strict=True)]
        for item in items
    ]


def lay_out(numbers: Sequence[Sequence[Array]], kinds: Sequence[str]) -> Inputs:
    """A batch of items, padded at the end.

    Args:
        numbers: Of `read_letters`, for the items of the batch.
        kinds: Kind of each input.
    """
    return [_one_hot([item[place] for item in numbers], len(_LETTERS[kind])) for place, kind in enumerate(kinds)]


def _one_hot(rows: Sequence[Array], letters: int) -> tuple[Tensor, Tensor]:
    longest = max(1, *map(len, rows))
    one_hot_BTA = np.zeros((len(rows), longest, letters + _PLACES), dtype=np.float32)
    there_BT = np.zeros((len(rows), longest), dtype=np.float32)
    for row, numbers in enumerate(rows):
        known = np.flatnonzero(numbers != _UNKNOWN)
        one_hot_BTA[row, known, numbers[known]] = 1
        # How far through the sequence a letter stands, from either end.
        one_hot_BTA[row, : len(numbers), letters] = place = np.linspace(0, 1, len(numbers))
        one_hot_BTA[row, : len(numbers), letters + 1] = 1 - place
        there_BT[row, : len(numbers)] = 1
    return torch.from_numpy(one_hot_BTA).transpose(1, 2).contiguous(), torch.from_numpy(there_BT)


def training_batches(lengths: Sequence[int], batch_items: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Every item once, in random batches of like length, so that little is padding."""
    at_once = 16 * batch_items
    order = rng.permutation(len(lengths))
    batches = [
        [int(places[member]) for member in members]
        for places in (order[start : start + at_once] for start in range(0, len(order), at_once))
        for members in by_length([lengths[place] for place in places], batch_items)
    ]
    yield from (batches[place] for place in rng.permutation(len(batches)))


def network_outputs(
    network: SequenceNetwork,
    items: Sequence[Sequence[str]],
    kinds: Sequence[str],
    *,
    max_letters: int,
    keep: Keep,
    batch_items: int,
) -> Array:
    """What the network gives for each item, (N, K).

    Args:
        network: In evaluation mode.
        items: The letters of each item, one string per input.
        kinds: Kind of each input.
        max_letters: Longest sequence read.
        keep: What stays of a longer one.
        batch_items: Items in one forward pass.
    """
    found: dict[int, Array] = {}
    with torch.inference_mode():
        for members in by_length([max(map(len, item)) for item in items], batch_items):
            numbers = read_letters([items[place] for place in members], kinds, max_letters=max_letters, keep=keep)
            outputs_BK = network(lay_out(numbers, kinds)).numpy().astype(np.float64)
            found.update(zip(members, outputs_BK, strict=True))
    return np.stack([found[place] for place in range(len(items))])
