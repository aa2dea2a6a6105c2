"""Make a definition of the user's own data: infer, try it on the items, then write."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from llama_gene.config import Split, SplitRule
from llama_gene.errors import ConfigError, DataError
from llama_gene.sequences.files import Inspector, list_files
from llama_gene.tasks.assign import assign_splits
from llama_gene.tasks.cleaning import clean_items, drop_duplicates, refuse_equal_sets
from llama_gene.tasks.definitions import Task, task_files
from llama_gene.tasks.drafts import Draft, draft_table
from llama_gene.tasks.fasta_drafts import draft_fasta
from llama_gene.tasks.groups import SPLITS, group_items
from llama_gene.tasks.infer import Inferred, Wishes
from llama_gene.tasks.items import Item, RawItem
from llama_gene.tasks.profile import FileFormat, detect_file
from llama_gene.tasks.readers import read_items
from llama_gene.tasks.write import write_definition

_TRIED_ITEMS = 5000
_SIMILARITY = 0.3
_LARGEST_GROUP = 0.2


@dataclass(frozen=True)
class Trial:
    """What became of a sample of the items: how many, what was left out, and the classes of each split."""

    items: int
    counts: Mapping[str, int]
    classes: Mapping[Split, Mapping[str, int]]


def draft_task(
    paths: Sequence[Path], wishes: Wishes, *, data: Path, folder: Path, form: FileFormat | None = None
) -> Draft:
    """Infer the definition of a table, of FASTA, or of FASTA files one a class.

    Args:
        paths: A table, FASTA files, or a folder of FASTA files.
        wishes: What the user says.
        data: Folder that the definition's paths start from.
        folder: Where the definition will be written; a name that is taken there is refused.
        form: How the file is read; None: by its first line.

    Raises:
        UndecidedError: something is asked for that the files do not say.
        ConfigError: a wish that cannot be, or a name that is taken.
        DataError: a file cannot be used.
    """
    files = [file for path in paths for file in list_files(path)]
    forms = [form or detect_file(file) for file in files]
    other = next((file for file, found in zip(files, forms, strict=True) if found != "fasta"), None)
    if other is not None and len(files) > 1:
        raise ConfigError(
            f"{other}: no FASTA, and one of {len(files)} files. Expected one table, or FASTA, a file for each class: "
            "join the tables, or name the FASTA files alone."
        )
    chosen = forms[0]
    draft = draft_fasta(files, wishes, data) if chosen == "fasta" else draft_table(files[0], chosen, wishes, data)
    taken = task_files([folder] if folder.is_dir() else [])
    if draft.task.name in taken:
        raise ConfigError(f"{draft.task.name!r} is defined already in {taken[draft.task.name]}. Give another --name.")
    return draft


def try_task(draft: Draft, data: Path, seed: int) -> tuple[Draft, Trial]:
    """Read, check, group and split a sample of the items, so that what is written works.

    Near-identical items are kept in one split, unless nearly all of them are near-identical to each other.

    Raises:
        DataError: the items cannot be split, held-out ones are those of training, or none is left.
    """
    inspector = Inspector("skip", Counter())
    task = draft.task
    raw = _sample(read_items(task, data, inspector), np.random.default_rng(seed))
    items = list(clean_items(task, raw, inspector))
    refuse_equal_sets(task, items)
    items = drop_duplicates(task, items, "drop", inspector.counts)
    if not items:
        reasons = ", ".join(f"{reason}: {count}" for reason, count in (+inspector.counts).most_common(3))
        raise DataError(f"task {task.name!r}: no item can be used ({reasons}). Check the columns and kinds.")
    task, note = _with_similarity(task, items)
    placed = assign_splits(task, group_items(task, items), np.random.default_rng(seed), inspector.counts)
    targets: dict[Split, Counter[str]] = {split: Counter() for split in SPLITS}
    for item in placed:
        if item.split is not None:
            targets[item.split][item.target if task.labels and task.family != "structure" else "items"] += 1
    trial = Trial(
        len(raw),
        {reason: n for reason, n in inspector.counts.items() if n},
        {split: dict(sorted(found.items())) for split, found in targets.items()},
    )
    return replace(draft, task=task, inferred=(*draft.inferred, note)), trial


def save_task(draft: Draft, folder: Path) -> Path:
    """Write the definition with the reasons for it as comments.

    Raises:
        ConfigError: the file is there already.
    """
    notes = ["Made by `llama-gene tasks add`; what was inferred, and from what:"]
    notes += [f"{note.what}: {note.value} ({note.why})" for note in draft.inferred]
    return write_definition(draft.task, folder, notes)


def _sample(raw: Iterable[RawItem], rng: np.random.Generator) -> list[RawItem]:
    """A random sample of the items in one pass (reservoir, Vitter 1985), in their order."""
    kept: list[tuple[int, RawItem]] = []
    for number, item in enumerate(raw):
        if number < _TRIED_ITEMS:
            kept.append((number, item))
        elif (place := int(rng.integers(number + 1))) < _TRIED_ITEMS:
            kept[place] = (number, item)
    return [item for _, item in sorted(kept, key=lambda entry: entry[0])]


def _with_similarity(task: Task, items: Sequence[Item]) -> tuple[Task, Inferred]:
    """Keep near-identical sequences together, where that leaves something to split."""
    wanted = task.model_copy(update={"split": SplitRule(similarity=_SIMILARITY)})
    groups = Counter(item.group for item in group_items(wanted, items))
    largest = max(groups.values()) / len(items)
    if largest <= _LARGEST_GROUP:
        why = f"the largest group of near-identical items is {largest:.1%} of {len(items):,}"
        return wanted, Inferred("kept together", f"{_SIMILARITY:.0%} shared k-mers", why)
    why = f"near-identical items chain into a group of {largest:.0%}, as variants of one sequence do"
    return task, Inferred("kept together", "equal items only", why)
