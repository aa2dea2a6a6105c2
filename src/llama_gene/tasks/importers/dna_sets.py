"""Sets of labelled DNA: GUE, the tasks of the Nucleotide Transformer, and Genomic Benchmarks as sequences.

Layouts:
- gue: a folder a task with train.csv, dev.csv, test.csv of `sequence,label` (GUE.zip and GUE+ of the DNABERT-2
  repository, github.com/MAGICS-LAB/DNABERT_2; the copies on Hugging Face have the same files).
- nucleotide-transformer: a folder a task with train.fna and test.fna, titles end in `|label`
  (huggingface.co/datasets/InstaDeepAI/nucleotide_transformer_downstream_tasks), or CSV or Parquet with `sequence`,
  `label` and, for all tasks in one file, `task` (…_downstream_tasks_revised).
- genomic-benchmarks: train/CLASS/ID.txt and test/CLASS/ID.txt, one sequence a file, or Parquet or CSV with `seq` and
  `label` (github.com/ML-Bioinfo-CEITEC/genomic_benchmarks, datasets/README.md; its lists of intervals are read by
  `intervals`).
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from llama_gene.config import Split
from llama_gene.progress import show_progress
from llama_gene.sequences.files import Item, open_text
from llama_gene.tasks.importers.found import (
    Definition,
    Found,
    Origin,
    Request,
    Row,
    Seen,
    as_published,
    describe_task,
    label,
    plain_labels,
    table_reader,
)
from llama_gene.tasks.importers.intervals import find_interval_tasks
from llama_gene.tasks.importers.layout import (
    columns_of,
    fasta_records,
    file_entry,
    group_by_folder,
    is_split,
    items_below,
    look_through,
    need_columns,
    need_items,
    parts_of,
    read_rows,
    split_in,
    stem_of,
    suffix_of,
)
from llama_gene.tasks.importers.names import task_name
from llama_gene.tasks.importers.spool import Spool

_TABLES = (".csv", ".tsv")
_GUE = Origin(
    "GUE, Genome Understanding Evaluation",
    "Apache-2.0 (DNABERT-2 repository)",
    "Zhou et al. 2024, DNABERT-2: efficient foundation model and benchmark for multi-species genomes, ICLR",
)
_NT = Origin(
    "downstream tasks of the Nucleotide Transformer",
    "see the dataset's page; the tasks come from several publications",
    "Dalla-Torre et al. 2025, Nature Methods 22:287",
)
_BENCHMARKS = Origin(
    "Genomic Benchmarks", "Apache-2.0", "Gresova et al. 2023, BMC Genomic Data 24:25"
)  # fmt: skip


class Known(NamedTuple):
    """What a folder's name says of its task: words for the question, and labels in the order of their numbers."""

    title: str
    question: str
    labels: tuple[str, ...]


_KNOWN: Sequence[tuple[str, Known]] = (
    (r"prom.*core", Known("core promoter detection", "Does this stretch of DNA hold a core promoter?",
                          ("Non-promoter", "promoter"))),
    (r"prom", Known("promoter detection", "Does this stretch of DNA hold a promoter?", ("Non-promoter", "promoter"))),
    (r"reconstructed", Known("splice site detection",
                             "What lies in the middle of this stretch of DNA: the end of an intron (acceptor), its "
                             "beginning (donor), or no splice site?", ("acceptor", "donor", "no splice site"))),
    (r"splice_sites_all", Known("splice site detection",
                                "Is the middle of this stretch of DNA a splice site, and of which kind?", ())),
    (r"splice", Known("splice site detection", "Is the middle of this stretch of DNA a splice site of this kind?",
                      ("no splice site", "splice site"))),
    (r"mouse", Known("mouse transcription factor binding site detection",
                     "Is the middle of this stretch of mouse DNA bound by the transcription factor of this set?",
                     ("not bound", "bound"))),
    (r"(^|[/_])tf([/_]|\d|$)", Known("transcription factor binding site detection",
                                     "Is the middle of this stretch of human DNA bound by the factor of this set?",
                                     ("not bound", "bound"))),
    (r"epi[/_]|(^|[/_])epi($|[/_])", Known("enhancer-promoter interaction detection",
                                           "Do the enhancer and the promoter in this stretch of DNA interact?",
                                           ("no interaction", "interaction"))),
    (r"(^|[/_-])(h\d|emp($|[/_-]))", Known("histone mark detection",
                                 "Does this stretch of DNA carry the histone mark of this set?",
                                 ("no mark", "mark"))),
    (r"enhancers_types", Known("enhancer strength detection",
                               "Is this stretch of DNA an enhancer, and a strong or a weak one?", ())),
    (r"enhancer", Known("enhancer detection", "Is this stretch of DNA an enhancer?", ("no enhancer", "enhancer"))),
    (r"species", Known("species recognition", "Which species does this stretch of DNA come from?", ())),
    (r"covid|virus", Known("virus variant recognition", "Which variant does this stretch of viral DNA come from?", ())),
)  # fmt: skip


