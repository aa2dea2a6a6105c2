"""One question, one answer, as text: for scripts and the end of the demo."""

from collections.abc import Sequence

from llama_gene.assistant.closed import classify
from llama_gene.assistant.conversation import SYNTHETIC, Assistant, answer, ask_freely, ask_task, labels_of
from llama_gene.assistant.display import describe_answer
from llama_gene.assistant.inputs import checked_record, guess_kind
from llama_gene.tasks.definitions import Task


def ask(assistant: Assistant, question: str = "", *, task: Task | None = None, sequences: Sequence[str] = ()) -> str:
    """The answer to one question, with probabilities where the task is closed, and with every notice.

    Args:
        assistant: The model.
        question: In the user's own words; with a task its wording is used instead.
        task: Says wording and labels.
        sequences: Letters; DNA or protein, as the task says or by their looks.

    Raises:
        DataError: neither question nor task, letters outside the alphabet, or a question that does not fit.
    """
    kinds = [wanted.kind for wanted in task.inputs] if task else [guess_kind(letters) for letters in sequences]
    checked = [
        checked_record(letters, kinds[number % len(kinds)], f"sequence {number + 1}")
        for number, letters in enumerate(sequences)
    ]
    records = [record for record, _ in checked]
    notices = [notice for _, mended in checked for notice in mended]
    if task is not None and labels_of(assistant, task):
        _, answered = classify(assistant, task, [record.text for record in records])
        notices, text = [*notices, *answered.notices], describe_answer(answered)
    else:
        asked = (
            ask_task(assistant, task, [record.text for record in records])
            if task
            else ask_freely(assistant, question, records)
        )
        notices, text = [*notices, *asked.notices], "".join(answer(assistant, asked)).strip()
    return "\n".join([*(f"note: {notice}" for notice in notices), text, *[SYNTHETIC] * assistant.is_synthetic])
