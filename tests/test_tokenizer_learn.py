"""Learning merges: against a slow reference, and on cases worked out by hand."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from llama_gene.tokenizer.learn import learn_merges, spell_merges

Words = list[list[int]]


def _count(word: Sequence[int], pair: tuple[int, int]) -> int:
    found, place = 0, 0
    while place < len(word) - 1:
        stands = (word[place], word[place + 1]) == pair
        found, place = found + stands, place + 1 + stands
    return found


def _apply(words: Words, pair: tuple[int, int], token: int) -> int:
    done = 0
    for word in words:
        place = 0
        while place < len(word) - 1:
            if (word[place], word[place + 1]) == pair:
                word[place : place + 2] = [token]
                done += 1
            place += 1
    return done


def learn_slowly(words: Words, new_tokens: int, max_letters: int, letters: Sequence[str]) -> list[tuple[int, int]]:
    """Count everything again before every merge."""
    words, letters = [list(word) for word in words], list(letters)
    wanted, merges = len(letters) + new_tokens, []
    while len(letters) < wanted:
        pairs = {pair for word in words for pair in pairwise(word)}
        short = [pair for pair in pairs if len(letters[pair[0]] + letters[pair[1]]) <= max_letters]
        counted = [(-sum(_count(word, pair) for word in words), pair) for pair in short]
        counted = [entry for entry in counted if entry[0] <= -2]
        if not counted:
            break
        pair = min(counted)[1]
        spelt = letters[pair[0]] + letters[pair[1]]
        letters.append(spelt)
        merges.append(pair)
        _apply(words, pair, len(letters) - 1)
        for cut in range(1, len(spelt)):
            if spelt[:cut] in letters and spelt[cut:] in letters:
                other = (letters.index(spelt[:cut]), letters.index(spelt[cut:]))
                if _apply(words, other, len(letters) - 1):
                    merges.append(other)
    return merges


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 2), max_size=60), max_size=5), st.integers(2, 6))
def test_merges_equal_those_of_counting_everything_again(words: Words, longest: int) -> None:
    ours = learn_merges(words, new_tokens=12, max_token_letters=longest, letters_of=["A", "C", "G"])
    assert ours == learn_slowly(words, 12, longest, ["A", "C", "G"])


def test_overlapping_pairs_are_counted_once() -> None:
    # AAAA holds AA twice, not three times; CT stands three times and wins.
    words = [[0, 0, 0, 0], [1, 2], [1, 2], [1, 2]]
    assert learn_merges(words, new_tokens=1, max_token_letters=4, letters_of=["A", "C", "T"]) == [(1, 2)]


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


def test_all_splits_of_a_new_token_merge_at_once() -> None:
    # ATG is learnt as A + TG; the two places that read AT + G become ATG as well.
    letters = ["A", "T", "G", "AT", "TG"]
    words = [[0, 4]] * 3 + [[3, 2]] * 2
    assert learn_merges(words, new_tokens=1, max_token_letters=4, letters_of=letters) == [(0, 4), (3, 2)]


def test_no_text_gives_no_merges() -> None:
    assert learn_merges([], new_tokens=4, max_token_letters=4, letters_of=["A"]) == []
