"""A turn in which the model may call tools: events as `turn.converse` gives them, with every call between.

No question is led to a task by its words here: the model decides whether it calls. A task that is chosen is asked as
ever, unless the model was tuned to call for it.
"""

from collections.abc import Generator, Sequence
from dataclasses import replace

from llama_gene.assistant.agent import Finished, Step
from llama_gene.assistant.conversation import Assistant
from llama_gene.assistant.found import Found, Searching, look_up
from llama_gene.assistant.inputs import read_typed
from llama_gene.assistant.toolbox import Toolbox, work_on
from llama_gene.assistant.turn import (
    BEGINNING,
    FREELY,
    Answered,
    Begun,
    Conversation,
    Event,
    Manner,
    Notice,
    Piece,
    Reply,
    converse,
    readable,
)
from llama_gene.config import Kind
from llama_gene.prompts import Message, defuse
from llama_gene.sequences.records import Record
from llama_gene.tasks.tool_calls import is_called


def converse_with_tools(
    assistant: Assistant,
    toolbox: Toolbox,
    message: str,
    conversation: Conversation = BEGINNING,
    manner: Manner = FREELY,
) -> Generator[Event | Step]:
    """Answer a message with tools: a `Step` after each call, the other events and errors as `turn.converse`.

    Args:
        assistant: The model.
        toolbox: What may be called, and who plans.
        message: As it was typed or sent.
        conversation: What the turn before left; a question without sequences is about those of before.
        manner: What the message may do.
    """
    task = manner.task
    text, mended = readable(message, assistant.config.max_message_letters)
    kinds: tuple[Kind, ...] = tuple(wanted.kind for wanted in task.inputs) if task else ()
    most = assistant.config.max_sequences
    typed = read_typed(text, kinds=kinds, most=most, folder=manner.folder, store=assistant.store)
    waiting = (*conversation.waiting, *typed.sequences)
    has_all = bool(typed.question) or bool(task and waiting)
    if not has_all or len(waiting) > most or not (task is None or is_called(task)):
        yield from converse(assistant, message, conversation, manner)
        return
    notices = [*mended, *typed.notices]
    yield from map(Notice, notices)
    records = waiting or conversation.asked
    steps: list[Step] = []
    finished = Finished("", (), "answered")
    yield Begun(_names(records), task.name if task else None)
    for event in work_on(toolbox, assistant, typed.question, records, task):
        if isinstance(event, Step):
            steps.append(event)
            yield event
        else:
            finished = event
    yield from map(Notice, finished.notices)
    answered = Answered(_names(records), task.name if task else None, finished.text)
    yield Piece(finished.text)
    yield answered
    found: Found | None = None
    if assistant.index is not None:
        yield Searching(_names(records))
        found = look_up(assistant.index, typed.question, records, assistant.config)
        yield found
    yield Reply(
        typed.question, tuple(waiting), (*notices, *finished.notices), (answered,), (_based_on(steps),),
        _remembered(assistant, conversation, records, typed.question, finished.text),
        task=task.name if task else None, found=found, steps=tuple(steps),
    )  # fmt: skip


def _names(records: Sequence[Record]) -> tuple[str, ...]:
    return tuple(record.id for record in records)


def _based_on(steps: Sequence[Step]) -> str:
    if not steps:
        return "The model's own words: it called no tool, and nobody measured how often such answers are right."
    called = ", ".join(dict.fromkeys(step.tool or "?" for step in steps))
    return f"What the model made of its calls of {called}; the numbers of the steps are the ones to trust."


def _remembered(
    assistant: Assistant, before: Conversation, records: tuple[Record, ...], question: str, said: str
) -> Conversation:
    special = assistant.tokenizer.special_tokens
    turn = (Message("user", defuse(question, special).text), Message("assistant", defuse(said.strip(), special).text))
    history = (*before.history, *turn) if question else before.history
    return replace(before, history=history, waiting=(), asked=records)
