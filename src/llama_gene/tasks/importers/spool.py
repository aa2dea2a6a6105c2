"""Rows of many tasks parted on disk in one pass, where a published file holds several tasks."""

import json
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from llama_gene.tasks.importers.found import Row
from llama_gene.tasks.items import Words

Key = TypeVar("Key", bound=Hashable)
_HELD_ROWS = 4096


class Spool(Generic[Key]):
    """A file of rows for each key; memory holds a few thousand rows, whatever their number."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[Key, Path] = {}
        self._held: dict[Key, list[str]] = {}
        self._number = 0

    def add(self, key: Key, row: Row) -> None:
        """Keep a row under a key."""
        words = row.words and [row.words.instruction, row.words.input, row.words.linked]
        line = json.dumps([row.sequences, row.id, row.answer, row.value, row.split, words], ensure_ascii=False)
        self._held.setdefault(key, []).append(line + "\n")
        self._number += 1
        if self._number % _HELD_ROWS == 0:
            self._flush()

    def _flush(self) -> None:
        for key, lines in self._held.items():
            file = self._files.setdefault(key, self._folder / f"spool-{id(self)}-{len(self._files)}.jsonl")
            with file.open("a", encoding="utf-8") as text:
                text.writelines(lines)
        self._held.clear()

    def keys(self) -> list[Key]:
        """Every key, in the order in which they were met."""
        self._flush()
        return list(self._files)

    def rows(self, key: Key) -> Iterator[Row]:
        """The rows of a key, in order."""
        self._flush()
        with self._files[key].open(encoding="utf-8") as text:
            for line in text:
                sequences, name, answer, value, split, words = json.loads(line)
                own = words and Words(words[0], words[1], tuple((kind, letters) for kind, letters in words[2]))
                yield Row(tuple(sequences), name, answer, value, split, own)
