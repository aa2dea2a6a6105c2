"""Tokenizers small enough to count by hand."""

from pathlib import Path

from llama_gene.artifacts import write_json
from llama_gene.tokenizer.audit.records import Source
from llama_gene.tokenizer.tiny import tiny_vocabulary
from llama_gene.tokenizer.vocabulary import extend_vocabulary, write_vocabulary

DNA_TOKENS = ["AA", "AAT", "AAA", "AATAAA"]
PROTEIN_TOKENS = ["MK", "MKMK", "CC"]
MERGES = [("A", "A"), ("AA", "T"), ("AA", "A"), ("AAT", "AAA"), ("M", "K"), ("MK", "MK"), ("C", "C")]
FIRST = 768  # the first new id: `tiny` has 768 tokens


def write_grown(folder: Path, *, merges: list[tuple[str, str]] = MERGES) -> Path:
    """`tiny` with four DNA and three protein tokens, and the extension.json that says so."""
    vocabulary = extend_vocabulary(tiny_vocabulary(), [*DNA_TOKENS, *PROTEIN_TOKENS], merges)
    folder.mkdir()
    write_vocabulary(vocabulary, folder)
    write_json(
        folder / "extension.json",
        {"base_size": FIRST, "dna_range": [FIRST, FIRST + 4], "protein_range": [FIRST + 4, FIRST + 7]},
    )
    return folder


def source(*texts: str, name: str = "one") -> list[Source]:
    """One source with these texts."""
    return [Source(name, texts)]
