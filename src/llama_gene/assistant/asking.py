"""Ask a tuned model: the question as training saw it, room for the answer, the turns before it.

A task's question is asked alone, in the task's words, as it was trained and measured; free questions see the turns
before them. Everything from outside is defused before `prompts.render` makes the prompt.
"""

from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from llama_gene.assistant.conversation import Assistant, check_inputs, labels_of, wording_of
from llama_gene.assistant.workplace import Finish
from llama_gene.config import spellings_of
from llama_gene.errors import DataError
from llama_gene.prompts import Message, defuse, render, user_content
from llama_gene.sequences.records import Record
from llama_gene.tasks import fitting
from llama_gene.tasks.definitions import Task
from llama_gene.tasks.shorten import coding_pair, cut, largest_size
from llama_gene.tasks.steps import Reading
from llama_gene.tasks.wordings import input_text

_TURN = 2
_MOST_LETTERS_PER_TOKEN = 64
# Prompt and answer are encoded apart when they are asked, together when they are fitted.
_MARGIN_TOKENS = 8


@dataclass(frozen=True)
class Question:
    """A prompt ready for the model: its turns, its tokens, and what has to be said about it."""

    user: Message
    history: tuple[Message, ...]
    prompt: tuple[int, ...]
    notices: tuple[str, ...] = ()
    is_free: bool = False


def ask_task(
    assistant: Assistant,
    task: Task,
    sequences: Sequence[str],
    *,
    part: tuple[int, int] | None = None,
    shots: Sequence[Message] = (),
    evidence: str = "",
) -> Question:
    """A task's question about one item, alone; a sequence too long is shortened as the task says.

    Args:
        assistant: The model.
        task: Says wording, labels, spelling and what is kept.
        sequences: Checked letters, one per input of the task.
        part: What of the one sequence is asked about, where the task marks it.
        shots: Solved items as turns before the question.
        evidence: What an index holds, made harmless (`found.quote_found`); stands behind the instruction.

    Raises:
        DataError: not as many sequences as inputs, or they cannot be shortened so that the question fits.
    """
    made = fit_item(assistant, task, sequences, part=part, shots=shots, evidence=evidence)
    notices = [
        f"{wanted.called}: shortened from {len(whole):,} to {len(kept):,} letters to fit {made.limit:,} tokens "
        f"(kept: {'start, in register' if task.in_register else task.keep})."
        for wanted, whole, kept in zip(task.inputs, sequences, made.sequences, strict=True)
        if len(kept) < len(whole)
    ]
    turns = (*shots, made.user)
    return Question(made.user, (), _encode(assistant, turns), (*notices, *_defused_notice(made.defused)))


@dataclass(frozen=True)
class Fitted:
    """A task's question as a turn, the letters of each sequence that it shows, and the limit that they were cut to."""

    user: Message
    sequences: tuple[str, ...]
    limit: int
    defused: int


def fit_item(
    assistant: Assistant,
    task: Task,
    sequences: Sequence[str],
    *,
    part: tuple[int, int] | None = None,
    shots: Sequence[Message] = (),
    evidence: str = "",
) -> Fitted:
    """The turn of `ask_task`; arguments and errors as there."""
    check_inputs(task)
    if len(sequences) != len(task.inputs):
        raise DataError(
            f"task {task.name!r} asks about {len(task.inputs)} sequence(s) at a time, not {len(sequences)}. "
            f"Give {' and '.join(wanted.kind for wanted in task.inputs)}."
        )
    labels = labels_of(assistant, task)
    # The longest answer stands in for the unknown one, so that there is room for whichever comes.
    longest = max(labels, key=lambda label: len(assistant.tokenizer.encode(label)), default="")
    limit = assistant.context_tokens if labels else assistant.context_tokens - _answer_room(assistant)
    taken = len(assistant.tokenizer.encode(evidence)) + _MARGIN_TOKENS if evidence else 0
    limit = min(limit - shot_tokens(assistant, shots) - taken, int(assistant.card.get("max_tokens") or limit))
    setting = _setting(assistant, task, limit)
    counts: Counter[str] = Counter()
    # The protein stands in for the translation that is not known yet, so that there is room for the steps.
    reading = Reading(1, coding_pair(task, sequences)[1]) if task.steps else None
    asked = fitting.Question(wording_of(task), tuple(sequences), longest, tuple(labels), part=part, reading=reading)
    made = fitting.fit(setting, [asked], counts)[0]
    if made is None:
        raise DataError(
            f"task {task.name!r}: the question does not fit {limit:,} tokens, and its answer would not hold for a part "
            f"({max(map(len, sequences)):,} letters, keep = {task.keep!r}). Give a shorter sequence."
        )
    asked_with = f"{made.instruction}\n\n{evidence}" if evidence else made.instruction
    user = Message("user", user_content(asked_with, made.input))
    return Fitted(user, made.sequences, limit, counts["defused"])


