"""Look at the new tokens themselves: their lengths, use and motifs, those never made, those met where not meant."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from llama_gene.config import GENE_KINDS, GeneKind, Kind
from llama_gene.errors import TokenizerError
from llama_gene.sequences.alphabets import DNA
from llama_gene.tokenizer.audit.measure import Measured, lengths
from llama_gene.tokenizer.audit.motifs import find_motifs
from llama_gene.tokenizer.audit.records import Collisions, RangeAudit, TokenUse
from llama_gene.tokenizer.extend import EXTENSION_FILE
from llama_gene.tokenizer.load import GeneTokenizer
from llama_gene.tokenizer.units import SHORTEST_RUN

Times = npt.NDArray[np.int64]

_SHOWN = 20
_SHOWN_EXAMPLES = 10
_SHOWN_UNREACHABLE = 50
# Tokens of a range without a kind are searched for the motifs of both.
_MOTIFS_OF: dict[str, tuple[GeneKind, ...]] = {"dna": ("dna",), "protein": ("protein",), "new": GENE_KINDS}


@dataclass(frozen=True)
class Extension:
    """What a tokenizer folder says of how it was extended: the base's size, and new ids by kind."""

    base_size: int
    ranges: Mapping[str, range]


def read_extension(folder: Path) -> Extension | None:
    """The extension.json of a folder; None where there is none.

    Raises:
        TokenizerError: it is broken.
    """
    path = folder / EXTENSION_FILE
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Extension(int(values["base_size"]), {kind: range(*values[f"{kind}_range"]) for kind in GENE_KINDS})
    except (ValueError, KeyError, TypeError) as error:
        raise TokenizerError(f"{path}: cannot be read ({error!r}). Run `tokenizer extend` again.") from None


def range_audits(side: Measured, ranges: Mapping[str, range]) -> dict[str, RangeAudit]:
    """Each range of new ids that has any, by name."""
    times_V = side.times()
    return {name: _range_audit(side, name, ids, times_V) for name, ids in ranges.items() if ids}


def _range_audit(side: Measured, name: str, ids: range, times_V: Times) -> RangeAudit:
    uses = [TokenUse(token_id, side.gene.token(token_id), int(times_V[token_id])) for token_id in ids]
    by_use = sorted(uses, key=lambda use: (-use.times, use.id))
    tokens = [use.token for use in by_use]
    spelt_in_bases = [token for token in tokens if set(token) <= set(DNA.letters)]
    motifs = [find_motifs(spelt_in_bases if kind == "dna" else tokens, kind) for kind in _MOTIFS_OF[name]]
    return RangeAudit(
        start=ids.start,
        end=ids.stop,
        tokens=len(ids),
        used=sum(use.times > 0 for use in uses),
        lengths=lengths(side.pieces.widths[ids.start : ids.stop], np.ones(len(ids), np.int64)),
        longest=tuple(sorted(uses, key=lambda use: (-len(use.token), -use.times, use.id))[:_SHOWN]),
        most_frequent=tuple(use for use in by_use[:_SHOWN] if use.times),
        motifs=tuple(found for kind in motifs for found in kind),
    )


def unreachable(gene: GeneTokenizer, ids: Iterable[int], times_V: Times) -> list[TokenUse]:
    """The tokens that stood in no text and are not made from their own letters, alone or repeated.

    Args:
        gene: The tokenizer.
        ids: Those to look at.
        times_V: How often each stood in texts.

    A vocabulary with `ignore_merges` (LLaMA 3) takes a word that is a token whole, so there each is made alone.
    """
    unseen = [token_id for token_id in ids if not times_V[token_id]]
    # A line break ends any merge and takes the leading ▁, so what follows it is the token alone.
    alone = gene.encode_batch(["\n" + gene.token(token_id) for token_id in unseen])
    left = [token_id for token_id, found in zip(unseen, alone, strict=True) if found[-1] != token_id]
    # A vocabulary that cuts runs of letters by a rule makes its k-mers in long runs only.
    runs = gene.encode_batch(["\n" + _repeated(gene.token(token_id)) for token_id in left])
    return [
        TokenUse(token_id, gene.token(token_id), 0)
        for token_id, found in zip(left, runs, strict=True)
        if token_id not in found
    ]


def _repeated(token: str) -> str:
    """The token as often as it takes to make a run.

    >>> _repeated("ACGTA")
    'ACGTAACGTAACGTA'
    """
    return token * -(-SHORTEST_RUN // len(token))


def shown(tokens: Sequence[TokenUse]) -> tuple[TokenUse, ...]:
    """As many unreachable tokens as a report lists."""
    return tuple(tokens[:_SHOWN_UNREACHABLE])


def collisions(side: Measured, ranges: Mapping[str, range]) -> Collisions:
    """How often tokens learnt from one kind are written in another, and protein tokens that could be DNA."""

    def share(kind: Kind, of: GeneKind) -> float | None:
        times_V = side.times_by_kind.get(kind)
        if times_V is None:
            return None
        return round(int(times_V[ranges[of].start : ranges[of].stop].sum()) / max(int(times_V.sum()), 1), 6)

    tokens = [side.gene.token(token_id) for token_id in ranges["protein"]]
    of_bases = [token for token in tokens if set(token) <= set(DNA.letters)]
    return Collisions(
        dna_tokens_in_protein_range=share("dna", "protein"),
        protein_tokens_in_dna_range=share("protein", "dna"),
        text_tokens_in_dna_range=share("text", "dna"),
        text_tokens_in_protein_range=share("text", "protein"),
        protein_range_tokens_of_bases=len(of_bases),
        examples_of_bases=tuple(of_bases[:_SHOWN_EXAMPLES]),
    )
