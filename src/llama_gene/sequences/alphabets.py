"""The letters of DNA, RNA and protein, and what may be mended in them.

Letters follow IUPAC-IUB (Cornish-Bowden 1985; IUPAC-IUBMB JCBN 1983). Of the protein codes `J` (Ile or Leu) is left
out on purpose: no curated source holds it, and in the files that do it is nearly always a typing error. Gaps,
digits and inner stops are never letters.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from llama_gene.config import GeneKind

_SHOWN = 6
_LONG_ENOUGH = 40
_PLAIN_BASES = 0.9


@dataclass(frozen=True)
class Alphabet:
    """A set of upper-case letters: the plain ones and those that stand for several."""

    name: str
    letters: str
    ambiguous: str
    _plain: bytes = field(init=False, repr=False, compare=False)
    known_ambiguous: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Kept as bytes: bytes.translate deletes a set of letters at about 1 GB/s.
        object.__setattr__(self, "_plain", self.letters.encode())
        object.__setattr__(self, "known_ambiguous", self.ambiguous.encode())

    def unknown(self, letters: str) -> str:
        """The distinct characters outside the alphabet, sorted; case counts.

        >>> DNA.unknown("ACGTNU-a")
        '-Ua'
        """
        return _characters(self.rest(letters.encode("utf-8", "surrogatepass")).translate(None, self.known_ambiguous))

    def rest(self, letters: bytes) -> bytes:
        """All but the plain letters, in order."""
        return letters.translate(None, self._plain)


DNA = Alphabet("DNA", "ACGT", "RYSWKMBDHVN")
RNA = Alphabet("RNA", "ACGU", "RYSWKMBDHVN")
PROTEIN = Alphabet("protein", "ACDEFGHIKLMNPQRSTVWY", "BOUXZ")

# The bases that a letter which names no single one stands for.
IUPAC_BASES = {
    "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT",
}  # fmt: skip

# A table, since bytes.upper is several times slower on long sequences.
_UPPER = bytes(range(256)).upper()
COMPLEMENT = str.maketrans("ACGTURYSWKMBDHVNacgturyswkmbdhvn", "TGCAAYRSWMKVHDBNtgcaayrswmkvhdbn")
"""Code point of each letter to that of its complement."""


class Cleaned(NamedTuple):
    """Letters in upper case, what was mended, and what is wrong ("" where nothing is)."""

    letters: str
    lower_case: bool
    uracil: bool
    final_stop: bool
    problem: str


def reverse_complement(dna: str) -> str:
    """The other strand, 5' to 3'; IUPAC letters and case are kept, U is read as T.

    >>> reverse_complement("AACGTr")
    'yACGTT'
    """
    return dna.translate(COMPLEMENT)[::-1]


def guess_kind(letters: str) -> GeneKind:
    """DNA where nine letters in ten are ACGTUN, else protein.

    Args:
        letters: In any case, without white space.

    >>> guess_kind("acgtnnacgu"), guess_kind("MKVLAAGIVG")
    ('dna', 'protein')
    """
    upper = letters.upper()
    plain = sum(upper.count(base) for base in "ACGTUN")
    return "dna" if plain >= _PLAIN_BASES * len(letters) else "protein"


def is_plain(letters: str, alphabet: Alphabet) -> bool:
    """Whether `clean_letters` would neither change nor refuse the letters, of which there are some.

    >>> is_plain("ACGT", DNA), is_plain("acgt", DNA), is_plain("", DNA), is_plain("MKLV", PROTEIN)
    (True, False, False, True)
    """
    data = letters.encode("utf-8", "surrogateescape")
    return bool(data) and not alphabet.rest(data) and not (alphabet is PROTEIN and _looks_like_dna(data))


def clean_letters(letters: str, alphabet: Alphabet) -> Cleaned:
    """Upper-case the letters, read U as T in DNA, drop one final `*` of a protein, and check the rest.

    Args:
        letters: Raw letters without white space.
        alphabet: What they should be.

    >>> clean_letters("acgun", DNA)
    Cleaned(letters='ACGTN', lower_case=True, uracil=True, final_stop=False, problem='')
    >>> clean_letters("MKJ*", PROTEIN).problem
    "'J' is not a protein letter"
    """
    data = letters.encode("utf-8", "surrogateescape")
    rest = alphabet.rest(data)
    # Small letters are no plain letters, so they are all in the rest, which is nearly always short or empty.
    lower_case = rest.translate(_UPPER) != rest
    if lower_case:
        data = data.translate(_UPPER)
        rest = alphabet.rest(data)
    uracil = alphabet is DNA and b"U" in rest
    if uracil:
        data, rest = data.replace(b"U", b"T"), rest.replace(b"U", b"")
    final_stop = alphabet is PROTEIN and data.endswith(b"*")
    if final_stop:
        data, rest = data[:-1], rest[:-1]
    problem = _problem(data, rest, alphabet)
    same = not (lower_case or uracil or final_stop)
    return Cleaned(letters if same else data.decode("utf-8", "replace"), lower_case, uracil, final_stop, problem)


def _problem(data: bytes, rest: bytes, alphabet: Alphabet) -> str:
    """One phrase that names what is wrong, or ""."""
    unknown = rest.translate(None, alphabet.known_ambiguous)
    if alphabet is PROTEIN and _looks_like_dna(data):
        return "the letters look like DNA, not protein"
    if alphabet is not PROTEIN and _looks_like_protein(data, rest, unknown):
        return f"the letters look like protein, not {alphabet.name}"
    if not unknown:
        return ""
    shown = _characters(unknown)
    hint = " (an alignment gap; remove it)" if shown == "-" else ""
    names = ", ".join(repr(letter) for letter in shown[:_SHOWN])
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    verb = "is not a" if len(shown) == 1 else "are not"
    noun = "letter" if len(shown) == 1 else "letters"
    return f"{names}{more} {verb} {alphabet.name} {noun}{hint}"


_PROTEIN_LETTERS = (PROTEIN.letters + PROTEIN.ambiguous + "*J").encode()


def _looks_like_protein(data: bytes, rest: bytes, unknown: bytes) -> bool:
    """Most letters are not bases, all are residues, and they are not just ambiguity codes of a short piece."""
    if 2 * len(rest) <= len(data) or data.translate(None, _PROTEIN_LETTERS):
        return False
    return bool(unknown) or (len(data) >= _LONG_ENOUGH and bool(rest.translate(None, b"N")))


def _looks_like_dna(data: bytes) -> bool:
    if b"L" in data or b"E" in data or len(data) < _LONG_ENOUGH:
        return False
    return not data.translate(None, b"ACGTUN") and all(letter in data for letter in (b"A", b"C", b"G"))


def _characters(data: bytes) -> str:
    return "".join(sorted(set(data.decode("utf-8", "replace"))))
