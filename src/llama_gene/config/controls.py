"""Settings of the English that a gene model must keep."""

from pydantic import Field

from llama_gene.config.section import Section


class ControlsConfig(Section):
    """English controls of every evaluation; `corpus build` leaves out what they hold."""

    texts: tuple[str, ...] = Field(
        (),
        description="Held-out English, relative to `data`; none: the corpus's validation texts, else a page of ours.",
    )
    text_bytes: int = Field(100_000, ge=0, description="About so much of it is read; 0: none.")
    pubmedqa: str = Field(
        "", description="Labelled questions of PubMedQA, relative to `data`; empty: not asked, which is said."
    )
    pubmedqa_items: int = Field(200, ge=1, description="Most of its held-out fifth that are asked.")
    questions: int = Field(32, ge=0, description="Plain questions asked, at most 32; 0: none.")
    max_new_tokens: int = Field(24, ge=1, description="Longest answer to a plain question.")
