"""The chat loop of the terminal: reads messages, streams answers, keeps the history.

Works on a terminal and on a pipe (every message of the input is answered, then it ends).
"""

import readline  # noqa: F401  without it a terminal cuts a pasted line at 4,095 letters
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from llama_gene.assistant.closed import classify
from llama_gene.assistant.conversation import (
    SYNTHETIC,
    Assistant,
    Question,
    answer,
    ask_freely,
    ask_task,
    find_task,
    labels_of,
    remember,
)
from llama_gene.assistant.display import describe_answer, printable
from llama_gene.assistant.inputs import checked_record, read_typed
from llama_gene.config import Kind
from llama_gene.errors import DataError, LlamaGeneError
from llama_gene.prompts import Message
from llama_gene.sequences.records import Record
from llama_gene.tasks.definitions import Task

HELP = """\
Type a question; a sequence may stand in it (DNA, or protein in capitals).
  @file.fasta    read the sequences of a file
  >name          starts a pasted FASTA record; an empty line ends it
  /task NAME     ask in the words of a task, answers with probabilities; /task none: free questions
  /tasks         the tasks this model learnt
  /reset         forget the conversation
  /help  /quit   this text; leave (or Ctrl-D). Ctrl-C stops an answer."""
_PROMPT = "\nyou > "
_STOPPED = "stopped; this answer is not remembered."


@dataclass(frozen=True)
class State:
    """What the loop remembers: the task, the turns so far, and sequences that wait for a question."""

    task: Task | None = None
    history: tuple[Message, ...] = ()
    waiting: tuple[Record, ...] = ()


def chat(
    assistant: Assistant,
    *,
    task: str | None = None,
    input_lines: Iterable[str] | None = None,
    console: Console | None = None,
    folder: Path = Path(),
) -> None:
    """Talk until the input ends or `/quit`.

    Args:
        assistant: The model.
        task: Start with this task's wording and labels.
        input_lines: Lines to answer; None: the terminal, or all of a piped standard input.
        console: Where to write; None: standard output.
        folder: Where the names after `@` start.

    Raises:
        ConfigError: no such task.
        KeyboardInterrupt: Ctrl-C at the prompt (during an answer it only stops the answer).
    """
    console = console or Console(highlight=False)
    state = State(find_task(assistant, task) if task else None)
    _say(console, _banner(assistant, state.task))
    for message in messages(_lines(input_lines, console)):
        following = _respond(assistant, state, message, console, folder)
        if following is None:
            return
        state = following
    if state.waiting:
        _say(console, f"{_count(state.waiting)} had no question. Nothing was asked about it.", style="yellow")


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


def _respond(assistant: Assistant, state: State, message: str, console: Console, folder: Path) -> State | None:
    """Answer one message; None ends the chat. What the user can mend is said, and the chat goes on."""
    try:
        if message.startswith("/"):
            return _obey(assistant, state, message, console)
        return _converse(assistant, state, message, console, folder)
    except LlamaGeneError as error:
        _say(console, str(error), style="red")
        return state


def _obey(assistant: Assistant, state: State, message: str, console: Console) -> State | None:
    """Carry out a command."""
    command, _, rest = message.partition(" ")
    name = rest.strip()
    if command in ("/quit", "/exit"):
        return None
    if command == "/help":
        _say(console, HELP)
    elif command == "/tasks":
        _say(console, _task_list(assistant))
    elif command == "/reset":
        _say(console, "The conversation is forgotten.", style="dim")
        return State(state.task)
    elif command == "/task":
        return _choose_task(assistant, state, name, console)
    else:
        _say(console, f"{command}: no such command. /help lists them.", style="yellow")
    return state


