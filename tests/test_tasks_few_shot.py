"""Examples of few-shot prompts: from training, balanced, never kin of the item."""

from collections import Counter
from dataclasses import replace

import pytest

from llama_gene.errors import DataError
from llama_gene.evaluation.items import Item
from llama_gene.tasks.few_shot import Examples


def items(number: int, labels: tuple[str, ...] | None = ("no", "yes", "maybe")) -> list[Item]:
    return [
        Item(
            id=str(place), instruction="?", input="ACGT", output=(labels or ("a text",))[place % len(labels or "1")],
            task="t", family="classification", split="train", labels=labels, group=f"g{place // 2}",
            sequences=("ACGT",), kinds=("dna",), value=None,
        )
        for place in range(number)
    ]  # fmt: skip


def test_every_label_is_shown_as_often():
    drawn = Examples(items(60), seed=1).draw(9)
    assert Counter(item.output for item in drawn) == {"no": 3, "yes": 3, "maybe": 3}


def test_a_rare_label_is_shown_first_and_others_fill_up():
    one = replace(items(1)[0], output="maybe", id="rare", group="rare")
    drawn = Examples([*(item for item in items(60) if item.output != "maybe"), one], seed=1).draw(7)
    assert Counter(item.output for item in drawn) == {"maybe": 1, "no": 3, "yes": 3}


def test_the_same_seed_draws_the_same_for_all_items_of_a_task():
    first, again, other = (
        [item.id for item in Examples(items(60), seed=seed).draw(6, group="elsewhere")] for seed in (1, 1, 2)
    )
    assert first == again != other


def test_an_item_never_sees_its_own_group_and_the_rest_stays():
    examples = Examples(items(60), seed=1)
    usual = examples.draw(6)
    for asked in usual:
        drawn = examples.draw(6, group=asked.group)
        assert asked.group not in {item.group for item in drawn}
        assert Counter(item.output for item in drawn) == Counter(item.output for item in usual)
        assert len({item.id for item in drawn} & {item.id for item in usual}) >= 4


def test_no_two_examples_are_alike():
    drawn = Examples(items(60), seed=1).draw(12)
    assert len({item.group for item in drawn}) == 12


def test_free_text_needs_no_labels():
    assert len(Examples(items(10, labels=None), seed=1).draw(3)) == 3


def test_a_test_item_is_refused_as_an_example():
    with pytest.raises(DataError, match="item '1' belongs to 'test'"):
        Examples([items(1)[0], replace(items(2)[1], split="test")], seed=1)


def test_too_few_examples_are_told():
    with pytest.raises(DataError, match=r"9 examples asked for, and training has 5 that are not alike"):
        Examples(items(10), seed=1).draw(9)
    assert Examples([], seed=1).draw(0) == []
