"""Generate an answer token by token in a second thread and hand its text on as it grows.

`transformers.TextIteratorStreamer` holds text back until a space and drops spaces at line ends, so DNA without spaces
would come all at once and the pieces would not join to the answer: here the ids are streamed and decoded.
"""

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList, PreTrainedModel, StoppingCriteria, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

from llama_gene.config import ChatConfig

_BROKEN = "\ufffd"


def stream_ids(
    model: PreTrainedModel, prompt: Sequence[int], config: ChatConfig, *, eos_id: int, size: int
) -> Iterator[int]:
    """Token ids of an answer as they are made, without the end token.

    Closing the iterator stops the model after the token in work.

    Args:
        model: On its device, in evaluation mode.
        prompt: Ids of the rendered prompt, at least one.
        config: How to choose tokens and how many.
        eos_id: Ends the answer.
        size: Ids of the tokenizer; the padding rows of the weights beyond it are never chosen.
    """
    queue: SimpleQueue[int | None] = SimpleQueue()
    stopped = threading.Event()

    def generate() -> None:
        devices = [model.device] if model.device.type == "cuda" else []
        with torch.inference_mode(), torch.random.fork_rng(devices=devices):
            torch.manual_seed(config.seed)
            model.generate(
                torch.tensor([list(prompt)], device=model.device),
                attention_mask=torch.ones((1, len(prompt)), dtype=torch.long, device=model.device),
                streamer=_IdStreamer(queue),
                logits_processor=LogitsProcessorList([_OnlyKnownIds(size)]),
                stopping_criteria=StoppingCriteriaList([_StopOnEvent(stopped)]),
                max_new_tokens=config.max_new_tokens,
                eos_token_id=eos_id,
                pad_token_id=eos_id,
                **_choice(config),
            )

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(generate)
        future.add_done_callback(lambda _: queue.put(None))
        try:
            for token_id in iter(queue.get, None):
                if token_id != eos_id:
                    yield token_id
        finally:
            stopped.set()
        future.result()


def _choice(config: ChatConfig) -> dict[str, Any]:
    """Every knob is set, so that a model folder's own generation settings do not leak in."""
    if config.temperature == 0:
        return {"do_sample": False, "temperature": None, "top_p": None, "top_k": None, "num_beams": 1}
    return {
        "do_sample": True,
        "temperature": config.temperature,
        "top_p": config.top_p,
        "top_k": 0,
        "num_beams": 1,
    }


class _IdStreamer(BaseStreamer):
    """Puts every new id into a queue; the first call brings the prompt."""

    def __init__(self, queue: "SimpleQueue[int | None]") -> None:
        self.queue = queue
        self.in_answer = False

    def put(self, value: torch.Tensor) -> None:
        if self.in_answer:
            for token_id in value.flatten().tolist():
                self.queue.put(token_id)
        self.in_answer = True

    def end(self) -> None:
        """The future's callback marks the end, also of a failure."""


class _OnlyKnownIds(LogitsProcessor):
    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        scores[:, self.size :] = -torch.inf
        return scores


class _StopOnEvent(StoppingCriteria):
    def __init__(self, event: threading.Event) -> None:
        self.event = event

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: Any) -> torch.Tensor:
        return torch.full((input_ids.shape[0],), self.event.is_set(), device=input_ids.device)


def join_text(ids: Iterator[int], decode: Callable[[Sequence[int]], str]) -> Generator[str, None, int]:
    """Pieces of text that join to `decode` of all the ids; half a character waits for its other half.

    Args:
        ids: Token ids, one by one.
        decode: Gives the text of ids.

    Returns:
        How many ids there were.

    >>> list(join_text(iter([65, 0xC3, 0xA9]), lambda ids: bytes(ids).decode("utf-8", "replace")))
    ['A', 'é']
    """
    held: list[int] = []
    shown = text = ""
    for token_id in ids:
        held.append(token_id)
        text = decode(held)
        # A byte can still change the characters before it: show only what goes on from what is shown.
        if len(text) > len(shown) and text.startswith(shown) and not text.endswith(_BROKEN):
            yield text[len(shown) :]
            shown = text
    if len(text) > len(shown):
        yield text[len(shown) :]
    return len(held)
