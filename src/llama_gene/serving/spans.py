"""Which letters of a text are one token, and whether the token is one of DNA, of protein, or of the base vocabulary."""

from collections.abc import Mapping
from typing import NamedTuple

from llama_gene.tokenizer.audit.tokens import read_extension
from llama_gene.tokenizer.load import GeneTokenizer


class TokenSpan(NamedTuple):
    """Letters `start` to `end` of a text (0-based, half-open) are token `id`; `kind`: dna, protein or english."""

    start: int
    end: int
    id: int
    kind: str


def token_spans(tokenizer: GeneTokenizer, text: str, ranges: Mapping[str, range]) -> list[TokenSpan]:
    """The tokens of a text from left to right.

    A letter that takes several tokens (an accent, written as bytes) belongs to the first of them.

    Args:
        tokenizer: Of the model.
        text: From outside; special tokens in it are plain text.
        ranges: Ids of the gene tokens by kind.
    """
    spans: list[TokenSpan] = []
    reached = 0
    for token, (start, end) in zip(tokenizer.encode(text), tokenizer.offsets(text), strict=True):
        if end > reached:
            kind = next((kind for kind, ids in ranges.items() if token in ids), "english")
            spans.append(TokenSpan(max(start, reached), end, token, kind))
            reached = end
    return spans


def gene_ranges(tokenizer: GeneTokenizer) -> Mapping[str, range]:
    """Ids of the tokens that an extension added, by kind; none where the vocabulary was not extended.

    Raises:
        TokenizerError: the note on the extension is broken.
    """
    extension = read_extension(tokenizer.folder)
    return extension.ranges if extension else {}
