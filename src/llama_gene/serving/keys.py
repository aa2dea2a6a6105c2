"""API keys, kept as hashes, and how often each may ask.

A key is 256 random bits, so a plain SHA-256 of it can be neither guessed nor looked up; passwords would need more.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llama_gene.artifacts import write_text
from llama_gene.errors import ConfigError

_PREFIX = "sk-gene-"
_HASH_LETTERS = 64


def read_keys(path: Path) -> dict[str, str]:
    """Hash of each key to the name of its owner, from lines `NAME HASH`; empty lines and `#` comments do not count.

    Raises:
        ConfigError: the file is missing, a line is no name with a SHA-256, or there is no key in it.
    """
    if not path.is_file():
        raise ConfigError(
            f"{path}: no such file of keys. Make one: llama-gene serve MODEL --keys {path} --add-key NAME."
        )
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if len(words) != 2 or len(words[1]) != _HASH_LETTERS or set(words[1]) - set("0123456789abcdef"):
            raise ConfigError(
                f"{path}:{number}: expected a name and the SHA-256 of a key (64 hexadecimal letters). "
                "Add keys with --add-key NAME."
            )
        found[words[1]] = words[0]
    if not found:
        raise ConfigError(f"{path}: holds no key, so nobody could ask. Add one with --add-key NAME.")
    return found


def add_key(path: Path, name: str) -> str:
    """Make a key, note its hash in the file, and give the key: it is kept nowhere.

    Raises:
        ConfigError: the name has white space or stands there already.
    """
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    if not name or len(name.split()) != 1 or name.startswith("#") or name in read_names(before):
        raise ConfigError(f"--add-key {name!r}: expected a new name of one word. Choose another.")
    key = _PREFIX + secrets.token_urlsafe(32)
    write_text(path, f"{before}{name} {hash_key(key)}\n")
    return key


def read_names(text: str) -> set[str]:
    """Owners in the text of a file of keys."""
    return {line.split()[0] for line in text.splitlines() if line.split() and not line.startswith("#")}


def hash_key(key: str) -> str:
    """SHA-256 in hexadecimal letters."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


@dataclass
class RateLimit:
    """Each name may ask `per_minute` times at once, and gets as much again over a minute."""

    per_minute: int
    clock: Callable[[], float] = time.monotonic
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)

    def take(self, name: str) -> float:
        """Count a request; 0 where it may go on, else the seconds to wait.

        >>> limit = RateLimit(2, clock=lambda: 0.0)
        >>> [limit.take("a"), limit.take("a"), limit.take("a"), limit.take("b")]
        [0.0, 0.0, 30.0, 0.0]
        """
        now, rate = self.clock(), self.per_minute / 60
        left, then = self._left.get(name, (float(self.per_minute), now))
        left = min(float(self.per_minute), left + (now - then) * rate)
        if left < 1:
            return (1 - left) / rate
        self._left[name] = (left - 1, now)
        return 0.0


@dataclass(frozen=True)
class KeyRing:
    """Who may ask; without keys everybody may, and nobody is counted."""

    owners: Mapping[str, str]
    limit: RateLimit

    def owner_of(self, authorization: str) -> str | None:
        """The owner of the key in an `Authorization: Bearer KEY` header; None: no such key."""
        scheme, _, key = authorization.partition(" ")
        return self.owners.get(hash_key(key.strip())) if scheme.lower() == "bearer" else None
