"""How the loops of this package are compiled: to machine code kept beside them, running outside Python's lock."""

from collections.abc import Callable
from typing import Any

from numba import njit

_Loop = Callable[..., Any]


def compiled(function: _Loop) -> Any:
    """A loop, compiled when it is first called."""
    return njit(cache=True, nogil=True)(function)


def compiled_bare(function: _Loop) -> Any:
    """A loop that makes no arrays, without counting who uses those it is given.

    Numba counts that at every use of an array that stands in a tuple or is handed on, and its optimizer cannot always
    take the counting out again: in loops of a few instructions that doubles the time (`benchmarks/tokenizer_learn.py`).
    """
    return njit(cache=True, nogil=True, _nrt=False)(function)


def inlined(function: _Loop) -> Any:
    """A small function for the innermost loops, put in where it is called."""
    return njit(cache=True, nogil=True, inline="always")(function)
