import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_gene.errors import ConfigError
from llama_gene.sequences.fragments import fragment, split_on_n


@given(st.integers(0, 5000), st.integers(1, 300), st.integers(0, 700), st.integers(0, 5))
def test_fragments_cover_the_sequence_without_loss(length, min_bp, extra, seed):
    letters = "ACGTTGCA" * (length // 8) + "A" * (length % 8)
    pieces = list(fragment(letters, np.random.default_rng(seed), min_bp, min_bp + extra))
    assert "".join(piece for _, piece in pieces) == letters
    assert all(letters[start : start + len(piece)] == piece for start, piece in pieces)
    assert all(0 < len(piece) <= min_bp + extra for _, piece in pieces)


@given(st.integers(300, 20_000), st.integers(0, 5))
def test_with_the_papers_lengths_no_fragment_is_short(length, seed):
    pieces = list(fragment("A" * length, np.random.default_rng(seed), 300, 1000))
    assert all(300 <= len(piece) <= 1000 for _, piece in pieces)


def test_a_short_sequence_is_one_fragment():
    assert list(fragment("ACG", np.random.default_rng(0), 300, 1000)) == [(0, "ACG")]


def test_the_seed_decides_the_fragments():
    first, again, other = (list(fragment("A" * 9000, np.random.default_rng(seed), 300, 1000)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_limits_in_the_wrong_order_are_refused():
    with pytest.raises(ConfigError, match="fragments of 10 to 5 letters: expected 1 <= min <= max"):
        list(fragment("ACGT", np.random.default_rng(0), 10, 5))


def test_runs_of_n_split_and_short_runs_stay():
    assert list(split_on_n("NNACGNNNGTNA", min_run=2)) == [(2, "ACG"), (8, "GTNA")]
    assert list(split_on_n("NNN")) == []
    assert list(split_on_n("ACGT")) == [(0, "ACGT")]
