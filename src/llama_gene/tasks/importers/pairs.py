"""Lists of interacting pairs: identifiers and a label in one file, sequences in another. All are read as they are.

Layouts:
- dscript: pairs/*.tsv of `id id label` without a header, seqs/*.fasta (github.com/samsledje/D-SCRIPT, docs, "Data").
- pipr: *.actions*.tsv of `id id label` and *.dictionary*.tsv of `id sequence` (github.com/muhaochen/seq_ppi).
- rost: training pairs and the test lists C1, C2, C3 (both, one, none of the proteins seen in training: Park and
  Marcotte 2012, Nature Methods 9:1134), `id id label`, with a file of `id sequence` (Rost lab's yeast and human lists).
- rpi: RPI369, RPI488, RPI1807, RPI2241 and the like: NAME_pairs.txt of protein, RNA, label, with NAME_protein_seq.fa
  and NAME_rna_seq.fa (github.com/Pengeace/RPITER, data).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from llama_gene.errors import DataError
from llama_gene.sequences.files import Item, open_text
from llama_gene.tasks.importers.found import (
    Definition,
    Found,
    Origin,
    Request,
    Seen,
    as_published,
    describe_task,
    label,
    plain_labels,
)
from llama_gene.tasks.importers.layout import (
    fasta_records,
    file_entry,
    first_line,
    is_fasta,
    items_below,
    need_items,
    path_of,
    split_in,
    stem_of,
    suffix_of,
)
from llama_gene.tasks.importers.names import task_name

_TEXT = (".tsv", ".txt", ".csv", ".seq", ".fa", ".fasta", ".list", ".lst", ".tab")
_MATE = "Do these two proteins interact?"
_DSCRIPT = Origin("D-SCRIPT", "MIT (code); STRING: CC BY 4.0", "Sledzieski et al. 2021, Cell Systems 12:969")
_PIPR = Origin("PIPR", "see the publisher; DIP and STRING: CC BY", "Chen et al. 2019, Bioinformatics 35:i305")
_ROST = Origin(
    "pairs with C1, C2 and C3 test lists", "see the publisher",
    "Park and Marcotte 2012, Nature Methods 9:1134; Hamp and Rost 2015, Bioinformatics 31:1945",
)  # fmt: skip
_RPI = Origin(
    "RNA-protein pairs (RPI sets)", "see the publisher",
    "Muppirala et al. 2011, BMC Bioinformatics 12:489; Suresh et al. 2015, Nucleic Acids Research 43:1370",
)  # fmt: skip
_CLASS = re.compile(r"(?:^|[_.-])(c[123])(?:$|[_.-])", re.IGNORECASE)
_NO, _YES = ("0", "0.0", "-1"), ("1", "1.0")


class Lists(NamedTuple):
    """The files of a layout: lists of pairs, and files of sequences."""

    pairs: list[Item]
    sequences: list[Item]


def find_dscript(request: Request) -> Iterator[Found]:
    """One task for each list, or for lists of one name that differ in their split."""
    return _protein_pairs(request, _DSCRIPT)


def find_pipr(request: Request) -> Iterator[Found]:
    """One task for each list of actions."""
    return _protein_pairs(request, _PIPR)


def find_rost(request: Request) -> Iterator[Found]:
    """One task for each of the classes C1, C2, C3 with the same training pairs, or one for a list alone."""
    lists = _lists(request)
    training = [item for item in lists.pairs if not _CLASS.search(stem_of(item))]
    classes = {match[1].lower(): item for item in lists.pairs if (match := _CLASS.search(stem_of(item)))}
    if not classes or not training:
        yield from _protein_pairs(request, _ROST)
        return
    for name, item in sorted(classes.items()):
        files = [
            *({"path": path_of(file), "split": "train"} for file in training),
            {"path": path_of(item), "split": "test"},
        ]
        seen = _labels_in(request, [*training, item], [lists.sequences, lists.sequences])
        reader = _reader(files, [lists.sequences[0]] * 2, (0, 1))
        yield as_published(f"{request.prefix}-{name}", _define_proteins(reader, seen, _ROST))


def _protein_pairs(request: Request, origin: Origin) -> Iterator[Found]:
    lists = _lists(request)
    for name, members in _by_name(lists.pairs).items():
        sequences = _fitting(name, lists.sequences)
        seen = _labels_in(request, members, [[sequences], [sequences]])
        reader = _reader([file_entry(item) for item in members], [sequences, sequences], (0, 1))
        yield as_published(task_name(request.prefix, [name]), _define_proteins(reader, seen, origin))


def _lists(request: Request) -> Lists:
    """The files of a folder and of the references, told apart by their first lines."""
    items = [
        item for path in (request.path, *request.references) for item in items_below(path) if suffix_of(item) in _TEXT
    ]
    sequences = [item for item in items if is_fasta(item) or _has_sequences(item)]
    pairs = [item for item in items if item not in sequences and len(first_line(item).split()) >= 3]
    need_items(pairs, request.path, "lists of two identifiers and a label")
    if not sequences:
        raise DataError(
            f"{request.path}: no file of sequences. Expected FASTA or lines of identifier and sequence; put it into "
            "the folder or name it with --reference FILE."
        )
    return Lists(pairs, sequences)


def _has_sequences(item: Item) -> bool:
    """Whether lines are an identifier and a sequence, longer than any name."""
    cells = first_line(item).split()
    return len(cells) == 2 and len(cells[1]) > 20 and cells[1].isalpha() and cells[1].isupper()


def _by_name(items: Sequence[Item]) -> dict[str, list[Item]]:
    """Lists by their name without the word of a split: human_train and human_test are one task."""
    found: dict[str, list[Item]] = {}
    for item in items:
        words = re.split(r"[_.-]", stem_of(item))
        kept = [word for word in words if not split_in([word]) and word.lower() not in ("pairs", "actions", "protein")]
        found.setdefault("-".join(kept) or "pairs", []).append(item)
    return dict(sorted(found.items()))


def _fitting(name: str, sequences: Sequence[Item]) -> Item:
    """The file of sequences that shares most of a list's name; the first at a tie."""
    words = set(name.lower().split("-"))
    return max(sequences, key=lambda item: len(words & set(re.split(r"[_.-]", stem_of(item).lower()))))


