"""Numbers as words: the median or quantiles, with edges fitted on training values alone."""

from collections.abc import Sequence

import numpy as np

from llama_gene.errors import DataError

_NAMES = {
    2: ("low", "high"),
    3: ("low", "medium", "high"),
    4: ("lowest", "low", "high", "highest"),
    5: ("lowest", "low", "medium", "high", "highest"),
}


def bin_names(bins: int) -> tuple[str, ...]:
    """Names of the bins, from low to high; two are the paper's.

    >>> bin_names(2), bin_names(6)[-1]
    (('low', 'high'), 'level F')
    """
    return _NAMES.get(bins) or tuple(f"level {chr(ord('A') + place)}" for place in range(bins))


def fit_edges(values: Sequence[float], bins: int) -> tuple[float, ...]:
    """The bins-1 inner quantiles of training values; a value on an edge belongs above it (paper, Table 7).

    Raises:
        DataError: ties leave a bin without a training value.

    >>> fit_edges([1, 2, 3, 4], bins=2)
    (2.5,)
    """
    edges = tuple(float(edge) for edge in np.quantile(values, [place / bins for place in range(1, bins)]))
    filled = {bin_of(value, edges) for value in values}
    if len(filled) < bins:
        raise DataError(
            f"{len(values)} training values fill {len(filled)} of {bins} quantile bins, since many are equal. "
            "Ask for fewer bins or for more items."
        )
    return edges


def bin_of(value: float, edges: Sequence[float]) -> int:
    """0-based bin of a value.

    >>> bin_of(2.4, [2.5]), bin_of(2.5, [2.5])
    (0, 1)
    """
    return int(np.searchsorted(edges, value, side="right"))
