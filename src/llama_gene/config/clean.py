"""Settings of cleaning: which letters and records of the sources become corpus."""

from typing import Literal

from pydantic import Field

from llama_gene.config.section import Kind, Section, Share


class CleanConfig(Section):
    """What is cut out of records, and which records go as a whole; all that goes is counted by reason.

    As it comes nothing is lost but letters that name no single base and the apparatus of papers.
    """

    soft_mask: Literal["upper", "drop", "keep"] = Field(
        "upper",
        description="Lower-case DNA (repeats). upper: read as upper case; drop: masked stretches leave; keep: case "
        "stays, and lower-case letters are no DNA tokens, so they cost several times the tokens.",
    )
    soft_mask_min_bp: int = Field(50, ge=1, description="drop: shorter masked stretches stay, in upper case.")
    max_masked_share: Share = Field(
        1.0, description="Windows of DNA with a larger soft-masked share leave; 1: none does."
    )
    window_bp: int = Field(1000, ge=64, description="Window in which shares of DNA are taken, whatever the record.")
    ambiguous: Literal["split", "keep", "resolve"] = Field(
        "split",
        description="IUPAC codes. split: cut at each; keep: they stay; resolve: one of the bases each stands for, "
        "always the same for one record.",
    )
    n_run_min: int = Field(10, ge=1, description="keep, resolve: cut at runs of N from this length.")
    organelles: Literal["keep", "drop"] = Field(
        "keep", description="DNA named as of mitochondria, chloroplasts and other plastids."
    )
    plasmids: Literal["keep", "drop"] = Field("keep", description="DNA named as a plasmid.")
    protein_fragments: Literal["keep", "drop"] = Field("keep", description="Proteins named as fragments or partial.")
    max_low_complexity_dna: Share = Field(
        1.0, description="Windows of DNA with a larger share of simple repeats (DUST score > 2) leave; 1: none does."
    )
    max_low_complexity_protein: Share = Field(
        1.0, description="Proteins with a larger share in windows of 12 of low entropy (SEG) leave; 1: none does."
    )
    max_record_letters: dict[Kind, int] = Field({}, description="Longer records of a kind are left out.")
    text: Literal["prose", "keep"] = Field(
        "prose",
        description="prose: leftover markup, reference lists, thanks, table rows, labels and page numbers leave texts, "
        "and words cut at line ends are joined; keep: only control characters and extra space leave.",
    )
