"""Settings of the data half: corpus, vocabulary, audit and token blocks."""

from typing import Literal

from pydantic import Field, model_validator

from llama_gene.config.clean import CleanConfig
from llama_gene.config.overlap import ContaminationConfig, NearDuplicateConfig
from llama_gene.config.section import GeneKind, Kind, OnInvalid, Section, Share, SourceFormat, Unit


class EngineConfig(Section):
    """What runs the tasks of corpus build and corpus pack; it changes no result."""

    name: Literal["local", "ray"] = Field("local", description="local: this machine; ray: a Ray cluster.")
    workers: int | None = Field(None, ge=1, description="Processes; none: one per core where it is worth it.")
    address: str = Field("", description="Ray: address of the cluster; empty: RAY_ADDRESS, or one started here.")


LOCAL = EngineConfig()
"""This machine, with as many processes as it has cores."""


class Source(Section):
    """One input of the corpus: a file, a folder or a glob."""

    path: str = Field(description="File, folder or glob, relative to `data`.")
    kind: Kind = Field(description="What the letters are.")
    name: str = Field("", description="Name in counts and records; default: the path.")
    format: SourceFormat = Field("auto", description="auto: by file name and first bytes.")
    epochs: float = Field(1.0, gt=0, le=100, description="Times its training part is read; 0.5: half of it.")


class CorpusConfig(Section):
    """Clean, de-duplicate, split, fragment and mix records into Parquet shards."""

    sources: tuple[Source, ...] = Field((), description="Inputs, in order.")
    on_invalid: OnInvalid = Field("skip", description="error: stop at a bad record; skip: count it.")
    fragment_min_bp: int = Field(300, ge=1, description="Shortest DNA fragment.")
    fragment_max_bp: int = Field(1000, ge=1, description="Longest DNA fragment (paper: 300-1000).")
    reverse_share: Share = Field(0.5, description="Share of DNA fragments read from the reverse strand.")
    protein_max_residues: int = Field(1000, ge=10, description="Longer proteins are cut into pieces.")
    coding_max_bp: int = Field(1002, ge=6, description="Longer coding pairs are cut between codons.")
    text_max_bytes: int = Field(3000, ge=100, description="Longer texts are cut at paragraph borders.")
    clean: CleanConfig = Field(CleanConfig(), description="What is cut out of records, and which records go.")
    near_duplicates: NearDuplicateConfig = Field(NearDuplicateConfig(), description="Of like records the first stays.")
    contamination: ContaminationConfig = Field(ContaminationConfig(), description="What tasks ask is not read.")
    min_letters: int = Field(30, ge=1, description="Shorter records are counted and left out.")
    valid_share: float = Field(0.02, gt=0, lt=0.5, description="Held-out share of each source.")
    region_bp: int = Field(100_000, ge=1000, description="Unit of splitting where a source has few records.")
    region_below_records: int = Field(20, ge=0, description="DNA or text of fewer records: split by region.")
    near_identical: float = Field(0.5, gt=0, le=1, description="Sketch similarity that keeps genomes together.")
    max_letters: dict[Kind, int] = Field({}, description="Most training letters of a kind; not named: all.")
    shard_letters: int = Field(64_000_000, ge=1000, description="Letters in one Parquet shard.")

    @model_validator(mode="after")
    def _check(self) -> "CorpusConfig":
        if self.fragment_min_bp > self.fragment_max_bp:
            raise ValueError("fragment_min_bp exceeds fragment_max_bp")
        if any(letters < 1000 for letters in self.max_letters.values()):
            raise ValueError("max_letters must be at least 1000")
        return self


