"""Put a definition together from FASTA: the class stands in the title, or each file is a class."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from llama_gene.config import GeneKind
from llama_gene.errors import ConfigError, DataError
from llama_gene.tasks.definitions import Label
from llama_gene.tasks.drafts import Draft, closed_labels, compose, path_inside, words_of
from llama_gene.tasks.files import read_fasta
from llama_gene.tasks.infer import Inferred, UndecidedError, Wishes
from llama_gene.tasks.profile import ColumnProfile

_PLACES = (
    (
        r"\b(?:label|class|category|loc|location|locali[sz]ation|type|target)[=:]\s*([^\s;|]+)",
        "a word after label= or the like",
    ),
    (r"^\s*([+-])\s*$", "a plus or minus"),
    (r"\|\s*([^|]+?)\s*$", "what follows the last |"),
    (r"^\S+\s+(\S+)\s*$", "the second word"),
    (r"\s(\S+)\s*$", "the last word"),
    (r"^\S+\s+(\S+)", "the second word"),
    (r"^\S*[_-]([A-Za-z+]+|\d)\s*$", "what follows the last _ or -"),
)
_SAMPLE = 2000
_MOST_CLASSES = 60
_ROWS_PER_CLASS = 3
_NEARLY_ALL = 0.98


def draft_fasta(paths: Sequence[Path], wishes: Wishes, data: Path) -> Draft:
    """The definition of FASTA files.

    Args:
        paths: One file whose titles hold the class, or one file for each class, named after it.
        wishes: What the user says.
        data: Folder that the definition's paths start from.

    Raises:
        UndecidedError: the titles do not say the class, or the letters not their kind.
        DataError: a file cannot be read, or fewer than two classes have enough items.
    """
    for option, value in (("value", wishes.value), ("sequence", wishes.sequence), ("split", wishes.split)):
        if value and value != "none":
            raise ConfigError(f"--{option} is for tables: FASTA has no columns. Leave it out.")
    if wishes.family not in (None, "classification", "function"):
        raise ConfigError(f"--family {wishes.family}: a FASTA file gives classes. Write a table for other answers.")
    places = [path_inside(path, data) for path in paths]
    letters = ColumnProfile("sequence")
    titles: list[list[str]] = []
    for place in places:
        titles.append([])
        for number, (title, sequence) in enumerate(read_fasta(place, data)):
            titles[-1].append(title)
            if number < _SAMPLE:
                letters.add(sequence, sampled=True)
    kind = _kind_of(letters, wishes)
    draft = _one_file if len(paths) == 1 else _one_file_a_class
    labels, left_out, reader, classes, notes = draft(paths, places, titles, wishes)
    is_rna = kind == "dna" and not any("T" in cell.upper() for cell in letters.cells[:100])
    topic = words_of("class", paths[0] if len(paths) == 1 else paths[0].parent.resolve())
    named = paths[0] if len(paths) == 1 else paths[0].parent.resolve()
    family = wishes.family or "classification"
    task = compose(wishes, named, topic, family, [kind], [is_rna], labels, left_out, reader)
    shortest, middle, longest = letters.lengths
    read_as = Inferred("family", family, "one sequence, answered by a label")
    read = Inferred("sequence", kind, f"the letters; {shortest}-{longest} of them, half up to {middle}")
    return Draft(task, (Inferred("format", "fasta", "lines that begin with >"), read, *notes, read_as), classes,
                 sum(map(len, titles)))  # fmt: skip


def _kind_of(letters: ColumnProfile, wishes: Wishes) -> GeneKind:
    if len(wishes.kind) > 1:
        raise ConfigError("--kind is given more than once, and a FASTA record is one sequence. Give one.")
    kind = wishes.kind[0] if wishes.kind else letters.kind
    if kind is None:
        raise UndecidedError("It is not clear what the letters are.", option="kind", choices=("dna", "protein"))
    return kind


Parts = tuple[list[Label], list[str], dict[str, object], dict[str, int], list[Inferred]]


def _one_file(paths: Sequence[Path], places: Sequence[str], titles: Sequence[Sequence[str]], wishes: Wishes) -> Parts:
    """The class is a part of the title."""
    pattern, why = _find_pattern(titles[0], wishes)
    found = [match[1].strip() for title in titles[0] if (match := re.search(pattern, title)) and match[1]]
    labels, left_out, classes, notes = closed_labels(Counter(found), [], "class", wishes)
    reader: dict[str, object] = {"type": "fasta", "files": [{"path": places[0]}], "label_pattern": pattern}
    return labels, left_out, reader, classes, [Inferred("answer", pattern, why), *notes]


def _find_pattern(titles: Sequence[str], wishes: Wishes) -> tuple[str, str]:
    if wishes.label_pattern:
        try:
            groups = re.compile(wishes.label_pattern).groups
        except re.error as error:
            raise ConfigError(f"--label-pattern {wishes.label_pattern!r}: {error}. Mend the expression.") from None
        if groups < 1:
            raise ConfigError(f"--label-pattern {wishes.label_pattern!r}: no group. Put the label in round brackets.")
        return wishes.label_pattern, "said by --label-pattern"
    for pattern, what in _PLACES:
        found = [match[1] for title in titles if (match := re.search(pattern, title))]
        different = len(set(found))
        if len(found) >= _NEARLY_ALL * len(titles) and 2 <= different <= min(
            _MOST_CLASSES, len(titles) // _ROWS_PER_CLASS
        ):
            return pattern, f"{what} of the title: {different} different in {len(titles):,} records"
    shown = "; ".join(repr(title[:60]) for title in islice(titles, 2))
    raise UndecidedError(
        f"The titles do not say the class ({shown}); give the files of all classes, or a regular expression whose "
        "first group is the class.",
        option="label_pattern",
    )


def _one_file_a_class(
    paths: Sequence[Path], places: Sequence[str], titles: Sequence[Sequence[str]], wishes: Wishes
) -> Parts:
    """Each file is a class, called after the file."""
    names = {path.name.split(".")[0]: len(records) for path, records in zip(paths, titles, strict=True)}
    if len(names) < len(paths):
        raise DataError("two files have the same name, and so would their classes. Rename one of them.")
    labels, left_out, classes, notes = closed_labels(names, [], "class", wishes)
    if left_out:
        raise DataError(f"{left_out[0]}: too few records for a class. Leave the file out, or add records.")
    called = {value: label.name for label in labels for value in label.written}
    files = [{"path": place, "label": called[name]} for place, name in zip(places, names, strict=True)]
    # The reader gives the name itself, so that no value stands for it in a file.
    plain = [Label(name=label.name) for label in labels]
    notes[0] = notes[0]._replace(why="the names of the files")
    return plain, [], {"type": "fasta", "files": files}, classes, notes
