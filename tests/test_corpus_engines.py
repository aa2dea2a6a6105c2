"""The same bytes from every engine, from object storage, and from a cluster that loses a node."""

import contextlib
import gzip
import io
import json
import os
import signal
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.spec import AbstractBufferedFile
from joblib.externals.loky import get_reusable_executor, process_executor

import waiting
from clouds import CLOUDS, serving_bucket, upload
from genes import make_gene, write_genbank
from llama_gene import cli
from llama_gene.config import EngineConfig, PackConfig
from llama_gene.corpus.build import build_corpus
from llama_gene.corpus.engine import Work, run_tasks
from llama_gene.corpus.pack import pack_corpus
from llama_gene.errors import ConfigError, DataError
from llama_gene.storage import to_path
from running import refused
from test_corpus_build import config, write_fasta
from test_corpus_pack import write_tokenizer

SOURCES = (("genomes", "dna"), ("proteins", "protein"), ("pages", "text"), ("genes", "coding"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Several files of every kind, with equal records in different files."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(7)
    draw = lambda letters, size: "".join(rng.choice(list(letters), size))  # noqa: E731
    shared = draw("ACGT", 9000)
    for number in range(4):
        write_fasta(folder / f"genomes/{number}.fa", {f"g{number}": draw("ACGT", 30_000), f"s{number}": shared})
        proteins = {f"p{number}.{at}": draw("ACDEFGHIKLMNPQRSTVWY", 60 + 9 * at) for at in range(30)}
        write_fasta(folder / f"proteins/{number}.faa", proteins)
        genes = [make_gene(100 + 10 * at, seed=100 * number + at) for at in range(20)]
        write_genbank(folder / f"genes/{number}.gbk", [make_gene(300, seed=400), *genes], seed=number)
    (folder / "pages").mkdir()
    for number in range(30):
        words = [draw("abcdefgh", 5) for _ in range(200)]
        (folder / f"pages/{number}.txt").write_text(" ".join(words))
    write_tokenizer(folder, bos="<s>")
    return folder


@pytest.fixture(autouse=True)
def many_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks and batches so small that every pass has several tasks."""
    monkeypatch.setattr("llama_gene.corpus.collect._CHUNK_BYTES", 25_000)
    monkeypatch.setattr("llama_gene.corpus.build.BATCH_LETTERS", 20_000)


def make(data: Path, corpus: Path, blocks: Path, engine: EngineConfig) -> dict[str, bytes]:
    """Corpus and blocks; every file of both but the manifests, which hold the time."""
    build_corpus(config(*SOURCES, shard_letters=40_000), data=data, seed=1, output=corpus, engine=engine)
    packing = PackConfig(block_tokens=300, max_tokens=60_000)
    pack_corpus(packing, corpus=corpus, tokenizer=data, seed=1, output=blocks, engine=engine)
    files = [file for folder in (corpus, blocks) for file in folder.rglob("*") if file.is_file()]
    return {
        f"{file.parent.parent.name}/{file.parent.name}/{file.name}": file.read_bytes()
        for file in files
        if file.name != "manifest.json"
    }


@pytest.fixture(scope="module")
def alone(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("llama_gene.corpus.collect._CHUNK_BYTES", 25_000)
        patch.setattr("llama_gene.corpus.build.BATCH_LETTERS", 20_000)
        output = tmp_path_factory.mktemp("alone")
        return make(data, output / "corpus", output / "blocks", EngineConfig(workers=1))


def test_there_are_several_tasks_in_every_pass(alone):
    for folder in ("corpus/train", "blocks/train"):
        assert sum(name.startswith(folder) for name in alone) > 3
    shards = [pq.read_table(pa.BufferReader(shard)) for name, shard in alone.items() if name.endswith(".parquet")]
    assert {kind for shard in shards for kind in shard["kind"].to_pylist()} == {"dna", "protein", "text", "coding"}


@pytest.mark.slow
def test_two_processes_write_the_same_bytes_as_one(data, tmp_path, alone):
    assert make(data, tmp_path / "corpus", tmp_path / "blocks", EngineConfig(workers=2)) == alone


@pytest.mark.slow
def test_an_error_of_a_worker_reaches_the_user_as_one_line(data, tmp_path):
    write_fasta(tmp_path / "bad/a.faa", {"good": "MKLVAW" * 10, "bad": "MKJ" * 20})
    write_fasta(tmp_path / "bad/b.faa", {"good": "MKLVAW" * 5000})
    chosen = config(("bad", "protein"), on_invalid="error")
    with pytest.raises(DataError, match=r"a\.faa.*'J' is not a protein letter"):
        build_corpus(chosen, data=tmp_path, seed=1, output=tmp_path / "out", engine=EngineConfig(workers=2))


CALLS: list[bytes] = []


def grow_at_the_second(task):  # type: ignore[no-untyped-def]
    """Stands for a pass that opens a large vocabulary; looked at after every task, not once a second."""
    process_executor._MEMORY_LEAK_CHECK_DELAY = 0
    CALLS.append(b"x" * (400_000_000 if len(CALLS) == 1 else 1))
    return {"process": os.getpid()}


@pytest.mark.slow
def test_a_worker_that_holds_more_than_before_stays(tmp_path):
    work = Work(tmp_path, size=0, engine=EngineConfig(workers=2))
    results = run_tasks(grow_at_the_second, range(12), work, "growing")
    assert len({result["process"] for result in results}) == 2
    get_reusable_executor().shutdown()


@pytest.fixture
def ray_of_tests(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Ray, whose workers find the functions of the tests, too."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'llama-gene[cluster]'")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
    yield ray
    ray.shutdown()


@pytest.mark.slow
def test_a_ray_cluster_that_loses_a_node_at_work_writes_the_same_bytes(
    data, tmp_path, alone, ray_of_tests, monkeypatch
):
    from ray.cluster_utils import Cluster

    # Workers get it from the node, which gets it from here.
    monkeypatch.setenv("WAITING", str(tmp_path / "waiting"))
    (tmp_path / "waiting").mkdir()
    monkeypatch.setattr("llama_gene.corpus.engine._remember", waiting.wait_and_do)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 10**8})
    try:
        second = cluster.add_node(num_cpus=1, object_store_memory=10**8)
        ray_of_tests.init(address=cluster.address, log_to_driver=False)
        with ThreadPoolExecutor() as pool:
            lost = pool.submit(_lose, cluster, second, tmp_path)
            made = make(
                data, tmp_path / "corpus", tmp_path / "blocks", EngineConfig(name="ray", address=cluster.address)
            )
        assert made == alone
        nodes = [line.split()[0] for line in (tmp_path / "waiting" / lost.result()).read_text().splitlines()]
        assert len(nodes) == 2, "what the lost node was at was done again"
        assert nodes[0] == second.node_id != nodes[1]
    finally:
        ray_of_tests.shutdown()
        cluster.shutdown()


def _lose(cluster, node, folder: Path) -> str:  # type: ignore[no-untyped-def]
    """Take a node away while it is at a task; the name of that task."""
    deadline = time.monotonic() + 120
    try:
        while not (names := [file.name for file in (folder / "waiting").iterdir() if node.node_id in file.read_text()]):
            assert time.monotonic() < deadline, "the node never came to a task"
            time.sleep(0.05)
        assert not (folder / "corpus.partial/scratch/done/cutting" / f"{names[0]}.json").exists()
        cluster.remove_node(node, allow_graceful=False)
        # Ray ends the node, but its workers find out only later; where a machine is lost they go with it.
        with contextlib.suppress(ProcessLookupError):
            os.kill(int((folder / "waiting" / names[0]).read_text().split()[1]), signal.SIGKILL)
        assert not (folder / "corpus.partial/scratch/done/cutting" / f"{names[0]}.json").exists()
    finally:
        (folder / "waiting" / waiting.GO).touch()
    return names[0]


@pytest.fixture
def clouds() -> Iterator[tuple[str, str]]:
    """The addresses of empty buckets of two clouds: Amazon's and Google's."""
    with serving_bucket("s3") as amazon, serving_bucket("gs") as google:
        yield amazon, google


@pytest.mark.slow
def test_processes_that_read_and_write_two_clouds_write_the_same_bytes(data, clouds, alone):
    assert make_across(*clouds, data, EngineConfig(workers=2)) == alone


@pytest.mark.slow
def test_a_ray_cluster_that_reads_and_writes_two_clouds_writes_the_same_bytes(data, clouds, alone, ray_of_tests):
    ray_of_tests.init(num_cpus=2, object_store_memory=10**8, include_dashboard=False, log_to_driver=False)
    assert make_across(*reversed(clouds), data, EngineConfig(name="ray")) == alone


def make_across(one: str, other: str, data: Path, engine: EngineConfig) -> dict[str, bytes]:
    """What is made of data in one cloud, with the corpus in the other."""
    upload(data, to_path(f"{one}/raw"))
    return make(to_path(f"{one}/raw"), to_path(f"{other}/made/corpus"), to_path(f"{one}/made/blocks"), engine)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[AbstractBufferedFile]:
    """Every file that is opened in object storage by this process."""
    found: list[AbstractBufferedFile] = []
    start = AbstractBufferedFile.__init__

    def start_and_note(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        found.append(self)
        start(self, *args, **kwargs)

    monkeypatch.setattr(AbstractBufferedFile, "__init__", start_and_note)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("scheme", CLOUDS)
def test_the_command_line_takes_places_in_object_storage(scheme, capsys, opened):
    genes = "".join(f">g{number}\n{'ACGTTGCA' * (50 + number)}\n" for number in range(40)).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("more.fa", b">m\n" + b"TTGACAGC" * 50)
    source = ["--set", 'corpus.sources=[{ path = "[ab].*", kind = "dna" }]', "--set", "corpus.near_duplicates.kinds=[]"]
    with serving_bucket(scheme) as bucket:
        for name, written in {
            "a.fa.gz": gzip.compress(genes), "b.zip": packed.getvalue(), "c.fa": genes, ".a.fa": genes,
        }.items():  # fmt: skip
            to_path(f"{bucket}/raw/{name}").write_bytes(written)
        where = ["--data", f"{bucket}/raw", "--output", f"{bucket}/corpus"]
        assert cli.run(["corpus", "plan", *where, *source, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["sources"][0]["files"] == 2
        assert cli.run(["corpus", "build", *where, *source, "--json"]) == 0
        built = json.loads(capsys.readouterr().out)
        assert built["counts"]["dna records read"] == 41
        assert to_path(f"{bucket}/corpus/train/00000.parquet").is_file()
        assert cli.run(["corpus", "build", *where, *source, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == built, "what is up to date is left alone"
        where = ["--set", f"data={bucket}/raw", "--output", f"{bucket}-nowhere/corpus"]
        assert cli.run(["corpus", "build", *where, *source]) == 2
    assert f"\nllama-gene: {bucket}-nowhere/corpus: cannot be reached (" in "\n" + capsys.readouterr().err
    # The last zip is kept for its next member. A file that nobody closes keeps what it read, and a task that reads on.
    assert opened
    assert {file.path for file in opened if not file.closed} <= {"genes/raw/b.zip"}


def test_object_storage_without_its_extra_names_the_line_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "upath", None)
    with pytest.raises(ConfigError, match=r"pip install 'llama-gene\[cluster\]'"):
        to_path("s3://genes/corpus")


def test_object_storage_without_credentials_is_told_in_one_line(monkeypatch):
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed: pip install 'llama-gene[cluster]'")
    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, os.devnull)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(
        ConfigError, match=r"s3://nobody/x: cannot be reached \(NoCredentialsError: .* your credentials\."
    ):
        to_path("s3://nobody/x")


@pytest.mark.parametrize("command", [["corpus", "fetch"], ["tokenizer", "train"], ["tasks", "split"]])
def test_a_command_that_writes_to_this_machine_alone_refuses_object_storage(command, capsys):
    refused(
        capsys,
        [*command, "--output", "gs://genes/x"],
        "^llama-gene: gs://genes/x: only `corpus build` and `corpus pack`",
    )


def test_ray_without_its_extra_names_the_line_to_install(data, tmp_path, monkeypatch):
    monkeypatch.setattr("llama_gene.corpus.cluster.ray", None)
    with pytest.raises(ConfigError, match=r"Ray is not installed\. pip install 'llama-gene\[cluster\]'"):
        build_corpus(config(*SOURCES), data=data, seed=1, output=tmp_path / "out", engine=EngineConfig(name="ray"))
