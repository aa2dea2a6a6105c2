"""Letters encoded per second: our bulk encoder against tokenizers, SentencePiece and tiktoken, with the same ids.

Ours gives an array for each text, as corpora store them; each peer gives what its own batch call gives, lists.

A SentencePiece and a tiktoken base are extended with DNA and protein tokens; each peer encodes with the format that
is its own, in batches, on all cores. Quick: bases built from the English pages of the package, 1,000 + 1,000 tokens,
made-up sequences. Else LLaMA-2 and LLaMA-3 of LLAMA_GENE_DATA where that is set, 30,000 + 30,000 tokens and its
genomes and proteomes.
"""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import sentencepiece
import tiktoken
from tokenizers import Tokenizer

from _bases import SENTENCEPIECE, TIKTOKEN, find_bases
from _harness import Pair, read_arguments, report, summary, take_turns
from _sequences import write_fragments
from llama_gene.config import GENE_KINDS, GeneKind, TokenizerConfig
from llama_gene.tokenizer.extend import extend_from_files
from llama_gene.tokenizer.load import GeneTokenizer, load_tokenizer
from llama_gene.tokenizer.tiktoken_model import WORDS, parse_tiktoken

UNIT = "letters_per_second"
ROUNDS = 3
CORES = os.cpu_count() or 1
Encode = Callable[[Sequence[str]], Sequence[Sequence[int]]]


@dataclass(frozen=True)
class Size:
    """How much is learnt and encoded, in letters and tokens."""

    learnt_from: int
    tokens: int
    encoded: int


def main() -> None:
    """Run, print, write."""
    arguments = read_arguments(__doc__)
    data = None if arguments.quick else os.environ.get("LLAMA_GENE_DATA")
    size = Size(1_000_000, 1000, 1_000_000) if arguments.quick else Size(60_000_000, 30_000, 10_000_000)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        files = write_sequences(folder, size, Path(data) if data else None)
        bases = find_bases(folder, Path(data) if data else None)
        found = {}
        for base, path in bases.items():
            grown = extend(path, files, size, folder / f"{base}-extended")
            for kind in GENE_KINDS:
                texts = files[kind].with_suffix(".held-out").read_text(encoding="ascii").split()
                found |= {(base, kind, peer): pair for peer, pair in compare(grown, texts, base).items()}
    rows = [("vocabulary", "letters", "peer", "ours, MB/s", "peer, MB/s", "ratio")]
    for (base, kind, peer), pair in found.items():
        ours, theirs = summary(pair.ours, UNIT)[UNIT] / 1e6, summary(pair.peer, UNIT)[UNIT] / 1e6
        rows.append((base, kind, peer, f"{ours:.1f}", f"{theirs:.1f}", f"{pair.ratio:.2f}"))
    names = {" ".join(key): pair for key, pair in found.items()}
    report(
        arguments,
        work={"letters": size.encoded, "new_tokens": [size.tokens, size.tokens], "rounds": ROUNDS, "threads": CORES},
        ours={name: summary(pair.ours, UNIT) for name, pair in names.items()},
        peers={name: summary(pair.peer, UNIT) for name, pair in names.items()},
        ratios={
            "tokenizers": found[SENTENCEPIECE, "dna", "tokenizers"].ratio,
            "tiktoken": found[TIKTOKEN, "dna", "tiktoken"].ratio,
            "sentencepiece": found[SENTENCEPIECE, "dna", "sentencepiece"].ratio,
        },
        table=rows,
    )


def compare(tokenizer: GeneTokenizer, texts: list[str], base: str) -> dict[str, Pair]:
    """Us against each peer that reads this base's formats; the ids must agree first."""
    peers = {"tokenizers": with_tokenizers(tokenizer.folder)}
    if base == TIKTOKEN:
        peers["tiktoken"] = with_tiktoken(tokenizer.folder)
    else:
        peers["sentencepiece"] = with_sentencepiece(tokenizer.folder)
    letters = sum(map(len, texts))
    expected = tokenizer.encode_batch(texts)
    for name, peer in peers.items():
        if list(peer(texts)) != expected:
            raise SystemExit(f"{base}: ids of {name} differ from ours")
    return {
        name: take_turns(
            lambda: tokenizer.encode_arrays(texts), lambda peer=peer: peer(texts), units=letters, rounds=ROUNDS
        )
        for name, peer in peers.items()
    }


def with_tokenizers(folder: Path) -> Encode:
    """`encode_batch` of the tokenizers library."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return lambda texts: [found.ids for found in tokenizer.encode_batch(list(texts), add_special_tokens=False)]


def with_sentencepiece(folder: Path) -> Encode:
    """SentencePiece on the extended `.model`."""
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    return lambda texts: processor.encode(list(texts), num_threads=CORES)


def with_tiktoken(folder: Path) -> Encode:
    """tiktoken on the extended `.model`."""
    file = folder / "tokenizer.model"
    model = parse_tiktoken(file.read_bytes(), str(file))
    encoding = tiktoken.Encoding(
        name="extended", pat_str=WORDS, mergeable_ranks=dict(model.ranks), special_tokens=dict(model.special)
    )
    return lambda texts: encoding.encode_ordinary_batch(list(texts), num_threads=CORES)


def extend(base: Path, files: dict[GeneKind, Path], size: Size, output: Path) -> GeneTokenizer:
    """The base with tokens of both kinds."""
    config = TokenizerConfig(dna_size=size.tokens, protein_size=size.tokens)
    extend_from_files(config, base=base, dna=[files["dna"]], protein=[files["protein"]], seed=1, output=output)
    return load_tokenizer(output)


def write_sequences(folder: Path, size: Size, data: Path | None) -> dict[GeneKind, Path]:
    """A FASTA file of each kind to learn from, and beside it as many held-out lines as are encoded."""
    files: dict[GeneKind, Path] = {}
    for kind in GENE_KINDS:
        lines = folder / f"{kind}.txt"
        write_fragments(lines, kind, size.learnt_from + size.encoded, data)
        fragments = lines.read_text(encoding="ascii").split()
        held_out = 0
        while sum(map(len, fragments[:held_out])) < size.encoded:
            held_out += max(1, len(fragments) // 200)
        files[kind] = folder / f"{kind}.fa"
        records = (f">{number}\n{fragment}\n" for number, fragment in enumerate(fragments[held_out:]))
        files[kind].write_text("".join(records), encoding="ascii")
        files[kind].with_suffix(".held-out").write_text("\n".join(fragments[:held_out]), encoding="ascii")
    return files


if __name__ == "__main__":
    main()
