"""Numbers of an answer that nothing supports: small models copy badly, and a wrong number looks like a right one."""

import re
from collections.abc import Sequence

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w])", re.IGNORECASE)


def unfounded_numbers(text: str, grounds: Sequence[str]) -> tuple[str, ...]:
    """The numbers of a text that are in none of others, as they stand there, each once.

    A number counts as found where one of the others rounds to it, or does so as a percentage. Signs do not count, since
    a hyphen may stand before a number.

    Args:
        text: An answer.
        grounds: What it may rest on: the question and the results.

    >>> unfounded_numbers("It melts at 60.3 °C, GC 45 %, not at 71.", ["melting_celsius: 60.32, gc_share: 0.4512"])
    ('71',)
    """
    known = [abs(float(found)) for ground in grounds for found in _NUMBER.findall(ground.replace(",", " "))]
    known += [100 * value for value in known]
    missing = dict.fromkeys(found for found in _NUMBER.findall(text) if not _is_among(found, known))
    return tuple(missing)


def _is_among(number: str, known: Sequence[float]) -> bool:
    value = abs(float(number))
    decimals = len(number.casefold().partition("e")[0].partition(".")[2])
    # A hair more than half a last digit, for what floats make of it.
    reach = 0.5001 * 10.0**-decimals * (max(1.0, value) if "e" in number.casefold() else 1.0)
    return any(abs(value - one) <= reach for one in known)
