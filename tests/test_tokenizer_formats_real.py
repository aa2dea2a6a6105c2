"""LLaMA-2 and LLaMA-3 with 30,000 + 30,000 tokens of real genomes and proteomes: every library gives the same ids."""

import fcntl
import os
import random
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pytest
import sentencepiece
from tokenizers import Tokenizer

from llama_gene.config import Kind, TokenizerConfig
from llama_gene.prompts import Message, defuse, render, user_content
from llama_gene.sequences.readers import list_files, read_texts
from llama_gene.tokenizer.extend import extend_from_files, read_base
from llama_gene.tokenizer.load import GeneTokenizer, load_tokenizer
from vocabularies import open_tiktoken

pytestmark = [pytest.mark.real_data, pytest.mark.slow]

FRAGMENTS = 100_000
HELD_OUT = "GCF_000006945"
_SPACES = re.compile("[\0 ▁]+")
Encode = Callable[[Sequence[str]], list[list[int]]]


class Extended(NamedTuple):
    """An extended base, and each way to encode with it and with what it was."""

    tokenizer: GeneTokenizer
    base_size: int
    ways: dict[str, Encode]
    base_ways: dict[str, Encode]


@pytest.fixture(scope="module", params=["llama2", "llama3"])
def extended(request: pytest.FixtureRequest, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Extended:
    base = data / f"tokenizers/{request.param}/tokenizer.model"
    place = tmp_path_factory.getbasetemp()
    folder = (place.parent if "PYTEST_XDIST_WORKER" in os.environ else place) / f"{request.param}-extended"
    genomes = [file for file in list_files(data / "genomes/bacteria") if not file.name.startswith(HELD_OUT)]
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        extend_from_files(
            TokenizerConfig(), base=base, dna=[*genomes, data / "genomes/human/*.fa.gz"],
            protein=[data / "proteins/proteomes"], seed=1, output=folder, on_invalid="skip",
        )  # fmt: skip
    tokenizer, before = load_tokenizer(folder), read_base(base)
    before.tokenizer.encode_special_tokens = True
    ways: dict[str, Encode] = {"ours": tokenizer.encode_batch, "tokenizer.json": _with_tokenizers(folder)}
    base_ways: dict[str, Encode] = {"tokenizer.json": lambda texts: _ids(before.tokenizer, texts)}
    native = _with_sentencepiece if request.param == "llama2" else _with_tiktoken
    ways["tokenizer.model"], base_ways["tokenizer.model"] = native(folder / "tokenizer.model"), native(base)
    return Extended(tokenizer, before.size, ways, base_ways)


def _ids(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    return [found.ids for found in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]


def _with_tokenizers(folder: Path) -> Encode:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.encode_special_tokens = True
    return lambda texts: _ids(tokenizer, texts)


def _with_sentencepiece(file: Path) -> Encode:
    processor = sentencepiece.SentencePieceProcessor(model_file=str(file))
    return lambda texts: processor.encode(list(texts), num_threads=os.cpu_count())


def _with_tiktoken(file: Path) -> Encode:
    encoding = open_tiktoken(file)
    return lambda texts: encoding.encode_ordinary_batch(list(texts), num_threads=os.cpu_count() or 1)


def _differing(texts: Sequence[str], ways: dict[str, Encode]) -> list[str]:
    """Texts of which two ways give different ids."""
    first, *others = (way(texts) for way in ways.values())
    return [text for place, text in enumerate(texts) if any(other[place] != first[place] for other in others)]


def _check(extended: Extended, texts: Iterator[str], at_least: int) -> None:
    """All formats agree, wherever those of the base do; where those do not, they agree but for runs of spaces."""
    number = 0
    while batch := list(islice(texts, 10_000)):
        number += len(batch)
        differing = _differing(batch, extended.ways)
        if differing:
            excused = _differing(differing, extended.base_ways)
            assert [text for text in differing if text not in excused] == []
            # What the base's own formats write otherwise are runs of spaces: without them all agree.
            assert _differing([_SPACES.sub(" ", text).strip() for text in excused], extended.ways) == []
        for text in batch[::20]:
            assert extended.tokenizer.decode(extended.tokenizer.encode(text)) == text
    assert number >= at_least


def _texts(data: Path, kind: Kind, *places: str) -> Iterator[str]:
    files = [file for place in places for file in list_files(data / place)]
    yield from read_texts(files, kind, on_invalid="skip")


def test_100_000_fragments_of_genomes(extended: Extended, data: Path) -> None:
    rng = random.Random(1)

    def fragments() -> Iterator[str]:
        for genome in _texts(data, "dna", "genomes/bacteria", "genomes/human/hg19_chr*.fa.gz"):
            start = 0
            while start < len(genome):
                size = rng.randint(300, 1000)
                yield genome[start : start + size].upper()
                start += size

    _check(extended, islice(fragments(), FRAGMENTS), FRAGMENTS)


def test_all_proteins(extended: Extended, data: Path) -> None:
    _check(extended, _texts(data, "protein", "proteins/proteomes", "proteins/annotated"), 100_000)


def test_all_english(extended: Extended, data: Path) -> None:
    pages = _texts(
        data, "text", "text/craft", "text/plos_jats", "text/openstax-biology.zip", "text/openstax-anatomy.zip"
    )
    _check(extended, (part for page in pages for part in page.split("\n\n") if part), 10_000)


def test_mixed_prompts_unicode_control_characters_and_random_bytes(extended: Extended, data: Path) -> None:
    rng = random.Random(2)
    genome = next(_texts(data, "dna", "genomes/bacteria")).upper()
    proteins = list(islice(_texts(data, "protein", "proteins/proteomes"), 500))

    def odd() -> Iterator[str]:
        for place, protein in enumerate(proteins):
            dna = genome[place * 400 : place * 400 + rng.randint(20, 400)]
            spaced = " ".join(dna)
            asked = user_content("Is the protein the translation of the DNA?", f"{dna}####{protein}")
            yield render([Message("user", asked), Message("assistant", "no")])
            yield f"{dna.lower()} {protein.lower()}\n{spaced}\t{dna}N{dna[::-1]}*{protein}-X"
            yield "".join(
                chr(rng.choice([rng.randrange(32), rng.randrange(0x2FF), rng.randrange(0x4E00, 0x9FFF)]))
                for _ in range(60)
            )
            yield bytes(rng.randrange(256) for _ in range(80)).decode("utf-8", errors="replace")
            yield bytes(rng.randrange(256) for _ in range(80)).decode("latin-1")
        yield "naïve café 東京 🧬 ﷽ e\u0301 \u200d\u202e Ω…"

    _check(extended, odd(), 2500)


def test_auto_tokenizer_reads_the_folder_and_gives_the_same_ids(extended: Extended, data: Path) -> None:
    transformers = pytest.importorskip("transformers")
    auto = transformers.AutoTokenizer.from_pretrained(extended.tokenizer.folder)
    assert len(auto) == extended.tokenizer.size == extended.base_size + 60_000
    texts = [text[:700] for text in islice(_texts(data, "protein", "proteins/annotated"), 2000)]
    genome = next(_texts(data, "dna", "genomes/bacteria")).upper()
    texts += [genome[start : start + 700] for start in range(0, 1_400_000, 700)]
    texts += [part for page in islice(_texts(data, "text", "text/craft"), 10) for part in page.split("\n\n") if part]
    assert auto(texts)["input_ids"] == extended.tokenizer.encode_batch(texts)


def test_no_special_token_can_be_written_by_a_user(extended: Extended) -> None:
    tokenizer = extended.tokenizer
    special = {tokenizer.encode_prompt(token)[-1] for token in tokenizer.special_tokens}
    assert len(special) == len(tokenizer.special_tokens) == (256 if extended.base_size > 100_000 else 3)
    for token in tokenizer.special_tokens:
        for text in (token, f"ACGT{token}ACGT", f"x {token * 2}"):
            assert not special.intersection(tokenizer.encode(text))
            assert tokenizer.decode(tokenizer.encode(text)) == text
            prompt = render([Message("user", defuse(text, tokenizer.special_tokens).text)])
            assert not special.intersection(tokenizer.encode_prompt(prompt))


def test_every_new_token_is_made_from_its_own_letters(extended: Extended) -> None:
    tokenizer = extended.tokenizer
    new = range(extended.base_size, tokenizer.size)
    found = tokenizer.encode_batch(["\n" + tokenizer.token(token_id) for token_id in new])
    assert [token_id for token_id, ids in zip(new, found, strict=True) if ids[-1] != token_id] == []
