"""One question, one answer, as text: for scripts and the end of the demo."""

from collections.abc import Sequence

from llama_gene.assistant.conversation import SYNTHETIC, Assistant
from llama_gene.assistant.events import Conversation, Reply
from llama_gene.assistant.inputs import checked_record
from llama_gene.assistant.turn import answer_about, reply_to
from llama_gene.errors import DataError
from llama_gene.sequences.alphabets import guess_kind
from llama_gene.tasks.definitions import Task


def ask(assistant: Assistant, question: str = "", *, task: Task | None = None, sequences: Sequence[str] = ()) -> str:
    """The answer to one question, with probabilities where the task is closed, and with every notice.

    Args:
        assistant: The model.
        question: In the user's own words; with a task its wording is used instead.
        task: Says wording and labels; none: that of a task which the question resembles, or a free answer.
        sequences: Letters; DNA or protein, as the task says or by their looks.

    Raises:
        DataError: neither question nor task, letters outside the alphabet, or a question that does not fit.
    """
    kinds = [wanted.kind for wanted in task.inputs] if task else [guess_kind(letters) for letters in sequences]
    checked = [
        checked_record(letters, kinds[number % len(kinds)], f"sequence {number + 1}")
        for number, letters in enumerate(sequences)
    ]
    waiting = Conversation(waiting=tuple(record for record, _ in checked))
    if task is None:
        reply = reply_to(assistant, question, waiting)
    elif not sequences:
        raise DataError(f"task {task.name!r}: no sequence. Give {' and '.join(item.kind for item in task.inputs)}.")
    else:
        reply = next(event for event in answer_about(assistant, task, waiting) if isinstance(event, Reply))
    notices = [*(notice for _, mended in checked for notice in mended), *reply.notices]
    return "\n".join([*(f"note: {notice}" for notice in notices), reply.text, *[SYNTHETIC] * assistant.is_synthetic])
