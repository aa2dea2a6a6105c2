"""Records that are nearly the same as an earlier one are found; the rule is compared with a plain one."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_gene.config import Kind, NearDuplicateConfig
from llama_gene.corpus import near_duplicates
from llama_gene.corpus.near_duplicates import band_length, find_near_duplicates, make_signatures
from llama_gene.corpus.near_kernels import NO_WORD
from llama_gene.errors import ArtifactError
from llama_gene.sequences.alphabets import reverse_complement

LETTERS = {"dna": "ACGT", "protein": "ACDEFGHIKLMNPQRSTVWY"}
CONFIG = NearDuplicateConfig()


def random_letters(kind: Kind, length: int, seed: int) -> str:
    return "".join(np.random.default_rng(seed).choice(list(LETTERS[kind]), length))


def substitute(letters: str, kind: Kind, share: float, seed: int) -> str:
    rng = np.random.default_rng(seed)
    changed = list(letters)
    for place in rng.choice(len(letters), round(share * len(letters)), replace=False):
        changed[place] = rng.choice([letter for letter in LETTERS[kind] if letter != changed[place]])
    return "".join(changed)


def page(words: int, seed: int) -> str:
    rng = np.random.default_rng(seed)
    return " ".join("".join(rng.choice(list("aeioustrnlm"), 5)) for _ in range(words))


def goes(texts: list[str], kind: Kind, folder: Path, config: NearDuplicateConfig = CONFIG) -> list[bool]:
    return find_near_duplicates([make_signatures(texts, kind, config)], config, folder).tolist()


def test_a_plasmid_its_other_strand_and_a_copy_with_few_substitutions_go(tmp_path):
    plasmid = random_letters("dna", 8000, seed=1)
    copies = [substitute(plasmid, "dna", 0.005, seed) for seed in (2, 3)]
    texts = [random_letters("dna", 8000, 4), plasmid, copies[0], reverse_complement(copies[1])]
    texts += [reverse_complement(plasmid), plasmid[3000:] + plasmid[:3000], substitute(plasmid, "dna", 0.05, 5)]
    assert goes(texts, "dna", tmp_path) == [False, False, True, True, True, True, False]


def test_a_protein_with_one_percent_substitutions_goes(tmp_path):
    protein = random_letters("protein", 400, seed=1)
    texts = [protein, random_letters("protein", 400, 2), substitute(protein, "protein", 0.01, 3), protein[:200]]
    assert goes(texts, "protein", tmp_path) == [False, False, True, False]


def test_an_edited_text_goes_and_case_and_punctuation_do_not_matter(tmp_path):
    text = page(600, seed=1)
    edited = text.split()
    edited[100:103] = ["something", "else"]
    texts = [text, page(600, seed=2), " ".join(edited) + " And more at the end.", text.title().replace(" ", ", ")]
    assert goes(texts, "text", tmp_path) == [False, False, True, True]


def test_the_disk_of_files_that_are_mapped_is_taken_when_they_are_made(tmp_path):
    find_near_duplicates([np.tile(np.arange(128, dtype=np.uint32), (5000, 1))], CONFIG, tmp_path)
    for name in ("buckets.npy", "candidates.npy", "kept.npy"):
        told = (tmp_path / name).stat()
        assert told.st_blocks * 512 >= told.st_size


def test_records_without_words_stay_and_none_is_no_error(tmp_path):
    assert goes(["ACGT", "ACGT", "NNNN", ""], "dna", tmp_path) == [False] * 4
    assert goes([], "dna", tmp_path) == []
    assert find_near_duplicates([], CONFIG, tmp_path).tolist() == []
    np.save(tmp_path / "none.npy", make_signatures([], "dna", CONFIG))
    np.save(tmp_path / "one.npy", make_signatures(["ACGT" * 5], "dna", CONFIG))
    paths = [tmp_path / name for name in ("none.npy", "one.npy", "one.npy", "none.npy")]
    assert find_near_duplicates(paths, CONFIG, tmp_path).tolist() == [False, True]


def test_a_record_like_one_that_went_stays(tmp_path):
    """1 is like 0 and goes; 2 is like 1 but not like 0, so nothing of it is left without it."""
    rows = np.tile(np.arange(128, dtype=np.uint32), (3, 1))
    rows[1, :20] += 1000
    rows[2, :40] += 1000
    assert find_near_duplicates([rows], CONFIG, tmp_path).tolist() == [False, True, False]


def test_the_threshold_is_a_share_of_equal_numbers(tmp_path):
    rows = np.tile(np.arange(100, dtype=np.uint32), (3, 1))
    rows[1, 80:] += 1000  # 80 of 100
    rows[2, 79:] += 2000  # 79 of 100
    config = NearDuplicateConfig(permutations=100, threshold=0.8)
    assert find_near_duplicates([rows], config, tmp_path).tolist() == [False, True, False]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=24), st.data())
def test_the_result_does_not_depend_on_the_batches(tmp_path_factory, names, data):
    records = [
        substitute(random_letters("protein", 120, ord(name)), "protein", 0.01, n) for n, name in enumerate(names)
    ]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(names)), max_size=3)) | {0, len(names)})
    folder = tmp_path_factory.mktemp("near")
    paths = []
    for start, end in pairwise(cuts):
        paths.append(folder / f"{start}.npy")
        np.save(paths[-1], make_signatures(records[start:end], "protein", CONFIG))
    assert find_near_duplicates(paths, CONFIG, folder).tolist() == goes(records, "protein", folder)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.integers(2, 60))
def test_it_is_the_plain_rule_where_bands_miss_nothing(tmp_path_factory, seed, records):
    """With 7 of 128 numbers in a band, a pair with fewer than 18 different numbers always shares one."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 1000, (3, 128), dtype=np.uint32)[rng.integers(0, 3, records)]
    for row in rows:
        places = rng.choice(128, rng.integers(0, 18), replace=False)
        row[places] = rng.integers(0, 1000, len(places))
    config = NearDuplicateConfig(threshold=0.875)
    kept: list[int] = []
    expected = []
    for number, row in enumerate(rows):
        expected.append(any((row == rows[one]).sum() >= 112 for one in kept))
        if not expected[-1]:
            kept.append(number)
    folder = tmp_path_factory.mktemp("near")
    assert find_near_duplicates([rows], config, folder).tolist() == expected


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9])
def test_bands_find_nearly_all_pairs_at_the_threshold(tmp_path, threshold):
    rng = np.random.default_rng(1)
    pairs, equal = 1000, int(np.ceil(threshold * 128))
    rows = rng.integers(0, 2**32 - 1, (2 * pairs, 128), dtype=np.uint32)
    for pair in range(pairs):
        places = rng.choice(128, equal, replace=False)
        rows[pairs + pair, places] = rows[pair, places]
    found = find_near_duplicates([rows], NearDuplicateConfig(threshold=threshold), tmp_path)
    assert not found[:pairs].any()
    assert found[pairs:].mean() >= 0.95


