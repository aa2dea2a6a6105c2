"""The registered tasks: rows of Table 9, sources, and the files they read."""

import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from llama_gene.errors import DataError
from llama_gene.sequences.files import Inspector
from llama_gene.tasks.assign import assign_splits
from llama_gene.tasks.cleaning import clean_items, drop_duplicates
from llama_gene.tasks.definitions import Task, list_tasks
from llama_gene.tasks.groups import SPLITS, group_items
from llama_gene.tasks.items import RawItem
from llama_gene.tasks.readers import data_files, read_items
from llama_gene.tasks.regions import read_regions
from llama_gene.tasks.sources import RegionsReader
from llama_gene.tasks.table9 import TABLE9

TASKS = list_tasks()
# Beside tasks/: what of the data index is asked about.
ALSO_ASKED = ("genomes/genbank", "genomes/yeast", "proteins/uniprot_flat.dat.gz", "proteins/annotated")
_A_FEW = 40


def test_every_row_of_table_9_has_a_task() -> None:
    assert {task.table9 for task in TASKS} - {None} == set(TABLE9)


def test_published_scores_lie_in_their_range_and_name_no_system_twice() -> None:
    for task in TASKS:
        assert all(-1 <= score.value <= 1 for score in task.published), task.name
        named = [(score.system, score.metric) for score in task.published]
        assert len(set(named)) == len(named), task.name


def test_the_spelling_of_a_compared_task_is_the_one_that_did_best_on_validation() -> None:
    report = Path(__file__).parents[1] / "benchmarks" / "reports" / "task_spelling.json"
    chosen = json.loads(report.read_text(encoding="utf-8"))["work"]["chosen"]
    assert len(chosen) >= 6
    assert {task.name: task.spelling for task in TASKS if task.name in chosen} == chosen


def test_definitions_are_questions_that_can_be_read_aloud() -> None:
    assert [task.name for task in TASKS if not task.definition.endswith("?")] == []


@pytest.mark.real_data
def test_every_data_set_of_the_index_is_read_by_a_task(data: Path) -> None:
    read = {path for task in TASKS for path in data_files(task, data)}
    published = {
        path
        for path in (data / "tasks").rglob("*")
        if path.is_file() and not path.name.startswith(".") and path.suffix != ".md"
    }
    assert sorted(published - read) == []
    for place in ALSO_ASKED:
        assert any(path.is_relative_to(data / place) for path in read), place


@pytest.mark.real_data
@pytest.mark.slow
def test_every_registered_task_is_read_and_a_sample_of_it_split(data: Path) -> None:
    for task in TASKS:
        inspector = Inspector("skip")
        raw = a_few_of_each(list(read_items(task, data, inspector)))
        items = drop_duplicates(task, clean_items(task, raw, inspector), "drop", inspector.counts)
        placed = assign_splits(task, group_items(task, items), np.random.default_rng(1), inspector.counts)
        assert {item.split for item in placed} == set(SPLITS), task.name
        assert not inspector.counts["label never seen"], task.name
        sides = defaultdict(set)
        for item in placed:
            sides[item.group].add(item.split)
        assert max(map(len, sides.values())) == 1, task.name
        if task.labels and task.family != "structure" and not task.split_makes_decoys:
            assert {item.target for item in placed} == set(task.label_names), task.name


def a_few_of_each(items: list[RawItem]) -> list[RawItem]:
    """Some items of every split and answer, spread over the file."""
    rng = np.random.default_rng(1)
    taken: Counter[tuple[object, str]] = Counter()
    few = []
    for place in rng.permutation(len(items)):
        item = items[place]
        key = (item.split, item.answer if len(item.answer) < _A_FEW else "")
        taken[key] += 1
        if taken[key] <= _A_FEW and len(few) < 20 * _A_FEW:
            few.append(item)
    return few


READER = RegionsReader.model_validate(
    {
        "type": "regions", "files": [{"path": "genes.tsv"}], "genome": "genome.fa", "label": "what", "term": "id",
        "only": {"column": "type", "pattern": "^gene$"},
    }
)  # fmt: skip


def regions_of(folder: Path, rows: str) -> tuple[list[RawItem], Counter[str]]:
    (folder / "genome.fa").write_text(">I first\nAACCGGTTTT\n")
    (folder / "genes.tsv").write_text("chr\tstart\tend\tstrand\twhat\tid\ttype\n" + rows)
    task = Task.model_validate(
        {
            "name": "t", "title": "t", "family": "function", "definition": "What?", "inputs": [{"kind": "dna"}],
            "reader": READER.model_dump(exclude_none=True),
        }
    )  # fmt: skip
    inspector = Inspector("skip")
    return list(read_items(task, folder, inspector)), inspector.counts


def test_a_region_is_read_on_its_own_strand_with_its_terms(tmp_path: Path) -> None:
    items, counts = regions_of(
        tmp_path, "I\t3\t6\t+\tbinding;cell\tGO:1;GO:2\tgene\nI\t1\t4\t-\tcell\tGO:2\tgene\nI\t1\t4\t-\tx\tGO:3\ttRNA\n"
    )
    assert [item.sequences for item in items] == [("CCGG",), ("GGTT",)]
    assert [item.answer for item in items] == ["binding(GO:1); cell(GO:2)", "cell(GO:2)"]
    assert counts["region left out by the definition"] == 1


def test_terms_that_do_not_pair_with_their_identifiers_are_counted(tmp_path: Path) -> None:
    items, counts = regions_of(tmp_path, "I\t1\t4\t+\ta;b\tGO:1\tgene\nI\t1\t4\t+\t\t\tgene\n")
    assert items == []
    assert counts["terms and their identifiers differ in number"] == 1
    assert counts["region without what"] == 2


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("I\t3\t60\t+\ta\tGO:1\tgene", r"genes.tsv:2: I:3-60 does not lie in genome.fa"),
        ("II\t3\t6\t+\ta\tGO:1\tgene", r"II:3-6 does not lie"),
        ("I\t0\t6\t+\ta\tGO:1\tgene", r"1-based"),
        ("I\tx\t6\t+\ta\tGO:1\tgene", r"genes.tsv:2: start or end is no whole number"),
    ],
)
def test_a_region_outside_its_genome_is_an_error(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        regions_of(tmp_path, row + "\n")


def test_a_missing_column_of_regions_is_named(tmp_path: Path) -> None:
    (tmp_path / "genome.fa").write_text(">I\nAACC\n")
    with pytest.raises(DataError, match="no column 'strand'"):
        list(
            read_regions(
                READER, tmp_path, Inspector("skip"), lambda path: iter([(2, {"chr": "I", "start": "1", "end": "2"})])
            )
        )
