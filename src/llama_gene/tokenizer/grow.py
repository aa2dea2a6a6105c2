"""Learn gene tokens on a vocabulary and give the vocabulary that has them: methods and units, no files.

`continue` encodes the sequences with the tokenizer as it stands and goes on learning merges: DNA first, then protein
on the tokenizer that already has DNA. `append` is the paper's way (section 2.1.2): separate vocabularies are learnt
from single letters, and the pieces that are not there yet are put at the end.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llama_gene.config import GENE_KINDS, GeneKind, Kind, TokenizerConfig
from llama_gene.errors import TokenizerError
from llama_gene.progress import show_progress
from llama_gene.sequences.alphabets import DNA, PROTEIN
from llama_gene.tokenizer.encode import BulkEncoder
from llama_gene.tokenizer.learn import Pair, learn_merges
from llama_gene.tokenizer.merges import all_merges, spell_merges
from llama_gene.tokenizer.sample import without_sequences
from llama_gene.tokenizer.units import cut_into_units
from llama_gene.tokenizer.vocabulary import Vocabulary, extend_vocabulary

Sampler = Callable[[Kind], Sequence[str]]

# Words of this field in capital letters, which protein tokens would otherwise cut anew: their neighbours never merge.
# DNA is learnt without them: to a base of single letters ATP is A + T + P, and A + T is where DNA begins.
_ACRONYMS = (
    "ADP AIDS AMP ATP BLAST BMI BSA CDS CNS DAPI DMSO DNA DTT EDTA EGF EGFP ELISA EM EST ES ETS FACS FBS FDR FITC FGF "
    "GDP GFP GMP GO GTP GWAS HDL HIV HPLC HRP IFN IL IP IRES KEGG KO LDL LPS MAPK MHC MRI MS NADH NADPH NCBI NGS NIH "
    "NMR NTP OMIM ORF PAGE PBS PCR PFA PI PKA PKC QTL RIP RFLP RFP RIPA RNA RT RNAi ROS SD SDS SEM SNP SSC TBS TF TLR "
    "TNF UTR UV WHO WT YFP"
)
_LETTERS: dict[GeneKind, str] = {"dna": DNA.letters, "protein": PROTEIN.letters}
_BATCH = 4096


@dataclass(frozen=True)
class Growth:
    """A grown vocabulary.

    `ranges` holds the new ids of each kind, half-open. `duplicates` counts learnt pieces that were there already.
    """

    vocabulary: Vocabulary
    base_size: int
    ranges: dict[GeneKind, tuple[int, int]]
    duplicates: dict[GeneKind, int]


def grow_vocabulary(config: TokenizerConfig, base: Vocabulary, sample: Sampler) -> Growth:
    """The base with `dna_size`, then `protein_size` new tokens.

    Args:
        config: Method, units, sizes, longest token.
        base: Its ids do not move.
        sample: Pieces of a kind to learn from, asked only for a kind of which tokens are learnt; and English whose
            tokens must not change, asked only where it is to be protected.

    Raises:
        TokenizerError: there are too few letters for the size asked.
    """
    grown = base
    ranges: dict[GeneKind, tuple[int, int]] = {}
    duplicates: dict[GeneKind, int] = {}
    for kind in GENE_KINDS:
        start, unit, size = grown.size, config.unit_of(kind), config.size_of(kind)
        if unit != "bpe":
            grown = cut_into_units(grown, kind, unit, config.k_of(kind))
        elif size and config.method == "append":
            grown, duplicates[kind] = _append(grown, sample(kind), kind, config)
        elif size:
            grown = _continue(grown, sample, kind, config)
        ranges[kind] = (start, grown.size)
    return Growth(grown, base.size, ranges, duplicates)


def _continue(vocabulary: Vocabulary, sample: Sampler, kind: GeneKind, config: TokenizerConfig) -> Vocabulary:
    reader = _GeneReader(vocabulary, kind)
    forbidden = reader.pairs_beyond(0.0, _acronyms()) if kind == "protein" else frozenset()
    if config.protect_english:
        # Half of what may change for each kind, and each merge changes two tokens.
        share = config.english_changed_max / len(GENE_KINDS) / 2
        forbidden |= reader.pairs_beyond(share, [without_sequences(text) for text in sample("text")])
    pieces = sample(kind)
    merges = learn_merges(
        reader.words(pieces), new_tokens=config.size_of(kind), max_token_letters=config.max_token_letters,
        letters_of=reader.tokens, forbidden=forbidden,
    )  # fmt: skip
    tokens, pairs = spell_merges(merges, reader.tokens)
    new = tokens[len(reader.tokens) :]
    _check_enough(len(new), config.size_of(kind), kind, pieces)
    return extend_vocabulary(vocabulary, new, pairs)


def _append(
    vocabulary: Vocabulary, pieces: Sequence[str], kind: GeneKind, config: TokenizerConfig
) -> tuple[Vocabulary, int]:
    """The vocabulary with the pieces it lacks of one learnt alone, and how many it had."""
    size = config.size_of(kind)
    alphabet = sorted(set().union(*pieces))
    if size < len(alphabet):
        raise TokenizerError(
            f"{kind}_size = {size}: below the {len(alphabet)} letters that are learnt from. Raise it, or set it to 0."
        )
    code_of = np.zeros(128, np.int32)
    code_of[[ord(letter) for letter in alphabet]] = range(len(alphabet))
    words = (code_of[np.frombuffer(piece.encode("ascii"), np.uint8)] for piece in pieces)
    merges = learn_merges(
        words, new_tokens=size - len(alphabet), max_token_letters=config.max_token_letters, letters_of=alphabet
    )
    learnt, _ = spell_merges(merges, alphabet)
    _check_enough(len(learnt), size, kind, pieces)
    there = set(vocabulary.letters())
    tokens = [token for token in learnt[:size] if token not in there]
    grown = extend_vocabulary(vocabulary, tokens, all_merges(tokens, there.union(tokens)))
    return grown, size - len(tokens)


def _check_enough(found: int, size: int, kind: Kind, pieces: Sequence[str]) -> None:
    if found < size:
        raise TokenizerError(
            f"{kind}_size = {size}: {sum(map(len, pieces)):,} {kind} letters gave {found} tokens before no pair stood "
            f"twice any more. Give more sequences or set {kind}_size to {found} or less."
        )


class _GeneReader:
    """Reads texts as the tokens that merges of a kind can start from: those spelled with its letters alone.

    `tokens` are their strings; words are places in that list.
    """

    def __init__(self, vocabulary: Vocabulary, kind: GeneKind) -> None:
        letters = vocabulary.letters()
        self._encoder = BulkEncoder(vocabulary.tokenizer)
        ids = [token_id for token_id, spelt in enumerate(letters) if set(spelt) <= set(_LETTERS[kind])]
        self._place_of = np.full(len(letters), -1, np.int32)
        self._place_of[ids] = range(len(ids))
        self.tokens = [letters[token_id] for token_id in ids]
        self.others = 0

    def words(self, texts: Sequence[str]) -> Iterator[npt.NDArray[np.int32]]:
        """The texts, cut where a token is more than letters of the kind (such as a leading ▁).

        `others` tells how many such tokens there were.
        """
        self.others = 0
        starts = range(0, len(texts), _BATCH)
        for start in show_progress(starts, "encoding with the vocabulary as it stands", len(starts)):
            for ids in self._encoder.encode(texts[start : start + _BATCH]):
                places = self._place_of[ids]
                cuts = np.flatnonzero(places < 0)
                self.others += len(cuts)
                for part in np.split(places, cuts) if len(cuts) else [places]:
                    yield part[1:] if len(part) and part[0] < 0 else part

    def pairs_beyond(self, share: float, texts: Sequence[str]) -> frozenset[Pair]:
        """Neighbours in the texts: all but the rarest, which together stand at no more than a share of the tokens.

        Merging a pair that stands nowhere in a text leaves it as it is written.
        """
        size, tokens = len(self.tokens), 0
        counts: Counter[int] = Counter()
        for word in self.words(texts):
            tokens += len(word)
            counts.update((word[:-1].astype(np.int64) * size + word[1:]).tolist())
        room = share * (tokens + self.others)
        rarest = sorted(counts, key=lambda pair: (counts[pair], pair))
        reached = np.cumsum([counts[pair] for pair in rarest])
        return frozenset(divmod(pair, size) for pair in rarest[int(np.searchsorted(reached, room, side="right")) :])


def _acronyms() -> list[str]:
    """The field's own acronyms as they stand in a text."""
    return [f"{word} ({word}) -{word}s c{word}" for word in _ACRONYMS.split()]


def spelling(base: Vocabulary, tokens: Sequence[str]) -> list[list[int]]:
    """The base ids that spell each token inside a text: what new embedding rows start from."""
    # A line break ends any merge and takes the leading ▁, so what follows it is the token alone.
    return [
        [token_id for token_id, (start, _) in zip(found.ids, found.offsets, strict=True) if start > 0]
        for found in base.tokenizer.encode_batch(["\n" + token for token in tokens], add_special_tokens=False)
    ]
