"""What a baseline is: a simple method that answers the same items, fitted on the training items alone.

The methods: the most frequent answer (here), linear models of k-mers (`linear`), the nearest training item by
alignment (`neighbours`), a small convolutional network (`cnn`), and the nearest wording where a tool answers (`calls`).
`baseline_answers` runs them and keeps what they say.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from llama_gene.errors import DataError
from llama_gene.evaluation.items import Item
from llama_gene.evaluation.numbers import values_of

BASELINE_NAMES = {
    "majority": "most frequent answer",
    "wording": "nearest wording",
    "kmer": "k-mer model",
    "neighbour": "nearest by alignment",
    "cnn": "small CNN",
}


@dataclass(frozen=True)
class Answers:
    """A method's answer to each item, and the value it foretells where the task has values.

    Where the answer is a number alone, a method without words of its own leaves the texts empty. `letters`, of another
    run whose tokenizer parts the chains of a structure task otherwise: the answer about each letter of each item that
    counts, which is all that can be compared.
    """

    method: str
    texts: tuple[str, ...]
    values: tuple[float, ...] | None = None
    letters: tuple[tuple[str, ...], ...] = ()


def answer_by_majority(train: Sequence[Item], asked: Sequence[Item]) -> Answers:
    """The most frequent training answer, for every item, and the mean training value where there are values.

    Of equally frequent answers it is the first by alphabet.

    Raises:
        DataError: no training items.
    """
    if not train:
        task = asked[0].task if asked else "?"
        raise DataError(f"task {task!r}: no training items to compare with. Build the instructions with a train split.")
    known = values_of(train)
    values = None if known is None else (float(known.mean()),) * len(asked)
    return Answers("most frequent answer", (most_frequent(train),) * len(asked), values)


def most_frequent(train: Sequence[Item]) -> str:
    """The most frequent answer; of equally frequent ones the first by alphabet."""
    counts = Counter(item.output for item in train)
    return min(counts, key=lambda answer: (-counts[answer], answer))