def words_of(name: str) -> Known:
    """Title, question and labels for a task of this name.

    >>> words_of("tf/0").labels, words_of("virus/covid").title, words_of("novel").question
    (('not bound', 'bound'), 'virus variant recognition', 'Which class does this stretch of DNA belong to?')
    >>> words_of("EMP/H3K4me1").title, words_of("batch1").title, words_of("ours/temperature").title
    ('histone mark detection', 'batch1 prediction', 'temperature prediction')
    """
    found = _known(name)
    *above, last = name.split("/")
    said = f"{above[-1]} {last}" if above and last.isdecimal() else last  # the 0 of tf/0
    return found or Known(f"{said} prediction", "Which class does this stretch of DNA belong to?", ())


def _known(name: str) -> Known | None:
    return next((known for pattern, known in _KNOWN if re.search(pattern, name.lower())), None)


def _telling(request: Request, folder: Sequence[str]) -> Sequence[str]:
    """The folder of a task, with the name of the path where it says nothing without it: the 0 of `tf`."""
    stem = request.path.name.partition(".")[0]  # that of a zip is in the folder already
    return folder if _known("/".join(folder)) or stem in (folder[0], folder[-1]) else (stem, *folder)


def _labels(known: Known, seen: Seen) -> list[dict[str, Any]]:
    """Labels by the names that are known, where these are all the numbers there are."""
    if set(seen.answers) == {str(number) for number in range(len(known.labels))}:
        return [label(name, str(number)) for number, name in enumerate(known.labels)]
    return plain_labels(seen)


def _define(known: Known, origin: Origin, reader: Mapping[str, Any], seen: Seen) -> Definition:
    return describe_task(
        title=known.title, family="classification", question=known.question, inputs=["dna"], reader=reader,
        origin=origin, labels=_labels(known, seen),
    )  # fmt: skip


def find_gue(request: Request) -> Iterator[Found]:
    """One task for each folder with train.csv, dev.csv or test.csv; the files are read as they are."""
    items = [item for item in items_below(request.path) if suffix_of(item) in _TABLES and is_split(stem_of(item))]
    need_items(items, request.path, "folders with train.csv, dev.csv and test.csv")
    for folder, members in group_by_folder(items, request.path).items():
        yield _tables_as_they_are(request, _telling(request, folder), members, "sequence", _GUE)


def _tables_as_they_are(
    request: Request, folder: Sequence[str], members: Sequence[Item], column: str, origin: Origin
) -> Found:
    """A task that reads its CSV files where they lie."""
    for item in members:
        need_columns(item, (column, "label"))
    known = words_of("/".join(folder))
    seen = look_through(members, "label", request.inspector)
    reader = {
        "type": "table",
        "format": "tsv" if suffix_of(members[0]) == ".tsv" else "csv",
        "files": [file_entry(item) for item in members],
        "sequences": [column],
        "label": "label",
    }
    return as_published(task_name(request.prefix, folder), _define(known, origin, reader, seen))


def find_nucleotide_transformer(request: Request) -> Iterator[Found]:
    """One task for each folder of FASTA files, each folder of tables, or each value of a column `task`."""
    items = items_below(request.path)
    fasta = [item for item in items if suffix_of(item) in (".fna", ".fa", ".fasta")]
    tables = [item for item in items if suffix_of(item) in (*_TABLES, ".parquet")]
    need_items([*fasta, *tables], request.path, "train.fna and test.fna, or CSV or Parquet with sequence and label")
    for folder, members in group_by_folder(fasta, request.path).items():
        yield _titled_fasta(request, folder, members)
    for folder, members in group_by_folder(tables, request.path).items():
        if "task" in columns_of(members[0]):
            yield from _tables_of_many(request, members)
        elif suffix_of(members[0]) == ".parquet":
            yield _copied(request, folder, members, "sequence", _NT)
        else:
            yield _tables_as_they_are(request, folder, members, "sequence", _NT)


