"""Hits of an index in front of function questions: the switch that tells what retrieval adds.

An item is asked twice, in a run without an index and in one with it, and the second run is compared with the first
(`against`). Hits too alike to the item are left out, or the answer would be looked up, not given.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from llama_gene.config import EvaluateConfig
from llama_gene.evaluation.answering import prompt_ids
from llama_gene.evaluation.items import Item
from llama_gene.progress import show_progress
from llama_gene.prompts import defuse
from llama_gene.retrieval.hits import quote_sequences
from llama_gene.retrieval.several import AnyIndex
from llama_gene.retrieval.transfer import hits_to_show
from llama_gene.tasks.hit_records import FAMILY
from llama_gene.tokenizer.load import GeneTokenizer


def add_evidence(
    config: EvaluateConfig, items: Sequence[Item], index: AnyIndex, tokenizer: GeneTokenizer, *, context: int
) -> list[Item]:
    """The items of a task, those of the function family with the hits of their first sequence in the instruction.

    As many hits stand there as `config.neighbours` allows and the context has room for; no hit is said to be none, and
    a sequence too short to search has none.

    Args:
        config: How many hits, below which identity, and the room an answer needs.
        items: All of one task.
        index: Where to look.
        tokenizer: Of the model.
        context: Tokens that the model reads.
    """
    if not items or items[0].family != FAMILY:
        return list(items)
    title = f"{items[0].task}: looking up"
    return [_with_hits(config, item, index, tokenizer, context) for item in show_progress(items, title)]


def describe_evidence(config: EvaluateConfig, index: Path) -> str:
    """What the report says of the switch."""
    limit = f" of less than {config.neighbours_below:.0%} identity" if config.neighbours_below <= 1 else ""
    return f"Function tasks were asked with up to {config.neighbours} hits of the index {index.name}{limit}."


def _with_hits(config: EvaluateConfig, item: Item, index: AnyIndex, tokenizer: GeneTokenizer, context: int) -> Item:
    below, most = config.neighbours_below, config.neighbours
    hits = hits_to_show(index, item.sequences[0], item.kinds[0], identity_below=below, most=most)
    for shown in range(len(hits), -1, -1):
        # What the index says is text from outside.
        quoted = defuse(quote_sequences(hits[:shown]), tokenizer.special_tokens).text
        asked = replace(item, instruction=f"{item.instruction}\n\n{quoted}")
        if len(prompt_ids(asked, tokenizer)) + config.max_new_tokens <= context:
            return asked
    return item
