"""Cut a sequence that does not fit into windows, where a task's answer may be asked of a part.

A definition says in `keep` what stays of a sequence too long. `centre`, the default, says nothing of where the answer
lies: all of the sequence is asked about, in windows. `start`, `end` and `ends` name the place that decides (a signal
peptide, a promoter before its gene), and the model was trained and measured on that place alone: it alone is asked.
`whole`, and pairs in register or of several sequences, cannot be asked in windows.
"""

from collections.abc import Sequence

from llama_gene.assistant.asking import fit_item
from llama_gene.assistant.conversation import Assistant
from llama_gene.errors import DataError
from llama_gene.prompts import Message
from llama_gene.tasks.definitions import Task

_SAFE_PERCENT = 90


def allows_windows(task: Task) -> bool:
    """True where a task may be asked of every part of a long sequence.

    >>> from llama_gene.tasks.definitions import load_task
    >>> allows_windows(load_task("ctcf-loops")), allows_windows(load_task("central-dogma"))
    (False, False)
    """
    return task.keep == "centre" and len(task.inputs) == 1 and not task.in_register and task.family != "structure"


def window_letters(
    assistant: Assistant, task: Task, sequences: Sequence[str], shots: Sequence[Message] = ()
) -> int | None:
    """Letters of a window; None where the sequence fits whole, or the task is not asked in windows.

    Args:
        assistant: The model.
        task: Says what is kept.
        sequences: Checked letters, one per input of the task.
        shots: Turns before the question, which need room too.

    Raises:
        DataError: as `ask_task`.
    """
    if len(sequences) != 1 or not allows_windows(task):
        return None
    fitted = len(fit_item(assistant, task, sequences, shots=shots).sequences[0])
    if fitted == len(sequences[0]):
        return None
    # Other stretches may take more tokens for as many letters. What a window loses all the same, its neighbours show.
    return max(1, fitted * _SAFE_PERCENT // 100)


def cut_windows(letters: str, size: int, *, most: int) -> list[str]:
    """Windows of equal size from end to end, each of which overlaps the next by half, the last one by more.

    Args:
        letters: Longer than a window.
        size: Letters of a window, > 0.
        most: Most windows.

    Raises:
        DataError: more windows are needed.

    >>> cut_windows("ABCDEFG", 4, most=9)
    ['ABCD', 'CDEF', 'DEFG']
    """
    stride = max(1, size // 2)
    starts = [*range(0, len(letters) - size, stride), len(letters) - size]
    if len(starts) > most:
        raise DataError(
            f"{len(letters):,} letters need {len(starts):,} windows of {size:,} letters, at most {most:,} are asked. "
            "Give a shorter sequence, or raise chat.max_windows."
        )
    return [letters[start : start + size] for start in starts]
