"""Written answers: greedy, batched, padded on the left; freely, or along the labels of a closed set alone."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import torch
from transformers import GenerationConfig, PreTrainedModel

from llama_gene.errors import DataError
from llama_gene.evaluation.batches import BATCH_TOKENS, by_length
from llama_gene.progress import show_progress
from llama_gene.tokenizer.load import GeneTokenizer

_WINDOW = 4096
# Ids a row may write next, given the row's number and all its ids so far.
_Allow = Callable[[int, torch.Tensor], list[int]]


def generate_answers(
    model: PreTrainedModel,
    tokenizer: GeneTokenizer,
    prompts: Iterable[Sequence[int]],
    *,
    max_new_tokens: int,
    batch_items: int,
    batch_tokens: int = BATCH_TOKENS,
    title: str = "answering",
    total: int | None = None,
) -> list[str]:
    """What the model writes after each prompt, up to its end token, in the order given.

    Args:
        model: In evaluation mode, on its device.
        tokenizer: Of the model.
        prompts: Token ids, each ending with the response heading; read as they are needed.
        max_new_tokens: Longest answer; shorter where the context ends.
        batch_items: Most prompts in one batch, > 0.
        batch_tokens: Most tokens of one batch, answers included, > 0; a longer prompt goes alone.
        title: Name of the progress bar.
        total: Number of prompts, for the progress bar.

    Raises:
        DataError: a prompt fills the model's context.
    """
    padding_rows = list(range(tokenizer.size, model.get_output_embeddings().weight.shape[0]))

    def write(chosen: list[Sequence[int]]) -> list[str]:
        room = _room(model, chosen, 1)
        settings = _greedy(tokenizer, min(max_new_tokens, room), suppress_tokens=padding_rows or None)
        written = _write(model, chosen, settings)
        return [tokenizer.decode(ids).strip() for ids in written]

    return _in_batches(write, prompts, max_new_tokens, batch_items, batch_tokens, title, total)


def generate_labels(
    model: PreTrainedModel,
    tokenizer: GeneTokenizer,
    prompts: Iterable[Sequence[int]],
    labels: Sequence[str],
    *,
    batch_items: int,
    batch_tokens: int = BATCH_TOKENS,
    title: str = "answering",
    total: int | None = None,
) -> list[str]:
    """The label the model writes after each prompt when it may write nothing else.

    At each step the model takes the likeliest token among those that go on with some label; where one label begins
    another, the end token is one of them. This greedy path need not end in the likeliest label.

    Args:
        model: In evaluation mode, on its device.
        tokenizer: Of the model.
        prompts: Token ids, each ending with the response heading; read as they are needed.
        labels: The closed set, at least one.
        batch_items: Most prompts in one batch, > 0.
        batch_tokens: Most tokens of one batch, answers included, > 0.
        title: Name of the progress bar.
        total: Number of prompts, for the progress bar.

    Raises:
        DataError: a prompt with the longest label exceeds the model's context.
    """
    label_of = {tuple(tokenizer.encode_answer(label)): label for label in reversed(labels)}
    going_on = next_tokens([(*ids, tokenizer.eos_id) for ids in label_of])
    longest = 1 + max(map(len, label_of))

    def write(chosen: list[Sequence[int]]) -> list[str]:
        _room(model, chosen, longest)
        start = max(map(len, chosen))

        def allow(row: int, ids: torch.Tensor) -> list[int]:
            return going_on.get(tuple(ids[start:].tolist()), [tokenizer.eos_id])

        written = _write(model, chosen, _greedy(tokenizer, longest), allow)
        return [label_of[tuple(ids)] for ids in written]

    return _in_batches(write, prompts, longest, batch_items, batch_tokens, title, total)


def next_tokens(answers: Sequence[Sequence[int]]) -> dict[tuple[int, ...], list[int]]:
    """The trie of some answers: what may follow each of their beginnings.

    >>> next_tokens([(5, 0), (5, 6, 0)])
    {(): [5], (5,): [0, 6], (5, 6): [0]}
    """
    found: dict[tuple[int, ...], list[int]] = {}
    for answer in answers:
        for place, token in enumerate(answer):
            following = found.setdefault(tuple(answer[:place]), [])
            if token not in following:
                following.append(token)
    return found


def _in_batches(
    write: Callable[[list[Sequence[int]]], list[str]],
    prompts: Iterable[Sequence[int]],
    new_tokens: int,
    batch_items: int,
    batch_tokens: int,
    title: str,
    total: int | None,
) -> list[str]:
    """Answers in the order of the prompts, which are taken in windows: memory stays flat in their number."""

    def answered() -> Iterator[tuple[int, str]]:
        waiting, done = iter(prompts), 0
        while window := list(islice(waiting, _WINDOW)):
            lengths = [len(prompt) + new_tokens for prompt in window]
            for members in by_length(lengths, batch_items, batch_tokens):
                texts = write([window[member] for member in members])
                yield from ((done + member, text) for member, text in zip(members, texts, strict=True))
            done += len(window)

    found = dict(show_progress(answered(), title, total=total))
    return [found[place] for place in range(len(found))]


def _room(model: PreTrainedModel, prompts: Sequence[Sequence[int]], needed: int) -> int:
    """How many tokens an answer may have, which must be as many as needed."""
    longest, context = max(map(len, prompts)), model.config.max_position_embeddings
    if context - longest < needed:
        raise DataError(
            f"a prompt has {longest} tokens and its answer needs {needed}, the model reads {context}. "
            "Lower tasks.max_tokens and build the instructions again."
        )
    return context - longest


def _greedy(tokenizer: GeneTokenizer, new_tokens: int, **more: Any) -> GenerationConfig:
    eos = tokenizer.eos_id
    return GenerationConfig(do_sample=False, max_new_tokens=new_tokens, eos_token_id=eos, pad_token_id=eos, **more)


def _write(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], settings: GenerationConfig, allow: _Allow | None = None
) -> list[list[int]]:
    """The ids written after each prompt, without the end token."""
    eos, longest = settings.eos_token_id, max(map(len, prompts))
    padding = [longest - len(prompt) for prompt in prompts]
    ids_BT = torch.tensor([[*[eos] * pad, *prompt] for pad, prompt in zip(padding, prompts, strict=True)])
    mask_BT = torch.tensor([[*[0] * pad, *[1] * (longest - pad)] for pad in padding])
    with torch.inference_mode():
        written_BT = model.generate(
            input_ids=ids_BT.to(model.device), attention_mask=mask_BT.to(model.device), generation_config=settings,
            prefix_allowed_tokens_fn=allow,
        )  # fmt: skip
    return [_until(row, eos) for row in written_BT[:, longest:].tolist()]


def _until(ids: list[int], end: int) -> list[int]:
    return ids[: ids.index(end)] if end in ids else ids
