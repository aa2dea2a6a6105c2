"""JSON read piece by piece: the elements of an array or the entries of an object, never the whole file."""

import json
from collections.abc import Iterator
from json import JSONDecodeError
from typing import Any, TextIO

from llama_gene.errors import DataError
from llama_gene.sequences.files import Item, open_text

_PIECE = 1 << 20
_SPACE = " \t\n\r"
_DECODER = json.JSONDecoder()


class _Source:
    """Text of a file with a place to read on from."""

    def __init__(self, text: TextIO, name: str) -> None:
        self.text, self.name, self.buffer, self.place, self.is_whole = text, name, "", 0, False

    def more(self) -> None:
        piece = self.text.read(max(_PIECE, len(self.buffer) - self.place))
        self.is_whole = not piece
        self.buffer, self.place = self.buffer[self.place :] + piece, 0

    def peek(self) -> str:
        """The next character that is no space; "" at the end."""
        while True:
            while self.place < len(self.buffer):
                if self.buffer[self.place] not in _SPACE:
                    return self.buffer[self.place]
                self.place += 1
            if self.is_whole:
                return ""
            self.more()

    def value(self) -> Any:
        """The next value."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self.buffer, self.place)
            except JSONDecodeError as error:
                if self.is_whole:
                    raise self.broken(error.msg) from None
            else:
                # What ends with the piece may go on: 12 could be the beginning of 123.
                if end < len(self.buffer) or self.is_whole:
                    self.place = end
                    return value
            self.more()

    def broken(self, why: str) -> DataError:
        return DataError(f"{self.name}: not JSON ({why}). Expected a whole file; fetch it again.")


def read_json(item: Item) -> Iterator[tuple[int, Any]]:
    """Number, from 1, and value of each element of a JSON array, or of each of the values that follow one another.

    Raises:
        DataError: the file cannot be read, is empty or breaks off.
    """
    with open_text(item, errors="replace") as text:
        source = _Source(text, item.label)
        first = source.peek()
        if not first:
            raise DataError(f"{item.label}: the file is empty. Expected JSON; fetch it again.")
        values = _elements(source) if first == "[" else _lines(source)
        yield from enumerate(values, start=1)


def read_json_entries(item: Item) -> Iterator[tuple[str, Any]]:
    """Key and value of each entry of the JSON object that a file holds.

    Raises:
        DataError: the file cannot be read, holds no object or breaks off.
    """
    with open_text(item, errors="replace") as text:
        source = _Source(text, item.label)
        if source.peek() != "{":
            raise DataError(f"{item.label}: no JSON object. Expected keys and values in braces; check the file.")
        yield from _entries(source)


def _elements(source: _Source) -> Iterator[Any]:
    source.place += 1
    if source.peek() == "]":
        return
    while True:
        yield source.value()
        mark = source.peek()
        source.place += 1
        if mark == "]":
            return
        if mark != ",":
            raise source.broken("an array that does not end" if not mark else f"{mark!r} between elements")


def _lines(source: _Source) -> Iterator[Any]:
    while source.peek():
        yield source.value()


def _entries(source: _Source) -> Iterator[tuple[str, Any]]:
    source.place += 1
    if source.peek() == "}":
        return
    while True:
        key = source.value()
        if source.peek() != ":" or not isinstance(key, str):
            raise source.broken("a key without a value")
        source.place += 1
        yield key, source.value()
        mark = source.peek()
        source.place += 1
        if mark == "}":
            return
        if mark != ",":
            raise source.broken("an object that does not end" if not mark else f"{mark!r} between entries")