def _setting(assistant: Assistant, task: Task, limit: int) -> fitting.Setting:
    """What the questions of a task share; kept, since it measures their words once."""
    known = assistant.settings
    if (task, limit) not in known:
        # A model that learnt both spellings is asked in the shorter one.
        spelling = spellings_of(task.spelling)[0]
        # The room of a free answer is out of the limit already.
        most = limit if labels_of(assistant, task) else 0
        known[task, limit] = fitting.Setting(task, spelling, assistant.tokenizer, limit - _MARGIN_TOKENS, most)
    return known[task, limit]


def shot_tokens(assistant: Assistant, shots: Sequence[Message]) -> int:
    """Tokens that turns before a question add to its prompt."""
    question = Message("user", "?")
    return len(_encode(assistant, [*shots, question])) - len(_encode(assistant, [question])) if shots else 0


def ask_freely(
    assistant: Assistant,
    text: str,
    sequences: Sequence[Record] = (),
    history: Sequence[Message] = (),
    *,
    system: str = "",
) -> Question:
    """A question in the user's own words, after the turns before it.

    Where all does not fit, the oldest turns go first; then the sequences lose their ends.

    Args:
        assistant: The model.
        text: As typed; special tokens and headings in it are made harmless.
        sequences: Checked records the question is about.
        history: Earlier turns, user and assistant in turn.
        system: Said before the first turn, and kept when turns go; made harmless as the text is.

    Raises:
        DataError: no question, or one longer than the model reads.
    """
    if not text.strip():
        raise DataError("no question. Type what you want to know about the sequence, or choose a task with /task NAME.")
    words = defuse(text, assistant.tokenizer.special_tokens)
    said = defuse(system.strip(), assistant.tokenizer.special_tokens)
    before = [Message("system", said.text)] if said.text else []
    letters, names = [record.text for record in sequences], [record.kind for record in sequences]
    limit = assistant.context_tokens - _answer_room(assistant)

    def make(size: int) -> Message:
        kept = [cut(each, size, "start") for each in letters]
        return Message("user", user_content(words.text, input_text(kept, names, "joined") if kept else ""))

    def measure(size: int, turns: Sequence[Message] = ()) -> int:
        return len(_encode(assistant, [*before, *turns, make(size)]))

    turns = list(history)
    # No token spells more letters than this: what lies beyond can never fit, and is not encoded to find out.
    whole = min(max(map(len, letters), default=0), limit * _MOST_LETTERS_PER_TOKEN)
    while turns and measure(whole, turns) > limit:
        turns = turns[_TURN:]
    size = largest_size(whole, limit, measure)
    if size is None:
        raise DataError(
            f"the question has {measure(whole):,} tokens, the model reads {limit:,} beside its answer. Shorten it."
        )
    notices = (
        *_defused_notice(words.changes + said.changes),
        *_forgotten_notice((len(history) - len(turns)) // _TURN, limit),
        *_cut_notices(sequences, size, limit),
    )
    user = make(size)
    return Question(user, tuple(turns), _encode(assistant, [*before, *turns, user]), notices, is_free=True)


def _forgotten_notice(turns: int, limit: int) -> list[str]:
    if not turns:
        return []
    asked = "question with its answer was" if turns == 1 else f"{turns} questions with their answers were"
    return [f"The oldest {asked} forgotten: the model reads {limit:,} tokens."]


def _cut_notices(sequences: Sequence[Record], size: int, limit: int) -> list[str]:
    return [
        f"{record.id}: shortened from {len(record.text):,} to {size:,} letters to fit {limit:,} tokens (kept: start)."
        for record in sequences
        if len(record.text) > size
    ]


def answer(assistant: Assistant, question: Question) -> Generator[str, None, Finish]:
    """Stream the answer; the pieces join to the whole, and its end is told at last. Closing it stops the model.

    Greedy at temperature 0, else sampled with the config's seed: the same question gives the same answer.
    """
    room = assistant.context_tokens - len(question.prompt)
    config = assistant.config.model_copy(update={"max_new_tokens": min(assistant.config.max_new_tokens, room)})
    return (yield from assistant.workplace.write(question.prompt, config))


def remember(assistant: Assistant, question: Question, reply: str) -> tuple[Message, ...]:
    """The history after an answer; what the model wrote is made harmless as well."""
    harmless = defuse(reply.strip(), assistant.tokenizer.special_tokens).text
    return (*question.history, question.user, Message("assistant", harmless))


def _answer_room(assistant: Assistant) -> int:
    return min(assistant.config.max_new_tokens, assistant.context_tokens // 2)


def _encode(assistant: Assistant, messages: Sequence[Message]) -> tuple[int, ...]:
    tokenizer = assistant.tokenizer
    return tuple(tokenizer.encode_prompt(render(messages, bos=tokenizer.bos, eos=tokenizer.eos)))


def _defused_notice(changes: int) -> list[str]:
    if not changes:
        return []
    return [f"{changes} special token(s) or '### ' heading(s) in the text were made harmless by a space."]
