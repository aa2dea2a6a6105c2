"""`corpus plan`: what it says comes true, and it reads a constant amount."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from llama_gene.artifacts import Manifest
from llama_gene.config import CorpusConfig, EngineConfig, NearDuplicateConfig, PackConfig, Source
from llama_gene.corpus import plan_sample
from llama_gene.corpus.build import build_corpus
from llama_gene.corpus.pack import pack_corpus
from llama_gene.corpus.plan import plan_corpus
from llama_gene.corpus.plan_totals import CorpusPlan
from llama_gene.errors import DataError
from llama_gene.sequences.readers import read_records
from llama_gene.tokenizer.extend import read_base
from llama_gene.tokenizer.vocabulary import write_vocabulary
from published import PLAIN, PUBMED, write_parquet
from running import options, run

PACK = PackConfig(weights={}, block_tokens=256)
ONE = EngineConfig(workers=1)
SOURCES = (("genomes", "dna"), ("genes.fa", "dna"), ("proteins.faa.gz", "protein"), ("pages", "text"))


class Both(NamedTuple):
    """A plan, and what then came."""

    plan: CorpusPlan
    built: Manifest
    packed: Manifest
    corpus_bytes: int
    block_bytes: int


def letters(alphabet: str, length: int, seed: int) -> str:
    return "".join(np.random.default_rng(seed).choice(list(alphabet), length))


def fasta(path: Path, sizes: Sequence[int], alphabet: str = "ACGT", seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    records = (letters(alphabet, size, seed * 10_000 + number) for number, size in enumerate(sizes))
    text = "".join(f">r{number}\n{record}\n" for number, record in enumerate(records))
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def config(*sources: tuple[str, str], **settings: object) -> CorpusConfig:
    return CorpusConfig(sources=[Source(path=path, kind=kind) for path, kind in sources], **settings)


def compare(sources: CorpusConfig, folder: Path, data: Path, pack: PackConfig = PACK) -> Both:
    tokenizer = folder / "tokenizer"
    tokenizer.mkdir()
    write_vocabulary(read_base(None), tokenizer)
    plan = plan_corpus(sources, pack, data=data, seed=1, engine=ONE, tokenizer=tokenizer, output=folder)
    built = build_corpus(sources, data=data, seed=1, output=folder / "corpus", engine=ONE)
    packed = pack_corpus(
        pack, corpus=folder / "corpus", tokenizer=tokenizer, seed=1, output=folder / "blocks", engine=ONE
    )
    sizes = [
        sum(file.stat().st_size for file in (folder / name).rglob(pattern))
        for name, pattern in (("corpus", "*.parquet"), ("blocks", "*.arrow"))
    ]
    return Both(plan, built, packed, *sizes)


def in_corpus(both: Both, unit: str) -> int:
    return sum(
        both.built.counts.get(f"{kind.kind} {unit} {split}", 0)
        for kind in both.plan.kinds
        for split in ("train", "valid")
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Genomes plain and compressed in one folder, genes, proteins and pages, larger than their samples will be."""
    folder = tmp_path_factory.mktemp("data")
    for number in range(3):
        fasta(folder / f"genomes/{number}.fa.gz", [150_000, 40_000], seed=number)
        fasta(folder / f"genomes/{number}.fa", [120_000], seed=10 + number)
    fasta(folder / "genes.fa", [300 + 37 * number % 800 for number in range(800)], seed=20)
    fasta(
        folder / "proteins.faa.gz", [100 + 37 * number % 700 for number in range(700)], "ACDEFGHIKLMNPQRSTVWY", seed=30
    )
    (folder / "pages").mkdir()
    for number in range(90):
        words = letters("abcdefgh ", 5000, seed=number)
        paragraphs = (words[start : start + 500] + "." for start in range(0, 5000, 500))
        (folder / f"pages/{number:02d}.txt").write_text("\n\n".join(paragraphs))
    return folder


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Both:
    """A plan of samples of at most 0.6 million letters, a third of it all, and what then came."""
    patch = pytest.MonkeyPatch()
    patch.setattr("llama_gene.corpus.plan._ALL_LETTERS", 600_000)
    sources = config(*SOURCES, near_duplicates=NearDuplicateConfig(kinds=()))
    found = compare(sources, tmp_path_factory.mktemp("run"), data)
    patch.undo()
    return found


