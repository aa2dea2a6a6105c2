"""Score closed answers by the probability the model gives each label, end token included.

Tree attention: a row holds the prompt once and, after it, every label. Each label starts at the position after the
prompt and sees the prompt and itself, so one forward pass scores all labels of a batch of items. What all prompts of
a call start with (the preamble and the task's question) is computed once and kept in the cache.

Axes: B items in a batch, T tokens of a row after the shared start, S tokens of the shared start, P answer tokens,
V vocabulary, H width.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from transformers import DynamicCache, PreTrainedModel

from llama_gene.errors import DataError
from llama_gene.evaluation.batches import by_length
from llama_gene.evaluation.metrics import Array
from llama_gene.progress import show_progress

_PROMPT, _PADDING = 0, -1
_LOGITS_AT_ONCE = 64_000_000


@dataclass(frozen=True)
class Question:
    """A prompt and the answers to weigh, as token ids; each answer closes with the end token."""

    prompt: tuple[int, ...]
    answers: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class AnswerScores:
    """Log-probability of each answer given the prompt, in nats, and its number of tokens; both shape (answers,)."""

    log_probability: Array
    tokens: Array

    @property
    def probability(self) -> Array:
        """Softmax over the answers: what the model would say if it had to choose."""
        shifted = np.exp(self.log_probability - self.log_probability.max())
        return shifted / shifted.sum()

    @property
    def per_token(self) -> Array:
        """Log-probability divided by the number of tokens."""
        return self.log_probability / self.tokens


@dataclass(frozen=True)
class _Batch:
    """Rows of tokens after the shared start, each (B, T), and where each answer token is predicted, each (P,)."""

    ids: torch.Tensor
    positions: torch.Tensor
    segments: torch.Tensor
    rows: torch.Tensor
    places: torch.Tensor
    targets: torch.Tensor
    owners: torch.Tensor


def score_answers(
    model: PreTrainedModel, questions: Sequence[Question], *, batch_items: int, title: str = "scoring"
) -> list[AnswerScores]:
    """The scores of every question's answers, in the order given.

    Args:
        model: A LLaMA-type model in evaluation mode, on its device.
        questions: Prompts and answers; fastest where they share their start and number of answers.
        batch_items: Questions in one forward pass, > 0.
        title: Name of the progress bar.

    Raises:
        DataError: a prompt with its longest answer exceeds the model's context.
    """
    if not questions:
        return []
    _check_lengths(model, questions)
    shared = _shared_start([question.prompt for question in questions])
    found: dict[int, AnswerScores] = {}
    lengths = [len(question.prompt) + sum(map(len, question.answers)) for question in questions]
    with torch.inference_mode():
        start = _read_start(model, questions[0].prompt[:shared])
        for members in show_progress(by_length(lengths, batch_items), title):
            chosen = [questions[member] for member in members]
            found.update(zip(members, _score_batch(model, chosen, start, shared), strict=True))
    return [found[place] for place in range(len(questions))]


def _check_lengths(model: PreTrainedModel, questions: Sequence[Question]) -> None:
    longest = max(len(question.prompt) + max(map(len, question.answers)) for question in questions)
    if longest > model.config.max_position_embeddings:
        raise DataError(
            f"a prompt and answer have {longest} tokens, the model reads {model.config.max_position_embeddings}. "
            "Lower tasks.max_tokens and build the instructions again."
        )


def _shared_start(prompts: Sequence[tuple[int, ...]]) -> int:
    """How many tokens all prompts start with; the last token of a prompt is never shared, it foretells the answer."""
    first, last = min(prompts), max(prompts)
    limit = min(map(len, prompts)) - 1
    return next((place for place in range(limit) if first[place] != last[place]), limit)


def _read_start(model: PreTrainedModel, start: Sequence[int]) -> DynamicCache | None:
    if not start:
        return None
    cache = DynamicCache(config=model.config)
    ids_1S = torch.tensor([start], device=model.device)
    model.base_model(input_ids=ids_1S, past_key_values=cache, use_cache=True)
    return cache


def _score_batch(
    model: PreTrainedModel, questions: Sequence[Question], start: DynamicCache | None, shared: int
) -> list[AnswerScores]:
    batch = _lay_out(questions, shared, model.device)
    cache = deepcopy(start)
    if cache is not None:
        cache.batch_repeat_interleave(len(questions))
    hidden_BTH = model.base_model(
        input_ids=batch.ids,
        position_ids=batch.positions,
        attention_mask=_tree_mask(batch.segments, shared),
        past_key_values=cache,
        use_cache=cache is not None,
    ).last_hidden_state
    nats_P = _target_log_probabilities(model, hidden_BTH, batch)
    owners = batch.owners.cpu().numpy()
    tokens = np.bincount(owners)
    sums = np.bincount(owners, weights=nats_P.double().cpu().numpy())
    borders = np.cumsum([len(question.answers) for question in questions])[:-1]
    return [
        AnswerScores(log_probability, counts)
        for log_probability, counts in zip(np.split(sums, borders), np.split(tokens, borders), strict=True)
    ]


def _lay_out(questions: Sequence[Question], shared: int, device: torch.device) -> _Batch:
    """Rows `rest of the prompt, answer 0, answer 1, …`; the last token of an answer is predicted, never read."""
    ids, positions, segments = [], [], []
    rows: list[int] = []
    places: list[int] = []
    targets: list[int] = []
    owners: list[int] = []
    owner = 0
    for row, question in enumerate(questions):
        length = len(question.prompt)
        row_ids = list(question.prompt[shared:])
        row_positions = list(range(shared, length))
        row_segments = [_PROMPT] * len(row_ids)
        end_of_prompt = len(row_ids) - 1
        for branch, answer in enumerate(question.answers, start=1):
            rows += [row] * len(answer)
            places += [end_of_prompt, *range(len(row_ids), len(row_ids) + len(answer) - 1)]
            targets += answer
            owners += [owner] * len(answer)
            owner += 1
            row_ids += answer[:-1]
            row_positions += range(length, length + len(answer) - 1)
            row_segments += [branch] * (len(answer) - 1)
        ids.append(row_ids)
        positions.append(row_positions)
        segments.append(row_segments)
    return _Batch(
        ids=_pad(ids, 0).to(device),
        positions=_pad(positions, 0).to(device),
        segments=_pad(segments, _PADDING).to(device),
        rows=torch.tensor(rows, device=device),
        places=torch.tensor(places, device=device),
        targets=torch.tensor(targets, device=device),
        owners=torch.tensor(owners, device=device),
    )


def _pad(rows: Sequence[Sequence[int]], filler: int) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[filler] * (longest - len(row))] for row in rows])


def _tree_mask(segments_BT: torch.Tensor, shared: int) -> torch.Tensor:
    """True where a token (row) may see another (column): (B, 1, T, S + T)."""
    length = segments_BT.shape[1]
    asking, asked = segments_BT[:, :, None], segments_BT[:, None, :]
    order = torch.ones(length, length, dtype=torch.bool, device=segments_BT.device).tril()
    inside = ((asked == _PROMPT) | (asked == asking)) & order
    before = torch.ones(*segments_BT.shape, shared, dtype=torch.bool, device=segments_BT.device)
    return torch.cat([before, inside], dim=2)[:, None]


def _target_log_probabilities(model: PreTrainedModel, hidden_BTH: torch.Tensor, batch: _Batch) -> torch.Tensor:
    """Log-probability of each target, (P,).

    The vocabulary is wide: a place that foretells several targets (the end of the prompt) meets it once, and only
    some places at a time.
    """
    rows_VH = model.get_output_embeddings().weight
    flat_H = hidden_BTH.flatten(0, 1)
    sites, site_of_target = torch.unique(batch.rows * hidden_BTH.shape[1] + batch.places, return_inverse=True)
    at_once = max(1, _LOGITS_AT_ONCE // rows_VH.shape[0])
    totals = torch.cat([(flat_H[part] @ rows_VH.T).float().logsumexp(dim=1) for part in sites.split(at_once)])
    chosen = (flat_H[sites][site_of_target].float() * rows_VH[batch.targets].float()).sum(dim=1)
    return chosen - totals[site_of_target]
