"""Where the items of a task lie, and how a reader finds its way in them: the `[reader]` of a definition."""

from typing import Annotated, Literal

from pydantic import Field

from llama_gene.config import Section, SourceFormat, Split

Column = str | int
TableFormat = Literal["csv", "tsv", "spaces", "jsonl"]
UNKNOWN_STATE = "-"
"""Stands for a state that is not known: its letter is never asked about."""


class TaskFile(Section):
    """One file of a task."""

    path: str = Field(description="Relative to `data`; `archive.zip!member` reads one member.")
    split: Split | None = Field(None, description="Every item of the file belongs here; none: by the split rule.")
    label: str | None = Field(None, description="Label of every item of the file.")
    mate: str | None = Field(None, description="FASTA whose record i pairs with record i of `path`.")


class SplitMark(Section):
    """How the data itself says where an item belongs; the first mark that is found decides."""

    column: Column | None = Field(None, description="Column to look into; none: the FASTA title.")
    pattern: str = Field(description="Regular expression to find there.")
    split: Split


class TableReader(Section):
    """Rows of CSV, TSV or space-separated text, or JSON objects one a line."""

    type: Literal["table"]
    files: tuple[TaskFile, ...] = Field(min_length=1)
    format: TableFormat = Field("csv", description="How columns are parted.")
    header: bool = Field(True, description="The first line names the columns; else columns are 0-based numbers.")
    sequences: tuple[Column, ...] = Field(min_length=1, description="Columns of the sequences, in order of inputs.")
    label: Column | None = Field(None, description="Column of the label, of the answer's text or of the states.")
    value: Column | None = Field(None, description="Column of the number (regression).")
    id: Column | None = Field(None, description="Column of the identifier; none: the line number.")
    marks: tuple[SplitMark, ...] = ()


class FastaReader(Section):
    """FASTA records; the label is the file's own or part of the title."""

    type: Literal["fasta"]
    files: tuple[TaskFile, ...] = Field(min_length=1)
    label_pattern: str | None = Field(None, description="Regular expression; its first group is the label or text.")
    marks: tuple[SplitMark, ...] = ()


class StatesReader(Section):
    """Chains in one FASTA file, the state of each of their letters in another, matched by identifier."""

    type: Literal["states"]
    sequences: str = Field(description="FASTA of the chains.")
    states: str = Field(description="FASTA of the states, as long as the chains.")
    mask: str | None = Field(None, description="FASTA of 1 (known) and 0 (unknown: never asked).")
    marks: tuple[SplitMark, ...] = ()


class PairsReader(Section):
    """A list of identifiers with a label, and one file per input where their sequences are."""

    type: Literal["pairs"]
    files: tuple[TaskFile, ...] = Field(min_length=1, description="Space-separated lines.")
    ids: tuple[int, ...] = Field((0, 1), description="0-based columns of the identifiers, in order of inputs.")
    label: int = Field(2, description="0-based column of the label.")
    lookups: tuple[str, ...] = Field(min_length=1, description="Per input: FASTA, or lines of identifier and sequence.")


class CodingReader(Section):
    """Coding sequences of GenBank files: pairs with their own protein, or their product's name."""

    type: Literal["coding"]
    files: tuple[TaskFile, ...] = Field(min_length=1)
    answer: Literal["protein", "product"] = Field(
        description="protein: true pairs, decoys are made; product: its name."
    )


class AnnotationReader(Section):
    """Records of UniProt flat files and their annotation."""

    type: Literal["annotation"]
    files: tuple[TaskFile, ...] = Field(min_length=1)
    format: SourceFormat = Field("uniprot", description="Format of the files.")
    field: Literal[
        "function", "go", "go_function", "go_process", "go_component", "ec", "ec_class", "product", "organism"
    ] = Field(
        description="The annotation to answer with; go_...: terms of one aspect; ec: all EC numbers; ec_class: "
        "the first part of an enzyme's numbers, where all have the same."
    )


class RowFilter(Section):
    """Which rows of a table are items."""

    column: str = Field(description="Column to look into.")
    pattern: str = Field(description="Regular expression that must be found there; other rows are counted.")


class RegionsReader(Section):
    """Regions of a genome in a table with a header: where each lies, and the text that is known of it."""

    type: Literal["regions"]
    files: tuple[TaskFile, ...] = Field(min_length=1)
    format: Literal["csv", "tsv"] = Field("tsv", description="How columns are parted.")
    genome: str = Field(description="FASTA whose records the chromosome column names.")
    chromosome: str = Field("chr", description="Column of the record.")
    start: str = Field("start", description="Column of the first base, 1-based.")
    end: str = Field("end", description="Column of the last base, 1-based, included.")
    strand: str | None = Field("strand", description="Column of the strand; - is read from the other strand.")
    label: str = Field(description="Column of the label or of the answer's text.")
    term: str | None = Field(
        None, description="Column of the identifiers of terms parted by ';': the answer is then name(identifier); ..."
    )
    id: str | None = Field(None, description="Column of the identifier; none: the line number.")
    only: RowFilter | None = Field(None, description="Which rows are items; none: all.")


class InstructionsReader(Section):
    """Instruction sets: JSON objects one a line that bring their own question, as `tasks add --format` writes them."""

    type: Literal["instructions"]
    files: tuple[TaskFile, ...] = Field(
        min_length=1, description="Fields id, instruction, input, output, sequences, linked, split."
    )


Reader = Annotated[
    TableReader
    | FastaReader
    | StatesReader
    | PairsReader
    | CodingReader
    | AnnotationReader
    | RegionsReader
    | InstructionsReader,
    Field(discriminator="type"),
]
