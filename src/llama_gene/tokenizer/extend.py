"""The stages `tokenizer extend` and `tokenizer train`: sequences in, a Hugging Face tokenizer folder out.

Sequences are learnt from in the direction they are read; `corpus build` has already turned its share of DNA around.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from llama_gene.artifacts import Ledger, Manifest, build_stage, write_json
from llama_gene.config import Kind, OnInvalid, TokenizerConfig
from llama_gene.errors import TokenizerError
from llama_gene.progress import show_progress
from llama_gene.sequences.files import read_batches
from llama_gene.sequences.readers import list_files, read_texts
from llama_gene.tokenizer.grow import Growth, Sampler, grow_vocabulary, spelling
from llama_gene.tokenizer.sample import sample_letters
from llama_gene.tokenizer.tiny import learn_byte_level, tiny_vocabulary
from llama_gene.tokenizer.vocabulary import Vocabulary, read_vocabulary, write_vocabulary

EXTENSION_FILE = "extension.json"
_TINY = Path("tiny")
_CODE = 3


def read_base(base: Path | None) -> Vocabulary:
    """The vocabulary to extend; None or the bare name `tiny` is the built-in one.

    >>> read_base(None).size
    768
    """
    return tiny_vocabulary() if base is None or base == _TINY else read_vocabulary(base)


def extend_from_corpus(
    config: TokenizerConfig, *, base: Path | None, corpus: Path, seed: int, output: Path
) -> Manifest:
    """Extend a base with tokens learnt from the training split of a corpus folder.

    Args:
        config: Method and sizes.
        base: A .model, a tokenizer.json or their folder; None: the built-in `tiny`.
        corpus: Folder made by `corpus build`.
        seed: Seed of the sample.
        output: Stage folder: tokenizer.json, tokenizer_config.json, extension.json, and tokenizer.model for a
            base that was one.

    Raises:
        TokenizerError: the base cannot be extended, or the corpus holds too little.
        ArtifactError: there is no corpus.
    """

    def sample(kind: Kind) -> Sequence[str]:
        return _draw(_corpus_texts(corpus, kind), kind, config, seed, f"the training split of {corpus}")

    inputs = {"corpus": corpus, "base": _base_input(base)}
    return build_stage(
        "tokenizer extend", output, lambda work, ledger: _extend(work, ledger, config, base, sample),
        config=config, inputs=inputs, seed=seed, code=_CODE,
    )  # fmt: skip


def extend_from_files(
    config: TokenizerConfig,
    *,
    base: Path | None,
    dna: Sequence[Path],
    protein: Sequence[Path],
    text: Sequence[Path] = (),
    seed: int,
    output: Path,
    on_invalid: OnInvalid = "error",
) -> Manifest:
    """Extend a base with tokens learnt from sequence files; arguments as in `extend_from_corpus`.

    Args:
        dna: Files, folders or globs of DNA; none are needed where `dna_size` is 0.
        protein: The same for protein.
        text: English whose tokens must not change; needed where `protect_english` is set.
        on_invalid: error: stop at a bad record; skip: count it.
    """
    files = {"dna": _expand(dna), "protein": _expand(protein), "text": _expand(text)}

    def build(work: Path, ledger: Ledger) -> None:
        def sample(kind: Kind) -> Sequence[str]:
            texts = read_texts(files[kind], kind, on_invalid=on_invalid, counts=ledger.counts)
            return _draw(texts, kind, config, seed, "--protect-english" if kind == "text" else f"--{kind}")

        _extend(work, ledger, config, base, sample)

    inputs = {f"{kind} {place}": file for kind in files for place, file in enumerate(files[kind])}
    inputs["base"] = _base_input(base)
    settings = config.model_dump(mode="json") | {"on_invalid": on_invalid}
    return build_stage(
        "tokenizer extend", output, build, config=settings, inputs=inputs, seed=seed, code=_CODE
    )  # fmt: skip


def train_vocabulary(
    kind: Kind,
    files: Sequence[Path],
    size: int,
    output: Path,
    *,
    seed: int = 1,
    max_token_letters: int = 16,
    sample_letters_at_most: int = 1_000_000_000,
    on_invalid: OnInvalid = "error",
) -> Manifest:
    """Learn a byte-level vocabulary of its own from files of one kind.

    Args:
        kind: What the letters are.
        files: Files, folders or globs.
        size: Tokens in all: 3 special ones, 256 bytes and what is learnt, > 258.
        output: Stage folder with tokenizer.json and tokenizer_config.json.
        on_invalid: error: stop at a bad record; skip: count it.

    Raises:
        TokenizerError: `size` is too small, or larger than the files can give.
    """
    paths = _expand(files)

    def build(work: Path, ledger: Ledger) -> None:
        texts = read_texts(paths, kind, on_invalid=on_invalid, counts=ledger.counts)
        pieces = sample_letters(texts, kind, letters=sample_letters_at_most, seed=seed)
        ledger.counts["letters"] = sum(map(len, pieces))
        write_vocabulary(learn_byte_level(pieces, size=size, max_token_letters=max_token_letters), work)

    settings = {
        "kind": kind, "size": size, "max_token_letters": max_token_letters, "sample_letters": sample_letters_at_most,
        "on_invalid": on_invalid,
    }  # fmt: skip
    inputs = {f"{kind} {place}": file for place, file in enumerate(paths)}
    return build_stage("tokenizer train", output, build, config=settings, inputs=inputs, seed=seed, code=_CODE)


def _base_input(base: Path | None) -> Path:
    """What the result depends on: for `tiny` the pages it is learnt from."""
    return Path(__file__).with_name("english") if base is None or base == _TINY else base


def _extend(work: Path, ledger: Ledger, config: TokenizerConfig, base: Path | None, sample: Sampler) -> None:
    vocabulary = read_base(base)
    letters: Counter[str] = Counter()

    def counted(kind: Kind) -> Sequence[str]:
        pieces = sample(kind)
        letters[f"{kind}_letters"] = sum(map(len, pieces))
        return pieces

    growth = grow_vocabulary(config, vocabulary, counted)
    write_vocabulary(growth.vocabulary, work)
    write_json(work / EXTENSION_FILE, _describe(config, vocabulary, growth))
    ledger.counts.update(letters)
    for kind, (start, end) in growth.ranges.items():
        ledger.counts[f"{kind}_tokens"] = end - start
    for kind, number in growth.duplicates.items():
        ledger.counts[f"{kind}_duplicates"] = number
    ledger.facts |= {"base_size": growth.base_size, "size": growth.vocabulary.size}


def _describe(config: TokenizerConfig, base: Vocabulary, growth: Growth) -> dict[str, object]:
    tokens = [str(growth.vocabulary.tokenizer.id_to_token(place)) for place in range(base.size, growth.vocabulary.size)]
    return {
        "method": config.method,
        "base_size": growth.base_size,
        "size": growth.vocabulary.size,
        "dna_range": list(growth.ranges["dna"]),
        "protein_range": list(growth.ranges["protein"]),
        "spelling": spelling(base, tokens),
    }


def _draw(texts: Iterable[str], kind: Kind, config: TokenizerConfig, seed: int, where: str) -> Sequence[str]:
    read = show_progress(texts, f"drawing {kind} letters")
    pieces = sample_letters(read, kind, letters=config.sample_letters, seed=seed)
    if not pieces:
        otherwise = "protect_english = false" if kind == "text" else f"{kind}_size = 0"
        raise TokenizerError(f"{where}: no {kind} letters to learn from. Give {kind} files or set {otherwise}.")
    return pieces


def _expand(paths: Sequence[Path]) -> list[Path]:
    return [file for path in paths for file in list_files(path)]


def _corpus_texts(corpus: Path, kind: Kind) -> Iterator[str]:
    shards = sorted((corpus / "train").glob("*.parquet"))
    if not shards:
        raise TokenizerError(f"{corpus / 'train'}: no Parquet shards. Expected a folder made by `corpus build`.")
    for shard in shards:
        for batch in read_batches(shard, ("kind", "text"), 4096):
            for row_kind, text in zip(batch["kind"].to_pylist(), batch["text"].to_pylist(), strict=True):
                if row_kind == kind:
                    yield text