def _titled_fasta(request: Request, folder: Sequence[str], members: Sequence[Item]) -> Found:
    """FASTA whose titles end in `|label`."""
    seen = Seen()
    for item in members:
        for title, _ in fasta_records(item):
            name, bar, value = title.rpartition("|")
            if bar and name and value.strip():
                seen.add(value.strip(), None)
            else:
                request.inspector.refuse(
                    "title without a label",
                    f"{item.label}: title {title!r} does not end in '|' and a label. Check --format.",
                )
    known = words_of("/".join(folder))
    reader = {"type": "fasta", "files": [file_entry(item) for item in members], "label_pattern": r"\|\s*([^|\s]+)\s*$"}
    return as_published(task_name(request.prefix, folder), _define(known, _NT, reader, seen))


def _tables_of_many(request: Request, members: Sequence[Item]) -> Iterator[Found]:
    """Tables that hold several tasks: one pass parts them on disk."""
    for item in members:
        need_columns(item, ("sequence", "label", "task"))
    spool: Spool[str] = Spool(request.scratch)
    for task, row in show_progress(_table_rows(request, members, "sequence"), "Reading tasks"):
        spool.add(task, row)
    for task in sorted(spool.keys()):
        found = task_name(request.prefix, [task])
        reader = table_reader(found, answer=True, split=True)
        yield Found(found, partial(_define, words_of(task), _NT, reader), spool.rows(task))


def _copied(request: Request, folder: Sequence[str], members: Sequence[Item], column: str, origin: Origin) -> Found:
    for item in members:
        need_columns(item, (column, "label"))
    name = task_name(request.prefix, [part for part in folder if part != "data"] or folder)
    reader = table_reader(name, answer=True, split=True)
    rows = (row for _, row in _table_rows(request, members, column))
    return Found(name, partial(_define, words_of("/".join(folder)), origin, reader), rows)


def _table_rows(request: Request, members: Sequence[Item], column: str) -> Iterator[tuple[str, Row]]:
    """Task, where there is a column of it, and row."""
    for item in members:
        split = split_in([stem_of(item), *reversed(parts_of(item, request.path)[:-1])])
        for _, row in read_rows(item, request.inspector):
            made = Row((str(row[column]),), str(row.get("name") or ""), str(row["label"]), split=split)
            yield str(row.get("task") or ""), made


def find_genomic_benchmarks(request: Request) -> Iterator[Found]:
    """One task for each folder with train/ and test/: sequences one a file, or intervals of a genome."""
    items = items_below(request.path)
    texts: dict[tuple[str, ...], list[tuple[Split, str, Item]]] = defaultdict(list)
    intervals: dict[tuple[str, ...], list[tuple[Split, str, Item]]] = defaultdict(list)
    tables = []
    for item in items:
        parts = parts_of(item, request.path)
        place = next((number for number, part in enumerate(parts[:-1]) if part in ("train", "test")), None)
        split: Split | None = split_in([parts[place]]) if place is not None else split_in([stem_of(item)])
        if place is not None and split is not None and len(parts) - place == 3 and suffix_of(item) == ".txt":
            texts[parts[:place]].append((split, parts[-2], item))
        elif place is not None and split is not None and suffix_of(item) == ".csv":
            intervals[parts[:place]].append((split, stem_of(item), item))
        elif suffix_of(item) in (".parquet", ".csv") and {"seq", "label"} <= set(columns_of(item)):
            tables.append(item)
    need_items(
        [*texts, *intervals, *tables], request.path,
        "train/CLASS/*.txt and test/CLASS/*.txt, train/CLASS.csv and test/CLASS.csv, or tables of seq and label",
    )  # fmt: skip
    root = (request.path.name.partition(".")[0],)
    for folder, members in sorted(texts.items()):
        name = task_name(request.prefix, folder or root)
        yield Found(
            name, partial(_define_classes, folder or root, table_reader(name, answer=True, split=True)),
            _text_rows(members),
        )  # fmt: skip
    for folder, members in sorted(intervals.items()):
        yield from find_interval_tasks(request, folder or root, members, partial(_define_classes, folder or root))
    for folder, files in group_by_folder(tables, request.path).items():
        yield _copied(request, folder, files, "seq", _BENCHMARKS)


def _text_rows(members: Sequence[tuple[Split, str, Item]]) -> Iterator[Row]:
    for split, name, item in members:
        with open_text(item, errors="replace") as text:
            yield Row(("".join(text.read().split()),), f"{name}-{stem_of(item)}", name, split=split)


def _define_classes(folder: Sequence[str], reader: Mapping[str, Any], seen: Seen) -> Definition:
    """The definition of a task whose classes are named by files or folders."""
    name = folder[-1].replace("_", " ")
    return describe_task(
        title=f"{name} recognition", family="classification", inputs=["dna"], reader=reader, origin=_BENCHMARKS,
        question=f"Which of these classes does this stretch of DNA belong to, in the set '{name}'?",
        labels=plain_labels(seen),
    )  # fmt: skip
