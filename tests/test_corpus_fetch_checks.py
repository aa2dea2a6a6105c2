"""What is checked of a download as it comes, and how records are sampled from its stream."""

import gzip
import random
import zipfile
from collections import Counter
from io import BytesIO

import pytest

from fetching import MD5, PACKED, Faults, entry, fetch, fetch_config, serving
from llama_gene.corpus.fetch.checks import Check, unsoundness
from llama_gene.corpus.fetch.fetch import fetch_corpus
from llama_gene.corpus.fetch.remote import safe_path
from llama_gene.corpus.fetch.sample import draw, inflate, split_fasta
from llama_gene.errors import DataError


@pytest.fixture
def archive():
    with serving() as served:
        yield served


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", ".bashrc", "a//b", "", "a\nb"])
def test_a_server_cannot_choose_a_path_outside_its_folder(name):
    with pytest.raises(DataError, match="which is not taken"):
        safe_path("mine", name)


# --- checksums -------------------------------------------------------------------------------------------------------


def test_the_checksum_of_sum_is_that_of_sum():
    check = Check("sum:24720 1")
    check.update(b"AC")
    check.update(b"GT")
    assert check.agrees()


def test_the_id_of_a_git_blob_is_that_of_git():
    check = Check("git:ce013625030ba8dba906f756967f9e9ca394464a", 6)
    check.update(b"hello\n")
    assert check.agrees()


def test_unsound_zips_and_gzips_are_found(tmp_path):
    stored = BytesIO()
    with zipfile.ZipFile(stored, "w") as packed:
        packed.writestr("a.fna", "ACGT" * 100)
    sound = stored.getvalue()
    for name, content, expected in (
        ("a.zip", sound, ""),
        ("a.zip", sound[:-30], "not a zip"),
        ("a.zip", sound.replace(b"ACGTACG", b"TTTTTTT"), "a.fna"),
        ("a.gz", PACKED, ""),
        ("a.gz", PACKED[:-9], "ends"),
        ("a.gz", b"<html>", "not a gzip"),
        ("a.txt", b"anything", ""),
    ):
        (tmp_path / "part").write_bytes(content)
        found = unsoundness(tmp_path / "part", name)
        assert expected in found
        assert bool(expected) == bool(found)


# --- samples ---------------------------------------------------------------------------------------------------------


def fasta(count):
    return "".join(f">r{n} protein {n}\n{'MKV' * (n % 7 + 1)}\nAC\n" for n in range(count)).encode()


def test_a_sample_of_a_stream_has_the_right_size_and_is_the_same_for_the_same_seed(archive, tmp_path):
    archive.files["/p.fasta.gz"] = gzip.compress(fasta(500)[:6000], mtime=0) + gzip.compress(fasta(500)[6000:], mtime=0)
    archive.faults["/p.fasta.gz"] = Faults(drops=3, drop_after=700)
    wanted = entry(archive, "/p.fasta.gz", sample=20)
    made = []
    for number, seed in enumerate((1, 1, 2)):
        config = fetch_config(archive, wanted)
        manifest = fetch_corpus(config, seed=seed, output=tmp_path / f"out{number}")
        [file] = manifest.facts["files"]
        assert (file["path"], file["sampled_from"]) == ("mine/p.sample-20.fasta.gz", 500)
        made.append((tmp_path / f"out{number}/mine/p.sample-20.fasta.gz").read_bytes())
    assert made[0] == made[1] != made[2]
    records = gzip.decompress(made[0]).decode().split(">")[1:]
    assert len(set(records)) == 20
    every = fasta(500).decode().split(">")[1:]
    assert [record for record in every if record in records] == records


def test_a_sample_equals_the_plain_algorithm_and_every_record_is_as_likely():
    chances = Counter()
    for seed in range(2000):
        chance = random.Random(str(seed))
        plain = list(range(3))
        for number in range(3, 10):
            place = chance.randrange(number + 1)
            if place < 3:
                plain[place] = number
        drawn = draw([str(n).encode() for n in range(10)], 3, str(seed))
        assert drawn.records == [str(n).encode() for n in sorted(plain)]
        chances.update(plain)
    assert all(abs(chances[n] - 600) < 100 for n in range(10))  # five standard deviations


def test_records_are_cut_alike_however_the_stream_is_chunked():
    text = fasta(40)
    whole = list(split_fasta([text], "here"))
    for size in (1, 2, 3, 17, 100):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        assert list(split_fasta(pieces, "here")) == whole
    assert b"".join(b">" + record.rstrip(b"\n") + b"\n" for record in whole) == text


def test_a_damaged_or_foreign_stream_gives_no_sample(archive, tmp_path):
    with pytest.raises(DataError, match="not FASTA"):
        list(split_fasta([b"<html>"], "here"))
    with pytest.raises(DataError, match="here: the gzip stream ends too early"):
        list(inflate([gzip.compress(fasta(9))[:-9]], "here"))
    archive.files["/p.fasta.gz"] = gzip.compress(fasta(500))
    archive.faults["/p.fasta.gz"] = Faults(corrupt=9)
    with pytest.raises(DataError, match=r"p\.fasta\.gz: .*It was so 3 times"):
        fetch(archive, tmp_path, entry(archive, "/p.fasta.gz", sample=5, checksum=MD5))
    assert not list((tmp_path / "out/mine").iterdir())


# --- the command -----------------------------------------------------------------------------------------------------