def _choose_task(assistant: Assistant, state: State, name: str, console: Console) -> State:
    """Change the task; sequences that waited for a question are asked about at once."""
    task = None if name in ("", "none") else find_task(assistant, name)
    _say(console, _about(assistant, task), style="dim")
    if task is None or not state.waiting:
        return replace(state, task=task)
    kinds = [wanted.kind for wanted in task.inputs]
    records = [
        checked_record(record.text, kinds[place % len(kinds)], record.id)[0]
        for place, record in enumerate(state.waiting)
    ]
    return _answer_items(assistant, replace(state, task=task, waiting=()), task, records, console)


def _converse(assistant: Assistant, state: State, message: str, console: Console, folder: Path) -> State:
    """Answer a question, about each item where a task is chosen."""
    kinds: tuple[Kind, ...] = tuple(wanted.kind for wanted in state.task.inputs) if state.task else ()
    most = assistant.config.max_sequences
    typed = read_typed(message, kinds=kinds, most=most, folder=folder)
    records = (*state.waiting, *typed.sequences)
    if len(records) > most:
        raise DataError(f"more than {most} sequences with those that wait. Type the question about them, or /reset.")
    _notify(console, typed.notices)
    state = replace(state, waiting=())
    if state.task and records:
        if typed.question:
            _notify(console, [f"Asked in the words of task {state.task.name}; /task none takes your own."])
        return _answer_items(assistant, state, state.task, records, console)
    if not typed.question:
        _notify(console, [f"{_count(records)} read. Now type the question about it, or choose a task."])
        return replace(state, waiting=records)
    question = ask_freely(assistant, typed.question, records, state.history)
    return _stream(assistant, state, question, console)


def _answer_items(assistant: Assistant, state: State, task: Task, records: Sequence[Record], console: Console) -> State:
    """The task's answer about each item; an item is as many records as the task has inputs."""
    size = len(task.inputs)
    if len(records) % size:
        raise DataError(f"task {task.name!r} asks about {size} sequences at a time, not {len(records)}. Give {size}.")
    for start in range(0, len(records), size):
        item = records[start : start + size]
        letters = [record.text for record in item]
        if len(records) > size:
            _say(console, " and ".join(record.id for record in item), style="bold")
        if not labels_of(assistant, task):
            state = _stream(assistant, state, ask_task(assistant, task, letters), console)
            continue
        try:
            question, answered = classify(assistant, task, letters)
        except KeyboardInterrupt:
            _notify(console, [_STOPPED])
            return state
        _notify(console, answered.notices)
        _say(console, describe_answer(answered, ascii_only=_is_ascii(console)))
        state = _remembered(assistant, state, question, answered.reply)
    return state


def _stream(assistant: Assistant, state: State, question: Question, console: Console) -> State:
    """Write a free answer as it comes; Ctrl-C stops it, and a stopped answer is not remembered."""
    _notify(console, question.notices)
    pieces: list[str] = []
    stream = answer(assistant, question)
    try:
        for piece in stream:
            pieces.append(piece)
            console.print(Text(printable(piece)), end="", soft_wrap=True)
    except KeyboardInterrupt:
        console.print()
        _notify(console, [_STOPPED])
        return state
    finally:
        stream.close()
    _say(console, "" if "".join(pieces).strip() else "(the model ended its answer at once)")
    return _remembered(assistant, state, question, "".join(pieces))


def _remembered(assistant: Assistant, state: State, question: Question, reply: str) -> State:
    # A task's question is asked alone, but the talk before it is kept for the free questions after it.
    before = question.history if question.is_free else state.history
    return replace(state, history=remember(assistant, replace(question, history=before), reply))


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


def _count(records: Sequence[Record]) -> str:
    letters = sum(len(record.text) for record in records)
    return f"{len(records)} sequence{'s' * (len(records) > 1)} ({letters:,} letters)"


def _notify(console: Console, notices: Iterable[str]) -> None:
    for notice in notices:
        _say(console, f"note: {notice}", style="yellow")


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(Text(printable(text), style=style), soft_wrap=True)


def _is_ascii(console: Console) -> bool:
    return not console.encoding.lower().startswith("utf")
