"""Downstream tasks of LucaOne.

Layout (github.com/LucaOne/LucaOneTasks, dataset/README.md; huggingface.co/datasets/LucaGroup):
dataset/NAME/INPUTS/KIND/{train,dev,test}/*.csv and label.txt beside them, where INPUTS is gene, protein, gene_gene,
gene_protein or protein_protein and KIND binary_class, multi_class, multi_label or regression. One sequence:
`seq_id,seq_type,seq,label`; two: `seq_id_a,seq_id_b,seq_type_a,seq_type_b,seq_a,seq_b,label`; types are gene and prot.
label.txt has a header and one name a line, in the order of the labels' numbers.
"""

import json
from collections.abc import Iterator, Mapping, Sequence

from llama_gene.config import GeneKind
from llama_gene.errors import DataError
from llama_gene.sequences.files import Item, open_text
from llama_gene.tasks.importers.found import (
    Definition,
    Found,
    Origin,
    Request,
    Row,
    Seen,
    as_published,
    as_table,
    describe_task,
    label,
    plain_labels,
    table_reader,
)
from llama_gene.tasks.importers.layout import (
    columns_of,
    items_below,
    look_through,
    need_columns,
    need_items,
    parts_of,
    path_of,
    read_rows,
    split_in,
    suffix_of,
)
from llama_gene.tasks.importers.names import task_name

_LUCAONE = Origin(
    "downstream tasks of LucaOne", "Apache-2.0 (Hugging Face); see the data's own sources",
    "He et al. 2025, Nature Machine Intelligence 7:942",
)  # fmt: skip
_KINDS: Mapping[str, GeneKind] = {"gene": "dna", "prot": "protein", "protein": "protein"}
_LAYOUT_WORDS = (
    *_KINDS, "gene_gene", "gene_protein", "protein_protein", "binary_class", "multi_class", "multi_label", "regression",
)  # fmt: skip
_ONE = ("seq",)
_TWO = ("seq_a", "seq_b")


def find_lucaone(request: Request) -> Iterator[Found]:
    """One task for each folder that holds train, dev or test; CSV files are read as they are but for several labels."""
    items = items_below(request.path)
    sets: dict[tuple[str, ...], list[Item]] = {}
    for item in items:
        parts = parts_of(item, request.path)
        if suffix_of(item) == ".csv" and _split_of(parts):
            sets.setdefault(_above_split(parts), []).append(item)
    need_items(sets, request.path, "NAME/INPUTS/KIND/{train,dev,test}/*.csv")
    names = {parts_of(item, request.path)[:-1]: item for item in items if item.name == "label.txt"}
    for folder, members in sorted(sets.items()):
        yield _task(request, folder, members, _label_names(names.get(folder)))


def _split_of(parts: Sequence[str]) -> str | None:
    return split_in([parts[-1].partition(".")[0]]) or (split_in([parts[-2]]) if len(parts) > 1 else None)


def _above_split(parts: Sequence[str]) -> tuple[str, ...]:
    """The folder that holds the folders of the splits."""
    return tuple(parts[:-2]) if len(parts) > 1 and split_in([parts[-2]]) == _split_of(parts) else tuple(parts[:-1])


def _label_names(item: Item | None) -> list[str]:
    """Names of the labels, by their number; the first line is a header."""
    if item is None:
        return []
    with open_text(item, errors="replace") as text:
        return [line.strip() for line in text if line.strip()][1:]


def _task(request: Request, folder: Sequence[str], members: Sequence[Item], names: Sequence[str]) -> Found:
    sequences = _TWO if "seq_a" in columns_of(members[0]) else _ONE
    for item in members:
        need_columns(item, [*sequences, "label"])
    kinds = _kinds(members[0], sequences, request)
    words = [part for part in folder if part not in _LAYOUT_WORDS]
    name = task_name(request.prefix, words or [request.path.name])
    title = (words or [request.path.name])[0]
    if "multi_label" in folder:
        rows = _several(request, members, sequences, names)
        made = describe_task(
            title=f"{title} prediction", family="function", inputs=_inputs(kinds), origin=_LUCAONE, keep="start",
            question=f"Which labels of '{title}' hold for {_them(kinds)}?",
            reader=table_reader(name, len(sequences), answer=True, split=True), answer={"terms": 5},
        )  # fmt: skip
        return as_table(name, made, rows)
    files = [_file(item, parts_of(item, request.path)) for item in members]
    reader: Definition = {"type": "table", "files": files, "sequences": list(sequences)}
    seen = look_through(members, "label", request.inspector)
    if "regression" in folder or seen.are_numbers:
        return as_published(name, _define_value(title, kinds, reader | {"value": "label"}))
    return as_published(name, _define_labels(title, kinds, reader | {"label": "label"}, names, seen))


