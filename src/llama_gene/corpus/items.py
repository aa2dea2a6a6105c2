"""The words of all validation and test items of the tasks, made once and looked up by every worker.

Of DNA and protein items the sequences count: their 21-mers on both strands, their 6-mers. Of items that are answered
in free words (`labels` is empty: functions, products, annotation) the answer counts too, in texts: its runs of words.
Class names and structure states are no text that could give an item away. Items without a word, and those that repeat
a few different words only, so that any like repeat would hold them, are not looked for, and are counted.

A folder of plain arrays (`save_items`) is opened memory-mapped, so that many processes share one copy.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llama_gene.config import KINDS, ContaminationConfig, Kind
from llama_gene.corpus.arrays import load_array, save_array
from llama_gene.corpus.kmers import DNA_WORD, PROTEIN_WORD, Words, distinct, is_first, join, make_filter, words_in
from llama_gene.errors import ArtifactError
from llama_gene.sequences.batches import batches_of_letters
from llama_gene.sequences.files import open_parquet, read_batches

ENOUGH_WORDS = 20
_SPLITS = ("valid", "test")
_COLUMNS = ("task", "family", "sequences", "kinds", "target", "labels")
_TASKS = "tasks.json"
_LETTERS_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class ItemIndex:
    """The words of all items of one kind.

    Attributes:
        words: uint64 [words], sorted, each once.
        directory: int32 [2 ** bits + 1], how many words have smaller first bits; about one word for each value.
        first: int64 [words + 1], where the owners of each word begin.
        owners: int32 [entries], the items that have the word.
        sizes: int64 [items], different words of each item; 0: not looked for.
        task: int32 [items], task of each item, a number into `tasks`.
        filter: uint64 [a power of two], Bloom filter of the words.
        tasks: Names of the tasks, sorted.
    """

    words: Words
    directory: NDArray[np.int32]
    first: NDArray[np.int64]
    owners: NDArray[np.int32]
    sizes: NDArray[np.int64]
    task: NDArray[np.int32]
    filter: Words
    tasks: tuple[str, ...]

    @property
    def shift(self) -> np.uint64:
        """What a word is shifted by to give its place in the directory."""
        return np.uint64(64 - (len(self.directory) - 2).bit_length())


class Sought(NamedTuple):
    """What is looked for of one item: its task, and upper-case letters of DNA (T, no U) or protein, or a text."""

    task: str
    kind: Kind
    letters: str


def word_length(kind: Kind, limits: ContaminationConfig) -> int:
    """Bases, residues or words of what is compared.

    >>> [word_length(kind, ContaminationConfig()) for kind in ("dna", "protein", "text")]
    [21, 6, 13]
    """
    return {"dna": DNA_WORD, "protein": PROTEIN_WORD, "text": limits.text_words}[kind]


def read_items(splits: Path | None, limits: ContaminationConfig, also: Iterable[Sought] = ()) -> dict[Kind, ItemIndex]:
    """Index the validation and test items of a `tasks split` folder, and what else is asked later.

    Args:
        splits: Folder with valid.parquet and test.parquet; None: no tasks.
        limits: Its `text_words` is the length of the runs.
        also: Further things to look for.

    Returns:
        An index for each kind that has an item.

    Raises:
        ArtifactError: a file is missing or has other columns.
    """
    found: dict[Kind, dict[Sought, None]] = {kind: {} for kind in KINDS}
    of_tasks = (sought for split in _SPLITS for sought in _sought_in(splits / f"{split}.parquet")) if splits else ()
    for sought in chain(of_tasks, also):
        found[sought.kind][sought] = None
    return {kind: index_items(list(items), kind, word_length(kind, limits)) for kind, items in found.items() if items}


def _sought_in(path: Path) -> Iterator[Sought]:
    if not path.is_file():
        raise ArtifactError(f"{path}: no such file. Expected the folder of `llama-gene tasks split`; run it first.")
    with open_parquet(path) as file:
        missing = [name for name in _COLUMNS if name not in file.schema_arrow.names]
    if missing:
        raise ArtifactError(
            f"{path}: column {missing[0]!r} is missing. Expected the folder of `llama-gene tasks split`."
        )
    for batch in read_batches(path, _COLUMNS):
        for row in batch.to_pylist():
            for letters, kind in zip(row["sequences"], row["kinds"], strict=True):
                yield Sought(row["task"], kind, letters.upper().replace("U", "T") if kind == "dna" else letters.upper())
            if not row["labels"] and row["family"] != "structure":
                yield Sought(row["task"], "text", row["target"])


def index_items(items: Sequence[Sought], kind: Kind, length: int) -> ItemIndex:
    """Index items of one kind.

    Args:
        items: At least one.
        kind: What all of them are.
        length: Bases, residues or words of what is compared.

    >>> index_items([Sought("a", "text", "to be or not to be")], "text", 4).sizes.tolist()
    [3]
    """
    tasks = sorted({item.task for item in items})
    number = {task: place for place, task in enumerate(tasks)}
    letters = [item.letters for item in items]
    parts = [_distinct_words(batch, kind, length) for batch in batches_of_letters(letters, str, _LETTERS_AT_ONCE)]
    sizes = np.concatenate([sizes for _, sizes in parts])
    words = np.concatenate([words for words, _ in parts])
    owners = np.repeat(np.arange(len(items), dtype=np.int32), sizes)
    order = np.argsort(words, kind="stable")
    words, owners = words[order], owners[order]
    begins = np.flatnonzero(is_first(words))
    return ItemIndex(
        words=words[begins],
        directory=_directory(words[begins]),
        first=np.append(begins, len(words)),
        owners=owners,
        sizes=sizes,
        task=np.array([number[item.task] for item in items], dtype=np.int32),
        filter=make_filter(words[begins]),
        tasks=tuple(tasks),
    )


def _directory(words: Words) -> NDArray[np.int32]:
    bits = max(1, len(words).bit_length() - 1)
    sizes = np.bincount((words >> np.uint64(64 - bits)).astype(np.int64), minlength=1 << bits)
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)


def _distinct_words(texts: Sequence[str], kind: Kind, length: int) -> tuple[Words, NDArray[np.int64]]:
    """The different words of each text, one text after the other, and how many each has."""
    joined = join(texts, kind)
    located = words_in(joined.letters, kind, length)
    bounds = np.searchsorted(located.starts, joined.begins)
    parts = []
    for words in np.split(located.words, bounds[1:]):
        different = distinct(words)
        repeats = len(different) < min(len(words), ENOUGH_WORDS // 2) and kind != "text"
        parts.append(different[:0] if repeats else different)
    return np.concatenate(parts), np.array([len(part) for part in parts], dtype=np.int64)


def save_items(indexes: Mapping[Kind, ItemIndex], folder: Path) -> None:
    """Write what `read_items` gave as plain arrays, `KIND-ATTRIBUTE.npy`, and the names of tasks as JSON.

    Args:
        indexes: An index for each kind.
        folder: Is made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for kind, index in indexes.items():
        for name in _arrays():
            save_array(folder / f"{kind}-{name}.npy", getattr(index, name))
    (folder / _TASKS).write_text(json.dumps({kind: index.tasks for kind, index in indexes.items()}), encoding="utf-8")


