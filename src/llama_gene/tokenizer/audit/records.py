"""What an audit finds, as plain records that become JSON. Nothing is measured here."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from llama_gene.config import Kind
from llama_gene.tokenizer.audit.formats import FormatAgreement
from llama_gene.tokenizer.audit.motifs import MotifFound


class Source(NamedTuple):
    """Texts of one origin, such as a genome; read once, one after the other."""

    name: str
    texts: Iterable[str]


@dataclass(frozen=True)
class ChangedWord:
    """A word that is no longer written as the base wrote it; a space before it shows as ▁."""

    word: str
    count: int
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class SourceAudit:
    """One source. `letters` are bases, residues or UTF-8 bytes; what the base gives is None without one."""

    texts: int
    letters: int
    tokens: int
    letters_per_token: float
    base_letters_per_token: float | None
    changed_share: float | None
    round_trip_failures: int


@dataclass(frozen=True)
class KindAudit(SourceAudit):
    """One kind of text, all its sources together.

    `changed_share` is the share of the base's tokens whose borders are gone, None without a base;
    `changed_share_outside_sequences` the same for text without the words that are sequences: those with 12 letters
    of A, C, G, T, U, N in a row or 20 capital letters in a row. `changed_words` are the most frequent other ones that
    changed. `lengths_used` counts the tokens written, by letters.
    """

    changed_share_outside_sequences: float | None
    changed_words: tuple[ChangedWord, ...]
    lengths_used: dict[str, int]
    sources: dict[str, SourceAudit]


@dataclass(frozen=True)
class TokenUse:
    """A token, and how often it stood in the texts of all kinds."""

    id: int
    token: str
    times: int


@dataclass(frozen=True)
class RangeAudit:
    """New tokens of one kind: ids start .. end-1. `lengths` counts them by letters."""

    start: int
    end: int
    tokens: int
    used: int
    lengths: dict[str, int]
    longest: tuple[TokenUse, ...]
    most_frequent: tuple[TokenUse, ...]
    motifs: tuple[MotifFound, ...]


@dataclass(frozen=True)
class Collisions:
    """Where tokens of one kind are met in another; shares are of the tokens written, None without such texts."""

    dna_tokens_in_protein_range: float | None
    protein_tokens_in_dna_range: float | None
    text_tokens_in_dna_range: float | None
    text_tokens_in_protein_range: float | None
    protein_range_tokens_of_bases: int
    examples_of_bases: tuple[str, ...]


@dataclass(frozen=True)
class LimitCheck:
    """A limit of the config; `passed` is None where nothing was measured to hold against it."""

    name: str
    limit: float
    measured: float | None
    passed: bool | None


@dataclass(frozen=True)
class Audit:
    """What `audit` found.

    `new_tokens_used` counts new tokens that stood in the texts. An unreachable one stood in none and is not made from
    its own letters either; `unreachable` lists the first of them. `ranges` has `dna` and `protein`, or all new tokens
    as `new` where the folder does not say which are which; then there are no `collisions`. `reading` counts what was
    changed or left out while files were read, by reason. `beside` is the second tokenizer, measured on the same texts.
    """

    tokenizer: str
    base: str | None
    size: int
    base_size: int
    new_tokens: int
    new_tokens_used: int
    new_tokens_used_share: float
    unreachable_new_tokens: int
    unreachable: tuple[TokenUse, ...]
    base_ids_moved: int | None
    kinds: dict[Kind, KindAudit]
    ranges: dict[str, RangeAudit]
    collisions: Collisions | None
    formats: dict[str, FormatAgreement]
    limits: tuple[LimitCheck, ...] = ()
    reading: dict[str, int] = field(default_factory=dict)
    beside: "Audit | None" = None

    @property
    def round_trip_failures(self) -> int:
        """Texts of any kind that do not come back as they were."""
        return sum(kind.round_trip_failures for kind in self.kinds.values())

    @property
    def format_differences(self) -> int | None:
        """Texts that another format writes with other ids, runs of spaces aside; None where none was compared."""
        compared = [found for found in self.formats.values() if found.texts]
        return sum(found.differing for found in compared) if compared else None

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return asdict(self)
