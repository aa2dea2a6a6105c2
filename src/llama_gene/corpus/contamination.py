"""Find documents that hold a validation or test item of a task, so that nothing is read before it is asked.

Two rules, by different words: DNA and protein hold an item when the two share at least half (`dna_share`,
`protein_share`) of the words of the one that has fewer, 21-mers on either strand and 6-mers. So a fragment holds a
promoter that lies in it, and a fragment that lies in a long gene is held by it: nothing of a test sequence stays. A
document that has fewer than 20 different words counts as having 20, so that a bare repeat is not taken for a piece of
each item with the same repeat. A text holds an item when they share one run of 13 words (`text_words`), the length
that GPT-3 was checked with (Brown et al. 2020, appendix C).

This is a check of exact words, not of homology: of a copy with 2 % substitutions about 65 % of the 21-mers are left
on average, so long copies are found and some short ones are not. Where a document ends inside a copy, its two parts may
hold too little each: who cuts records must search neighbours together as well (`documents.py`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from llama_gene.config import ContaminationConfig, Kind
from llama_gene.corpus.items import ENOUGH_WORDS, ItemIndex, word_length
from llama_gene.corpus.kmers import is_first, join, words_in
from llama_gene.corpus.overlap_kernels import count_distinct, count_shared, find_rows
from llama_gene.sequences.batches import batches_of_letters
from llama_gene.sequences.coding import PAIR_BORDER

HOLDS_ITEM = "holds a task item"
_BATCH_LETTERS = 1 << 20
_ROUNDING = 1e-9  # so that 0.1 of 30 words are 3


def find_holders(
    texts: Sequence[str], kind: Kind, indexes: Mapping[Kind, ItemIndex], limits: ContaminationConfig
) -> dict[int, tuple[str, ...]]:
    """The texts that hold an item.

    Args:
        texts: Documents of one kind.
        kind: What they are.
        indexes: What `read_items` or `load_items` gave.
        limits: Shares that count as holding; `text_words` as for the index.

    Returns:
        Place in `texts` to the sorted names of the tasks whose items the text holds; ascending.

    >>> from llama_gene.corpus.items import Sought, index_items
    >>> promoter = "ACGGTCAATCGATCGGACTTTGCA"
    >>> indexes = {"dna": index_items([Sought("promoter", "dna", promoter)], "dna", 21)}
    >>> find_holders(["G" * 50, "CC" + promoter + "TT"], "dna", indexes, ContaminationConfig())
    {1: ('promoter',)}
    """
    if kind == "coding":
        return _find_holders_of_pairs(texts, indexes, limits)
    index = indexes.get(kind)
    if index is None or not len(index.words):
        return {}
    held: dict[int, tuple[str, ...]] = {}
    for batch in batches_of_letters(enumerate(texts), itemgetter(1), _BATCH_LETTERS):
        first = batch[0][0]
        found = _holders_in([text for _, text in batch], kind, index, limits)
        held |= {first + place: tasks for place, tasks in found.items()}
    return held


def _find_holders_of_pairs(
    texts: Sequence[str], indexes: Mapping[Kind, ItemIndex], limits: ContaminationConfig
) -> dict[int, tuple[str, ...]]:
    """A pair holds what its coding DNA holds, and what its protein does."""
    dna, _, protein = zip(*(text.partition(PAIR_BORDER) for text in texts), strict=True) if texts else ((), (), ())
    of_dna, of_protein = find_holders(dna, "dna", indexes, limits), find_holders(protein, "protein", indexes, limits)
    return {
        place: tuple(sorted({*of_dna.get(place, ()), *of_protein.get(place, ())}))
        for place in sorted({*of_dna, *of_protein})
    }


def _holders_in(
    texts: Sequence[str], kind: Kind, index: ItemIndex, limits: ContaminationConfig
) -> dict[int, tuple[str, ...]]:
    """One batch: room of 16 bytes a letter is set aside."""
    joined = join(texts, kind)
    words, starts = words_in(joined.letters, kind, word_length(kind, limits), passing=index.filter)
    rows = find_rows(words, index.words, index.directory, index.shift)
    hits = np.flatnonzero(rows >= 0)
    if not len(hits):
        return {}
    documents = np.searchsorted(joined.begins, starts[hits], side="right") - 1
    share = {"dna": limits.dna_share, "protein": limits.protein_share}.get(kind)
    least = np.ones_like(index.sizes) if share is None else _needed(share, np.minimum(index.sizes, ENOUGH_WORDS))
    pairs = count_shared(rows[hits], documents, index.first, index.owners, least)
    if share is not None and len(pairs):
        of_item = index.sizes[pairs[:, 1]]
        of_document = np.maximum(_sizes(texts, kind, pairs[:, 0], word_length(kind, limits)), ENOUGH_WORDS)
        pairs = pairs[pairs[:, 2] >= _needed(share, np.minimum(of_item, of_document))]
    held: dict[int, set[str]] = {}
    for place, task in zip(pairs[:, 0].tolist(), index.task[pairs[:, 1]].tolist(), strict=True):
        held.setdefault(place, set()).add(index.tasks[task])
    return {place: tuple(sorted(tasks)) for place, tasks in held.items()}


def _needed(share: float, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.ceil(share * sizes - _ROUNDING).astype(np.int64)


def _sizes(texts: Sequence[str], kind: Kind, places: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Different words of the text at each of these ascending places."""
    fresh = is_first(places)
    joined = join([texts[place] for place in places[fresh].tolist()], kind)
    located = words_in(joined.letters, kind, length)
    bounds = np.append(np.searchsorted(located.starts, joined.begins), len(located.words))
    return count_distinct(located.words, bounds)[np.cumsum(fresh) - 1]


def count_held(counts: Counter[str], kind: Kind, tasks: Iterable[str]) -> None:
    """Add one removed document to the count of each task that it held an item of.

    >>> counts = Counter()
    >>> count_held(counts, "dna", ["promoter"])
    >>> dict(counts)
    {'dna documents that hold an item of promoter': 1}
    """
    for task in tasks:
        counts[f"{kind} documents that hold an item of {task}"] += 1
