"""The call that a question in free words is taken for: that of the known wording which it resembles most.

A small model chooses tools worse than a comparison of words does (`evaluate` reports both on wordings held out), so
words decide first, as they do for tasks, and the model writes a call of its own where no wording is near.
"""

from collections.abc import Container, Sequence

from llama_gene.assistant.agent import Decision
from llama_gene.assistant.conversation import Assistant
from llama_gene.sequences.records import Record
from llama_gene.tasks.tool_calls import read_request
from llama_gene.tasks.tool_questions import calls_near

_NAMED = 0.2


def find_call(
    assistant: Assistant, question: str, sequences: Sequence[Record], tools: Container[str]
) -> Decision | None:
    """The call of the likest wording, and what is said of the choice; None where none is like enough.

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
    known = [one for one in calls_near(question) if one.kinds == kinds]
    likeness = assistant.router.liken(question, [one.question for one in known])
    # Of two wordings about as near, the one whose values the question names: "in frame 2" is no plain translation.
    best = max(range(len(known)), key=lambda place: likeness[place] + _NAMED * known[place].named, default=None)
    if best is None or likeness[best] < config.call_likeness:
        return None
    request = read_request(known[best].call)
    if request is None or request.tool not in tools:
        return None
    said = (
        f"Taken for the question {known[best].question!r}, which it resembles by {likeness[best]:.2f} of 1, and "
        f"answered by the tool {request.tool}; chat.route = 'off' leaves the choice to the model."
    )
    return Decision(requests=(request,), notices=(said,))
