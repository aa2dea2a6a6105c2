"""A prompt measured in parts has the tokens of the whole, and a bound that holds."""

import random
from pathlib import Path

import pytest

from llama_gene.config import TokenizerConfig
from llama_gene.prompts import Message, render, user_content
from llama_gene.tasks.lengths import Prompt, Ruler
from llama_gene.tasks.wordings import PAPER_WORDINGS, spell
from llama_gene.tokenizer.encode_words import WordEncoder
from llama_gene.tokenizer.load import GeneTokenizer, load_tokenizer
from vocabularies import MAKERS, RESIDUES, grow, make_genes, make_sentencepiece_base

ANSWERS = ("promoter", "Non-promoter", "ATP synthase, subunit α (EC 7.1.2.2)", "(S)-lactate", "0.5", "<loop>")


@pytest.fixture(scope="module", params=MAKERS)
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> GeneTokenizer:
    folder = tmp_path_factory.mktemp(request.param)
    return load_tokenizer(grow(MAKERS[request.param](folder), folder, TokenizerConfig(dna_size=80, protein_size=80)))


def make_prompts(count: int) -> list[Prompt]:
    """Sequences of both alphabets, joined, spaced, in pairs and with a marked part."""
    rng = random.Random(1)
    prompts = []
    for number in range(count):
        dna = "".join(rng.choices("ACGT", k=rng.randint(1, 90)))
        protein = "".join(rng.choices(RESIDUES, k=rng.randint(1, 90)))
        pair = f"dna sequence: {dna}\n####\nprotein sequence: {protein}"
        inputs = (dna, protein, spell(dna, "spaced"), pair, f"{protein} [ {dna} ]", f"[ {dna} ] {protein}")
        turns = [Message("user", user_content(rng.choice(list(PAPER_WORDINGS.values())), "\x00"))]
        before, _, between = render(turns).partition("\x00")
        prompts.append(Prompt(before, inputs[number % len(inputs)], between, rng.choice(ANSWERS)))
    return prompts


def test_the_parts_add_up_to_the_whole(tokenizer: GeneTokenizer) -> None:
    prompts = make_prompts(120)
    whole = [len(tokenizer.encode(prompt.text)) for prompt in prompts]
    assert Ruler(tokenizer).lengths(prompts) == whole


def test_no_prompt_exceeds_its_bound(tokenizer: GeneTokenizer) -> None:
    ruler, prompts = Ruler(tokenizer), make_prompts(60)
    assert all(length <= ruler.at_most(prompt) for prompt, length in zip(prompts, ruler.lengths(prompts), strict=True))


def test_long_words_are_not_remembered(tmp_path: Path) -> None:
    grown = grow(make_sentencepiece_base(tmp_path), tmp_path, TokenizerConfig(dna_size=40, protein_size=40))
    encoder = WordEncoder(load_tokenizer(grown)._plain)
    for gene in make_genes("ACGT", 3):
        encoder.encode(f"a gene {gene}")
    assert max(map(len, encoder._known)) <= 64
