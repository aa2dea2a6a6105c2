"""Learning merges: against a slow reference, and on cases worked out by hand."""

import json
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, trainers

from llama_gene.config import Kind
from llama_gene.sequences.readers import read_texts
from llama_gene.tokenizer import learn, learn_index
from llama_gene.tokenizer.learn import learn_merges
from llama_gene.tokenizer.merges import spell_merges
from llama_gene.tokenizer.sample import sample_letters

Words = list[list[int]]
Pair = tuple[int, int]


def learn_slowly(
    words: Words, new_tokens: int, max_letters: int, letters: Sequence[str], forbidden: AbstractSet[Pair] = frozenset()
) -> list[Pair]:
    """Classic BPE in its plainest form: count everything again before every merge."""
    words, letters, merges = [list(word) for word in words], list(letters), []
    wanted = len(letters) + new_tokens
    while len(letters) < wanted:
        counts = Counter(pair for word in words for pair in pairwise(word))
        allowed = [
            (-count, pair)
            for pair, count in counts.items()
            if count > 1 and len(letters[pair[0]] + letters[pair[1]]) <= max_letters and pair not in forbidden
        ]
        if not allowed:
            break
        pair = min(allowed)[1]
        spelt = letters[pair[0]] + letters[pair[1]]
        if spelt not in letters:
            letters.append(spelt)
        if pair not in merges:
            merges.append(pair)
        for word in words:
            _merge(word, pair, letters.index(spelt))
    return merges


def _merge(word: list[int], pair: Pair, token: int) -> None:
    place = 0
    while place < len(word) - 1:
        if (word[place], word[place + 1]) == pair:
            word[place : place + 2] = [token]
        place += 1


