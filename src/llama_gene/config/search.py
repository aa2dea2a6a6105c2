"""Settings of the index over a user's own sequences and texts."""

from typing import Literal

from pydantic import Field

from llama_gene.config.section import OnInvalid, Section, Share


class IndexConfig(Section):
    """Search your own sequences and texts: how an index is built, and how it is asked."""

    kind: Literal["auto", "dna", "protein", "text"] = Field("auto", description="What the files hold; auto: by each.")
    on_invalid: OnInvalid = Field("skip", description="error: stop at a bad record; skip: count it.")
    passage_letters: int = Field(1000, ge=100, le=20_000, description="Longest passage of a text.")
    encoder: str = Field(
        "",
        description="Folder of a sentence-embedding model (Hugging Face, safetensors) for the vectors of passages; "
        "empty: they are fitted on the index.",
    )
    dimensions: int = Field(128, ge=2, le=1024, description="Numbers in the fitted vector of a passage.")
    fit_passages: int = Field(20_000, ge=100, description="Passages the vectors are fitted on; bounds the memory.")
    max_terms: int = Field(50_000, ge=100, description="Words the vectors know, the most frequent ones.")
    # Excluded from what an index is known by: they change only how it is asked.
    method: Literal["auto", "hmmer", "parasail", "seeds", "mappy", "mmseqs", "diamond"] = Field(
        "auto",
        exclude=True,
        description="Who finds sequences; auto: proteins by hmmer where installed, DNA by parasail or, in large "
        "genomes, by seeds.",
    )
    max_e_value: float = Field(
        1e-3,
        gt=0,
        exclude=True,
        description="Hits of a greater E-value are none; a query whose exact copy has one is too short to search.",
    )
    least_equal: Share = Field(
        0.7, exclude=True, description="Short queries: equal letters a hit needs, too, by the shorter sequence."
    )
    vector_weight: float | None = Field(
        None,
        ge=0,
        le=100,
        exclude=True,
        description="Weight of vectors in the order of passages, where full text has 1; none: 1 with an encoder, 0 "
        "without, where they only follow what full text finds.",
    )
    least_likeness: Share = Field(0.3, exclude=True, description="Cosine that a passage found by vectors needs.")
    longest_query: int = Field(10_000, ge=100, exclude=True, description="Longest sequence or question, in letters.")
