"""What an extension gives and costs: append, continue and protect_english on a SentencePiece and a tiktoken base.

Each vocabulary is learnt from the same sequences and measured on held-out ones, and on held-out English: letters per
token, share of English tokens changed, new tokens that can never be. The peer is a vocabulary of the same number of
tokens learnt alone, without any LLaMA: a ratio is our letters per token by its. Quick: small bases and made-up
sequences. Else LLaMA-2 and LLaMA-3, genomes, proteomes, textbooks and papers of LLAMA_GENE_DATA, 30,000 + 30,000
tokens; English is protected by one half of its files and measured on the other.
"""

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _bases import SENTENCEPIECE, TIKTOKEN, find_bases
from _harness import read_arguments, report
from _sequences import write_fragments
from llama_gene.config import GENE_KINDS, AuditConfig, GeneKind, TokenizerConfig
from llama_gene.sequences.readers import list_files, read_texts
from llama_gene.tokenizer.audit.audit import audit_files
from llama_gene.tokenizer.extend import extend_from_files, train_vocabulary
from llama_gene.tokenizer.load import load_tokenizer
from llama_gene.tokenizer.tiny import english_pages

_BYTES_AND_SPECIAL = 259
ENGLISH = ("english_changed", "english_changed_sequences_aside", "protected_english_changed")
METHODS: dict[str, dict[str, Any]] = {
    "append (paper)": {"method": "append"},
    "continue": {"method": "continue"},
    "continue, protect_english": {"method": "continue", "protect_english": True},
}


@dataclass(frozen=True)
class Material:
    """Files to learn from and files held out, by kind; English to protect and English held out."""

    learnt: Mapping[GeneKind, Sequence[Path]]
    held_out: Mapping[GeneKind, Sequence[Path]]
    protected: Sequence[Path]
    english: Sequence[Path]


def main() -> None:
    """Run, print, write."""
    arguments = read_arguments(__doc__)
    named = None if arguments.quick else os.environ.get("LLAMA_GENE_DATA")
    data = Path(named) if named else None
    tokens = 30_000 if data else 400
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        material = real_material(data) if data else made_up_material(folder)
        alone = {kind: letters_per_token_alone(kind, material, tokens, folder / kind) for kind in GENE_KINDS}
        found = {
            (base, method): measure(path, settings, material, tokens, folder / f"{base} {method}")
            for base, path in find_bases(folder, data).items()
            for method, settings in METHODS.items()
            if base == SENTENCEPIECE or method != "append (paper)"
        }
    rows = [
        (
            "base", "method", "rows", "DNA letters/token", "ratio to alone", "protein letters/token", "ratio to alone",
            "English changed", "sequences aside", "where protected", "unreachable", "s",
        )
    ]  # fmt: skip
    for (base, method), told in found.items():
        rows.append(
            (
                base, method, f"{told['rows']:,}", f"{told['dna']:.3f}", f"{told['dna'] / alone['dna']:.3f}",
                f"{told['protein']:.3f}", f"{told['protein'] / alone['protein']:.3f}",
                *(percent(told[key]) for key in ENGLISH), str(told["unreachable"]), f"{told['seconds']:.0f}",
            )
        )  # fmt: skip
    names = {SENTENCEPIECE: "sentencepiece", TIKTOKEN: "tiktoken"}
    report(
        arguments,
        work={"new_tokens": [tokens, tokens], "sequences": "real" if data else "made up"},
        ours={f"{base}, {method}": told for (base, method), told in found.items()},
        peers={"alone": {f"{kind}_letters_per_token": round(alone[kind], 4) for kind in GENE_KINDS}},
        ratios={
            f"{kind}_{names[base]}": found[base, "continue"][kind] / alone[kind]
            for base in names
            for kind in GENE_KINDS
        },
        table=rows,
    )


