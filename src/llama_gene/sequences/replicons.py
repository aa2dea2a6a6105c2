"""Tell organelle genomes and plasmids by the names and titles that sequence archives give them.

Words alone do not decide: "chloroplast RNA-binding protein, mRNA" is a nuclear gene. A title counts where the word
stands as INSDC titles have it: before a punctuation mark, the end, or a word such as "complete" or "DNA". A sequence
that carries only an accession cannot be told.
"""

import re

_ORGANELLE_NAMES = re.compile(
    r"(?:chr_?)?(?:mt(?:dna)?|mito|mitochondri(?:on|a)(?:_genome)?|pt|pltd|chloroplast|plastid|apicoplast|kinetoplast)"
    r"|chr_?[mc]|\w+_(?:mit|api)_v\d+",
    re.IGNORECASE,
)
_ORGANELLE_TITLE = re.compile(
    r"\b(?:mitochondri(?:on|al)|chloroplast|plastid|apicoplast|kinetoplast|chromoplast|leucoplast|cyanelle"
    r"|chromatophore|hydrogenosome)\b"
    r"(?=\s*(?:[,;:\]]|$|(?:genome|chromosome|complete|partial|scaffold|contig|minicircle|maxicircle|plasmid)\b"
    r"|DNA(?!\s?[-\w])|DNA,|DNA\s(?:complete|partial|sequence)))",
    re.IGNORECASE,
)
_NUCLEAR = re.compile(r"\bmRNA\b|\bnuclear gene\b|\bnuclear copy\b", re.IGNORECASE)
_PLASMID = re.compile(
    r"\b(?:mega)?plasmids?\b(?=\s*(?:[,;:\]]|$)|\s+(?:unnamed|DNA\b|complete\b|sequence\b|\S*[A-Z0-9]))"
)


def is_organelle(name: str, title: str) -> bool:
    """True where DNA is named as the genome of a mitochondrion or plastid.

    Args:
        name: Its identifier, as MT, Mito, chrM, Pt (Ensembl, UCSC, TAIR).
        title: What follows the identifier.

    >>> is_organelle("chrM", ""), is_organelle("NC_1.1", "Zea mays chloroplast, complete genome")
    (True, True)
    >>> is_organelle("X1.1", "Zea mays chloroplast protease mRNA, nuclear gene"), is_organelle("I", "chromosome I")
    (False, False)
    """
    if _ORGANELLE_NAMES.fullmatch(name):
        return True
    return bool(_ORGANELLE_TITLE.search(title)) and not _NUCLEAR.search(title)


def is_plasmid(name: str, title: str) -> bool:
    """True where DNA is named as a plasmid.

    Args:
        name: Its identifier.
        title: What follows the identifier.

    >>> is_plasmid("NC_003277.2", "Salmonella enterica plasmid pSLT, complete sequence")
    True
    >>> is_plasmid("X1.1", "Escherichia coli plasmid partition protein gene")
    False
    """
    return bool(_PLASMID.search(title)) or name.lower().startswith("plasmid")
