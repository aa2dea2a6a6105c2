"""What every table of settings shares: the words of the field, and a frozen model that refuses unknown keys."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from llama_gene.storage import to_path

# "coding": the coding DNA of a gene and its protein as one text.
Kind = Literal["dna", "protein", "text", "coding"]
KINDS: tuple[Kind, ...] = get_args(Kind)
GeneKind = Literal["dna", "protein"]
GENE_KINDS: tuple[GeneKind, ...] = get_args(GeneKind)
Unit = Literal["bpe", "kmer", "letter"]
Split = Literal["train", "valid", "test"]
Spelling = Literal["joined", "spaced"]
TaskSpelling = Literal["joined", "spaced", "both"]
# What a structure task asks about.
AskedUnit = Literal["token", "letter"]
OnInvalid = Literal["error", "skip"]
Evidence = Literal["shown", "read"]
ToolUse = Literal["auto", "on", "off"]
OnConflict = Literal["drop", "keep"]
OnRareClass = Literal["error", "drop"]
SourceFormat = Literal[
    "auto", "fasta", "fastq", "genbank", "gff3", "uniprot", "table", "text", "markdown", "jats", "pubmed", "json",
    "jsonl", "parquet",
]  # fmt: skip
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A frozen table of settings that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def resolve(path: str, data: Path) -> Path:
    """A path of a recipe, read from `data` unless it is absolute.

    >>> resolve("a.fa", Path("/data")).as_posix()
    '/data/a.fa'
    """
    if "://" in path:
        return to_path(path)
    here = Path(path).expanduser()
    # Object storage knows neither "." nor that what is absolute lies on this machine.
    return here if here.is_absolute() else data.joinpath(*here.parts)


def describe(section: Mapping[str, Any] | Section) -> dict[str, Any]:
    """A section as plain JSON values, as it is saved in manifests."""
    return section.model_dump(mode="json") if isinstance(section, Section) else dict(section)


def spellings_of(spelling: TaskSpelling) -> tuple[Spelling, ...]:
    """The spellings that an item is written in, one record each.

    >>> spellings_of("spaced"), spellings_of("both")
    (('spaced',), ('joined', 'spaced'))
    """
    return ("joined", "spaced") if spelling == "both" else (spelling,)
