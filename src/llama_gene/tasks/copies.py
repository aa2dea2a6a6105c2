"""Held-out items that stand in training, too: told alike of a task's files and of its instructions."""

from collections.abc import Collection, Sequence
from itertools import zip_longest

from llama_gene.tasks.groups import canonical

# Share of held-out items in training above which a set is no test.
MOST_SHARED = 0.5


def known_by(sequences: Sequence[str], kinds: Sequence[str], words: Sequence[str] = (), *, swappable: bool) -> int:
    """Stands for what an item asks about: a number that is the same for items that ask about the same.

    Args:
        sequences: In upper case; DNA is the same on either strand.
        kinds: Of each.
        words: The question, which counts where there is no sequence.
        swappable: The order of the sequences means nothing.

    >>> pair = ["ACG", "TTT"]
    >>> known_by(pair, ["dna", "dna"], swappable=True) == known_by(["AAA", "CGT"], ["dna", "dna"], swappable=True)
    True
    >>> known_by((), (), ["What is DNA?"], swappable=False) == known_by((), (), ["And RNA?"], swappable=False)
    False
    """
    letters = [canonical(text, kind) for text, kind in zip_longest(sequences, kinds[: len(sequences)], fillvalue="")]
    return hash(tuple(sorted(letters) if swappable else letters) or tuple(words))


def count_copies(held_out: Sequence[int], train: Collection[int]) -> int:
    """Number of held-out items that stand in training where they are so many that the set is no test; else 0.

    Args:
        held_out: What each of its items is known by.
        train: The same of training.

    >>> count_copies([1, 2, 3], [1, 2, 9]), count_copies([1, 2], [1, 9])
    (2, 0)
    """
    known = set(train)
    copies = sum(one in known for one in held_out)
    return copies if copies > MOST_SHARED * len(held_out) else 0
