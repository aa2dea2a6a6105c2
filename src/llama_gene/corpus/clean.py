"""Decide what of one record becomes corpus: letters by the rules of its kind, or the record as a whole.

The readers have already read U as T and refused what is outside the alphabet. Whatever leaves here is counted by
reason, so that letters in are letters out and letters removed.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llama_gene.config import CleanConfig, Kind
from llama_gene.corpus.clean_dna import Runs, clean_dna
from llama_gene.corpus.clean_text import clean_text
from llama_gene.corpus.complexity import low_complexity_protein
from llama_gene.sequences.letters import count_letters
from llama_gene.sequences.records import Record
from llama_gene.sequences.replicons import is_organelle, is_plasmid

# UniProt marks fragments in titles, NCBI writes "partial" behind the product.
_FRAGMENT = re.compile(r"\(Fragments?\)|, partial(?=\s*(?:\[|$))")
_NOTHING: Mapping[str, int] = {}


class CleanRecord(NamedTuple):
    """What is left of a record.

    Attributes:
        runs: (start, letters) in order; start is 0-based in the letters as read. Protein and text have one run.
        removed: Letters left out, by reason (text: UTF-8 bytes).
        reason: Why nothing is left: the reason under which most letters went; "" where something is.
    """

    runs: Runs
    removed: Mapping[str, int]
    reason: str = ""


def lengths_of(texts: Sequence[str], kind: Kind) -> NDArray[np.int64]:
    """`count_letters` of each.

    >>> lengths_of(["ACGT", "A"], "dna").tolist()
    [4, 1]
    """
    length = len if kind in ("dna", "protein") else partial(count_letters, kind=kind)
    return np.fromiter(map(length, texts), np.int64, len(texts))


def needs_case(rules: CleanConfig) -> bool:
    """True where a rule asks for soft masks, so that DNA must be read with `case="keep"`, which takes longer.

    >>> needs_case(CleanConfig()), needs_case(CleanConfig(soft_mask="drop"))
    (False, True)
    """
    return rules.soft_mask != "upper" or rules.max_masked_share < 1


def keeps_whole(kind: Kind, rules: CleanConfig) -> bool:
    """True where no rule bears on records of a kind: `clean` leaves each as it is.

    >>> keeps_whole("protein", CleanConfig()), keeps_whole("protein", CleanConfig(protein_fragments="drop"))
    (True, False)
    """
    if kind == "protein" and (rules.protein_fragments == "drop" or rules.max_low_complexity_protein < 1):
        return False
    return kind in ("protein", "coding") and kind not in rules.max_record_letters


def clean(record: Record, rules: CleanConfig) -> CleanRecord:
    r"""Clean one record by the rules of its kind.

    Args:
        record: As read; DNA with its case where a rule asks for soft masks (`read_records(..., case="keep")`).
        rules: What leaves.

    >>> clean(Record("x", "dna", "ACGTNNNNRAC"), CleanConfig())
    CleanRecord(runs=((0, 'ACGT'), (9, 'AC')), removed=Counter({'unknown base N': 4, 'ambiguous base': 1}), reason='')
    >>> clean(Record("MT", "dna", "ACGT"), CleanConfig(organelles="drop"))
    CleanRecord(runs=(), removed=Counter({'organelle': 4}), reason='organelle')
    >>> clean(Record("x", "text", "One. \r\n\r\n\r\nTwo."), CleanConfig()).runs
    ((0, 'One.\n\nTwo.'),)
    """
    reason = _refusal(record, rules)
    if reason:
        return CleanRecord((), +Counter({reason: count_letters(record.text, record.kind)}), reason)
    runs: Runs
    if record.kind == "dna":
        runs, removed = clean_dna(record.text, record.id, rules)
    elif record.kind == "text":
        page, removed = clean_text(record.text, rules.text)
        runs = ((0, page),) if page else ()
    else:
        return CleanRecord(((0, record.text),) if record.text else (), _NOTHING)
    return CleanRecord(runs, removed, "" if runs or not removed else removed.most_common(1)[0][0])


def _refusal(record: Record, rules: CleanConfig) -> str:
    """Why the whole record leaves, or ""."""
    most = rules.max_record_letters.get(record.kind)
    if most is not None and count_letters(record.text, record.kind) > most:
        return "longer than max_record_letters"
    if record.kind == "dna":
        if rules.organelles == "drop" and is_organelle(record.id, record.description):
            return "organelle"
        if rules.plasmids == "drop" and is_plasmid(record.id, record.description):
            return "plasmid"
    if record.kind == "protein":
        if rules.protein_fragments == "drop" and _is_fragment(record):
            return "protein fragment"
        if rules.max_low_complexity_protein < 1 and record.text:
            low = low_complexity_protein(record.text.encode("ascii", "replace"))
            if low.sum() > rules.max_low_complexity_protein * len(low):
                return "low complexity"
    return ""


def _is_fragment(record: Record) -> bool:
    return "fragment" in record.annotations or bool(_FRAGMENT.search(record.description))
