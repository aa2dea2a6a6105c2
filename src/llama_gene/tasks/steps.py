"""Answers that show their steps: how a coding sequence is read, before whether a protein is its translation.

The steps of the central dogma can be computed, so they are exact: the frame, the codons, their translation by the
gene's own genetic code, and the comparison with the protein, residue by residue. The answer stands alone on the last
line, `Answer: LABEL`. Idea: chain-of-thought answers (Wei et al. 2022, NeurIPS).
"""

from dataclasses import dataclass

ANSWER = "Answer: "
_CODON = 3


@dataclass(frozen=True)
class Reading:
    """How coding DNA in register is read: by which NCBI genetic code, and the residue of each codon."""

    code: int
    residues: str


def dogma_steps(reading: Reading, dna: str, protein: str) -> str:
    """The steps from codons to a verdict: `=` where a residue is the translation, `/` where it is another.

    Args:
        reading: Of the whole gene; codons beyond those given are left out.
        dna: Codons, from the first on.
        protein: As many residues; of unequal lengths the common part is compared.

    >>> print(dogma_steps(Reading(4, "MWKF"), "GTGTGAAAA", "MWR"))
    Frame: 1
    Codons: GTG TGA AAA
    Translation by genetic code 4: M W K
    Compare: M=M W=W K/R
    """
    codons = [dna[start : start + _CODON] for start in range(0, len(dna), _CODON)]
    read = reading.residues[: len(codons)]
    compared = (f"{ours}{'=' if ours == given else '/'}{given}" for ours, given in zip(read, protein, strict=False))
    return "\n".join(
        [
            "Frame: 1",
            f"Codons: {' '.join(codons)}",
            f"Translation by genetic code {reading.code}: {' '.join(read)}",
            f"Compare: {' '.join(compared)}",
        ]
    )


def with_answer(steps: str, answer: str) -> str:
    r"""Steps and the answer on the last line.

    >>> with_answer("Frame: 1", "Conform")
    'Frame: 1\nAnswer: Conform'
    """
    return f"{steps}\n{ANSWER}{answer}"


def split_answer(text: str) -> tuple[str, str] | None:
    r"""Steps and answer of a text whose last line is an answer; None where it is not.

    >>> split_answer("Frame: 1\nAnswer: Not Conform\n"), split_answer("Frame: 1\nCodons: ATG")
    (('Frame: 1', 'Not Conform'), None)
    """
    steps, _, last = text.rstrip().rpartition("\n")
    if not last.startswith(ANSWER):
        return None
    return steps, last.removeprefix(ANSWER).strip()
