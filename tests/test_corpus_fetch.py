"""Downloads from a real server that drops, lies, changes and corrupts; what must come out is the file or one line."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from fetching import BODY, MD5, PACKED, Faults, entry, fetch, fetch_config, serving
from llama_gene.artifacts import read_manifest
from llama_gene.corpus.fetch.client import Pace
from llama_gene.corpus.fetch.fetch import plan_fetch
from llama_gene.errors import ArtifactError, ConfigError, DataError, MissingError, NetworkError
from running import refused, run


@pytest.fixture
def archive():
    with serving() as served:
        served.files["/a.bin"] = BODY
        served.files["/a.gz"] = PACKED
        yield served


def test_a_file_comes_with_its_provenance(archive, tmp_path):
    manifest = fetch(archive, tmp_path, entry(archive, checksum=MD5, licence="CC0", citation="Me, 2026"))
    assert (tmp_path / "out/mine/a.bin").read_bytes() == BODY
    [file] = manifest.facts["files"]
    retrieved = file.pop("retrieved")
    assert retrieved.startswith("20")
    assert retrieved.endswith("+00:00")
    assert file == {
        "path": "mine/a.bin", "url": archive.url + "/a.bin", "bytes": 200_000, "checksum": MD5,
        "checksum_from": "the recipe", "etag": f'"{MD5[4:]}"', "last_modified": "", "licence": "CC0",
        "licence_url": "", "citation": "Me, 2026", "sampled_from": None,
    }  # fmt: skip
    assert manifest.counts == {"files": 1, "bytes": 200_000}
    assert manifest.facts["files by licence"] == {"CC0": 1}
    hidden = {path.name for path in (tmp_path / "out").rglob(".*")}
    assert hidden == {".fetched.jsonl"}


def test_where_the_archive_gives_no_checksum_the_manifest_says_that_ours_is_our_own(archive, tmp_path):
    [file] = fetch(archive, tmp_path, entry(archive)).facts["files"]
    assert file["checksum"] == f"sha256:{hashlib.sha256(BODY).hexdigest()}"
    assert file["checksum_from"] == "computed here: the archive gives none"


def test_a_dropped_connection_goes_on_by_range_within_a_run(archive, tmp_path):
    archive.faults["/a.bin"] = Faults(drops=2, drop_after=50_000)
    fetch(archive, tmp_path, entry(archive, checksum=MD5))
    assert (tmp_path / "out/mine/a.bin").read_bytes() == BODY
    ranges = [headers.get("Range") for headers in archive.requests("/a.bin")]
    assert ranges == [None, "bytes=50000-", "bytes=100000-"]
    assert archive.requests("/a.bin")[1]["If-Range"] == f'"{MD5[4:]}"'


def test_progress_resets_the_patience(archive, tmp_path):
    archive.faults["/a.bin"] = Faults(drops=15, drop_after=10_000)
    fetch(archive, tmp_path, entry(archive))
    assert (tmp_path / "out/mine/a.bin").read_bytes() == BODY


def test_a_server_that_ignores_ranges_sends_all_and_the_known_part_is_passed_over(archive, tmp_path):
    archive.faults["/a.bin"] = Faults(drops=1, drop_after=50_000, ignores_range=True)
    fetch(archive, tmp_path, entry(archive, checksum=MD5))
    assert (tmp_path / "out/mine/a.bin").read_bytes() == BODY
    assert archive.counts()["/a.bin"] == 2


def test_no_progress_ends_with_one_line(archive, tmp_path):
    archive.faults["/a.bin"] = Faults(drops=10**6, drop_after=0)
    stuck = r"a\.bin: stuck at byte 0 of 200,000 after 3 tries \(.*\)\. Expected the whole file; run again"
    with pytest.raises(NetworkError, match=stuck):
        fetch(archive, tmp_path, entry(archive, checksum=MD5))


def break_half_way(archive, tmp_path, *entries):
    """A run that ends in the middle of /a.bin; the server is well afterwards."""
    archive.faults["/a.bin"] = Faults(drops=1, drop_after=80_000, dies_after=1)
    with pytest.raises(NetworkError, match="still answers 500 after all tries"):
        fetch(archive, tmp_path, *entries)
    assert (tmp_path / "out/mine/.a.bin.part").stat().st_size == 80_000
    archive.faults.clear()
    archive.log.clear()


def test_the_next_run_goes_on_from_the_byte_reached(archive, tmp_path):
    break_half_way(archive, tmp_path, entry(archive))
    fetch(archive, tmp_path, entry(archive))
    assert (tmp_path / "out/mine/a.bin").read_bytes() == BODY
    assert [headers["Range"] for headers in archive.requests("/a.bin")] == ["bytes=80000-"]


def test_a_file_that_changed_between_runs_starts_again(archive, tmp_path):
    break_half_way(archive, tmp_path, entry(archive))
    archive.files["/a.bin"] = BODY[::-1]
    fetch(archive, tmp_path, entry(archive))
    assert (tmp_path / "out/mine/a.bin").read_bytes() == BODY[::-1]


def test_without_a_validator_and_a_checksum_nothing_proves_the_rest_fits_so_it_starts_again(archive, tmp_path):
    archive.faults["/a.bin"] = Faults(drops=1, drop_after=80_000, has_etag=False)
    fetch(archive, tmp_path, entry(archive))
    assert (tmp_path / "out/mine/a.bin").read_bytes() == BODY
    assert [headers.get("Range") for headers in archive.requests("/a.bin")] == [None, "bytes=80000-", None]


def test_a_length_that_is_too_long_is_an_error_unless_the_checksum_proves_the_file_whole(archive, tmp_path):
    archive.faults["/a.bin"] = Faults(extra_length=100, ignores_range=True)
    with pytest.raises(NetworkError, match=r"stuck at byte 200,000 of 200,100 after 3 tries"):
        fetch(archive, tmp_path, entry(archive))
    fetch(archive, tmp_path, entry(archive, checksum=MD5))
    assert (tmp_path / "out/mine/a.bin").read_bytes() == BODY


def test_a_length_that_is_too_short_is_found_by_checksum_or_by_the_compression(archive, tmp_path):
    for path in ("/a.bin", "/a.gz"):
        archive.faults[path] = Faults(extra_length=-100)
    with pytest.raises(
        DataError, match=r"a\.bin: the checksum is md5:\w+, but the recipe gives md5:\w+\. It was so 3 times"
    ):
        fetch(archive, tmp_path, entry(archive, checksum=MD5))
    with pytest.raises(DataError, match=r"a\.gz: the file is damaged \(.*\)\. It was so 3 times"):
        fetch(archive, tmp_path, entry(archive, "/a.gz"))
    assert not list((tmp_path / "out/mine").iterdir())


def test_corrupt_bytes_are_fetched_again_and_refused_when_they_stay(archive, tmp_path):
    archive.faults["/a.bin"] = Faults(corrupt=2)
    fetch(archive, tmp_path, entry(archive, checksum=MD5))
    assert (tmp_path / "out/mine/a.bin").read_bytes() == BODY
    archive.faults["/a.gz"] = Faults(corrupt=9)
    with pytest.raises(DataError, match=r"the file is damaged .* Run again later, or use another mirror"):
        fetch(archive, tmp_path, entry(archive, "/a.gz"))
    assert not (tmp_path / "out/mine/a.gz").exists()


@pytest.mark.slow
def test_a_busy_server_is_waited_for_as_long_as_it_asks(archive, tmp_path):
    archive.faults["/a.bin"] = Faults(statuses=[429, 503], retry_after="1")
    started = time.monotonic()
    fetch(archive, tmp_path, entry(archive))
    assert time.monotonic() - started >= 2
    assert archive.counts()["/a.bin"] == 3


def test_a_server_that_stays_busy_ends_with_one_line(archive, tmp_path):
    archive.faults["/a.bin"] = Faults(statuses=[503] * 9)
    with pytest.raises(NetworkError, match=r"a\.bin: the server still answers 503 after all tries\. Run again later"):
        fetch(archive, tmp_path, entry(archive))


def test_access_refused_and_other_answers_are_told_apart(archive, tmp_path):
    archive.faults["/a.bin"] = Faults(statuses=[403])
    with pytest.raises(NetworkError, match=r"access refused \(403\)\. Accept the terms"):
        fetch(archive, tmp_path, entry(archive))
    archive.faults["/a.bin"] = Faults(statuses=[418])
    with pytest.raises(NetworkError, match=r"the server answers 418\. Expected the file"):
        fetch(archive, tmp_path, entry(archive))


def test_nobody_there_is_one_line(tmp_path):
    with serving() as gone:
        pass
    with pytest.raises(NetworkError, match=r"cannot be reached \(.*refused\)\. Check the connection and the address"):
        fetch(gone, tmp_path, entry(gone))


def test_what_is_not_there_stops_or_is_counted_and_the_rest_comes(archive, tmp_path):
    entries = entry(archive, "/none.bin", name="none"), entry(archive)
    with pytest.raises(MissingError, match=r"none\.bin: not there \(404\)\. Check the name, or set fetch\.on_missing"):
        fetch(archive, tmp_path, *entries)
    manifest = fetch(archive, tmp_path, *entries, on_missing="skip")
    assert manifest.counts == {"files": 1, "bytes": 200_000, "skipped: not there or not wanted": 1}
    assert "none.bin: not there" in manifest.facts["skipped"][0]


def test_finished_files_are_not_asked_for_again_whatever_else_the_recipe_changes(archive, tmp_path):
    wrong = entry(archive, "/none.bin", name="other")
    with pytest.raises(MissingError):
        fetch(archive, tmp_path, entry(archive), wrong)
    manifest = fetch(archive, tmp_path, entry(archive), entry(archive, "/a.gz", name="other"))
    assert archive.counts() == {"/a.bin": 1, "/none.bin": 1, "/a.gz": 1}
    assert manifest.counts["files fetched before"] == 1
    again = fetch(archive, tmp_path, entry(archive), entry(archive, "/a.gz", name="other"))
    assert again == manifest
    assert archive.counts()["/a.bin"] == 1


def test_a_finished_file_that_was_cut_since_comes_again(archive, tmp_path):
    fetch(archive, tmp_path, entry(archive))
    (tmp_path / "out/mine/a.bin").write_bytes(b"cut")
    fetch(archive, tmp_path, entry(archive))
    assert (tmp_path / "out/mine/a.bin").read_bytes() == BODY


def test_what_the_recipe_no_longer_names_is_removed_and_foreign_files_stay(archive, tmp_path):
    fetch(archive, tmp_path, entry(archive), entry(archive, "/a.gz", name="other"))
    (tmp_path / "out/mine/notes.txt").write_text("mine")
    fetch(archive, tmp_path, entry(archive))
    assert not (tmp_path / "out/other/a.gz").exists()
    assert (tmp_path / "out/mine/notes.txt").read_text() == "mine"


def test_a_folder_of_something_else_is_refused(archive, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("")
    with pytest.raises(ArtifactError, match="exists and was not made by corpus fetch"):
        fetch(archive, tmp_path, entry(archive))


def test_an_empty_file_and_one_of_unknown_size_come_whole(archive, tmp_path):
    archive.files["/empty.txt"] = b""
    archive.faults["/a.bin"] = Faults(size_unknown=True)
    fetch(archive, tmp_path, entry(archive), entry(archive, "/empty.txt", name="empty"))
    assert (tmp_path / "out/mine/a.bin").read_bytes() == BODY
    assert (tmp_path / "out/empty/empty.txt").read_bytes() == b""


def test_a_file_larger_than_the_space_left_is_refused_before_it_is_written(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(
        ArtifactError, match=r"200,000 bytes are to come, but .*mine has room for 1,000\. Free some space"
    ):
        fetch(archive, tmp_path, entry(archive))
    assert not (tmp_path / "out/mine/.a.bin.part").exists()


def test_the_rate_limit_holds(archive, tmp_path):
    started = time.monotonic()
    fetch(archive, tmp_path, entry(archive), network={"bytes_per_s": 400_000})
    assert 0.3 <= time.monotonic() - started < 5
    pace = Pace(50)
    started = time.monotonic()
    for _ in range(6):
        pace.wait(1)
    assert time.monotonic() - started >= 0.09


def test_the_plan_lists_sizes_and_downloads_nothing(archive, tmp_path):
    archive.faults["/a.gz"] = Faults(head_refused=True)
    config = fetch_config(
        archive, entry(archive, checksum=MD5), entry(archive, "/a.gz", name="b"), entry(archive, "/no.fa", name="c")
    )
    planned = plan_fetch(config, seed=1, output=tmp_path / "out")
    assert [(file.bytes, file.checksum_from, file.state.partition(":")[0]) for file in planned] == [
        (200_000, "the recipe", "to fetch"),
        (None, "none", "to fetch"),
        (None, "", "not there"),
    ]
    assert archive.counts() == {}
    assert not (tmp_path / "out").exists()


def test_nothing_to_fetch_is_said(archive, tmp_path):
    with pytest.raises(ConfigError, match=r"fetch\.entries: nothing to fetch\. Add \[\[fetch\.entries\]\]"):
        fetch(archive, tmp_path)


def write_recipe(archive, tmp_path, *, sources=("/a.bin",)):
    lines = ['name = "f"', "[fetch.network]", "backoff_s = 0.001", "requests_per_s = 1000"]
    for number, path in enumerate(sources):
        lines += ["[[fetch.entries]]", f'name = "e{number}"', 'archive = "url"', f'url = "{archive.url}{path}"']
    (tmp_path / "recipe.toml").write_text("\n".join(lines) + "\n")
    return ["corpus", "fetch", "--config", tmp_path, "--output", tmp_path / "out"]


def test_the_command_fetches_plans_and_refuses_in_one_line(archive, tmp_path, capsys):
    command = write_recipe(archive, tmp_path)
    assert run([*command, "--check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bytes to fetch"] == 200_000
    assert run([*command, "--check"]) == 0
    assert "e0/a.bin" in capsys.readouterr().out
    assert run([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"]["files"] == 1
    refused(capsys, write_recipe(archive, tmp_path, sources=["/a.bin", "/b.bin"]), r"b\.bin: not there \(404\)")
    near = ["--set", "fetch.netwrok.attempts=1"]
    refused(capsys, [*command, *near], r"fetch\.netwrok: unknown setting; did you mean 'network'\?")


def test_a_misspelt_key_of_an_entry_is_told_with_its_neighbour(capsys, tmp_path):
    entries = 'fetch.entries=[{archive="ensembl", name="a", speces=["x"]}]'
    refused(
        capsys, ["corpus", "fetch", "-o", tmp_path, "--set", entries], "speces: unknown setting; did you mean 'species'"
    )


def command_line(arguments):
    return [sys.executable, "-m", "llama_gene.cli", *map(str, arguments)]


@pytest.mark.slow
def test_a_killed_process_goes_on_by_range(archive, tmp_path):
    command = write_recipe(archive, tmp_path, sources=["/a.gz", "/a.bin"])
    archive.faults["/a.bin"] = Faults(pause_s=0.05)
    process = subprocess.Popen(command_line(command), stderr=subprocess.PIPE)
    part = tmp_path / "out/e1/.a.bin.part"
    deadline = time.monotonic() + 60
    while not (part.is_file() and part.stat().st_size > 20_000):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    reached = part.stat().st_size
    assert not (tmp_path / "out/manifest.json").exists()
    archive.faults.clear()
    archive.log.clear()
    assert run(command) == 0
    assert [headers["Range"] for headers in archive.requests("/a.bin")] == [f"bytes={reached}-"]
    assert archive.counts() == {"/a.bin": 1}
    assert (tmp_path / "out/e1/a.bin").read_bytes() == BODY
    assert read_manifest(tmp_path / "out").counts["files fetched before"] == 1


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_what_came_is_gone_on_with(archive, tmp_path):
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "from llama_gene import cli; sys.exit(cli.run(sys.argv[1:]))"
    )
    command = write_recipe(archive, tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", limited, *map(str, command)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    [line] = done.stderr.splitlines()
    assert line == (
        f"llama-gene: {tmp_path / 'out'}: a file is larger than this disk or your limits allow. Free some space and "
        "run again; finished stages are whole."
    )
    archive.log.clear()
    assert run(command) == 0
    assert (tmp_path / "out/e0/a.bin").read_bytes() == BODY
    assert "Range" in archive.requests("/a.bin")[0]
