"""The names of scores, and which of them may decide for a task.

The score that decides leads the report, is the one of the summary and its figures, and chooses the best baseline on
validation items. A definition names it (`metric`); where it names none, the first of `deciding_metrics` decides.
"""

from typing import Literal

from llama_gene.tasks.wordings import Family

Metric = Literal[
    "mcc", "accuracy", "macro_f1", "per_residue_mcc", "per_residue_accuracy", "spearman", "pearson", "r2", "fmax",
    "first_term", "token_f1", "rouge_l", "exact",
]  # fmt: skip
METRIC_NAMES = {
    "mcc": "MCC", "accuracy": "accuracy", "macro_f1": "macro F1", "per_residue_mcc": "MCC per residue",
    "per_residue_accuracy": "accuracy per residue", "spearman": "Spearman", "pearson": "Pearson", "r2": "R²",
    "fmax": "Fmax", "first_term": "first term true", "token_f1": "word F1", "rouge_l": "ROUGE-L", "exact": "exact",
    "right_call": "right calls", "right_tool": "right tools", "right_chain": "right chains of calls",
}  # fmt: skip
# The MCC of the same answers, which every accuracy stands beside.
MCC_OF = {"accuracy": "mcc", "per_residue_accuracy": "per_residue_mcc"}


def deciding_metrics(family: Family, *, closed: bool, terms: bool) -> tuple[Metric, ...]:
    """The scores that may decide, the usual one first.

    Accuracy never does: where classes are unequal it says little, so it stands beside MCC. Structure is counted per
    residue, since how many questions a chain makes depends on the tokenizer. Numbers are scored as numbers, since the
    same task is asked in bins or of a tool.

    Args:
        family: Of the task.
        closed: The answer is one of a closed set of labels.
        terms: The answer is a list of terms.

    >>> deciding_metrics("classification", closed=True, terms=False)
    ('mcc', 'macro_f1')
    """
    if family == "structure":
        return ("per_residue_mcc",)
    if family == "regression":
        return ("spearman", "pearson", "r2")
    if closed:
        return ("mcc", "macro_f1")
    words: tuple[Metric, ...] = ("token_f1", "rouge_l", "exact")
    return ("fmax", "first_term", *words) if terms else words
