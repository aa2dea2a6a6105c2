"""Shorten sequences until the whole prompt fits: the answer never gives way."""

from collections.abc import Callable, Generator, Sequence

from llama_gene.tasks.definitions import Keep, Task

_CODON = 3
_TRIES = 12
_CLOSE_TOKENS = 2


def cut(letters: str, size: int, keep: Keep) -> str:
    """`size` letters of a sequence; shorter ones stay whole.

    `ends` joins the two halves; of an odd number the first half is the longer.

    >>> [cut("ABCDEFG", 3, keep) for keep in ("start", "end", "centre", "ends")]
    ['ABC', 'EFG', 'CDE', 'ABG']
    """
    if size >= len(letters):
        return letters
    if keep == "end":
        return letters[len(letters) - size :]
    if keep == "centre":
        first = (len(letters) - size) // 2
        return letters[first : first + size]
    if keep == "ends":
        return letters[: size - size // 2] + letters[len(letters) - size // 2 :]
    return letters[:size]


def cut_all(task: Task, sequences: Sequence[str], size: int) -> tuple[str, ...]:
    """Every sequence of an item at `size` letters or less; in register DNA keeps three bases to each residue.

    Args:
        task: Says what is kept, and whether the pair is in register.
        sequences: In the order of the task's inputs.
        size: Letters each; residues for a pair in register.
    """
    if not task.in_register:
        return tuple(cut(letters, size, task.keep) for letters in sequences)
    return tuple(
        letters[: _CODON * size] if wanted.kind == "dna" else letters[:size]
        for letters, wanted in zip(sequences, task.inputs, strict=True)
    )


def coding_pair(task: Task, sequences: Sequence[str]) -> tuple[str, str]:
    """DNA and protein of a pair in register, whatever their order.

    >>> from llama_gene.tasks.definitions import load_task
    >>> coding_pair(load_task("central-dogma"), ["ATGAAA", "MK"])
    ('ATGAAA', 'MK')
    """
    place = [wanted.kind for wanted in task.inputs].index("dna")
    return sequences[place], sequences[1 - place]


def longest(task: Task, sequences: Sequence[str]) -> int:
    """The size at which nothing is cut.

    >>> from llama_gene.tasks.definitions import load_task
    >>> longest(load_task("central-dogma"), ["ATGAAA", "MK"])
    2
    """
    lengths = zip((len(letters) for letters in sequences), task.inputs, strict=True)
    if task.in_register:
        return max(-(-length // _CODON) if wanted.kind == "dna" else length for length, wanted in lengths)
    return max(length for length, _ in lengths)


def try_sizes(size: int, limit: int, smallest: int) -> Generator[int, int, int | None]:
    """Search the largest size whose prompt is within the limit: yields sizes, is sent their tokens, returns the best.

    Tokens grow almost in proportion to letters, so the search aims by rule of three between bounds that close in;
    it stops within two tokens of the limit, and returns None where even the smallest size does not fit. Many searches
    can be moved on together, so that their prompts are encoded in batches.

    Args:
        size: Where to begin, and the most.
        limit: Most tokens.
        smallest: Least size worth asking, 1 <= smallest <= size.

    >>> search = try_sizes(1000, 100, smallest=10)
    >>> next(search), search.send(290), search.send(42)
    (1000, 10, 241)
    """
    used = yield size
    if used <= limit:
        return size
    floor = (yield smallest) if smallest < size else used
    if floor > limit:
        return None
    low, high = (smallest, floor), (size, used)
    for _ in range(_TRIES):
        if high[0] - low[0] <= 1 or limit - low[1] <= _CLOSE_TOKENS:
            break
        slope = (high[0] - low[0]) / max(1, high[1] - low[1])
        guess = min(max(low[0] + int((limit - low[1]) * slope), low[0] + 1), high[0] - 1)
        used = yield guess
        low, high = ((guess, used), high) if used <= limit else (low, (guess, used))
    return low[0]


def largest_size(whole: int, limit: int, measure: Callable[[int], int]) -> int | None:
    """The size that `try_sizes` finds for one prompt; None where not even one letter fits.

    Args:
        whole: Where to begin, and the most.
        limit: Most tokens.
        measure: Tokens of the prompt at a size.

    >>> largest_size(1000, 100, lambda size: 10 + size), largest_size(1000, 100, lambda size: 200)
    (90, None)
    """
    search = try_sizes(whole, limit, smallest=min(1, whole))
    size = next(search)
    while True:
        try:
            size = search.send(measure(size))
        except StopIteration as end:
            return end.value