def _reader(files: Sequence[Mapping[str, str]], lookups: Sequence[Item], ids: tuple[int, int]) -> Definition:
    reader: dict[str, Any] = {"type": "pairs", "files": list(files), "lookups": [path_of(item) for item in lookups]}
    return reader if ids == (0, 1) else reader | {"ids": list(ids)}


def _names_in(items: Sequence[Item]) -> set[str]:
    names: set[str] = set()
    for item in items:
        if is_fasta(item):
            names |= {title.split(maxsplit=1)[0] for title, _ in fasta_records(item) if title.strip()}
            continue
        with open_text(item, errors="replace") as text:
            names |= {line.split(maxsplit=1)[0] for line in text if line.strip()}
    return names


def _labels_in(request: Request, members: Sequence[Item], lookups: Sequence[Sequence[Item]]) -> Seen:
    """Labels of the pairs whose identifiers have a sequence; how many have none is counted.

    Raises:
        DataError: no pair has both its sequences.
    """
    known = [_names_in(items) for items in lookups]
    seen = Seen()
    for item in members:
        with open_text(item, errors="replace") as text:
            for line in text:
                cells = line.split()
                if len(cells) >= 3 and cells[0] in known[0] and cells[1] in known[1]:
                    seen.add(cells[2], None)
                elif cells:
                    request.inspector.note(f"{stem_of(item)}: pair without both sequences")
    if not seen.rows:
        raise DataError(
            f"{members[0].label}: no pair has both its sequences in {lookups[0][0].label}. Expected the file these "
            "identifiers come from; name it with --reference FILE."
        )
    return seen


def _labels(seen: Seen) -> list[dict[str, Any]]:
    """No and yes, or as they stand; a list of one class alone makes no task."""
    if not set(seen.answers) <= {*_NO, *_YES}:
        return plain_labels(seen)
    found = [(name, [value for value in values if value in seen.answers])
             for name, values in (("no interaction", _NO), ("interaction", _YES))]  # fmt: skip
    return [label(name, *values) for name, values in found if values]


def _define_proteins(reader: Definition, seen: Seen, origin: Origin) -> Definition:
    known = set(seen.answers) <= {*_NO, *_YES}
    return describe_task(
        title="protein-protein interaction prediction", family="multi-sequence", keep="start", reader=reader,
        question=_MATE if known else "In which way do these two proteins interact?",
        inputs=[("protein", "first protein"), ("protein", "second protein")], origin=origin, labels=_labels(seen),
        swappable=True,
    )  # fmt: skip


def find_rpi(request: Request) -> Iterator[Found]:
    """One task for each set of pairs, with its two files of sequences."""
    lists = _lists(request)
    for name, members in _by_name(lists.pairs).items():
        same = [item for item in lists.sequences if stem_of(item).lower().startswith(name.split("-")[0].lower())]
        own = same or lists.sequences
        rna = [item for item in own if re.search(r"rna", stem_of(item), re.IGNORECASE)]
        protein = [item for item in own if item not in rna and re.search(r"pro", stem_of(item), re.IGNORECASE)]
        if not rna or not protein:
            raise DataError(
                f"{members[0].label}: expected a file of RNA and one of proteins beside it, such as {name}_rna_seq.fa "
                f"and {name}_protein_seq.fa; put them there or name them with --reference FILE."
            )
        ids = _order(members[0], _names_in(protein), _names_in(rna))
        seen = _labels_in(request, members, [protein, rna] if ids == (0, 1) else [rna, protein])
        reader = _reader([file_entry(item) for item in members], [protein[0], rna[0]], ids)
        yield as_published(task_name(request.prefix, [name]), _define_rpi(reader, seen))


def _order(item: Item, proteins: set[str], rnas: set[str]) -> tuple[int, int]:
    """The columns of protein and RNA: the first pair that can be looked up one way tells."""
    with open_text(item, errors="replace") as text:
        for line in text:
            cells = line.split()
            if len(cells) >= 3 and cells[0] in proteins and cells[1] in rnas:
                return 0, 1
            if len(cells) >= 3 and cells[1] in proteins and cells[0] in rnas:
                return 1, 0
    return 0, 1


def _define_rpi(reader: Definition, seen: Seen) -> Definition:
    return describe_task(
        title="RNA-protein interaction prediction", family="multi-sequence", keep="start", reader=reader, origin=_RPI,
        question="Do this protein and this RNA, written with T for U, touch each other?",
        inputs=["protein", ("dna", "rna")], labels=_labels(seen),
    )  # fmt: skip
