"""What goes into a turn of a conversation and what comes out of it: the manner, the events, the reply."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from llama_gene.assistant.agent import Step
from llama_gene.assistant.display import Answer
from llama_gene.assistant.found import Found, Searching
from llama_gene.assistant.routing import Route
from llama_gene.assistant.toolbox import Toolbox
from llama_gene.config import ToolUse
from llama_gene.prompts import Message
from llama_gene.sequences.records import Record
from llama_gene.tasks.definitions import Task


@dataclass(frozen=True)
class Conversation:
    """What is remembered: the turns, the sequences that wait for a question, and those that were last asked about."""

    history: tuple[Message, ...] = ()
    waiting: tuple[Record, ...] = ()
    asked: tuple[Record, ...] = ()


@dataclass(frozen=True)
class Manner:
    """What a message may do, as the caller decides.

    `task`: every sequence is asked about in its words; None: free questions, which `chat.route` may lead to a task.
    `folder`: where names after `@` start; None: the message reads no file. `system`: said before free questions, after
    `chat.system`. `toolbox`: the tools at hand; None: the model's own. `tools`: whether free questions may call them;
    auto: as `chat.tools` says. `longest`: letters that one sequence may have, wherever it comes from; None: any number.
    """

    task: Task | None = None
    folder: Path | None = None
    system: str = ""
    toolbox: Toolbox | None = None
    tools: ToolUse = "auto"
    longest: int | None = None


BEGINNING = Conversation()
FREELY = Manner()


@dataclass(frozen=True)
class Notice:
    """Something the user should know: what was mended, shortened or chosen."""

    text: str


@dataclass(frozen=True)
class Piece:
    """The next piece of a free answer; the pieces of an answer join to its text."""

    text: str


@dataclass(frozen=True)
class Begun:
    """An answer begins about an item: its sequences' names, the task (None: a free question), and of how many items."""

    names: tuple[str, ...]
    task: str | None
    items: int = 1


@dataclass(frozen=True)
class Answered:
    """An answer about an item is whole.

    `closed` holds label, probabilities, sureness and measured score of a closed task; None where the answer is free.
    `text` is the answer in words, as a person reads it; `is_cut`: it was as long as it may be, and not at its end.
    """

    names: tuple[str, ...]
    task: str | None
    text: str
    closed: Answer | None = None
    is_cut: bool = False


@dataclass(frozen=True)
class Reply:
    """A whole turn.

    `question` and `sequences` are what was found in the message, checked; `route` is there where the question was taken
    for a task by its words. `based_on` says in sentences what the answers rest on, `found` what an index holds about
    the question, `steps` which tools were called. `conversation` is handed to the next turn.
    """

    question: str
    sequences: tuple[Record, ...]
    notices: tuple[str, ...]
    answers: tuple[Answered, ...]
    based_on: tuple[str, ...]
    conversation: Conversation
    task: str | None = None
    route: Route | None = None
    found: Found | None = None
    steps: tuple[Step, ...] = ()

    @property
    def text(self) -> str:
        """The answers in words, one after the other."""
        named = len(self.answers) > 1
        return "\n\n".join(
            f"{' and '.join(one.names)}\n{one.text}" if named and one.names else one.text for one in self.answers
        )


Event = Notice | Searching | Found | Begun | Step | Piece | Answered | Reply


def reply_record(reply: Reply) -> dict[str, Any]:
    """A reply as plain JSON values, without the conversation, for front ends and files."""
    values = asdict(replace(reply, conversation=BEGINNING))
    del values["conversation"]
    sequences = [
        {"id": record.id, "kind": record.kind, "letters": record.text, "source": record.source}
        for record in reply.sequences
    ]
    return {"text": reply.text, **values, "sequences": sequences}
