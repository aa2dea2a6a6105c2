"""Small real things for the evaluation's tests: a model that answers, and instructions of three kinds."""

import json
import random
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

from llama_gene.config import EvaluateConfig
from llama_gene.evaluation.evaluate import evaluate
from llama_gene.evaluation.items import Item
from llama_gene.prompts import CHAT_TEMPLATE

LABELS = ("Non-promoter", "promoter")
MOTIF = "TATAAT"
SMALL = EvaluateConfig(bootstrap=100, generate_items=4, max_new_tokens=4, kmer_max=3, batch_items=8)


def write_answering_model(folder: Path, *, hidden: int = 32, seed: int = 1, positions: int = 512) -> Path:
    """A two-layer LLaMA with random weights and a letter-level tokenizer, as a plain Hugging Face folder."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<s>", "</s>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>",
        "chat_template": CHAT_TEMPLATE,
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    torch.manual_seed(seed)
    sizes = LlamaConfig(
        vocab_size=320, hidden_size=hidden, intermediate_size=2 * hidden, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=positions, initializer_range=0.3, bos_token_id=256, eos_token_id=257,
    )  # fmt: skip
    LlamaForCausalLM(sizes).save_pretrained(folder)
    return folder


def item(**changes: Any) -> Item:
    """A promoter question; `changes` replace its fields."""
    fields: dict[str, Any] = {
        "id": "1", "instruction": "Determine it, The result will be one of the following: Non-promoter, promoter.",
        "input": "ACGT", "output": "promoter", "task": "boxes", "family": "classification", "split": "test",
        "labels": LABELS, "group": "", "sequences": ("ACGT",), "kinds": ("dna",), "value": None,
    }  # fmt: skip
    return Item(**(fields | changes))


def motif_items(count: int, *, seed: int, **changes: Any) -> list[Item]:
    """Random DNA; promoters hold a planted motif at a random place."""
    rng = random.Random(seed)
    found = []
    for number in range(count):
        letters = "".join(rng.choices("ACGT", k=40))
        label = rng.choice(LABELS)
        if label == "promoter":
            place = rng.randrange(30)
            letters = letters[:place] + MOTIF + letters[place + len(MOTIF) :]
        fields = {"id": f"{seed}-{number}", "input": letters, "sequences": (letters,), "output": label} | changes
        found.append(item(**fields))
    return found


def strength_items(count: int, *, seed: int) -> list[Item]:
    """A regression task in three bins: the value is the share of G and C."""
    rng = random.Random(seed)
    found = []
    for number in range(count):
        share = rng.random()
        letters = "".join(rng.choice("GC") if rng.random() < share else rng.choice("AT") for _ in range(60))
        label = ("low", "middle", "high")[min(2, int(share * 3))]
        found.append(
            item(
                id=f"s{seed}-{number}", input=letters, sequences=(letters,), output=label, task="strength",
                family="regression", labels=("low", "middle", "high"), value=share,
            )
        )  # fmt: skip
    return found


def function_items(count: int, *, seed: int) -> list[Item]:
    """Free text: three protein families, each with its own description."""
    rng = random.Random(seed)
    cores = {"ATP synthase subunit": "MKVLAATT", "DNA binding protein": "WWHHCCPP", "membrane transporter": "GGLLIIFF"}
    found = []
    for number in range(count):
        text = rng.choice(sorted(cores))
        letters = "".join(rng.choices("ACDEFGHIKLMNPQRSTVWY", k=12)) + cores[text] * 2
        found.append(
            item(
                id=f"f{seed}-{number}", instruction="Determine its function.", input=letters, sequences=(letters,),
                kinds=("protein",), output=text, labels=None, task="function", family="function",
            )
        )  # fmt: skip
    return found


def write_instructions(folder: Path, splits: dict[str, list[Item]]) -> Path:
    """Instruction files of `tasks build`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, items in splits.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one.record()) + "\n" for one in items))
    return folder


def evaluate_small(folder, splits):
    """Evaluate the answering model on items of each split, written below a folder; the result is `out` in it."""
    model = write_answering_model(folder / "model")
    instructions = write_instructions(folder / "instructions", splits)
    return evaluate(SMALL, model=model, instructions=instructions, seed=1, output=folder / "out")
