"""The task that a question in free words is taken for in a conversation, and what is said of the choice."""

from typing import NamedTuple

from llama_gene.assistant.conversation import Assistant
from llama_gene.assistant.routing import Route
from llama_gene.sequences.records import Record


class Routed(NamedTuple):
    """The task a question is taken for (None: it stays free), the sequences it is about, and what is said of it."""

    route: Route | None
    sequences: tuple[Record, ...]
    notices: tuple[str, ...] = ()


def find_route(
    assistant: Assistant, question: str, sequences: tuple[Record, ...], before: tuple[Record, ...] = ()
) -> Routed:
    """The task that a question resembles, where `chat.route` is on.

    Args:
        assistant: Knows the tasks.
        question: In the user's words.
        sequences: Found in the message.
        before: Those of the turn before, which a question without any may be about.
    """
    about = sequences or before
    if assistant.config.route == "off" or not about or not question:
        return Routed(None, sequences)
    router, kinds, least = assistant.router, [record.kind for record in about], assistant.config.route_likeness
    route = router.choose(question, kinds, at_least=least)
    if route is not None:
        near = f" It could also be for {route.next_task}." if route.next_task else ""
        again = "" if sequences else f" It is asked about {' and '.join(record.id for record in about)} of before."
        said = (
            f"Taken as a question for task {route.task}, which it resembles by {route.likeness:.2f} of 1.{near}{again} "
            "Another task can be chosen; chat.route = 'off' keeps questions free."
        )
        return Routed(route, about, (said,))
    likest = next(iter(router.rank(question)), None)
    if not sequences or likest is None or likest.likeness < least:
        return Routed(None, sequences)
    wanted = next(task for task in router.tasks if task.name == likest.task).inputs
    said = (
        f"The question resembles task {likest.task} ({likest.likeness:.2f} of 1), which asks about "
        f"{' and '.join(item.kind for item in wanted)}, not {' and '.join(kinds)}: answered freely."
    )
    return Routed(None, sequences, (f"{said} A comma parts two sequences.",) if len(wanted) > len(kinds) else (said,))