def test_planned_letters_documents_and_tokens_come_within_15_percent(both):
    assert both.plan.sampled_share < 0.6
    assert both.plan.letters == pytest.approx(in_corpus(both, "letters"), rel=0.15)
    assert both.plan.documents == pytest.approx(in_corpus(both, "documents"), rel=0.15)
    assert both.plan.train_tokens == pytest.approx(both.packed.facts["train"]["tokens"], rel=0.15)


def test_each_kind_is_planned_within_15_percent(both):
    for kind in both.plan.kinds:
        assert kind.train_letters == pytest.approx(both.built.counts[f"{kind.kind} letters train"], rel=0.15)
        tokens = both.packed.facts["train"]["kinds"][kind.kind]["text_tokens"]
        assert kind.taken_tokens == pytest.approx(tokens, rel=0.15)


def test_planned_disk_comes_within_40_percent(both):
    assert both.plan.disk.scratch == pytest.approx(both.built.facts["scratch_bytes"], rel=0.4)
    assert both.plan.disk.corpus == pytest.approx(both.corpus_bytes, rel=0.4)
    assert both.plan.disk.blocks == pytest.approx(both.block_bytes, rel=0.4)


# Not ru_maxrss: that begins at what the process had that started this one.
MEASURED = """
import sys
from llama_gene import cli
code = cli.run(sys.argv[1:])
print(next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) * 1024)
sys.exit(code)
"""


def run_measured(*arguments: object) -> tuple[list[str], float, int]:
    """What a command shows, and its seconds and peak of memory in bytes, as its user finds them."""
    begin = time.perf_counter()
    command = [sys.executable, "-c", MEASURED, *map(str, arguments), "--json"]
    *shown, peak = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return shown, time.perf_counter() - begin, int(peak)


@pytest.mark.slow
def test_planned_time_and_memory_come_within_a_factor_of_ten(data, tmp_path):
    (tmp_path / "tokenizer").mkdir()
    write_vocabulary(read_base(None), tmp_path / "tokenizer")
    sources = ", ".join(f'{{ path = "{path}", kind = "{kind}" }}' for path, kind in SOURCES)
    shared = options(f"corpus.sources=[{sources}]", "pack.weights={}", "pack.block_tokens=256", "engine.workers=1")
    told, _, _ = run_measured("corpus", "plan", "--data", data, "--tokenizer", tmp_path / "tokenizer", *shared)
    plan = json.loads("\n".join(told))
    _, build_s, build_bytes = run_measured("corpus", "build", "--data", data, "--output", tmp_path / "corpus", *shared)
    read = ["--corpus", tmp_path / "corpus", "--tokenizer", tmp_path / "tokenizer"]
    _, pack_s, pack_bytes = run_measured("corpus", "pack", *read, "--output", tmp_path / "blocks", *shared)
    # Other work on the machine may slow any of the three.
    assert build_s / 10 < plan["time"]["build"] < build_s * 10
    assert pack_s / 10 < plan["time"]["pack"] < pack_s * 10
    # What is compiled for the first time takes memory as well.
    assert max(build_bytes, pack_bytes) / 2 < plan["memory_bytes"] < max(build_bytes, pack_bytes) * 10


def test_each_source_is_listed_with_files_bytes_format_and_error(both, data):
    genomes, genes, _, pages = both.plan.sources
    assert (genomes.name, genomes.files, genomes.formats) == ("genomes", 6, ("fasta",))
    assert genomes.bytes == sum(file.stat().st_size for file in (data / "genomes").iterdir())
    assert genes.error is None
    assert pages.error is not None
    assert pages.error < 0.1


def test_limits_of_letters_and_tokens_and_shortfalls_are_in_the_plan(data):
    sources = config(("genes.fa", "dna"), ("pages", "text"), max_letters={"dna": 100_000})
    pack = PackConfig(weights={"dna": 0.9, "text": 0.1}, max_tokens=200_000)
    plan = plan_corpus(sources, pack, data=data, seed=1, engine=ONE)
    dna = next(kind for kind in plan.kinds if kind.kind == "dna")
    assert dna.train_letters == 100_000
    assert plan.mixture["dna"]["short_tokens"] > 50_000
    assert any(warning.startswith("dna: ") for warning in plan.warnings)
    assert any("upper bound" in note for note in plan.notes)


def test_a_path_to_nothing_is_told_as_by_the_build(tmp_path):
    with pytest.raises(DataError, match=r"nowhere.fa: no such file or folder\. Expected a file, a folder or a glob"):
        plan_corpus(config(("nowhere.fa", "dna")), PACK, data=tmp_path, seed=1)


