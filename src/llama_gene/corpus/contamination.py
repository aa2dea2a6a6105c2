"""Find training documents that hold a validation or test item of a task, so that nothing is read before it is asked.

A DNA fragment holds an item when it has at least half of the item's distinct 21-mers, on either strand. A protein
piece holds an item when the two share at least half of the distinct 6-mers of the one that has fewer. Items too
short to have a word are not looked for, and are counted. This is a check of exact words, not of homology.
"""

from collections import Counter, namedtuple
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llama_gene.config import Kind
from llama_gene.corpus.accounts import count_removed

Document = namedtuple("Document", "source kind id text letters is_valid")
from llama_gene.corpus.kmers import Located, Words, distinct, dna_words, is_first, protein_words, scramble
from llama_gene.errors import ArtifactError
from llama_gene.sequences.files import open_parquet

_SPLITS = ("valid", "test")
_WORDS: dict[Kind, Callable[[str], Located]] = {"dna": dna_words, "protein": protein_words}
_BATCH_LETTERS = 1 << 20
_BITS_PER_WORD = 16


@dataclass(frozen=True)
class ItemIndex:
    """The words of all items of one kind.

    Attributes:
        words: uint64 [entries], sorted; a word of several items is there several times.
        items: int32 [entries], the item of each.
        sizes: int64 [items], distinct words of each item.
        tasks: Task of each item.
        filter: Bloom filter with one hash: bit array as uint8, its bits a power of two.
    """

    words: Words
    items: NDArray[np.int32]
    sizes: NDArray[np.int64]
    tasks: tuple[str, ...]
    filter: NDArray[np.uint8]


def read_items(splits: Path, counts: Counter[str]) -> dict[Kind, ItemIndex]:
    """Index the validation and test sequences of a `tasks split` folder.

    Args:
        splits: Folder with valid.parquet and test.parquet.
        counts: Is added to: sequences looked for and too short to be, by kind.

    Raises:
        ArtifactError: a file is missing or has other columns.
    """
    found: dict[Kind, dict[tuple[str, str], None]] = {kind: {} for kind in _WORDS}
    for split in _SPLITS:
        for task, kind, letters in _sequences_of(splits / f"{split}.parquet"):
            if kind in found:
                found[kind][(task, letters)] = None
    return {kind: _index(list(items), kind, counts) for kind, items in found.items() if items}


def _sequences_of(path: Path) -> Iterator[tuple[str, Kind, str]]:
    if not path.is_file():
        raise ArtifactError(f"{path}: no such file. Expected the folder of `llama-gene tasks split`; run it first.")
    file = open_parquet(path)
    columns = ["task", "sequences", "kinds"]
    missing = sorted(set(columns) - set(file.schema_arrow.names))
    if missing:
        raise ArtifactError(
            f"{path}: column {missing[0]!r} is missing. Expected the folder of `llama-gene tasks split`."
        )
    for batch in file.iter_batches(columns=columns):
        for task, sequences, kinds in zip(*(batch[name].to_pylist() for name in columns), strict=True):
            for letters, kind in zip(sequences, kinds, strict=True):
                yield task, kind, letters.upper().replace("U", "T") if kind == "dna" else letters.upper()


def _index(items: Sequence[tuple[str, str]], kind: Kind, counts: Counter[str]) -> ItemIndex:
    of_items = [distinct(_WORDS[kind](letters).words) for _, letters in items]
    sizes = np.array([len(words) for words in of_items], dtype=np.int64)
    counts[f"{kind} task sequences looked for"] += int((sizes > 0).sum())
    counts[f"{kind} task sequences too short to look for"] += int((sizes == 0).sum())
    words = np.concatenate(of_items)
    owners = np.repeat(np.arange(len(items), dtype=np.int32), sizes)
    order = np.argsort(words, kind="stable")
    return ItemIndex(words[order], owners[order], sizes, tuple(task for task, _ in items), _filter(words))


