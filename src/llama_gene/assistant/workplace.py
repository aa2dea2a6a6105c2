"""Where the work of a turn is done: on a model of one's own, or on one that a server shares among many.

Three things in a turn take time: writing free answers, weighing labels, and searches or tools. A turn says which one it
does; what runs beside what is decided here for a model of one's own, and in `serving.workplace` for a shared one.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from transformers import PreTrainedModel

from llama_gene.assistant.streaming import join_text, stream_ids
from llama_gene.config import ChatConfig
from llama_gene.tokenizer.load import GeneTokenizer

T = TypeVar("T")
# How an answer ended: by itself, or cut where it was as long as it may be.
Finish = Literal["stop", "length"]


class Workplace(Protocol):
    """Does the work of a turn; every call waits for its result."""

    def write(self, prompt: Sequence[int], config: ChatConfig) -> Generator[str, None, Finish]:
        """Pieces of the answer to a prompt, and at last how it ended. Closing the generator stops the model."""

    def on_model(self, work: Callable[[], T]) -> T:
        """The result of something short that uses the model: the labels of one item weighed, or a few variants."""

    def apart(self, work: Callable[[], T]) -> T:
        """The result of a search, or of a tool, which may take long and use the model by `on_model` and `write`."""


@dataclass(frozen=True)
class Alone:
    """A model of one's own: everything is done here and now."""

    model: PreTrainedModel
    tokenizer: GeneTokenizer

    def write(self, prompt: Sequence[int], config: ChatConfig) -> Generator[str, None, Finish]:
        """As `Workplace.write`."""
        ids = stream_ids(self.model, prompt, config, eos_id=self.tokenizer.eos_id, size=self.tokenizer.size)
        written = yield from join_text(ids, self.tokenizer.decode)
        return "length" if written == config.max_new_tokens else "stop"

    def on_model(self, work: Callable[[], T]) -> T:
        """As `Workplace.on_model`."""
        return work()

    def apart(self, work: Callable[[], T]) -> T:
        """As `Workplace.apart`."""
        return work()