class TokenizerConfig(Section):
    """Learn gene tokens and put them into a LLaMA vocabulary."""

    base: str = Field("tiny", description="'tiny', a .model (SentencePiece, tiktoken), a tokenizer.json or a folder.")
    method: Literal["continue", "append"] = Field(
        "continue", description="continue: go on merging from the base's own tokens; append: as the paper."
    )
    dna_size: int = Field(30_000, ge=0, description="New DNA tokens.")
    protein_size: int = Field(30_000, ge=0, description="New protein tokens.")
    max_token_letters: int = Field(16, ge=2, le=64, description="Longest new token.")
    sample_letters: int = Field(1_000_000_000, ge=1000, description="Letters per kind to learn from (paper: 1 GB).")
    protect_english: bool = Field(False, description="Learn no merge that changes the English sample.")
    english_changed_max: Share = Field(
        0.0005, description="Share of that sample's tokens that may change; 0: none. Its rarest pairs go first."
    )
    dna_unit: Unit = Field("bpe", description="bpe: learnt tokens; kmer, letter: cut runs by a rule, to compare.")
    protein_unit: Unit = Field("bpe", description="The same for protein.")
    dna_k: int = Field(6, ge=2, le=8, description="Letters of a DNA k-mer (kmer).")
    protein_k: int = Field(2, ge=2, le=3, description="Letters of a protein k-mer (kmer).")

    @model_validator(mode="after")
    def _check(self) -> "TokenizerConfig":
        if self.protect_english and self.method == "append":
            raise ValueError("protect_english needs method = 'continue'")
        return self

    def size_of(self, kind: GeneKind) -> int:
        """New tokens of a kind to learn."""
        return self.dna_size if kind == "dna" else self.protein_size

    def unit_of(self, kind: GeneKind) -> Unit:
        """What sequences of a kind are cut into."""
        return self.dna_unit if kind == "dna" else self.protein_unit

    def k_of(self, kind: GeneKind) -> int:
        """Letters of a k-mer of a kind."""
        return self.dna_k if kind == "dna" else self.protein_k


class AuditConfig(Section):
    """Limits of `tokenizer audit`, which fails beyond them; what was not measured breaks none."""

    max_base_ids_moved: int | None = Field(0, ge=0, description="Base ids with another token; none: no limit.")
    max_round_trip_failures: int | None = Field(0, ge=0, description="Texts that do not come back; none: no limit.")
    max_format_differences: int | None = Field(
        0, ge=0, description="Texts that another format writes otherwise; none: no limit."
    )
    max_unreachable: int | None = Field(None, ge=0, description="New tokens that are never made; none: no limit.")
    max_changed_share: Share | None = Field(
        None, description="Share of the base's tokens of English with other borders; none: no limit."
    )
    min_dna_letters_per_token: float | None = Field(None, gt=0, description="Bases per token; none: no limit.")
    min_protein_letters_per_token: float | None = Field(None, gt=0, description="Residues per token; none: no limit.")


class Phase(Section):
    """A stretch of the training blocks with a mixture of its own."""

    share: float = Field(gt=0, description="Share of the training tokens, relative to the other phases.")
    weights: dict[Kind, float] = Field(description="Share of its tokens per kind; {}: as there are.")

    @model_validator(mode="after")
    def _check(self) -> "Phase":
        _check_weights(self.weights)
        return self


class PackConfig(Section):
    """Mix the kinds by tokens and pack whole documents with end tokens into blocks."""

    block_tokens: int = Field(512, ge=32, description="Tokens in one block.")
    weights: dict[Kind, float] = Field(
        {"dna": 0.4, "protein": 0.4, "text": 0.2, "coding": 0.2},
        description="Training tokens per kind, relative to those of the kinds there are; {}: as there are.",
    )
    phases: tuple[Phase, ...] = Field(
        (), description="Curriculum: mixtures one after the other, read in this order; none: `weights` throughout."
    )
    max_tokens: int | None = Field(
        None, ge=1000, description="Training tokens in all, within about 1 %; none: all there are."
    )
    max_valid_tokens: int = Field(200_000, ge=100, description="Validation tokens per kind, within about 1 %.")
    window_documents: int = Field(4096, ge=1, description="Documents packed together: larger wastes less.")
    bpe_dropout: Share = Field(0.0, description="Training sequences: share of merges left out.")

    @model_validator(mode="after")
    def _check(self) -> "PackConfig":
        _check_weights(self.weights)
        return self


def _check_weights(weights: dict[Kind, float]) -> None:
    if any(weight < 0 for weight in weights.values()) or (weights and sum(weights.values()) <= 0):
        raise ValueError("weights must be >= 0 and sum to more than 0")
