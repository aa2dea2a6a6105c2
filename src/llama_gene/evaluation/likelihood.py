"""Weigh closed answers by the probability the model gives each, end token included.

One pass of the model scores all answers of a batch of questions (`rows`); what their prompts start with (the preamble
and the task's question) is read once (`starts`), and no layer computes more than it must (`forward`). Questions are
taken in windows, so that memory stays flat in their number.

Axes: B rows, P last places of a row, N answer tokens, V vocabulary, H width.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
import torch
from transformers import PreTrainedModel

from llama_gene.errors import DataError
from llama_gene.evaluation.batches import BATCH_TOKENS, by_length
from llama_gene.evaluation.forward import KeysValues, llama_of, read_rows, read_start
from llama_gene.evaluation.metrics import Array
from llama_gene.evaluation.rows import Question, lay_out
from llama_gene.evaluation.starts import share_starts
from llama_gene.evaluation.threads import side_by_side
from llama_gene.progress import show_progress

__all__ = ["AnswerScores", "Question", "score_answers"]

_WINDOW = 4096
_LOGITS_AT_ONCE = 16_000_000
# What a layer makes of this many tokens of a small model stays in a core's cache; larger batches are slower there.
_CPU_BATCH_TOKENS = 1024


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


def score_answers(
    model: PreTrainedModel,
    questions: Iterable[Question],
    *,
    batch_items: int,
    batch_tokens: int = BATCH_TOKENS,
    title: str = "scoring",
    total: int | None = None,
) -> list[AnswerScores]:
    """The scores of every question's answers, in the order given.

    Args:
        model: A LLaMA in evaluation mode, on its device.
        questions: Prompts and answers, read as they are needed; fastest where many prompts start alike.
        batch_items: Most questions in one forward pass, > 0.
        batch_tokens: Most tokens in one forward pass, > 0; a longer question goes alone. A CPU takes at most 1024.
        title: Name of the progress bar.
        total: Number of questions, for the progress bar.

    Raises:
        DataError: a prompt with its longest answer exceeds the model's context.
        ModelError: the model is no LLaMA.
    """
    scored = _score(model, iter(questions), batch_items, batch_tokens)
    found = dict(show_progress(scored, title, total=total))
    return [found[place] for place in range(len(found))]


def _score(
    model: PreTrainedModel, questions: Iterator[Question], batch_items: int, batch_tokens: int
) -> Iterator[tuple[int, AnswerScores]]:
    """Place and scores of each question, window by window, batches of like length."""
    base = llama_of(model)
    fitting = min(batch_tokens, _CPU_BATCH_TOKENS) if model.device.type == "cpu" else batch_tokens
    done = 0
    while window := list(islice(questions, _WINDOW)):
        _check_lengths(model, window)
        for shared, members in share_starts([question.prompt for question in window], worth=batch_tokens):
            start = read_start(base, window[members[0]].prompt[:shared])
            score = partial(_score_batch, model, window, start, shared)
            lengths = [_row_length(window[member], shared) for member in members]
            batches = [[members[place] for place in batch] for batch in by_length(lengths, batch_items, fitting)]
            for batch, scores in zip(batches, side_by_side(score, batches, model.device), strict=True):
                yield from ((done + member, one) for member, one in zip(batch, scores, strict=True))
        done += len(window)


def _row_length(question: Question, shared: int) -> int:
    return len(question.prompt) - shared + sum(map(len, question.answers)) - len(question.answers)


def _check_lengths(model: PreTrainedModel, questions: Sequence[Question]) -> None:
    longest = max(len(question.prompt) + max(map(len, question.answers)) for question in questions)
    if longest > model.config.max_position_embeddings:
        raise DataError(
            f"a prompt and answer have {longest} tokens, the model reads {model.config.max_position_embeddings}. "
            "Lower tasks.max_tokens and build the instructions again."
        )


@torch.inference_mode()
def _score_batch(
    model: PreTrainedModel,
    questions: Sequence[Question],
    start: Sequence[KeysValues],
    shared: int,
    members: Sequence[int],
) -> list[AnswerScores]:
    """The scores of some of the questions, which start with `shared` tokens that the model read."""
    chosen = [questions[member] for member in members]
    rows = lay_out(chosen, shared)
    ids, positions, visible, sites, targets = (
        torch.from_numpy(part).to(model.device)
        for part in (rows.ids, rows.positions, rows.visible, rows.sites, rows.targets)
    )
    hidden_BPH = read_rows(llama_of(model), start, ids, positions, visible, rows.last)
    nats_N = _log_probabilities(model, hidden_BPH.flatten(0, 1), sites, targets).double().cpu().numpy()
    tokens = np.bincount(rows.owners)
    sums = np.bincount(rows.owners, weights=nats_N)
    borders = np.cumsum([len(question.answers) for question in chosen])[:-1]
    return [
        AnswerScores(log_probability, counts)
        for log_probability, counts in zip(np.split(sums, borders), np.split(tokens, borders), strict=True)
    ]


def _log_probabilities(
    model: PreTrainedModel, hidden_SH: torch.Tensor, sites_N: torch.Tensor, targets_N: torch.Tensor
) -> torch.Tensor:
    """Log-probability of each target at its site, (N,); the vocabulary is wide, so only some sites at a time."""
    rows_VH = model.get_output_embeddings().weight
    at_once = max(1, _LOGITS_AT_ONCE // rows_VH.shape[0])
    totals_S = torch.cat([(part @ rows_VH.T).float().logsumexp(dim=1) for part in hidden_SH.split(at_once)])
    chosen_N = (hidden_SH[sites_N].float() * rows_VH[targets_N].float()).sum(dim=1)
    return chosen_N - totals_S[sites_N]