def _file(item: Item, parts: Sequence[str]) -> dict[str, str]:
    split = _split_of(parts)
    return {"path": path_of(item)} | ({"split": split} if split else {})


def _kinds(item: Item, sequences: Sequence[str], request: Request) -> list[GeneKind]:
    """What the sequences are, by the first row."""
    first = next((row for _, row in read_rows(item, request.inspector)), None)
    if first is None:
        raise DataError(f"{item.label}: a header and no row. Expected sequences; fetch the file again.")
    found = []
    for column in sequences:
        word = str(first.get(column.replace("seq", "seq_type"), "")).strip()
        if word not in _KINDS:
            raise DataError(f"{item.label}: type {word!r} of {column}. Expected gene or prot; check --format.")
        found.append(_KINDS[word])
    return found


def _inputs(kinds: Sequence[GeneKind]) -> list[GeneKind | tuple[GeneKind, str]]:
    if len(kinds) == 2 and kinds[0] == kinds[1]:
        return [(kinds[0], f"first {kinds[0]}"), (kinds[1], f"second {kinds[1]}")]
    return list(kinds)


def _them(kinds: Sequence[GeneKind]) -> str:
    words = [{"dna": "DNA", "protein": "protein"}[kind] for kind in kinds]
    return f"this {words[0]}" if len(words) == 1 else f"this {words[0]} and this {words[1]}"


def _define_value(title: str, kinds: Sequence[GeneKind], reader: Definition) -> Definition:
    return describe_task(
        title=f"{title} prediction", family="regression", inputs=_inputs(kinds), origin=_LUCAONE, keep="start",
        question=f"How large is the value of '{title}' for {_them(kinds)}?", reader=reader,
    )  # fmt: skip


def _define_labels(
    title: str, kinds: Sequence[GeneKind], reader: Definition, names: Sequence[str], seen: Seen
) -> Definition:
    numbers = {str(number) for number in range(len(names))}
    labels = [label(_plain(word), str(n)) for n, word in enumerate(names) if str(n) in seen.answers]
    return describe_task(
        title=f"{title} prediction", family="classification" if len(kinds) == 1 else "multi-sequence",
        question=f"Which label of '{title}' holds for {_them(kinds)}?", reader=reader, inputs=_inputs(kinds),
        labels=labels if set(seen.answers) <= numbers else plain_labels(seen), origin=_LUCAONE, keep="start",
    )  # fmt: skip


def _plain(word: str) -> str:
    return word.replace(", ", "; ")


def _several(
    request: Request, members: Sequence[Item], sequences: Sequence[str], names: Sequence[str]
) -> Iterator[Row]:
    """Rows with a list of numbers as label: their names as one text."""
    for item in members:
        split = _split_of(parts_of(item, request.path))
        for where, row in read_rows(item, request.inspector):
            words = _words(str(row["label"]), names)
            if words is None:
                request.inspector.refuse(
                    "label that is no list",
                    f"{where}: label {row['label']!r}. Expected numbers of label.txt in brackets.",
                )
                continue
            letters = tuple(str(row[column]) for column in sequences)
            yield Row(letters, str(row.get("seq_id") or row.get("seq_id_a") or ""), "; ".join(words), split=split)  # type: ignore[arg-type]


def _words(cell: str, names: Sequence[str]) -> list[str] | None:
    try:
        numbers = json.loads(cell)
    except ValueError:
        return None
    numbers = numbers if isinstance(numbers, list) else [numbers]
    if not all(isinstance(number, int) and 0 <= number < max(len(names), number + 1) for number in numbers):
        return None
    return [names[number] if number < len(names) else f"class {number}" for number in numbers]