def test_bands_get_longer_with_the_threshold():
    assert [band_length(threshold, 128) for threshold in (0.5, 0.8, 0.9, 1.0)] == [3, 7, 11, 128]


@pytest.mark.parametrize("kind", ["dna", "protein", "text"])
def test_a_signature_is_the_same_alone_and_in_a_batch(kind):
    texts = [page(50 + n, n) if kind == "text" else random_letters(kind, 30 + 40 * n, n) for n in range(20)]
    together = make_signatures(texts, kind, CONFIG)
    assert all(np.array_equal(together[n], make_signatures([text], kind, CONFIG)[0]) for n, text in enumerate(texts))


def test_a_long_record_that_is_cut_has_the_signature_of_the_whole(monkeypatch):
    """What the merging of pieces relies on in `rensa`: fails where a later version breaks it."""
    texts = [random_letters("dna", length, length) for length in (10, 16, 17, 40, 1000, 5000)]
    whole = make_signatures(texts, "dna", CONFIG)
    monkeypatch.setattr(near_duplicates, "_PIECE", 37)
    assert np.array_equal(make_signatures(texts, "dna", CONFIG), whole)


def test_signatures_estimate_the_jaccard_similarity():
    estimates = []
    for seed in range(60):
        whole = random_letters("dna", 3015, seed)
        rows = make_signatures([whole[:2515], whole[500:]], "dna", CONFIG)  # 2000 of 3000 words
        estimates.append((rows[0] == rows[1]).mean())
    assert np.mean(estimates) == pytest.approx(2 / 3, abs=0.02)


def test_signatures_do_not_change_with_the_version_of_rensa():
    """The first numbers of one signature: where they change, signatures on disk must be made again."""
    row = make_signatures(["MKLVAWGGRTPELSWQ"], "protein", CONFIG)[0]
    assert row[:4].tolist() == [3225583637, 3231728419, 3299162270, 3283033273]
    assert NO_WORD not in row


def test_signatures_of_another_length_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2, 64), dtype=np.uint32))
    with pytest.raises(ArtifactError, match=r"a\.npy: uint32 \[2, 64\]\. Expected uint32 \[records, 128\]"):
        find_near_duplicates([tmp_path / "a.npy"], CONFIG, tmp_path)
