"""Settings of a task's split: what stays together, what goes where, and what is looked up afterwards."""

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from llama_gene.config.section import Section


class SplitRule(Section):
    """What keeps items together, and the shares of the splits that no file gives."""

    by: Literal["item", "sequence", "prefix", "column", "partners"] = Field(
        "item",
        description="item: at random, equal items together; sequence: items that share any sequence; prefix: equal "
        "first letters; column: whole values of a column; partners: sequences of pairs (classes C1, C2, C3).",
    )
    prefix_letters: int = Field(15, ge=1, description="Letters of `prefix`.")
    column: str | int | None = Field(
        None, description="Column of `column`: a name, a number from 0, an annotation; none: the title or record id."
    )
    pattern: str | None = Field(
        None, description="Regular expression in that column; its first group, or all it finds, is the value."
    )
    test_values: tuple[str, ...] = Field((), description="Values that go to test; none: drawn by `shares`.")
    valid_values: tuple[str, ...] = Field((), description="Values that go to validation; none: drawn by `shares`.")
    similarity: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Sequences sharing at least this part of their k-mers stay together; none, 0: off.",
    )
    identity: float | None = Field(
        None, ge=0.2, le=1, description="Sequences of at least this alignment identity stay together; none, 0: off."
    )
    identity_by: Literal["auto", "mmseqs", "kmers"] = Field(
        "auto", description="Who finds them; auto: MMseqs2 for proteins where it is installed, else shared k-mers."
    )
    source: Literal["keep", "ignore"] = Field(
        "keep", description="keep: a split that the files give holds; ignore: all items are dealt anew."
    )
    allow_leaks: bool = Field(
        False, description="Training items alike to held-out ones of the files' own split stay, counted."
    )
    shares: tuple[float, float, float] = Field(
        (0.8, 0.1, 0.1), description="train, valid, test; with `partners` of the sequences, then of what is left."
    )

    @field_validator("similarity", "identity", mode="before")
    @classmethod
    def _turn_off(cls, level: object) -> object:
        """TOML has no word for none, and a run must be able to turn off what a definition asks for."""
        return None if level == 0 else level

    @field_validator("pattern")
    @classmethod
    def _check_pattern(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"no regular expression ({error})") from None
        return pattern

    @model_validator(mode="after")
    def _check(self) -> "SplitRule":
        if min(self.shares) <= 0 or abs(sum(self.shares) - 1) > 1e-6:
            raise ValueError("shares must be > 0 and sum to 1")
        if both := sorted(set(self.test_values) & set(self.valid_values)):
            raise ValueError(f"{both[0]!r} is in test_values and in valid_values")
        return self

    def changed(self, other: "SplitRule | None") -> "SplitRule":
        """This rule with what another one names in its place.

        >>> SplitRule(similarity=0.2).changed(SplitRule(by="prefix")).similarity
        0.2
        """
        if other is None:
            return self
        return SplitRule.model_validate(
            self.model_dump(exclude_unset=True) | other.model_dump(include=other.model_fields_set)
        )
