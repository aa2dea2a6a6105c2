"""A small model of one task: load it, and ask it for the number (or the labels) of sequences.

A folder of `llama-gene tasks specialist` holds `specialist.json` (what it is and all its settings) and
`specialist.safetensors` (all its numbers); nothing is pickled, and no code of the folder is run. Two kinds: `kmer`, a
linear model of the logarithms of k-mer counts, and `cnn`, a small convolutional network. It takes one sequence or more
per item, as the task does.

Axes: N items, F features, K outputs (1 number, or one per label), L labels.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy.special import softmax

from llama_gene.artifacts import write_json
from llama_gene.errors import ArtifactError, DataError
from llama_gene.evaluation.metrics import Array
from llama_gene.evaluation.specialist_linear import kmer_features
from llama_gene.evaluation.specialist_network import SequenceNetwork, network_outputs, open_network
from llama_gene.tasks.definitions import Keep

CARD, WEIGHTS = "specialist.json", "specialist.safetensors"
# In the folder of a run.
BESIDE = "specialists"
FORMAT = 1
Model = Literal["kmer", "cnn"]


@dataclass(frozen=True)
class Card:
    """What a specialist is: everything but its weights.

    `labels` is empty where it gives a number, which is then its output times `scale` plus `centre`.
    """

    task: str
    model: Model
    kinds: tuple[str, ...]
    labels: tuple[str, ...]
    centre: float
    scale: float
    kmer_max: int
    channels: int
    max_letters: int
    keep: Keep
    format: int = FORMAT


@dataclass(frozen=True)
class Specialist:
    """A trained small model: its card, and its arrays by name."""

    card: Card
    weights: Mapping[str, Array]

    @cached_property
    def _network(self) -> SequenceNetwork:
        outputs = max(1, len(self.card.labels))
        return open_network(self.weights, self.card.kinds, channels=self.card.channels, outputs=outputs)

    def predict(self, items: Sequence[str | Sequence[str]], *, batch_items: int = 256) -> Array:
        """The number of each item, (N,); where the task has labels, the probability of each, (N, L).

        Args:
            items: The letters of each item: one string, or as many as the task has inputs.
            batch_items: Items read at once, > 0.

        Raises:
            DataError: another number of sequences than the task has.
        """
        rows = [(item,) if isinstance(item, str) else tuple(item) for item in items]
        wrong = next((row for row in rows if len(row) != len(self.card.kinds)), None)
        if wrong is not None:
            raise DataError(
                f"the specialist of {self.card.task!r} reads {len(self.card.kinds)} sequence(s) per item "
                f"({', '.join(self.card.kinds)}), not {len(wrong)}. Give as many."
            )
        if not rows:
            return np.zeros((0, len(self.card.labels)) if self.card.labels else 0)
        outputs_NK = self._outputs(rows, batch_items)
        if self.card.labels:
            return np.asarray(softmax(outputs_NK, axis=1))
        return outputs_NK[:, 0] * self.card.scale + self.card.centre

    def _outputs(self, rows: Sequence[tuple[str, ...]], batch_items: int) -> Array:
        if self.card.model == "cnn":
            return network_outputs(
                self._network, rows, self.card.kinds, max_letters=self.card.max_letters, keep=self.card.keep,
                batch_items=batch_items,
            )  # fmt: skip
        batches = (rows[start : start + batch_items] for start in range(0, len(rows), batch_items))
        return np.concatenate(
            [
                kmer_features(batch, self.card.kinds, self.card.kmer_max) @ self.weights["coefficients"].T
                + self.weights["intercept"]
                for batch in batches
            ]
        )


def task_folders(folders: Sequence[Path]) -> dict[str, Path]:
    """The task of each specialist's folder.

    Raises:
        ArtifactError: one is no such folder.
        DataError: two are of one task.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        task = read_card(folder).task
        if task in found:
            raise DataError(f"{folder} and {found[task]}: both are specialists of {task!r}. Name one.")
        found[task] = folder
    return found


def specialists_beside(model: Path, tasks: Collection[str]) -> dict[str, Specialist]:
    """The specialists that a run left beside a model, `specialists/TASK`, by task.

    Args:
        model: Model folder.
        tasks: Names of those that are wanted.

    Raises:
        ArtifactError: one cannot be read.
    """
    folders = (model.absolute().parent / BESIDE / task for task in sorted(tasks))
    return {folder.name: load_specialist(folder) for folder in folders if (folder / CARD).is_file()}


def save_specialist(specialist: Specialist, folder: Path) -> None:
    """Write both files into a folder that exists."""
    save_file({name: np.ascontiguousarray(array) for name, array in specialist.weights.items()}, folder / WEIGHTS)
    write_json(folder / CARD, asdict(specialist.card))


def load_specialist(folder: Path) -> Specialist:
    """The specialist in a folder of `llama-gene tasks specialist`.

    Raises:
        ArtifactError: a file is missing, broken, or of another format.
    """
    card = read_card(folder)
    try:
        specialist = Specialist(card, load_file(folder / WEIGHTS))
        specialist.predict([["A"] * len(card.kinds)])  # the arrays are those that the card says
    except FileNotFoundError:
        raise ArtifactError(f"{folder / WEIGHTS}: no such file. Train the specialist again.") from None
    except (ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ArtifactError(
            f"{folder / WEIGHTS}: not the weights of this specialist ({error}). Train it again."
        ) from None
    return specialist


def read_card(folder: Path) -> Card:
    """What the specialist in a folder is.

    Raises:
        ArtifactError: no such folder, or its card is broken or of another format.
    """
    file = folder / CARD
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        if values["format"] != FORMAT:
            raise ArtifactError(f"{file}: format {values['format']}, this version reads {FORMAT}. Train it again.")
        return Card(**values | {"kinds": tuple(values["kinds"]), "labels": tuple(values["labels"])})
    except FileNotFoundError:
        raise ArtifactError(f"{file}: no such file. Expected a folder of `llama-gene tasks specialist`.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{file}: cannot be read ({error!r}). Train the specialist again.") from None
