"""The bases that the tokenizer benchmarks extend: LLaMA-2 and LLaMA-3, or small ones of the same make."""

import base64
import io
from pathlib import Path

import sentencepiece

from llama_gene.tokenizer.tiny import english_pages, tiny_vocabulary

SENTENCEPIECE, TIKTOKEN = "SentencePiece base", "tiktoken base"


def find_bases(folder: Path, data: Path | None) -> dict[str, Path]:
    """The bases of a data folder; without one, bases of the English pages of the package, written to `folder`."""
    if data:
        return {name: data / f"tokenizers/{place}/tokenizer.model" for name, place in _PLACES.items()}
    pieces, ranks = folder / "pieces.model", folder / "ranks.model"
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line for _, page in english_pages() for line in page.splitlines() if line]),
        model_writer=model, vocab_size=600, model_type="bpe", byte_fallback=True, split_digits=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=1.0, minloglevel=2,
    )  # fmt: skip
    pieces.write_bytes(model.getvalue())
    tiny = tiny_vocabulary()
    learnt = [tiny.tokenizer.decode([token_id]).encode() for token_id in range(3 + 256, tiny.size)]
    tokens = [*(bytes([byte]) for byte in range(256)), *learnt]
    ranks.write_bytes(b"".join(base64.b64encode(token) + b" %d\n" % rank for rank, token in enumerate(tokens)))
    return {SENTENCEPIECE: pieces, TIKTOKEN: ranks}


_PLACES = {SENTENCEPIECE: "llama2", TIKTOKEN: "llama3"}
