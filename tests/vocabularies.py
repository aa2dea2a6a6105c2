"""Small vocabularies of every make, and sequences to grow them with; all built on the spot."""

import base64
import io
import random
from pathlib import Path

import sentencepiece
import tiktoken
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from llama_gene.config import TokenizerConfig
from llama_gene.tokenizer.extend import extend_from_files
from llama_gene.tokenizer.tiktoken_model import WORDS, parse_tiktoken
from llama_gene.tokenizer.tiny import english_pages, tiny_vocabulary

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"


def make_genes(letters: str, seed: int, number: int = 150, length: int = 200) -> list[str]:
    """Sequences of a small stock of words, so that there is something to learn."""
    rng = random.Random(seed)
    words = ["".join(rng.choices(letters, k=rng.randint(2, 7))) for _ in range(60)]
    return ["".join(rng.choice(words) for _ in range(length // 4)) for _ in range(number)]


def write_records(path: Path, sequences: list[str]) -> Path:
    path.write_text("".join(f">s{place}\n{text}\n" for place, text in enumerate(sequences)))
    return path


def make_sentencepiece_base(folder: Path) -> Path:
    """A SentencePiece BPE model built like LLaMA-2's."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line for _, page in english_pages() for line in page.splitlines() if line]),
        model_writer=model, vocab_size=600, model_type="bpe", byte_fallback=True, split_digits=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=1.0,
        minloglevel=2,
    )  # fmt: skip
    path = folder / "sentencepiece.model"
    path.write_bytes(model.getvalue())
    return path


def make_tiktoken_base(folder: Path) -> Path:
    """A tiktoken file built like LLaMA-3's: 256 bytes, then the merges of `tiny`."""
    tiny = tiny_vocabulary()
    learnt = [tiny.tokenizer.decode([token_id]).encode() for token_id in range(3 + 256, tiny.size)]
    tokens = [*(bytes([byte]) for byte in range(256)), *learnt]
    path = folder / "tiktoken.model"
    path.write_bytes(b"".join(base64.b64encode(token) + b" %d\n" % rank for rank, token in enumerate(tokens)))
    return path


def make_json_base(folder: Path) -> Path:
    """A byte-level tokenizer.json whose special tokens come after the merges and are not in the model."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(WORDS), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([page for _, page in english_pages()], trainer)
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True) for token in ("<|begin_of_text|>", "<|end_of_text|>", "<|reserved_0|>")]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


MAKERS = {
    "tiny": lambda _: None,
    "sentencepiece": make_sentencepiece_base,
    "tiktoken": make_tiktoken_base,
    "json": make_json_base,
}  # fmt: skip


def grow(base: Path | None, folder: Path, config: TokenizerConfig, *, text: tuple[Path, ...] = ()) -> Path:
    """The base extended with tokens of made-up sequences; the folder it is in."""
    dna = write_records(folder / "dna.fa", make_genes("ACGT", 1))
    protein = write_records(folder / "protein.fa", make_genes(RESIDUES, 2))
    output = folder / "extended"
    extend_from_files(config, base=base, dna=[dna], protein=[protein], text=text, seed=1, output=output)
    return output


def open_tiktoken(file: Path) -> tiktoken.Encoding:
    """The file as tiktoken reads it, with the special tokens it does not name."""
    model = parse_tiktoken(file.read_bytes(), str(file))
    return tiktoken.Encoding(
        name=file.parent.name, pat_str=WORDS, mergeable_ranks=dict(model.ranks), special_tokens=dict(model.special)
    )
