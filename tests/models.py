"""Small real things for tests: a gene vocabulary, a LLaMA, token blocks, instructions."""

import json
import random
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from llama_gene.artifacts import Manifest, write_json
from llama_gene.config import ModelConfig, TokenizerConfig
from llama_gene.model.extend import extend_model
from llama_gene.tokenizer.extend import extend_from_files
from llama_gene.tokenizer.load import load_tokenizer

SIZES = ModelConfig(hidden_size=32, layers=2, heads=4, intermediate_size=48, max_positions=512)
RESIDUES = "ACDEFGHIKLMNPQRSTVWY"


def write_fasta(path: Path, letters: str, *, records: int, length: int, seed: int) -> Path:
    rng = random.Random(seed)
    path.write_text("".join(f">r{n}\n{''.join(rng.choices(letters, k=length))}\n" for n in range(records)))
    return path


def make_vocabulary(folder: Path, *, dna: int = 24, protein: int = 24) -> Path:
    dna_file = write_fasta(folder / "d.fa", "ACGT", records=20, length=300, seed=1)
    protein_file = write_fasta(folder / "p.fa", RESIDUES, records=40, length=200, seed=2)
    config = TokenizerConfig(dna_size=dna, protein_size=protein)
    extend_from_files(config, base=None, dna=[dna_file], protein=[protein_file], seed=1, output=folder / "vocabulary")
    return folder / "vocabulary"


def make_model(folder: Path, vocabulary: Path, config: ModelConfig = SIZES) -> Path:
    extend_model(config, base=None, tokenizer=vocabulary, seed=1, output=folder / "model")
    return folder / "model"


def make_blocks(folder: Path, vocabulary: Path, *, rows: int = 24) -> Path:
    """Blocks whose DNA repeats a short motif, so that there is something to learn."""
    tokenizer = load_tokenizer(vocabulary)
    rng = random.Random(3)
    for split, count in (("train", rows), ("valid", 3)):
        blocks = []
        for _ in range(count):
            texts = ["ACGTTGCA" * rng.randint(4, 9), "MKVLA" * rng.randint(3, 6), "the gene codes for a protein"]
            ids = [[tokenizer.bos_id, *tokenizer.encode(text), tokenizer.eos_id] for text in texts]
            blocks.append(
                {
                    "input_ids": [token for document in ids for token in document],
                    "lengths": [len(document) for document in ids],
                    "kinds": ["dna", "protein", "text"],
                    "letters": [len(text) for text in texts],
                }
            )
        (folder / "blocks" / split).mkdir(parents=True)
        table = pa.Table.from_pylist(blocks)
        with pa.ipc.new_stream(str(folder / "blocks" / split / "00-00000.arrow"), table.schema) as stream:
            stream.write_table(table)
    return folder / "blocks"


def make_instructions(folder: Path, *, items: int = 40) -> Path:
    rng = random.Random(4)
    (folder / "instructions").mkdir()
    for split in ("train", "valid", "test"):
        lines = []
        for number in range(items):
            label = rng.choice(["promoter", "Non-promoter"])
            letters = "".join(rng.choices("ACGT", k=24)) + ("TATAAT" if label == "promoter" else "GCGCGC")
            lines.append(
                {
                    "id": f"{split}-{number}", "instruction": "Is it a promoter?", "input": letters, "output": label,
                    "task": "boxes", "family": "classification", "split": split,
                    "labels": ["Non-promoter", "promoter"], "group": str(number), "sequences": [letters],
                    "kinds": ["dna"], "value": None,
                }
            )  # fmt: skip
        (folder / "instructions" / f"{split}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    facts = {"boxes": {"spelling": "joined"}}
    manifest = Manifest("tasks-build", "key", 1, {"max_tokens": 256}, {}, 1, {}, {}, facts, 0.0)
    write_json(folder / "instructions" / "manifest.json", asdict(manifest))
    write_json(folder / "instructions" / "tasks.json", {"boxes": {}})
    return folder / "instructions"
