"""Settings of what must not be read: records that are nearly the same, and what a task asks about later."""

from typing import Literal

from pydantic import Field

from llama_gene.config.section import Section


class ContaminationConfig(Section):
    """Leave out of the training split what holds a validation or test item of a task."""

    enabled: bool = Field(True, description="Look for the items of the tasks of the run.")
    dna_share: float = Field(
        0.5, gt=0, le=1, description="Held: this share of the 21-mers of the item, or of the document if it has fewer."
    )
    protein_share: float = Field(0.5, gt=0, le=1, description="The same for 6-mers of proteins.")
    text_words: int = Field(13, ge=3, description="Held: a run of this many words of a free-text answer.")


class NearDuplicateConfig(Section):
    """Keep the first of records whose sets of words are nearly the same (MinHash)."""

    kinds: tuple[Literal["dna", "protein", "text"], ...] = Field(
        ("dna", "protein", "text"), description="Kinds to look at; none: only exact duplicates go."
    )
    threshold: float = Field(0.8, ge=0.5, le=1, description="Estimated Jaccard similarity from which a record goes.")
    permutations: int = Field(128, ge=16, le=1024, description="Numbers of a signature: more estimate better.")