def load_items(folder: Path) -> dict[Kind, ItemIndex]:
    """Open what `save_items` wrote; the arrays stay on disk and are shared by all processes that open them.

    Raises:
        ArtifactError: the folder is not one of `save_items`.
    """
    try:
        tasks = json.loads((folder / _TASKS).read_text(encoding="utf-8"))
        return {kind: _load_index(folder, kind, tasks[kind]) for kind in KINDS if kind in tasks}
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{folder}: not a folder of task items ({error}). Expected what save_items wrote."
        ) from None


def _load_index(folder: Path, kind: Kind, tasks: Sequence[str]) -> ItemIndex:
    # asarray: numba takes a plain array that lies in the mapped memory, but not numpy's class of such.
    arrays: dict[str, Any] = {name: np.asarray(load_array(folder / f"{kind}-{name}.npy")) for name in _arrays()}
    return ItemIndex(**arrays, tasks=tuple(tasks))


def _arrays() -> list[str]:
    return [field.name for field in fields(ItemIndex) if field.name != "tasks"]


def count_items(indexes: Mapping[Kind, ItemIndex]) -> dict[str, dict[str, int]]:
    """How many items of each task are looked for, and how many are too short or say too little.

    Items that are equal within a task count once.

    Returns:
        Task to `KIND looked for` and `KIND too short`; a line of zero is left out.

    >>> items = [Sought("a", "dna", letters) for letters in ("ACGT", "ACGGTCAATCGATCGGACTTTGCA")]
    >>> count_items({"dna": index_items(items, "dna", 21)})
    {'a': {'dna too short': 1, 'dna looked for': 1}}
    """
    counts: dict[str, dict[str, int]] = {}
    for kind, index in indexes.items():
        for size, task in zip(index.sizes.tolist(), index.task.tolist(), strict=True):
            line = f"{kind} looked for" if size else f"{kind} too short"
            of_task = counts.setdefault(index.tasks[task], {})
            of_task[line] = of_task.get(line, 0) + 1
    return counts
