"""The stage and the command around the importers: names, paths, errors, memory, and the real files."""

import json
import tracemalloc
from itertools import islice
from pathlib import Path

import pytest

from importing import add, write
from llama_gene.cli.registry import PLAIN_FORMATS
from llama_gene.config import TaskChoice, TasksConfig
from llama_gene.errors import ConfigError, DataError
from llama_gene.sequences.files import Inspector
from llama_gene.tasks.cleaning import clean_items
from llama_gene.tasks.definitions import Task, load_task
from llama_gene.tasks.importers.add import add_published
from llama_gene.tasks.importers.catalogue import IMPORTERS
from llama_gene.tasks.importers.formats import FORMATS
from llama_gene.tasks.readers import read_items
from llama_gene.tasks.split import split_tasks
from running import refused, run

BED = "".join(f"chr{n % 4}\t{n}\t{n + 20}\t{'open' if n % 2 else 'closed'}\t0\t+\n" for n in range(40))
MARKS = ("h3", "h3k14ac", "h3k36me3", "h3k4me1", "h3k4me2", "h3k4me3", "h3k79me3", "h3k9ac", "h4", "h4ac")
GB1 = {"flip-gb1-sampled": "gb1"} | {
    f"flip-gb1-{split}": f"gb1-{split.replace('_', '-')}"
    for split in ("one_vs_rest", "two_vs_rest", "three_vs_rest", "low_vs_high")
}
Targets = dict[tuple[tuple[str, ...], float | None], set[str]]
GENOME = "".join(f">chr{n}\n{'ACGTTGCAAGCTTTGACCGT' * 5}\n" for n in range(4))


def test_every_format_has_an_importer_and_a_line_and_none_is_a_plain_one() -> None:
    assert list(IMPORTERS) == list(FORMATS)
    assert all("\n" not in line and line for line in FORMATS.values())
    assert not set(FORMATS) & set(PLAIN_FORMATS)


def test_the_page_names_every_format() -> None:
    text = (Path(__file__).parents[1] / "docs" / "importers.md").read_text(encoding="utf-8")
    assert [name for name in FORMATS if f"| `{name}` |" not in text] == []


def test_an_unknown_format_gets_the_nearest_and_the_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = ("did you mean 'gue'", "nucleotide-transformer, genomic")
    refused(capsys, ["tasks", "add", tmp_path, "--format", "gues"], *said)
    refused(capsys, ["tasks", "add", tmp_path, "--format", "gue"], "and --output FOLDER")
    refused(
        capsys, ["tasks", "add", tmp_path, "--format", "gue", "--output", tmp_path / "o", "--label", "x"],
        "--label: not used with --format gue",
    )  # fmt: skip
    refused(capsys, ["tasks", "add", tmp_path / "a.csv", "--reference", tmp_path], "--reference: only")


def test_a_path_without_the_layout_says_what_was_expected(tmp_path: Path) -> None:
    write(tmp_path / "empty", {"readme.md": "nothing\n"})
    for name in FORMATS:
        with pytest.raises((DataError, ConfigError)) as caught:
            add(tmp_path / "empty", name)
        assert "\n" not in str(caught.value)
        assert "xpected" in str(caught.value)
    with pytest.raises(DataError, match="no such file or folder"):
        add(tmp_path / "missing", "gue")


