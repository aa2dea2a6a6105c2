"""Small runs that are told apart by likeness to training, undefined or refused."""

import json
from dataclasses import replace

import pytest

from answering import LABELS, SMALL, evaluate_small, item, motif_items, write_instructions
from llama_gene.errors import DataError
from llama_gene.evaluation.evaluate import evaluate
from llama_gene.evaluation.items import Span, read_items, refuse_equal_splits
from llama_gene.sequences.alphabets import reverse_complement


def test_items_near_to_training_and_far_from_it_are_scored_apart(tmp_path):
    test = motif_items(40, seed=2, split="test")
    test = [replace(one, nearest=0.1 if place < 15 else 0.95) for place, one in enumerate(test)]
    evaluate_small(tmp_path, {"train": motif_items(40, seed=1), "test": test})
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    (identity,) = [one for one in report["tasks"][0]["profiles"] if one["property"] == "identity"]
    assert [(band["low"], band["high"], band["n"]) for band in identity["bands"]] == [(0.0, 0.3, 15), (0.9, 1.0, 25)]
    table = (tmp_path / "out" / "report.md").read_text()
    assert "| boxes | identity 0 – 0.3 | 15 |" in table
    assert "| boxes | identity 0.9 – 1 | 25 |" in table


def test_a_test_split_of_one_class_is_reported_as_undefined(tmp_path):
    splits = {"train": motif_items(20, seed=1), "test": motif_items(6, seed=2, output="promoter")}
    evaluate_small(tmp_path, splits)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    headline = report["tasks"][0]["comparisons"][0]
    assert (headline["metric"], headline["ours"]["value"], headline["verdict"]) == ("mcc", None, "undefined")
    assert "undefined" in (tmp_path / "out" / "report.md").read_text()
    assert "Synthetic" not in (tmp_path / "out" / "report.html").read_text()


def test_a_label_never_seen_in_training_is_refused_before_any_answer(tmp_path):
    splits = {"train": motif_items(10, seed=1, output="Non-promoter"), "test": [item(id="t9")]}
    with pytest.raises(DataError, match=r"task 'boxes', item 't9': label 'promoter' is never seen in training"):
        evaluate_small(tmp_path, splits)


def test_a_test_set_that_is_the_training_set_is_refused_unless_asked(tmp_path):
    items = motif_items(12, seed=1)
    new = motif_items(10, seed=2)
    with pytest.raises(
        DataError, match=r"task 'boxes': 12 of 22 test items stand in training, too.*allow_leaks = true"
    ):
        evaluate_small(tmp_path, {"train": items, "test": [*items, *new]})
    refuse = refuse_equal_splits
    refuse({"train": {"boxes": items}, "test": {"boxes": [*items[:10], *new]}}, "test", tmp_path)
    refuse({"train": {"other": items}, "test": {"boxes": items}}, "test", tmp_path)
    (tmp_path / "tasks.json").write_text(json.dumps({"boxes": {"split": {"allow_leaks": True}}}))
    refuse({"train": {"boxes": items}, "test": {"boxes": items}}, "test", tmp_path)
    asked = SMALL.model_copy(update={"allow_leaks": True})
    folder = write_instructions(tmp_path / "instructions", {"train": items, "test": items})
    evaluate(asked, model=tmp_path / "model", instructions=folder, seed=1, output=tmp_path / "allowed")


def test_copies_on_the_other_strand_or_the_other_way_round_are_copies(tmp_path):
    train = motif_items(10, seed=1)
    other = [replace(one, sequences=(reverse_complement(one.sequences[0]),)) for one in train]
    with pytest.raises(DataError, match="10 of 10 test items stand in training, too"):
        refuse_equal_splits({"train": {"boxes": train}, "test": {"boxes": other}}, "test", tmp_path)
    pairs = [item(id=str(place), sequences=("MK" * place, "MV"), kinds=("protein", "protein")) for place in range(1, 5)]
    swapped = [replace(one, sequences=one.sequences[::-1]) for one in pairs]
    splits = {"train": {"boxes": pairs}, "test": {"boxes": swapped}}
    refuse_equal_splits(splits, "test", tmp_path)
    (tmp_path / "tasks.json").write_text(json.dumps({"boxes": {"swappable": True}}))
    with pytest.raises(DataError, match="4 of 4 test items stand in training, too"):
        refuse_equal_splits(splits, "test", tmp_path)


def test_items_made_by_hand_without_sequences_are_compared_by_their_words(tmp_path):
    train = [item(id=str(place), input="ACGT" * place, sequences=("ACGT" * place,)) for place in range(1, 5)]
    bare = [replace(one, sequences=()) for one in train]
    for known, asked in ((train, bare), (bare, train)):
        with pytest.raises(DataError, match="4 of 4 test items stand in training, too"):
            refuse_equal_splits({"train": {"boxes": known}, "test": {"boxes": asked}}, "test", tmp_path)


def test_the_same_chain_asked_at_other_places_and_the_same_words_without_sequences_are_the_same():
    span = Span("MKVL", 0, 1, 0, (None,))
    first = item(sequences=("MK",), span=span)
    assert first.shown == item(sequences=("KV",), span=replace(span, start=1, end=2)).shown
    assert item(sequences=(), input="a").shown == item(sequences=(), input="a").shown != item(sequences=()).shown


def test_an_empty_test_split_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"test\.jsonl: holds no instructions"):
        evaluate_small(tmp_path, {"train": motif_items(10, seed=1), "test": []})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"test\.jsonl:2: not JSON"),
        ("[]", r"test\.jsonl:2: expected a JSON object"),
        ('{"id": "1"}', r"test\.jsonl:2: field 'instruction' is missing or empty"),
        (json.dumps(item(output="enhancer").record()), rf"'enhancer' is none of the labels {', '.join(LABELS)}"),
    ],
)
def test_a_bad_record_is_refused_with_its_line(tmp_path, line, message):
    path = tmp_path / "test.jsonl"
    path.write_text(json.dumps(item().record()) + "\n" + line + "\n")
    with pytest.raises(DataError, match=message):
        list(read_items(path))
