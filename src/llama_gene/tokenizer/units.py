"""Other units than learnt tokens, for comparison: sequences cut into k-mers or single letters by a rule.

A run of at least 12 sequence letters, with no letter beside it, is cut from its left end; shorter ones are words as
before. The rule lives in `tokenizer.json` alone: SentencePiece and tiktoken files cannot hold it.
"""

import itertools
import json
from dataclasses import replace
from typing import Literal

from tokenizers import Regex, Tokenizer, pre_tokenizers

from llama_gene.config import GeneKind
from llama_gene.errors import TokenizerError
from llama_gene.sequences.alphabets import DNA, PROTEIN
from llama_gene.tokenizer.vocabulary import Vocabulary

SHORTEST_RUN = 12
_LARGEST = 1 << 17


def cut_into_units(vocabulary: Vocabulary, kind: GeneKind, unit: Literal["kmer", "letter"], k: int) -> Vocabulary:
    """The vocabulary with a rule that cuts runs of a kind, and the k-mers as new tokens after its last id.

    Args:
        vocabulary: Stays as it is. Single letters are its own.
        kind: Whose runs are cut. Runs of A, C, G, T, N alone are DNA, never protein.
        unit: k-mers, with what is left at the right end in single letters, or single letters alone.
        k: Letters of a k-mer.

    Raises:
        TokenizerError: there would be over 131,072 k-mers.
    """
    letters, others = (DNA.letters, "N") if kind == "dna" else (PROTEIN.letters, PROTEIN.ambiguous)
    size = 1 if unit == "letter" else k
    if len(letters) ** size > _LARGEST:
        raise TokenizerError(f"{kind}: {len(letters)} letters give {len(letters) ** size:,} {size}-mers. Lower the k.")
    values = json.loads(vocabulary.tokenizer.to_str())
    model = values["model"]
    model["vocab"] |= {added["content"]: added["id"] for added in values["added_tokens"]}
    units = map("".join, itertools.product(letters, repeat=size))
    new = [unit for unit in units if unit not in model["vocab"]]
    model["vocab"] |= {token: vocabulary.size + place for place, token in enumerate(new)}
    # A piece that is a token is taken whole, whatever merges would make of it.
    model["ignore_merges"] = True
    tokenizer = Tokenizer.from_str(json.dumps(values))
    run = f"[{letters}{others}]{{{SHORTEST_RUN},}}"
    # Bases are residues too: what may be DNA is not cut as protein, whatever the unit of DNA.
    is_protein = "" if kind == "dna" else rf"(?![{DNA.letters}N]+(?!\p{{L}}))"
    piece = f"(?:[{letters}]{{{size}}}|[{letters}{others}])"
    rules = [
        pre_tokenizers.Split(Regex(rf"(?<!\p{{L}}){is_protein}{run}(?!\p{{L}})"), behavior="isolated"),
        # From the start of a piece that is such a run, or from where the last match ended: never inside a word.
        pre_tokenizers.Split(Regex(rf"(?:\A{is_protein}(?={run}\z)|\G(?!\A)){piece}"), behavior="isolated"),
    ]
    before = [tokenizer.pre_tokenizer] if tokenizer.pre_tokenizer else []
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*rules, *before])
    return replace(vocabulary, tokenizer=tokenizer, native=None)
