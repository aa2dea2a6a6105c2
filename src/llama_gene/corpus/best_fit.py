"""Put documents into blocks of fixed size, whole, so that little space is left over.

Best fit in order of falling length (Johnson et al. 1974, SIAM Journal on Computing 3:299): each document goes into the
fullest block that still has room. A bit mask of the free spaces in use finds that block in constant time.
"""

from collections.abc import Sequence

from llama_gene.errors import ConfigError


def best_fit(lengths: Sequence[int], block: int) -> list[list[int]]:
    """Which documents share a block.

    Args:
        lengths: Tokens of each document, 1 to `block`.
        block: Tokens of a block.

    Returns:
        One list of places in `lengths` per block; each document is in exactly one.

    Raises:
        ConfigError: a document does not fit into a block.

    >>> best_fit([3, 6, 7, 4], block=10)
    [[2, 0], [1, 3]]
    """
    blocks: list[list[int]] = []
    with_space: dict[int, list[int]] = {}
    spaces = 0
    for place in sorted(range(len(lengths)), key=lambda one: -lengths[one]):
        length = lengths[place]
        if not 0 < length <= block:
            raise ConfigError(f"a document of {length} tokens does not fit into a block of {block}. Cut it first.")
        wide_enough = spaces >> length
        if wide_enough:
            space = length + (wide_enough & -wide_enough).bit_length() - 1
            number = with_space[space].pop()
            if not with_space[space]:
                spaces &= ~(1 << space)
        else:
            space, number = block, len(blocks)
            blocks.append([])
        blocks[number].append(place)
        left = space - length
        if left:
            with_space.setdefault(left, []).append(number)
            spaces |= 1 << left
    return blocks
