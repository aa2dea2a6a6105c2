"""The chat loop of the terminal: reads messages, streams answers, keeps the history.

Works on a terminal and on a pipe (every message of the input is answered, then it ends).
"""

import readline  # noqa: F401  without it a terminal cuts a pasted line at 4,095 letters
import sys
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from llama_gene.assistant.agent import Step, show_step
from llama_gene.assistant.conversation import SYNTHETIC, Assistant, find_task, labels_of
from llama_gene.assistant.display import describe_answer, printable
from llama_gene.assistant.events import BEGINNING, Answered, Begun, Conversation, Event, Manner, Notice, Piece, Reply
from llama_gene.assistant.found import Found, Searching, describe_found, hits_of, show_search, without_hits_of
from llama_gene.assistant.tool_commands import list_tools, run_tool
from llama_gene.assistant.toolbox import Toolbox, make_toolbox
from llama_gene.assistant.turn import answer_about, converse
from llama_gene.errors import LlamaGeneError
from llama_gene.tasks.definitions import Task
from llama_gene.tools import Tool

HELP = """\
Type a question; a sequence may stand in it (DNA, or protein in capitals).
  @file.fasta    read the sequences of a file
  >name          starts a pasted FASTA record; an empty line ends it
  /task NAME     ask in the words of a task, answers with probabilities; /task none: free questions
  /route on|off  whether a free question goes to the task it resembles; it is said which
  /tasks         the tasks this model learnt
  /tools         the tools there are; /tool NAME {"argument": value} calls one (@input: the sequence that
                 waits, else that of before)
  /reset         forget the conversation
  /help  /quit   this text; leave (or Ctrl-D). Ctrl-C stops an answer."""
_PROMPT = "\nyou > "
_STOPPED = "stopped; this answer is not remembered."


@dataclass(frozen=True)
class State:
    """What the loop remembers: the task, and the conversation so far."""

    assistant: Assistant
    task: Task | None = None
    conversation: Conversation = BEGINNING
    toolbox: Toolbox | None = None

    @property
    def tools(self) -> Mapping[str, Tool]:
        """What can be called by hand."""
        return (self.toolbox or make_toolbox(self.assistant)).tools


def chat(
    assistant: Assistant,
    *,
    task: str | None = None,
    input_lines: Iterable[str] | None = None,
    console: Console | None = None,
    folder: Path = Path(),
    toolbox: Toolbox | None = None,
) -> None:
    """Talk until the input ends or `/quit`.

    Args:
        assistant: The model.
        task: Start with this task's wording and labels.
        input_lines: Lines to answer; None: the terminal, or all of a piped standard input.
        console: Where to write; None: standard output.
        folder: Where the names after `@` start.
        toolbox: What free questions may call; None: the model's own tools, where `chat.tools` lets them.

    Raises:
        ConfigError: no such task.
        KeyboardInterrupt: Ctrl-C at the prompt (during an answer it only stops the answer).
    """
    console = console or Console(highlight=False)
    state = State(assistant, find_task(assistant, task) if task else None, toolbox=toolbox)
    _say(console, _banner(assistant, state.task))
    for message in messages(_lines(input_lines, console)):
        following = _respond(state, message, console, folder)
        if following is None:
            return
        state = following
    if waiting := len(state.conversation.waiting):
        _say(console, f"{waiting} sequence{'s' * (waiting > 1)} had no question. Nothing was asked.", style="yellow")


def messages(lines: Iterable[str]) -> Iterator[str]:
    """Group typed lines into messages: one line each, but FASTA goes on to an empty line.

    >>> list(messages(["hello", ">a", "ACGT", "AC", "", "and now?"]))
    ['hello', '>a\\nACGT\\nAC', 'and now?']
    """
    paste: list[str] = []
    for raw in lines:
        line = raw.rstrip("\r\n")
        if paste or line.startswith(">"):
            if line.strip():
                paste.append(line)
                continue
            yield "\n".join(paste)
            paste = []
        elif line.strip():
            yield line.strip()
    if paste:
        yield "\n".join(paste)


def _lines(input_lines: Iterable[str] | None, console: Console) -> Iterator[str]:
    if input_lines is not None:
        yield from input_lines
    elif not sys.stdin.isatty():
        yield from sys.stdin
    else:
        while True:
            try:
                # Not console.input: readline must know the prompt to draw a long line again.
                yield input(_PROMPT)
            except EOFError:
                console.print()
                return


