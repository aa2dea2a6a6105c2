"""Free answers: greedy, batched, padded on the left."""

from collections.abc import Sequence

import torch
from transformers import GenerationConfig, PreTrainedModel

from llama_gene.errors import DataError
from llama_gene.evaluation.batches import by_length
from llama_gene.progress import show_progress
from llama_gene.tokenizer.load import GeneTokenizer


def generate_answers(
    model: PreTrainedModel,
    tokenizer: GeneTokenizer,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    batch_items: int,
    title: str = "answering",
) -> list[str]:
    """What the model writes after each prompt, up to its end token, in the order given.

    Args:
        model: In evaluation mode, on its device.
        tokenizer: Of the model.
        prompts: Token ids, each ending with the response heading.
        max_new_tokens: Longest answer; shorter where the context ends.
        batch_items: Prompts in one batch, > 0.
        title: Name of the progress bar.

    Raises:
        DataError: a prompt fills the model's context.
    """
    found: dict[int, str] = {}
    for members in show_progress(by_length([len(prompt) for prompt in prompts], batch_items), title):
        chosen = [prompts[member] for member in members]
        for member, ids in zip(members, _generate(model, tokenizer, chosen, max_new_tokens), strict=True):
            found[member] = tokenizer.decode(ids).strip()
    return [found[place] for place in range(len(prompts))]


def _generate(
    model: PreTrainedModel, tokenizer: GeneTokenizer, prompts: Sequence[Sequence[int]], max_new_tokens: int
) -> list[list[int]]:
    longest = max(map(len, prompts))
    room = model.config.max_position_embeddings - longest
    if room < 1:
        raise DataError(
            f"a prompt has {longest} tokens, the model reads {model.config.max_position_embeddings}. "
            "Lower tasks.max_tokens and build the instructions again."
        )
    eos = tokenizer.eos_id
    ids_BT = torch.tensor([[*[eos] * (longest - len(prompt)), *prompt] for prompt in prompts], device=model.device)
    mask_BT = torch.tensor(
        [[*[0] * (longest - len(prompt)), *[1] * len(prompt)] for prompt in prompts], device=model.device
    )
    padding_rows = list(range(tokenizer.size, model.get_output_embeddings().weight.shape[0]))
    settings = GenerationConfig(
        do_sample=False,
        max_new_tokens=min(max_new_tokens, room),
        eos_token_id=eos,
        pad_token_id=eos,
        suppress_tokens=padding_rows or None,
    )
    with torch.inference_mode():
        written_BT = model.generate(input_ids=ids_BT, attention_mask=mask_BT, generation_config=settings)
    return [_until(row, eos) for row in written_BT[:, longest:].tolist()]


def _until(ids: list[int], end: int) -> list[int]:
    return ids[: ids.index(end)] if end in ids else ids
