"""Instruction records of items that bring their own question: their words stay as they are, or the item is refused."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llama_gene.config import Split
from llama_gene.prompts import Message, defuse, render, user_content
from llama_gene.tasks.fitting import MARK_TOKENS, Setting


def own_records(
    setting: Setting, rows: Sequence[Mapping[str, Any]], split: Split, counts: Counter[str]
) -> Iterator[dict[str, Any]]:
    """Records with the instruction, input and output of their set; what does not fit is counted.

    Nothing is shortened: where the sequence lies in the words is the set's own affair.

    Args:
        setting: Task, tokenizer and limits.
        rows: As `tasks split` wrote them.
        split: Where they belong.
        counts: Receives what was defused or refused.
    """
    special = setting.tokenizer.special_tokens
    safe = [
        [defuse(text, special) for text in (row["words"]["instruction"], row["words"]["input"], row["target"])]
        for row in rows
    ]
    turns = [
        (Message("user", user_content(asked.text, given.text)), Message("assistant", answer.text))
        for asked, given, answer in safe
    ]
    prompts = setting.tokenizer.encode_arrays([render(pair) for pair in turns])
    answers = setting.tokenizer.encode_arrays([answer.text for _, _, answer in safe])
    for row, texts, prompt, said in zip(rows, safe, prompts, answers, strict=True):
        if len(said) > setting.max_answer_tokens:
            counts[f"refused: answer over {setting.max_answer_tokens} tokens"] += 1
            continue
        if len(prompt) + MARK_TOKENS > setting.max_tokens:
            counts[f"refused: over {setting.max_tokens} tokens in its own words"] += 1
            continue
        counts["defused"] += sum(text.changes for text in texts)
        instruction, given, answer = (text.text for text in texts)
        yield {
            "id": row["id"],
            "instruction": instruction,
            "input": given,
            "output": answer,
            "task": row["task"],
            "family": row["family"],
            "split": split,
            "labels": row["labels"],
            "group": row["group"],
            "sequences": row["sequences"],
            "kinds": row["kinds"],
            "value": None,
        }