def _filter(words: Words) -> NDArray[np.uint8]:
    bits = 1 << max(10, int(_BITS_PER_WORD * len(words)).bit_length())
    table = np.zeros(bits // 8, dtype=np.uint8)
    places = distinct(scramble(words) & np.uint64(bits - 1))
    if len(places):
        starts = np.flatnonzero(is_first(places >> np.uint64(3)))
        table[(places[starts] >> np.uint64(3)).astype(np.int64)] = np.bitwise_or.reduceat(_bit(places), starts)
    return table


def _bit(places: Words) -> NDArray[np.uint8]:
    return np.left_shift(np.uint8(1), (places & np.uint64(7)).astype(np.uint8))


def drop_contaminated(
    documents: Iterable[Document], indexes: dict[Kind, ItemIndex], counts: Counter[str]
) -> Iterator[Document]:
    """Pass the documents on in order, but for training documents that hold an item.

    Args:
        documents: All documents.
        indexes: What `read_items` gave.
        counts: Is added to: removals, and per task how many documents held an item of it.
    """
    for batch in _batches(documents):
        holders = dict(chain.from_iterable(_holders(batch, kind, index) for kind, index in sorted(indexes.items())))
        for place, document in enumerate(batch):
            tasks = holders.get(place)
            if not tasks:
                yield document
                continue
            count_removed(counts, document.kind, "documents", "holds a task item", 1)
            count_removed(counts, document.kind, "letters", "holds a task item", document.letters)
            for task in tasks:
                counts[f"{document.kind} documents that hold an item of {task}"] += 1


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    held = 0
    for document in documents:
        batch.append(document)
        held += len(document.text)
        if held >= _BATCH_LETTERS:
            yield batch
            batch, held = [], 0
    yield batch


def _holders(batch: Sequence[Document], kind: Kind, index: ItemIndex) -> Iterator[tuple[int, list[str]]]:
    """(place in the batch, tasks) of each training document that holds an item."""
    places = [place for place, document in enumerate(batch) if document.kind == kind and not document.is_valid]
    if not places:
        return
    texts = [batch[place].text for place in places]
    bounds = np.cumsum([0, *(len(text) + 1 for text in texts)])
    words, starts = _WORDS[kind]("\n".join(texts))
    hits = np.flatnonzero(_might_hold(index, words))
    hits = hits[_holds(index, words[hits])]
    if not len(hits):
        return
    owners = np.searchsorted(bounds, starts[hits], side="right") - 1
    found, order = words[hits], np.lexsort((words[hits], owners))
    found, owners = found[order], owners[order]
    fresh = is_first(found) | is_first(owners)
    found, owners = found[fresh], owners[fresh]
    first = np.flatnonzero(is_first(owners))
    for owner, mine in zip(owners[first].tolist(), np.split(found, first[1:]), strict=True):
        size = len(distinct(_WORDS[kind](texts[owner]).words)) if kind == "protein" else None
        tasks = sorted({index.tasks[item] for item in _items_held(index, mine, size)})
        if tasks:
            yield places[owner], tasks


def _might_hold(index: ItemIndex, words: Words) -> NDArray[np.bool_]:
    places = scramble(words) & np.uint64(8 * len(index.filter) - 1)
    might: NDArray[np.bool_] = (index.filter[(places >> np.uint64(3)).astype(np.int64)] & _bit(places)) != 0
    return might


def _holds(index: ItemIndex, words: Words) -> NDArray[np.bool_]:
    places = np.minimum(np.searchsorted(index.words, words), len(index.words) - 1)
    holds: NDArray[np.bool_] = index.words[places] == words
    return holds


def _items_held(index: ItemIndex, words: Words, document_words: int | None) -> list[int]:
    """Items of which a document with these distinct indexed words holds half.

    `document_words` is the number of all its distinct words, where a small document may count as the shorter one.
    """
    first = np.searchsorted(index.words, words)
    sizes = np.searchsorted(index.words, words, side="right") - first
    starts = np.repeat(first - (np.cumsum(sizes) - sizes), sizes)
    items = np.sort(index.items[starts + np.arange(len(starts))])
    begins = np.flatnonzero(is_first(items))
    found, shared = items[begins], np.diff(begins, append=len(items))
    needed = index.sizes[found] if document_words is None else np.minimum(index.sizes[found], document_words)
    return [int(item) for item in found[2 * shared >= needed]]


def save_items(indexes: dict[Kind, ItemIndex], folder: Path) -> None:
    for kind, index in indexes.items():
        np.savez(
            folder / f"{kind}.npz",
            words=index.words,
            items=index.items,
            sizes=index.sizes,
            tasks=np.array(index.tasks),
            filter=index.filter,
        )


def load_items(folder: Path, kind: Kind) -> ItemIndex | None:
    path = folder / f"{kind}.npz"
    if not path.is_file():
        return None
    with np.load(path) as f:
        return ItemIndex(f["words"], f["items"], f["sizes"], tuple(f["tasks"].tolist()), f["filter"])


def find_holders(texts, kind, index):
    found = {}
    at = 0
    while at < len(texts):
        end, size = at, 0
        while end < len(texts) and size < _BATCH_LETTERS:
            size += len(texts[end])
            end += 1
        batch = [Document(0, kind, "", t, len(t), False) for t in texts[at:end]]
        found.update({at + k: tuple(v) for k, v in _holders(batch, kind, index)})
        at = end
    return found
