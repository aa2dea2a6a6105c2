"""The calls that a question in free words is taken for: those of the known wording which it resembles most.

A small model chooses tools worse than a comparison of words does (`evaluate` reports both on wordings held out), so
words decide first, as they do for tasks, and the model writes calls of its own where no wording is near.
"""

from collections.abc import Container, Sequence
from typing import NamedTuple

from llama_gene.assistant.conversation import Assistant
from llama_gene.sequences.records import Record
from llama_gene.tasks.tool_calls import Request, can_be_asked, kinds_of, read_request
from llama_gene.tasks.tool_questions import calls_near

_NAMED = 0.2


class Guess(NamedTuple):
    """Calls in order, the later ones on results of the earlier, and what is said of the choice."""

    requests: tuple[Request, ...]
    notice: str


def find_calls(assistant: Assistant, question: str, sequences: Sequence[Record], tools: Container[str]) -> Guess | None:
    """The calls of the likest wording; None where none is like enough.

    Args:
        assistant: Knows the wordings, where its model learnt to call.
        question: In the user's words.
        sequences: What it is about.
        tools: Names that may be called.
    """
    config = assistant.config
    if config.route == "off" or not assistant.calls_tools or not sequences:
        return None
    kinds = tuple(record.kind for record in sequences)
    tasks = {task.name: kinds_of(task) for task in assistant.router.tasks if can_be_asked(task)}
    known = [one for one in calls_near(question, tasks) if one.kinds == kinds]
    likeness = assistant.router.liken(question, [one.question for one in known])
    # Of two wordings about as near, the one whose values the question names: "in frame 2" is no plain translation.
    best = max(range(len(known)), key=lambda place: likeness[place] + _NAMED * known[place].named, default=None)
    if best is None or likeness[best] < config.call_likeness:
        return None
    requests = tuple(request for call in known[best].calls if (request := read_request(call)) is not None)
    if any(request.tool not in tools for request in requests):
        return None
    called = ", then ".join(request.tool for request in requests)
    return Guess(
        requests,
        f"Taken for the question {known[best].question!r}, which it resembles by {likeness[best]:.2f} of 1, and "
        f"answered by the tool {called}; chat.route = 'off' leaves the choice to the model.",
    )