def _respond(state: State, message: str, console: Console, folder: Path) -> State | None:
    """Answer one message; None ends the chat. What the user can mend is said, and the chat goes on."""
    try:
        if message.startswith("/"):
            return _obey(state, message, console)
        manner = Manner(state.task, folder, toolbox=state.toolbox, tools="on" if state.toolbox else "auto")
        return _show(state, converse(state.assistant, message, state.conversation, manner), console)
    except LlamaGeneError as error:
        _say(console, str(error), style="red")
        return state


def _obey(state: State, message: str, console: Console) -> State | None:
    """Carry out a command."""
    command, _, rest = message.partition(" ")
    name = rest.strip()
    if command in ("/quit", "/exit"):
        return None
    if command == "/help":
        _say(console, HELP)
    elif command == "/tasks":
        _say(console, _task_list(state.assistant))
    elif command == "/tools":
        _say(console, list_tools(state.tools))
    elif command == "/tool":
        about = state.conversation.waiting or state.conversation.asked
        _say(console, run_tool(state.tools, name, about))
    elif command == "/reset":
        _say(console, "The conversation is forgotten.", style="dim")
        return replace(state, conversation=BEGINNING)
    elif command == "/task":
        return _choose_task(state, name, console)
    elif command == "/route" and name in ("on", "off"):
        _say(console, f"Routing is {name}.", style="dim")
        config = state.assistant.config.model_copy(update={"route": name})
        return replace(state, assistant=replace(state.assistant, config=config))
    else:
        _say(console, f"{message}: no such command. /help lists them.", style="yellow")
    return state


def _choose_task(state: State, name: str, console: Console) -> State:
    """Change the task; sequences that waited for a question are asked about at once."""
    task = None if name in ("", "none") else find_task(state.assistant, name)
    _say(console, _about(state.assistant, task), style="dim")
    state = replace(state, task=task)
    if task is None or not state.conversation.waiting:
        return state
    return _show(state, answer_about(state.assistant, task, state.conversation, state.toolbox), console)


def _show(state: State, events: Generator[Event], console: Console) -> State:
    """Write a turn as it comes; Ctrl-C stops it, and a stopped turn is not remembered."""
    steps: list[Step] = []
    try:
        with closing(events):
            for event in events:
                if isinstance(event, Reply):
                    return replace(state, conversation=event.conversation)
                if isinstance(event, Step):
                    steps.append(event)
                _show_event(without_hits_of(steps, event) if isinstance(event, Found) else event, console)
    except KeyboardInterrupt:
        console.print()
        _notify(console, [_STOPPED])
    return state


def _show_event(event: Event, console: Console) -> None:
    if isinstance(event, Step):
        _say(console, show_search(event) if hits_of(event) else show_step(event), style="dim")
    elif isinstance(event, Notice):
        _notify(console, [event.text])
    elif isinstance(event, Searching):
        _say(console, "searching the index …" if not _is_ascii(console) else "searching the index ...", style="dim")
    elif isinstance(event, Found):
        _say(console, describe_found(event), style="dim")
    elif isinstance(event, Begun):
        if event.items > 1:
            _say(console, " and ".join(event.names), style="bold")
    elif isinstance(event, Piece):
        console.print(Text(printable(event.text)), end="", soft_wrap=True)
    elif isinstance(event, Answered):
        closed = event.closed
        _say(console, describe_answer(closed, ascii_only=_is_ascii(console)) if closed else "")


def _banner(assistant: Assistant, task: Task | None) -> str:
    lines = [f"llama-gene chat · {assistant.folder}"]
    if assistant.is_synthetic:
        lines.append(SYNTHETIC)
    return "\n".join([*lines, _about(assistant, task), "/help shows what you can type."])


def _about(assistant: Assistant, task: Task | None) -> str:
    if task is None:
        return "Free questions."
    wanted = " and ".join(f"a {item.called} sequence" for item in task.inputs)
    labels = labels_of(assistant, task)
    unlearnt = "" if not assistant.learnt or task.name in assistant.learnt else " This model was not tuned on it."
    return f"Task {task.name}: {task.title}. Give {wanted}; answers: {', '.join(labels) or 'free text'}.{unlearnt}"


def _task_list(assistant: Assistant) -> str:
    names = sorted(assistant.learnt)
    if not names:
        return "The model folder does not say what it learnt; `llama-gene tasks list` shows all tasks."
    return "\n".join(f"  {name}  {find_task(assistant, name).title}" for name in names)


def _notify(console: Console, notices: Iterable[str]) -> None:
    for notice in notices:
        _say(console, f"note: {notice}", style="yellow")


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(Text(printable(text), style=style), soft_wrap=True)


def _is_ascii(console: Console) -> bool:
    return not console.encoding.lower().startswith("utf")