@pytest.fixture(params=[0, 5, 32], ids=lambda scanned: f"{scanned} merges by scanning")
def scanned(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Small texts must go through both ways of merging."""
    monkeypatch.setattr(learn, "_SCANNED_MERGES", request.param)
    monkeypatch.setattr(learn, "_SCANNED_SHARE", 1 << 30)
    return int(request.param)


LETTERS = st.sampled_from([["A"], ["A", "C"], ["A", "C", "G"], ["A", "C", "AC", "CA", "AA"]])


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_merges_equal_those_of_counting_everything_again(scanned: int, data: st.DataObject) -> None:
    letters = data.draw(LETTERS)
    words = data.draw(st.lists(st.lists(st.integers(0, len(letters) - 1), max_size=80), max_size=5))
    words *= data.draw(st.integers(1, 3))
    longest = data.draw(st.integers(2, 8))
    forbidden = data.draw(st.sets(st.tuples(*[st.integers(0, len(letters))] * 2), max_size=2))
    found = learn_merges(words, new_tokens=30, max_token_letters=longest, letters_of=letters, forbidden=forbidden)
    assert found == learn_slowly(words, 30, longest, letters, forbidden)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.text("ACGT", min_size=1, max_size=60), min_size=1, max_size=6), longest=st.integers(2, 8))
def test_merges_equal_those_of_the_tokenizers_library(scanned: int, words: list[str], longest: int) -> None:
    assert _ours(words, 40, longest) == _of_tokenizers(words, 40, longest)


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "pattern"), [("dna", "genomes/bacteria/*.fa.gz"), ("protein", "proteins/proteomes/*.faa.gz")]
)
def test_merges_on_real_sequences_equal_those_of_the_tokenizers_library(data: Path, kind: Kind, pattern: str) -> None:
    texts = read_texts(sorted(data.glob(pattern))[:3], kind, on_invalid="skip")
    pieces = sample_letters(texts, kind, letters=1_500_000, seed=1)
    assert _ours(pieces, 3000, 16) == _of_tokenizers(pieces, 3000, 16)


def _ours(words: list[str], new_tokens: int, longest: int) -> list[tuple[str, str]]:
    alphabet = sorted(set("".join(words)))
    ids = [[alphabet.index(letter) for letter in word] for word in words]
    merges = learn_merges(ids, new_tokens=new_tokens, max_token_letters=longest, letters_of=alphabet)
    return spell_merges(merges, alphabet)[1]


def _of_tokenizers(words: list[str], new_tokens: int, longest: int) -> list[tuple[str, str]]:
    """BpeTrainer numbers its alphabet in order and breaks ties by lower ids, as we do."""
    alphabet = sorted(set("".join(words)))
    tokenizer = Tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=len(alphabet) + new_tokens, initial_alphabet=alphabet, min_frequency=2, show_progress=False,
        max_token_length=longest + 1,  # it keeps merged tokens below its limit
    )  # fmt: skip
    tokenizer.train_from_iterator(words, trainer)
    return [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]


def test_a_pair_counts_at_every_place_where_it_stands() -> None:
    # AAAA holds AA three times; CT stands twice.
    words = [[0, 0, 0, 0], [1, 2], [1, 2]]
    assert learn_merges(words, new_tokens=1, max_token_letters=4, letters_of=["A", "C", "T"]) == [(0, 0)]


def test_of_pairs_that_stand_equally_often_the_lower_ids_go_first() -> None:
    words = [[2, 1], [1, 2], [1, 0]] * 2
    merges = learn_merges(words, new_tokens=3, max_token_letters=4, letters_of=["A", "C", "T"])
    assert merges == [(1, 0), (1, 2), (2, 1)]


def test_a_forbidden_pair_is_never_merged() -> None:
    words = [[0, 1, 2]] * 3
    merges = learn_merges(words, new_tokens=3, max_token_letters=4, letters_of=["A", "C", "T"], forbidden={(0, 1)})
    assert merges == [(1, 2), (0, 3)]


def test_text_in_several_chunks_gives_the_same_merges(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [[0, 1, 2, 1, 0] * number for number in range(1, 9)]
    whole = learn_merges(words, new_tokens=9, max_token_letters=6, letters_of=["A", "C", "T"])
    monkeypatch.setattr(learn, "_CHUNK", 7)
    assert learn_merges(words, new_tokens=9, max_token_letters=6, letters_of=["A", "C", "T"]) == whole


def test_words_in_one_array_are_ended_by_minus_one() -> None:
    words = [[0, 1, 0, 1], [1, 1, 0], [0, 1]]
    joined = [np.array([0, 1, 0, 1, -1, 1, 1, 0, -1, 0, 1], np.int16)]
    limits = {"new_tokens": 5, "max_token_letters": 4, "letters_of": ["A", "C"]}
    assert learn_merges(joined, **limits) == learn_merges(words, **limits)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.lists(st.integers(0, 2), max_size=60), min_size=1, max_size=9), cores=st.integers(1, 4))
def test_merges_do_not_depend_on_the_number_of_cores(monkeypatch: pytest.MonkeyPatch, words: Words, cores: int) -> None:
    for name, value in (("_SCANNED_MERGES", 2), ("_SCANNED_SHARE", 1 << 30)):
        monkeypatch.setattr(learn, name, value)
    monkeypatch.setattr(learn_index, "_LARGE_MERGE", 2)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    found = learn_merges(words, new_tokens=20, max_token_letters=6, letters_of=["A", "C", "G"])
    assert found == learn_slowly(words, 20, 6, ["A", "C", "G"])


def test_over_65000_ids_the_merges_are_the_same() -> None:
    words, letters = [[0, 1, 0, 2, 0, 1]] * 4, ["A", "C", "T"]
    many = [*letters, *(f"filler{number}" for number in range(66_000))]
    few = learn_merges(words, new_tokens=9, max_token_letters=6, letters_of=letters)
    shifted = learn_merges(words, new_tokens=9, max_token_letters=6, letters_of=many)
    assert spell_merges(shifted, many)[1] == spell_merges(few, letters)[1]


def test_merges_do_not_cross_words() -> None:
    assert learn_merges([[0], [1], [0], [1]], new_tokens=3, max_token_letters=4, letters_of=["A", "C"]) == []


def test_a_pair_seen_once_is_not_learnt() -> None:
    assert learn_merges([[0, 1]], new_tokens=1, max_token_letters=4, letters_of=["A", "C"]) == []


def test_no_token_is_longer_than_the_limit_in_letters() -> None:
    letters = ["ACGT", "A"]
    merges = learn_merges([[0, 0, 1] * 20], new_tokens=9, max_token_letters=5, letters_of=letters)
    tokens, _ = spell_merges(merges, letters)
    assert max(map(len, tokens)) == 5


def test_learning_goes_on_from_tokens_of_several_letters() -> None:
    merges = learn_merges([[0, 1, 0, 1]], new_tokens=1, max_token_letters=16, letters_of=["ATG", "CC"])
    assert spell_merges(merges, ["ATG", "CC"]) == (["ATG", "CC", "ATGCC"], [("ATG", "CC")])


def test_a_pair_that_spells_a_known_token_merges_into_it_and_makes_no_new_one() -> None:
    letters = ["A", "T", "G", "TG", "ATG"]
    merges = learn_merges([[0, 3], [0, 3]], new_tokens=5, max_token_letters=4, letters_of=letters)
    assert merges == [(0, 3)]
    assert spell_merges(merges, letters)[0] == letters


def test_no_text_gives_no_merges() -> None:
    assert learn_merges([], new_tokens=4, max_token_letters=4, letters_of=["A"]) == []
