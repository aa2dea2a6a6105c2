"""Made-up work for the benchmarks: a vocabulary, random models, documents, questions; nothing from outside."""

import random
from pathlib import Path

from transformers import PreTrainedModel

from llama_gene.config import ModelConfig, TokenizerConfig
from llama_gene.evaluation.items import Item
from llama_gene.model.extend import llama_sizes
from llama_gene.model.folders import new_llama
from llama_gene.tasks.wordings import PAPER_WORDINGS, instruction_text, spell
from llama_gene.tokenizer.extend import extend_from_files
from llama_gene.tokenizer.load import GeneTokenizer, load_tokenizer
from llama_gene.tokenizer.tiny import english_pages

LABELS = ("Non-promoter", "promoter")
_RESIDUES = "ACDEFGHIKLMNPQRSTVWY"


def make_tokenizer(folder: Path) -> GeneTokenizer:
    """The `tiny` vocabulary with 256 DNA and 256 protein tokens, as the demo has."""
    rng = random.Random(1)
    files = {}
    for kind, letters in (("dna", "ACGT"), ("protein", _RESIDUES)):
        files[kind] = folder / f"{kind}.fa"
        records = (f">{kind}{number}\n{''.join(rng.choices(letters, k=600))}\n" for number in range(60))
        files[kind].write_text("".join(records), encoding="utf-8")
    config = TokenizerConfig(dna_size=256, protein_size=256)
    extend_from_files(
        config, base=None, dna=[files["dna"]], protein=[files["protein"]], seed=1, output=folder / "tokenizer"
    )
    return load_tokenizer(folder / "tokenizer")


def make_model(shape: ModelConfig, rows: int, tokenizer: GeneTokenizer) -> PreTrainedModel:
    """A random LLaMA of this shape; ids beyond the tokenizer's are never read."""
    sizes = llama_sizes(shape, rows) | {"bos_token_id": tokenizer.bos_id, "eos_token_id": tokenizer.eos_id}
    return new_llama(sizes, seed=1)


def make_questions(count: int, *, length_bp: int = 70) -> list[Item]:
    """Promoter questions in the paper's words, letters spaced, as the recipes ask them."""
    rng = random.Random(2)
    asked = instruction_text(
        PAPER_WORDINGS["classification"], title="core promoter detection", kinds=["dna"], labels=LABELS
    )
    items = []
    for number in range(count):
        letters = "".join(rng.choices("ACGT", k=length_bp))
        items.append(
            Item(
                id=str(number), instruction=asked, input=spell(letters, "spaced"), output=rng.choice(LABELS),
                task="promoter", family="classification", split="test", labels=LABELS, group=str(number),
                sequences=(letters,), kinds=("dna",), value=None,
            )
        )  # fmt: skip
    return items


def make_documents(tokenizer: GeneTokenizer, tokens: int, *, longest: int) -> list[list[int]]:
    """Documents of DNA (300-1000 bp), protein (50-500 residues) and English in turn, begin and end token included.

    Args:
        tokenizer: Encodes them.
        tokens: About how many tokens in all.
        longest: Longer documents are cut to so many tokens.
    """
    rng = random.Random(3)
    pages = [paragraph for _, page in english_pages() for paragraph in page.split("\n\n") if len(paragraph) > 80]
    documents: list[list[int]] = []
    begin = [] if tokenizer.bos_id is None else [tokenizer.bos_id]
    while sum(map(len, documents)) < tokens:
        for text in (
            "".join(rng.choices("ACGT", k=rng.randint(300, 1000))),
            "".join(rng.choices(_RESIDUES, k=rng.randint(50, 500))),
            rng.choice(pages),
        ):
            body = tokenizer.encode(text)[: longest - len(begin) - 1]
            documents.append([*begin, *body, tokenizer.eos_id])
    return documents
