"""One turn of a conversation, whatever the front end: a message in, events as they come, a reply at the end.

Terminal, web page, HTTP and MCP all call `converse` (or `reply_to`, which waits for the end). What the message may do
is said by the caller, never by the message: which task is asked, whether files may be named, what the system prompt is.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from llama_gene.assistant.agent import Finished, Step, run_agent
from llama_gene.assistant.asking import Question, ask_freely, ask_task, remember
from llama_gene.assistant.closed import classify, shots_for
from llama_gene.assistant.conversation import Assistant, check_inputs, find_task, labels_of
from llama_gene.assistant.display import describe_answer
from llama_gene.assistant.events import (
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
)
from llama_gene.assistant.found import Found, Searching, look_up, quote_found
from llama_gene.assistant.guess_task import find_route
from llama_gene.assistant.inputs import check_lengths, checked_record, count_letters, read_typed, readable
from llama_gene.assistant.local_planner import LocalPlanner
from llama_gene.assistant.routing import asks_for_a_notion
from llama_gene.assistant.toolbox import Toolbox, check_specialist, make_toolbox, uses_tools
from llama_gene.config import Evidence, Kind
from llama_gene.errors import DataError
from llama_gene.sequences.records import Record
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.tool_calls import is_called


@dataclass
class _Turn:
    """A turn in the making."""

    assistant: Assistant
    conversation: Conversation
    notices: list[str] = field(default_factory=list)
    answers: list[Answered] = field(default_factory=list)
    based_on: list[str] = field(default_factory=list)
    found: Found | None = None
    steps: list[Step] = field(default_factory=list)

    def tell(self, notices: Sequence[str]) -> Iterator[Event]:
        for notice in notices:
            self.notices.append(notice)
            yield Notice(notice)

    def keep(self, question: Question, answered: Answered, said: str) -> Iterator[Event]:
        """Note an answer, and remember it with its question."""
        # A task's question is asked alone, but the talk before it is kept for the free questions after it.
        before = question.history if question.is_free else self.conversation.history
        history = remember(self.assistant, replace(question, history=before), said)
        self.conversation = replace(self.conversation, history=history)
        self.answers.append(answered)
        yield answered

    def base(self, sentence: str) -> None:
        if sentence not in self.based_on:
            self.based_on.append(sentence)

    def look_up(self, when: Evidence, question: str, records: Sequence[Record]) -> Iterator[Event]:
        """Search the index for what a turn is about, before the answer or after it, as `chat.evidence` has it."""
        index, config = self.assistant.index, self.assistant.config
        if index is not None and config.evidence == when:
            yield Searching(tuple(record.id for record in records))
            self.found = self.assistant.workplace.apart(lambda: look_up(index, question, records, config))
            if when == "shown":
                self.base("What the index holds was looked up after the answer; the model did not read it.")
            yield self.found

    def quote(self, found: Found | None) -> str:
        """What was found before the answer, for the model to read; "" for nothing."""
        tokenizer, context = self.assistant.tokenizer, self.assistant.context_tokens
        quoted = quote_found(found, tokenizer, context) if found else ""
        if quoted:
            self.base("The model read what the index holds before it answered (chat.evidence = 'read').")
        return quoted


def reply_to(
    assistant: Assistant,
    message: str,
    conversation: Conversation = BEGINNING,
    manner: Manner = FREELY,
) -> Reply:
    """The whole reply to a message; arguments and errors as `converse`."""
    return next(event for event in converse(assistant, message, conversation, manner) if isinstance(event, Reply))


def converse(
    assistant: Assistant,
    message: str,
    conversation: Conversation = BEGINNING,
    manner: Manner = FREELY,
) -> Generator[Event]:
    """Answer a message: events in order, the last of which is the `Reply`. Closing the iterator stops the model.

    Args:
        assistant: The model.
        message: As it was typed or sent.
        conversation: What the turn before left.
        manner: What the message may do.

    Raises:
        DataError: nothing was said, letters outside their alphabet, or a question that does not fit.
        TooLargeError: the message or one of its sequences is too long.
        ConfigError: a task that the model folder names is not there.
    """
    turn = _Turn(assistant, conversation)
    text, mended = readable(message, assistant.config.max_message_letters)
    kinds: tuple[Kind, ...] = tuple(wanted.kind for wanted in manner.task.inputs) if manner.task else ()
    most = assistant.config.max_sequences
    typed = read_typed(text, kinds=kinds, most=most, folder=manner.folder, store=assistant.store)
    records = (*conversation.waiting, *typed.sequences)
    if len(records) > most:
        raise DataError(f"more than {most} sequences with those that wait. Type the question about them, or /reset.")
    check_lengths(records, manner.longest)
    yield from turn.tell([*mended, *typed.notices])
    if not typed.question and not (manner.task and records):
        yield from turn.tell([f"{count_letters(records)} read. Now type the question about it, or choose a task."])
        turn.conversation = replace(conversation, waiting=records)
        yield _reply(turn, typed.question, records)
        return
    turn.conversation = replace(conversation, waiting=())
    route, task = None, manner.task
    if task is None and not _is_planned(assistant, manner):
        route, records, told = find_route(assistant, typed.question, records, conversation.asked)
        task = find_task(assistant, route.task) if route else None
        yield from turn.tell(told)
    elif task is not None and not records:
        check_inputs(task)
        yield from turn.tell([_wanting(task)])
        yield _reply(turn, typed.question, records)
        return
    elif task is not None and typed.question:
        yield from turn.tell([f"Asked in the words of task {task.name}; your own words were not."])
    if records:
        turn.conversation = replace(turn.conversation, asked=records)
    yield from turn.look_up("read", typed.question, records)
    if task is not None and records:
        yield from _ask_items(turn, task, records, manner.toolbox)
    else:
        yield from _ask_freely(turn, typed.question, records, manner)
    yield from turn.look_up("shown", typed.question, records)
    yield replace(_reply(turn, typed.question, records), task=task.name if task and records else None, route=route)


def answer_about(
    assistant: Assistant, task: Task, conversation: Conversation, toolbox: Toolbox | None = None
) -> Generator[Event]:
    """Ask a task about the sequences that wait; events as `converse` gives them, tools as in `Manner`.

    Raises:
        DataError: they are not what the task asks about.
    """
    check_inputs(task)
    turn = _Turn(assistant, replace(conversation, waiting=()))
    kinds = [wanted.kind for wanted in task.inputs]
    records = tuple(
        checked_record(record.text, kinds[place % len(kinds)], record.id)[0]
        for place, record in enumerate(conversation.waiting)
    )
    turn.conversation = replace(turn.conversation, asked=records)
    yield from turn.look_up("read", "", records)
    yield from _ask_items(turn, task, records, toolbox)
    yield from turn.look_up("shown", "", records)
    yield replace(_reply(turn, "", records), task=task.name)


def _ask_items(turn: _Turn, task: Task, records: Sequence[Record], toolbox: Toolbox | None) -> Iterator[Event]:
    """The task's answer about each item; an item is as many records as the task has inputs."""
    check_inputs(task)
    size = len(task.inputs)
    if len(records) % size:
        raise DataError(f"task {task.name!r} asks about {size} sequences at a time, not {len(records)}. Give {size}.")
    if is_called(task):
        toolbox = toolbox or make_toolbox(turn.assistant)
        check_specialist(toolbox, task)
    turn.base(f"Task {task.name}, asked in the words it was tuned with; the conversation before it was not shown.")
    for start in range(0, len(records), size):
        item = records[start : start + size]
        names, letters = tuple(record.id for record in item), [record.text for record in item]
        yield Begun(names, task.name, len(records) // size)
        shots = shots_for(turn.assistant, task, letters)
        if shots:
            turn.base(f"{turn.assistant.config.shots} solved training items were shown before the question.")
        if not labels_of(turn.assistant, task):
            # As `evaluate --index` measures it: function tasks alone, and sequences alone.
            found = replace(turn.found, passages=()) if turn.found and task.family == "function" else None
            question = ask_task(turn.assistant, task, letters, shots=shots, evidence=turn.quote(found))
            own = replace(toolbox, planner=None) if toolbox and is_called(task) else None
            yield from _write(turn, question, "", item, task, own)
            continue
        question, closed = classify(turn.assistant, task, letters, shots)
        yield from turn.tell(closed.notices)
        if closed.windows > 1:
            turn.base(f"The mean of the probabilities of {closed.windows} windows.")
        yield from turn.keep(question, Answered(names, task.name, describe_answer(closed), closed), closed.reply)


def _ask_freely(turn: _Turn, words: str, records: Sequence[Record], manner: Manner) -> Iterator[Event]:
    system = "\n\n".join(part for part in (turn.assistant.config.system, manner.system) if part.strip())
    toolbox = _free_tools(turn.assistant, manner)
    about = records or (turn.conversation.asked if toolbox and not asks_for_a_notion(words) else ())
    if about and not records:
        yield from turn.tell(
            [f"No sequence in the message: asked about {' and '.join(one.id for one in about)} of before."]
        )
    said = "\n\n".join(part for part in (words, turn.quote(turn.found)) if part)
    question = ask_freely(turn.assistant, said, about, turn.conversation.history, system=system)
    yield Begun(tuple(record.id for record in about), None)
    yield from _write(turn, question, words, about, None, toolbox)


def _write(
    turn: _Turn, question: Question, words: str, records: Sequence[Record], task: Task | None, toolbox: Toolbox | None
) -> Iterator[Event]:
    """The calls of tools, where there are any, the pieces of an answer that is no label, then the whole."""
    bounds = toolbox or Toolbox({})
    planner = bounds.planner or LocalPlanner(turn.assistant, task, bounds.config, first=question)
    told = question.notices if bounds.planner is None else ()
    yield from turn.tell(told)
    pieces: list[str] = []
    finished = Finished("", (), "answered")
    apart = turn.assistant.workplace.apart
    with closing(run_agent(planner, words, records, bounds.tools, bounds.config, apart)) as events:
        for event in events:
            if isinstance(event, Finished):
                finished = event
            elif isinstance(event, Step):
                yield event
            else:
                pieces.append(event)
                yield Piece(event)
    text = finished.text
    if text and not pieces:
        yield Piece(text)
    turn.steps += finished.steps
    if called := dict.fromkeys(step.tool for step in finished.steps if not step.error):
        turn.base(f"Results of {', '.join(called)}: the numbers of the steps are the ones to trust.")
    elif task is None:
        alone = "" if turn.assistant.index else " nothing was looked up, and"
        whose = "model's" if bounds.planner is None else "planner's"
        turn.base(f"The {whose} own words:{alone} nobody measured how often such answers are right.")
    names = tuple(record.id for record in records)
    is_cut = finished.ended == "cut"
    yield from turn.keep(question, Answered(names, task.name if task else None, text, is_cut=is_cut), text)
    yield from turn.tell([notice for notice in finished.notices if notice not in told])
    yield from turn.tell([] if text else ["The model ended its answer at once."])
    yield from turn.tell(["The answer was cut: it was as long as it may be (chat.max_new_tokens)."] if is_cut else [])


def _free_tools(assistant: Assistant, manner: Manner) -> Toolbox | None:
    """What free questions may call; None: nothing."""
    return (manner.toolbox or make_toolbox(assistant)) if uses_tools(assistant, manner.tools) else None


def _is_planned(assistant: Assistant, manner: Manner) -> bool:
    """True where a larger model plans: it chooses among the tasks itself."""
    return manner.toolbox is not None and manner.toolbox.planner is not None and uses_tools(assistant, manner.tools)


def _wanting(task: Task) -> str:
    """What a message without a sequence is told."""
    kinds = " and ".join(f"a {wanted.called} sequence" for wanted in task.inputs)
    return (
        f"Task {task.name} asks about {kinds}, and the message holds no sequence. Give what it asks about, or "
        "choose no task to ask freely."
    )


def _reply(turn: _Turn, question: str, records: Sequence[Record]) -> Reply:
    return Reply(
        question=question,
        sequences=tuple(records),
        notices=tuple(turn.notices),
        answers=tuple(turn.answers),
        based_on=tuple(turn.based_on),
        conversation=turn.conversation,
        found=turn.found,
        steps=tuple(turn.steps),
    )