def measure(base: Path, settings: Mapping[str, Any], material: Material, tokens: int, output: Path) -> dict[str, Any]:
    """Extend a base and audit it on what was held out."""
    config = TokenizerConfig(dna_size=tokens, protein_size=tokens, **settings)
    text = material.protected if config.protect_english else ()
    started = time.perf_counter()
    extend_from_files(
        config, base=base, dna=material.learnt["dna"], protein=material.learnt["protein"], text=text, seed=1,
        output=output, on_invalid="skip",
    )  # fmt: skip
    seconds = time.perf_counter() - started
    found = audit_files(
        AuditConfig(), output, base=base, dna=material.held_out["dna"], protein=material.held_out["protein"],
        text=material.english, on_invalid="skip",
    )  # fmt: skip
    held_out = found.kinds["text"]
    return {
        "rows": found.size,
        "dna": found.kinds["dna"].letters_per_token,
        "protein": found.kinds["protein"].letters_per_token,
        "english_changed": held_out.changed_share,
        "english_changed_sequences_aside": held_out.changed_share_outside_sequences,
        "protected_english_changed": protected_english_changed(output, base, text) if text else None,
        "unreachable": found.unreachable_new_tokens,
        "base_ids_moved": found.base_ids_moved or 0,
        "seconds": round(seconds, 1),
    }


def protected_english_changed(tokenizer: Path, base: Path, text: Sequence[Path]) -> float | None:
    """Share of tokens changed in the English that was to be protected, its sequences aside."""
    found = audit_files(AuditConfig(), tokenizer, base=base, dna=(), protein=(), text=text, on_invalid="skip")
    return found.kinds["text"].changed_share_outside_sequences


def percent(share: float | None) -> str:
    """A share for the table; a dash where there is none."""
    return "-" if share is None else f"{100 * share:.3f} %"


def letters_per_token_alone(kind: GeneKind, material: Material, tokens: int, output: Path) -> float:
    """Of a vocabulary of its own, with as many learnt tokens."""
    train_vocabulary(kind, material.learnt[kind], tokens + _BYTES_AND_SPECIAL, output, on_invalid="skip")
    tokenizer = load_tokenizer(output)
    texts = list(read_texts(material.held_out[kind], kind, on_invalid="skip"))
    return sum(map(len, texts)) / sum(map(len, tokenizer.encode_batch(texts)))


def real_material(data: Path) -> Material:
    """Every sixth bacterium, a piece of human and a plant are held out; every ninth proteome; half of the English."""
    bacteria, proteomes = list_files(data / "genomes/bacteria"), list_files(data / "proteins/proteomes")
    human, plant = data / "genomes/human", data / "genomes/arabidopsis/1pct.fa.gz"
    papers = [file for place in ("craft", "plos_jats") for file in list_files(data / "text" / place)]
    books = [data / "text/openstax-biology.zip", data / "text/openstax-anatomy.zip"]
    yeast, animals = (
        data / "genomes/yeast/R64-1-1.fa.gz",
        [data / f"genomes/{name}/1pct.fa.gz" for name in ("worm", "fly")],
    )
    return Material(
        learnt={
            "dna": [
                *(file for file in bacteria if file not in bacteria[2::6]),
                *list_files(human / "hg19_chr*"),
                yeast,
                *animals,
            ],
            "protein": [file for file in proteomes if file not in proteomes[2::9]],
        },
        held_out={"dna": [*bacteria[2::6], human / "chr20_1mb.fa.gz", plant], "protein": proteomes[2::9]},
        protected=[*papers[::2], books[0]],
        english=[*papers[1::2], books[1]],
    )


def made_up_material(folder: Path) -> Material:
    """Fragments of made-up sequences, and the English pages of the package."""
    learnt: dict[GeneKind, list[Path]] = {}
    held_out: dict[GeneKind, list[Path]] = {}
    for kind in GENE_KINDS:
        lines = folder / f"{kind}.txt"
        write_fragments(lines, kind, 500_000, None)
        fragments = lines.read_text(encoding="ascii").split()
        for place, part, share in ((learnt, "learnt", fragments[50:]), (held_out, "held-out", fragments[:50])):
            file = folder / f"{kind}-{part}.fa"
            file.write_text("".join(f">{number}\n{text}\n" for number, text in enumerate(share)), encoding="ascii")
            place[kind] = [file]
    pages = []
    for name, text in english_pages():
        pages.append(folder / f"{name}.md")
        pages[-1].write_text(text, encoding="utf-8")
    return Material(learnt, held_out, pages[::2], pages[1::2])


if __name__ == "__main__":
    main()
