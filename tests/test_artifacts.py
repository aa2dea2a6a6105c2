import errno
import json
import subprocess
import sys

import pytest

from llama_gene.artifacts import build_stage, fingerprint, read_manifest
from llama_gene.errors import ArtifactError


def make(output, source, *, text="x", seed=1, fail=False):
    def build(work, ledger):
        (work / "result.txt").write_text(text)
        if fail:
            raise KeyboardInterrupt
        ledger.counts["lines"] += 1

    return build_stage("s", output, build, config={"text": text}, inputs={"source": source}, seed=seed, code=1)


@pytest.fixture
def source(tmp_path):
    file = tmp_path / "in.txt"
    file.write_text("hello")
    return file


def test_a_stage_runs_once_and_again_only_when_something_changed(tmp_path, source):
    output = tmp_path / "out"
    first = make(output, source)
    stamp = (output / "result.txt").stat().st_mtime_ns
    assert make(output, source) == first
    assert (output / "result.txt").stat().st_mtime_ns == stamp
    assert make(output, source, seed=2).key != first.key
    source.write_text("changed")
    assert make(output, source, seed=2).inputs["source"] != first.inputs["source"]


def test_an_interrupted_stage_leaves_the_earlier_result_whole(tmp_path, source):
    output = tmp_path / "out"
    make(output, source, text="old")
    with pytest.raises(KeyboardInterrupt):
        make(output, source, text="new", fail=True)
    assert (output / "result.txt").read_text() == "old"
    assert read_manifest(output).config == {"text": "old"}


def test_partial_work_of_the_same_key_is_found_again_and_of_another_key_removed(tmp_path, source):
    output = tmp_path / "out"
    seen = []

    def build(work, ledger):
        seen.append((work / "half").exists())
        (work / "half").write_text("")
        raise KeyboardInterrupt

    for value in (1, 1, 2):
        with pytest.raises(KeyboardInterrupt):
            build_stage("s", output, build, config={"v": value}, inputs={}, seed=1, code=1)
    assert seen == [False, True, False]


def test_a_folder_that_is_no_stage_is_never_overwritten(tmp_path, source):
    output = tmp_path / "out"
    output.mkdir()
    (output / "thesis.txt").write_text("precious")
    with pytest.raises(ArtifactError, match="exists and is not a stage folder"):
        make(output, source)
    assert (output / "thesis.txt").read_text() == "precious"


def test_two_runs_cannot_build_one_folder_at_once(tmp_path, source):
    code = (
        "import sys, time, pathlib; from llama_gene.artifacts import build_stage\n"
        "def build(work, ledger):\n print('in', flush=True); time.sleep(30)\n"
        f"build_stage('s', pathlib.Path({str(tmp_path / 'out')!r}), build, config={{}}, inputs={{}}, seed=1, code=1)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(ArtifactError, match="another run is building this folder"):
            make(tmp_path / "out", source)
        other.kill()


def test_a_missing_input_and_a_broken_manifest_are_named(tmp_path, source):
    with pytest.raises(ArtifactError, match="no such file or folder"):
        make(tmp_path / "out", tmp_path / "none")
    with pytest.raises(ArtifactError, match="not a finished stage folder"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"stage": "s"}))
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_manifest(tmp_path)


def test_a_fingerprint_follows_content_and_names(tmp_path):
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "a").write_text("1")
    before = fingerprint(folder)
    (folder / "a").rename(folder / "b")
    assert fingerprint(folder) != before


def test_a_full_disk_is_told_wherever_it_hides_and_nothing_else_is(tmp_path):
    def fail(error, cause):
        def build(work, ledger):
            try:
                raise cause
            except Exception as first:
                first.__cause__ = error  # a circle, as re-raising a cause makes one
                raise error from first

        return build_stage("s", tmp_path / "out", build, config={}, inputs={}, seed=1, code=1)

    full = OSError(errno.ENOSPC, "No space left on device")
    for error, cause in ((RuntimeError("writer"), full), (ValueError("I/O error (os error 28)"), KeyError("x"))):
        with pytest.raises(ArtifactError, match="out: the disk is full"):
            fail(error, cause)
    with pytest.raises(RuntimeError, match="our bug"):
        fail(RuntimeError("our bug"), KeyError("x"))