def test_too_little_disk_is_a_warning_that_says_what_is_needed(data, tmp_path, monkeypatch):
    class Usage(NamedTuple):
        total: int = 1000
        used: int = 0
        free: int = 1000

    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage())
    plan = plan_corpus(config(("genes.fa", "dna")), PACK, data=data, seed=1, output=tmp_path / "not" / "there")
    assert plan.disk.free == 1000
    assert any("of disk are needed at the peak, 1e-06 GB are free" in warning for warning in plan.warnings)


def test_only_the_beginning_of_a_large_file_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("llama_gene.corpus.plan._ALL_LETTERS", 200_000)
    fasta(tmp_path / "whole.fa.gz", [3000] * 700)
    whole = (tmp_path / "whole.fa.gz").read_bytes()
    (tmp_path / "large.fa.gz").write_bytes(whole[:200_000] + bytes(len(whole) - 200_000))
    plan = plan_corpus(config(("large.fa.gz", "dna")), PACK, data=tmp_path, seed=1, engine=ONE)
    assert plan.sources[0].letters == pytest.approx(2_100_000, rel=0.1)
    assert plan.sources[0].sampled_letters < 250_000


def test_a_file_that_can_only_be_read_whole_is_assumed_where_it_is_large(tmp_path, monkeypatch):
    monkeypatch.setattr(plan_sample, "_WHOLE_BYTES", 10_000)
    rows = [{"id": str(number), "text": letters("abcd ", 900, number)} for number in range(200)]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    plan = plan_corpus(config(("rows.json", "text")), PACK, data=tmp_path, seed=1, engine=ONE)
    assert plan.sources[0].letters == pytest.approx(180_000, rel=0.15)
    assert not plan.sources[0].is_measured
    assert any("assumed, because nothing of it could be read in part" in note for note in plan.notes)


def pubmed_article(number: int) -> str:
    return PLAIN.format(number=10_000 + number, version=1)


@pytest.mark.parametrize("name", ["a.parquet", "a.xml"])
def test_a_large_file_of_rows_or_articles_is_planned_from_its_beginning(tmp_path, name):
    path = tmp_path / name
    if name == "a.xml":
        path.write_text(PUBMED.format(articles="".join(map(pubmed_article, range(4000)))))
    else:
        write_parquet(path, [{"text": letters("abcdefgh", 400, seed=number)} for number in range(4000)])
    parts = tmp_path / "parts"
    parts.mkdir()
    file = plan_sample.InputFile(0, "text", path, name)
    ((sample, size),) = plan_sample.read_heads(file, Source(path=name, kind="text"), 100_000, parts)
    records = len(list(read_records(sample.path, "text", format=sample.format, on_invalid="skip")))
    assert 100 < records < 1000
    assert size < 150_000
    assert sample.used_bytes == pytest.approx(path.stat().st_size * records / 4000, rel=0.01)


def test_the_verb_prints_one_json_document(data, capsys):
    sources = 'corpus.sources=[{path="genes.fa", kind="dna"}]'
    assert run(["corpus", "plan", "--data", str(data), "--set", sources, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["sources"][0]["name"] == "genes.fa"
    assert found["disk"]["peak"] > 0


def test_the_verb_shows_tables_and_what_to_know_about_them(data, capsys):
    sources = 'corpus.sources=[{path="genes.fa", kind="dna"}]'
    assert run(["corpus", "plan", "--data", str(data), "--set", sources]) == 0
    shown = capsys.readouterr().out
    assert "genes.fa" in shown
    assert "disk, at the peak, GB" in shown
    assert "before de-duplication" in shown


@pytest.mark.real_data
@pytest.mark.slow
def test_a_plan_of_real_sources_comes_true(tmp_path):
    if not os.environ.get("LLAMA_GENE_DATA"):
        pytest.skip("LLAMA_GENE_DATA is not set: no real data to read")
    real = Path(os.environ["LLAMA_GENE_DATA"])
    sources = config(
        ("genomes/yeast/R64-1-1.fa.gz", "dna"), ("proteins/annotated/kingdom_archaea_sprot.fasta.gz", "protein"),
        ("text/craft", "text"),
    )  # fmt: skip
    plan = plan_corpus(sources, PACK, data=real, seed=1, engine=ONE)
    built = build_corpus(sources, data=real, seed=1, output=tmp_path / "corpus", engine=ONE)
    for kind in plan.kinds:
        assert kind.train_letters == pytest.approx(built.counts[f"{kind.kind} letters train"], rel=0.15)
