import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_gene.errors import ConfigError
from llama_gene.sequences.fragments import fragment_borders


def borders(length: int, seed: int, min_bp: int = 300, max_bp: int = 1000) -> list[int]:
    return fragment_borders(length, np.random.default_rng(seed), min_bp, max_bp).tolist()


@given(st.integers(0, 5000), st.integers(1, 300), st.integers(0, 700), st.integers(0, 5))
def test_fragments_cover_the_sequence_without_loss(length, min_bp, extra, seed):
    found = borders(length, seed, min_bp, min_bp + extra)
    assert found[0] == 0
    assert found[-1] == length
    assert all(0 < size <= min_bp + extra for size in np.diff(found))


@given(st.integers(300, 20_000), st.integers(0, 5))
def test_with_the_papers_lengths_no_fragment_is_short(length, seed):
    assert all(300 <= size <= 1000 for size in np.diff(borders(length, seed)))


def test_lengths_are_uniform_between_the_limits():
    sizes = np.diff(borders(13_000_000, seed=1))
    assert sizes.mean() == pytest.approx(650, rel=0.01)
    assert sizes.std() == pytest.approx(700 / 12**0.5, rel=0.01)


def test_a_short_sequence_is_one_fragment():
    assert borders(3, seed=0) == [0, 3]
    assert borders(0, seed=0) == [0]


def test_the_seed_decides_the_fragments():
    assert borders(9000, seed=1) == borders(9000, seed=1) != borders(9000, seed=2)


def test_limits_in_the_wrong_order_are_refused():
    with pytest.raises(ConfigError, match="fragments of 10 to 5 letters: expected 1 <= min <= max"):
        borders(4, seed=0, min_bp=10, max_bp=5)
