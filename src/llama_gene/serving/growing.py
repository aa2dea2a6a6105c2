"""The text of an answer as its tokens come: whole characters, and nothing at or after a stop string."""

from collections.abc import Callable, Sequence

_BROKEN = "\ufffd"
# Decoding all ids for each new one would cost the square of their number; this many stay open to change.
_OPEN_TOKENS = 32


class GrowingText:
    """Pieces of text that join to the decoded answer, cut before the first stop string."""

    def __init__(self, decode: Callable[[Sequence[int]], str], stops: Sequence[str] = ()) -> None:
        """Begin an empty answer.

        Args:
            decode: Gives the text of ids.
            stops: Not empty strings; the answer ends before the first that appears.
        """
        self._decode, self._stops = decode, tuple(stops)
        self._held: list[int] = []
        self._shown = ""
        self._waiting = ""
        self.is_stopped = False

    def push(self, token: int) -> str:
        """The text that one more token settles; "" while a character or a stop string may be under way.

        >>> text = GrowingText(lambda ids: bytes(ids).decode("utf-8", "replace"), ["END"])
        >>> [text.push(byte) for byte in "é EN|END!".encode()]
        ['', 'é', ' ', '', '', 'EN|', '', '', '', '']
        >>> text.is_stopped, text.finish()
        (True, '')
        """
        if self.is_stopped:
            return ""
        self._held.append(token)
        return self._settle(self._new_text(is_last=False))

    def finish(self) -> str:
        """What was held back, when no further token comes."""
        if self.is_stopped:
            return ""
        settled = self._settle(self._new_text(is_last=True))
        rest, self._waiting = self._waiting, ""
        return settled if self.is_stopped else settled + rest

    def _new_text(self, *, is_last: bool) -> str:
        text = self._decode(self._held)
        # A byte can still change the characters before it: show only what goes on from what is shown.
        goes_on = len(text) > len(self._shown) and text.startswith(self._shown)
        if not goes_on or (text.endswith(_BROKEN) and not is_last):
            return ""
        new, self._shown = text[len(self._shown) :], text
        if len(self._held) >= 2 * _OPEN_TOKENS:
            self._forget()
        return new

    def _forget(self) -> None:
        """Leave out the oldest tokens where that changes no later text."""
        kept = self._held[_OPEN_TOKENS:]
        text = self._decode(kept)
        if self._shown.endswith(text):
            self._held, self._shown = kept, text

    def _settle(self, new: str) -> str:
        """Text that no stop string can still claim."""
        text = self._waiting + new
        found = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if found:
            self.is_stopped, self._waiting = True, ""
            return text[: min(found)]
        held = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._waiting = text[len(text) - held :]
        return text[: len(text) - held]


def _overlap(text: str, stop: str) -> int:
    """How many letters at the end of the text begin the stop string."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)
