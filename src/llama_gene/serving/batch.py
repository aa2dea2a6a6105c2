"""Many answers side by side: rows join and leave between two steps of the model.

A step reads some prompt tokens of the rows that still have any, then writes one token in every row that has none. Rows
stay packed at the front of the cache, so that writing needs no copies.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from llguidance import LLMatcher
from transformers import PreTrainedModel

from llama_gene.serving.cache import Part, RowCache
from llama_gene.serving.choose import GREEDY, Choice, Sampling, choose, forbidden_ids
from llama_gene.serving.growing import GrowingText
from llama_gene.tokenizer.load import GeneTokenizer


@dataclass(frozen=True)
class Request:
    """What to answer: prompt ids, at least one, and how. `grammar` is the request's own: writing changes it."""

    prompt: tuple[int, ...]
    max_new_tokens: int
    sampling: Sampling = GREEDY
    stops: tuple[str, ...] = ()
    top_logprobs: int | None = None
    grammar: LLMatcher | None = None


@dataclass(frozen=True)
class Piece:
    """What one step adds to an answer: settled text, and chosen tokens where log-probabilities are asked for.

    `tokens` counts those written so far. `finish` says how the answer ended: "stop" (end token or stop string),
    "length", "cancelled" or "failed"; "" while it goes on.
    """

    text: str = ""
    choices: tuple[Choice, ...] = ()
    finish: str = ""
    tokens: int = 0


@dataclass
class Ticket:
    """A request on its way: where its pieces go, and whether they are still wanted."""

    request: Request
    deliver: Callable[[Piece], None]
    is_cancelled: bool = False

    def cancel(self) -> None:
        """The client left: the place is free after the step in work."""
        self.is_cancelled = True


@dataclass
class _Row:
    ticket: Ticket
    text: GrowingText
    draw: random.Random
    read: int = 0
    written: list[int] = field(default_factory=list)

    @property
    def unread(self) -> int:
        return max(0, len(self.ticket.request.prompt) - self.read)


class Batch:
    """The answers in work."""

    def __init__(self, model: PreTrainedModel, tokenizer: GeneTokenizer, cache: RowCache, *, step_tokens: int) -> None:
        """No answers yet.

        Args:
            model: Of the cache.
            tokenizer: Of the model.
            cache: Its rows are the places.
            step_tokens: Prompt tokens read in one step, > 0.
        """
        self._cache, self._tokenizer, self._step_tokens = cache, tokenizer, step_tokens
        self._rows: list[_Row] = []
        rows = model.get_output_embeddings().weight.shape[0]
        self._forbidden = torch.tensor(forbidden_ids(tokenizer, rows), dtype=torch.long, device=model.device)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def has_room(self) -> bool:
        """True while another answer can join."""
        return len(self._rows) < self._cache.rows

    def join(self, ticket: Ticket) -> None:
        """Give a request a place; there must be room."""
        text = GrowingText(self._tokenizer.decode, ticket.request.stops)
        self._rows.append(_Row(ticket, text, random.Random(ticket.request.sampling.seed)))

    @torch.inference_mode()
    def step(self) -> None:
        """Move every answer on, deliver what is new, and let go of those that ended."""
        self._leave([row for row in self._rows if row.ticket.is_cancelled], Piece(finish="cancelled"))
        self._read_prompts()
        parts = [
            Part(place, row.read + len(row.written) - 1, (row.written[-1],))
            for place, row in enumerate(self._rows)
            if row.written
        ]
        if parts:
            self._write([self._rows[part.row] for part in parts], self._cache.read(parts))

    def fail(self) -> None:
        """End every answer: the model could not go on."""
        self._leave(list(self._rows), Piece(finish="failed"))

    def _read_prompts(self) -> None:
        """Read prompts in the order they came, at most `step_tokens` of them."""
        left, parts = self._step_tokens, []
        for place, row in enumerate(self._rows):
            size = min(row.unread, left)
            if size:
                ids = row.ticket.request.prompt[row.read : row.read + size]
                parts.append(Part(place, row.read, ids))
                row.read += size
                left -= size
        if not parts:
            return
        logits_BV = self._cache.read(parts)
        done = [number for number, part in enumerate(parts) if not self._rows[part.row].unread]
        if done:
            self._write([self._rows[parts[number].row] for number in done], logits_BV[done])

    def _write(self, rows: list[_Row], logits_BV: torch.Tensor) -> None:
        """Choose a token in each row and deliver what it settles."""
        logits_BV[:, self._forbidden] = -torch.inf
        requests = [row.ticket.request for row in rows]
        for number, request in enumerate(requests):
            if request.grammar is not None:
                logits_BV[number, ~_allowed(request.grammar, logits_BV)] = -torch.inf
        choices = choose(
            logits_BV,
            [request.sampling for request in requests],
            [row.draw for row in rows],
            [request.top_logprobs for request in requests],
        )
        ended = []
        for row, choice in zip(rows, choices, strict=True):
            piece = self._take(row, choice)
            if piece.finish:
                ended.append((row, piece))
            elif piece.text or piece.choices:
                row.ticket.deliver(piece)
        for row, piece in ended:
            self._leave([row], piece)

    def _take(self, row: _Row, choice: Choice) -> Piece:
        """Add a token to an answer: what it settles, and whether it is the last."""
        request, text, finish = row.ticket.request, "", ""
        if request.grammar is not None:
            request.grammar.consume_token(choice.token)
        if choice.token == self._tokenizer.eos_id:
            finish = "stop"
        else:
            row.written.append(choice.token)
            text = row.text.push(choice.token)
            finish = self._ending(row)
        if finish:
            text += row.text.finish()
        told = (choice,) if request.top_logprobs is not None else ()
        return Piece(text, told, finish, len(row.written))

    def _ending(self, row: _Row) -> str:
        request = row.ticket.request
        if request.grammar is not None and request.grammar.is_error():
            return "failed"
        if row.text.is_stopped or (request.grammar is not None and request.grammar.is_stopped()):
            return "stop"
        is_full = len(request.prompt) + len(row.written) >= self._cache.length
        return "length" if is_full or len(row.written) >= request.max_new_tokens else ""

    def _leave(self, rows: list[_Row], piece: Piece) -> None:
        """Deliver last pieces; the last row takes the place of each that left."""
        for row in rows:
            place, last = self._rows.index(row), len(self._rows) - 1
            if place < last:
                moved = self._rows[last]
                self._cache.move(last, place, moved.read + len(moved.written))
                self._rows[place] = moved
            self._rows.pop()
            row.ticket.deliver(piece)


def _allowed(grammar: LLMatcher, logits_BV: torch.Tensor) -> torch.Tensor:
    """True for each token the grammar lets stand next, (V,)."""
    bits = np.frombuffer(grammar.compute_bitmask(), dtype=np.uint8)
    allowed = np.zeros(logits_BV.shape[1], dtype=bool)
    flags = np.unpackbits(bits, bitorder="little")[: len(allowed)]
    allowed[: len(flags)] = flags
    return torch.from_numpy(allowed).to(logits_BV.device)
