"""What counts as a letter."""

from llama_gene.config import Kind
from llama_gene.sequences.coding import PAIR_BORDER


def count_letters(text: str, kind: Kind) -> int:
    """Bases, residues or UTF-8 bytes; of coding pairs the bases and residues.

    >>> count_letters("ACGT", "dna"), count_letters("é", "text")
    (4, 2)
    """
    if kind == "coding":
        return len(text) - text.count(PAIR_BORDER)
    return len(text) if kind != "text" or text.isascii() else len(text.encode("utf-8", "surrogatepass"))