def test_the_command_imports_and_the_tasks_split_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, {"peaks.bed": BED, "genome.fa": GENOME})
    added, splits = tmp_path / "added", tmp_path / "splits"
    command = ["tasks", "add", tmp_path / "peaks.bed", "--format", "bed", "--reference", tmp_path / "genome.fa"]
    assert run([*command, "--output", added, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["facts"]["bed-peaks"]["rows"] == 40
    assert not any(path.name.startswith(".scratch") for path in added.iterdir())
    before = (added / "bed-peaks.toml").stat().st_mtime_ns
    assert run([*command, "--output", added]) == 0
    assert "bed-peaks" in capsys.readouterr().out
    assert (added / "bed-peaks.toml").stat().st_mtime_ns == before
    assert run(["tasks", "split", "--definitions", added, "--task", "bed-peaks", "--output", splits]) == 0


def test_paths_inside_data_are_written_relative_to_it(tmp_path: Path) -> None:
    table = "sequence,label\nACGT,0\nACGA,1\n"
    write(tmp_path, {"sets/peaks.bed": BED, "genome.fa": GENOME, "gue/tf/0/train.csv": table})
    output = tmp_path / "sets" / "added-bed"
    found = add(tmp_path / "sets" / "peaks.bed", "bed", references=[tmp_path / "genome.fa"], data=tmp_path)
    assert 'path = "sets/added-bed/tables/bed-peaks.jsonl"' in (output / "bed-peaks.toml").read_text()
    assert len(list(read_items(found.tasks["bed-peaks"], tmp_path, Inspector()))) == 40
    gue = add(tmp_path / "gue", "gue", data=tmp_path)
    assert gue.tasks["gue-tf-0"].reader.files[0].path == "gue/tf/0/train.csv"  # type: ignore[union-attr]


def test_a_layout_whose_task_has_one_class_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, {"peaks.bed": "chr1\t0\t20\topen\t0\t+\n", "genome.fa": GENOME}) / "peaks.bed"
    with pytest.raises(DataError, match=r"no task was found .*at least two labels"):
        add(path, "bed", references=[tmp_path / "genome.fa"])


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    peaks = []
    for rows in (500, 2500):
        lines = "".join(f"chr{n % 4}\t{n % 70}\t{n % 70 + 20}\t{n % 2}\t0\t-\n" for n in range(rows))
        folder = write(tmp_path / str(rows), {"peaks.bed": lines, "genome.fa": GENOME})
        tracemalloc.start()
        add(folder / "peaks.bed", "bed", references=[folder / "genome.fa"])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 100_000


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("layout", "path", "pairs"),
    [
        ("gue", "tasks/gue/prom", {"gue-prom_300_all": "promoter-300", "gue-prom_300_tata": "promoter-tata"}),
        ("gue", "tasks/gue/mouse", {"gue-mouse-3": "tf-mouse-3"}),
        ("gue", "tasks/gue/tf", {"gue-tf-0": "tf-0", "gue-tf-4": "tf-4"}),
        ("gue", "tasks/gue/EMP", {f"gue-{mark}": f"histone-{mark}" for mark in MARKS}),
        ("gue", "tasks/gue/splice", {"gue-reconstructed": "splice-gue"}),
        ("deeploc", "tasks/deeploc", {"deeploc-imported": "deeploc"}),
        ("multiloc", "tasks/multiloc", {"multiloc-imported": "multiloc"}),
        ("flip", "tasks/flip/gb1.zip", GB1),
        ("flip", "tasks/flip/secondary_structure.zip", {"flip-secondary_structure-sampled": "secondary-structure"}),
        ("bprna", "tasks/rna_structure", {"bprna": "rna-structure"}),
        ("rpi", "tasks/rna_protein", {"rpi-rpi1807": "rna-protein", "rpi-rpi2241": "rna-protein-2241"}),
        ("rost", "tasks/ppi_yeast", {"rost-pairs": "ppi-yeast"}),
        (
            "deepstarr", "tasks/enhancer_activity",
            {
                "deepstarr-developmental": "enhancer-activity",
                "deepstarr-housekeeping": "enhancer-activity-housekeeping",
            },
        ),
        (
            "mpra", "tasks/promoter_strength",
            {
                "mpra-dream_yeast": "promoter-strength-yeast",
                "mpra-urtecho_ecoli-observed-log-tx-txref": "promoter-strength-ecoli",
            },
        ),
    ],
)  # fmt: skip
def test_the_real_files_give_the_items_of_the_registered_tasks(
    data: Path, tmp_path: Path, layout: str, path: str, pairs: dict[str, str]
) -> None:
    output = tmp_path / "added"
    add_published(data / path, format=layout, output=output)
    for mine, registered in pairs.items():
        theirs, own = (read_targets(task, data) for task in (load_task(registered), load_task(mine, [output])))
        # A definition of ours may leave a label out on purpose.
        assert theirs.keys() <= own.keys()
        assert len(own) < 1.5 * len(theirs)
        names = label_names(theirs, own) if load_task(registered).labels else {}
        for asked, targets in theirs.items():
            assert {names.get(target, target) for target in targets} <= own[asked]


def read_targets(task: Task, data: Path) -> Targets:
    found: Targets = {}
    skip = Inspector("skip")
    for item in clean_items(task, read_items(task, data, skip), skip):
        found.setdefault((item.sequences, item.value), set()).add(item.target)
    return found


def label_names(theirs: Targets, own: Targets) -> dict[str, str]:
    """What the importer calls each label of a registered task; no two of them alike."""
    sure = [key for key, targets in theirs.items() if len(targets) == len(own[key]) == 1]
    names = {next(iter(theirs[key])): next(iter(own[key])) for key in sure}
    assert len(set(names.values())) == len(names)
    return names


@pytest.mark.real_data
def test_real_flat_files_are_asked_in_five_ways(data: Path, tmp_path: Path) -> None:
    add_published(data / "proteins" / "uniprot_flat.dat.gz", format="uniprot", output=tmp_path / "added")
    task = load_task("uniprot-ec", [tmp_path / "added"])
    items = list(islice(read_items(task, data, Inspector("skip")), 50))
    assert len(list((tmp_path / "added").glob("*.toml"))) == 5
    assert len(items) == 50
    assert all(item.answer[0] in "1234567" for item in items)


@pytest.mark.real_data
def test_an_imported_real_set_splits_without_a_bad_item(data: Path, tmp_path: Path) -> None:
    add_published(data / "tasks" / "gue" / "mouse", format="gue", output=tmp_path / "added")
    config = TasksConfig(
        choices=(TaskChoice(name="gue-mouse-3"),), definitions=(str(tmp_path / "added"),), on_invalid="error"
    )
    manifest = split_tasks(config, data=data, seed=1, output=tmp_path / "splits")
    assert min(manifest.facts["gue-mouse-3"]["items"].values()) > 150
