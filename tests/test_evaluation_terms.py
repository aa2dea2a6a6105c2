"""Answers that are lists of terms: read, compared and scored by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from answering import item
from llama_gene.config import TaskChoice, TasksConfig
from llama_gene.evaluation.baselines import Answers
from llama_gene.evaluation.items import read_items
from llama_gene.evaluation.metrics import draw_scores
from llama_gene.evaluation.predictions import prediction_line
from llama_gene.evaluation.scorer import measure_answers, score_each
from llama_gene.evaluation.tasks import ModelAnswers
from llama_gene.evaluation.terms import first_is_true, is_same, measure_fmax, read_term, read_terms, written
from llama_gene.tasks.build import build_tasks
from llama_gene.tasks.split import split_tasks
from models import make_vocabulary
from splitting import NO_CALLS

NUCLEUS, CYTOSOL, BINDING = "nucleus(GO:0005634)", "cytosol(GO:0005829)", "DNA binding(GO:0003677)"


def fmax(answers: list[dict[str, float]], true: list[list[str]]) -> float:
    found = measure_fmax(answers, true)
    return float(found.score(found.sums_NK.sum(axis=0, keepdims=True))[0])


@pytest.mark.parametrize(
    ("answer", "true", "right"),
    [
        ("nucleus(GO:0005634)", [CYTOSOL, NUCLEUS], True),
        ("NUCLEUS (go:0005634).", [NUCLEUS], True),
        ("nucleus", [NUCLEUS], True),
        ("GO:0005634", [NUCLEUS], True),
        ("nucleolus(GO:0005634)", [NUCLEUS], True),  # the identifier decides
        ("nucleus(GO:0005730)", [NUCLEUS], False),
        ("nuc", [NUCLEUS], False),
        ("nucleus and more", [NUCLEUS], False),
        ("cytosol; nucleus", [NUCLEUS], False),  # the first term counts
        ("", [NUCLEUS], False),
        (" ; ", [NUCLEUS], False),
        ("noyau", [NUCLEUS], False),
        ("1.1.1.1", ["EC 1.1.1.1"], True),
        ("EC:1.1.1.1", ["1.1.1.1"], True),
        ("alcohol dehydrogenase(EC 1.1.1.1)", ["1.1.1.1"], True),
        ("1.1.1.-", ["1.1.1.1"], False),
        ("1.1.1.12", ["1.1.1.1"], False),
        ("3.5.1.n3", ["EC 3.5.1.n3"], True),
        ("2.3.1.n6; 9.9.9.9", ["3.1.1.1", "1.1.1.-", "2.3.1.n6"], True),  # any of an enzyme's numbers
        ("1.1.1.-", ["3.1.1.1", "1.1.1.-", "2.3.1.n6"], True),
        ("1.1.1.1", ["3.1.1.1", "1.1.1.-", "2.3.1.n6"], False),
        ("ATP synthase subunit  A.", ["ATP synthase subunit a"], True),
        ("ATP synthase", ["ATP synthase subunit a"], False),
    ],
)
def test_the_first_term_is_right_if_it_is_among_the_true_ones(answer: str, true: list[str], right: bool):
    assert first_is_true(answer, true) == right


def test_terms_are_read_in_order_and_once():
    assert [term.number for term in read_terms(f"{NUCLEUS}; {CYTOSOL};{NUCLEUS}; ")] == ["GO:0005634", "GO:0005829"]
    assert read_term("2-oxoglutarate dehydrogenase").number == ""
    assert not is_same(read_term(""), read_term(""))


def test_fmax_of_scored_terms_is_that_of_cafa_by_hand():
    """Three items. At 0.9: precision (1 + 0) / 2, recall (1/2 + 0 + 0) / 3, F1 = 1/4. At 0.5: precision (1 + 1/2) / 2,
    recall (1 + 1 + 0) / 3, F1 = 12/17. At 0.1: precision (2/3 + 1/2 + 0) / 3, recall (1 + 1 + 0) / 3, F1 = 28/57."""
    answers = [{NUCLEUS: 0.9, CYTOSOL: 0.5, BINDING: 0.1}, {CYTOSOL: 0.9, BINDING: 0.5}, {NUCLEUS: 0.1}]
    true = [[NUCLEUS, CYTOSOL], [BINDING], [CYTOSOL]]
    assert fmax(answers, true) == pytest.approx(12 / 17)


def test_fmax_of_written_terms_is_the_f1_of_mean_precision_and_recall():
    """Precision is of the two items that answer, (1 + 1/2) / 2; recall of all three, (1/2 + 1 + 0) / 3."""
    answers = [written(NUCLEUS), written(f"{BINDING}; {CYTOSOL}"), written("")]
    true = [[NUCLEUS, CYTOSOL], [BINDING], [CYTOSOL]]
    assert fmax(answers, true) == pytest.approx(2 * 0.75 * 0.5 / 1.25)


def test_fmax_of_an_enzyme_counts_every_number_of_it():
    """One of two written numbers is true, one of three true ones is written: F1 of 1/2 and 1/3."""
    answer = written("1.1.1.-; 4.1.1.1")
    assert fmax([answer], [["3.1.1.1", "1.1.1.-", "2.3.1.n6"]]) == pytest.approx(2 / 5)


def test_fmax_is_one_for_the_truth_and_zero_for_nothing():
    true = [[NUCLEUS], [BINDING, CYTOSOL]]
    assert fmax([written("; ".join(terms)) for terms in true], true) == 1.0
    assert fmax([{}, {}], true) == 0.0


def test_a_task_of_terms_is_judged_by_fmax_first_term_and_words():
    items = [
        item(id=str(place), labels=None, output=terms[0], terms=terms, family="function")
        for place, terms in enumerate([(NUCLEUS, CYTOSOL), (BINDING,), (CYTOSOL, BINDING)])
    ]
    texts = (CYTOSOL, "DNA binding", "none")
    measured = measure_answers(items, Answers("model", texts))
    drawn = draw_scores(measured, units=np.arange(3), resamples=50, seed=1)
    assert list(drawn) == ["fmax", "first_term", "token_f1", "rouge_l", "exact"]
    assert drawn["first_term"].value == pytest.approx(2 / 3)
    assert score_each(items, texts).tolist() == [1.0, 1.0, 0.0]
    answers = ModelAnswers(texts, None, (), {})
    assert [json.loads(prediction_line(one, place, answers))["correct"] for place, one in enumerate(items)] == [
        True, True, False,
    ]  # fmt: skip


def test_terms_go_from_a_table_to_an_answer_of_the_first_and_a_truth_of_all(tmp_path: Path):
    rng = np.random.default_rng(1)
    (tmp_path / "defs").mkdir()
    (tmp_path / "defs" / "t.toml").write_text(
        'name = "go"\ntitle = "gene function prediction"\nfamily = "function"\ndefinition = "What?"\n'
        'inputs = [{ kind = "dna" }]\nanswer = { terms = 2 }\nmetric = "fmax"\n'
        'reader = { type = "table", format = "tsv", files = [{ path = "t.tsv" }], sequences = ["s"], label = "l" }\n'
    )
    rows = [f"{''.join(rng.choice(list('ACGT'), 40))}\t{NUCLEUS}; {CYTOSOL}; {BINDING}" for _ in range(20)]
    (tmp_path / "t.tsv").write_text("\n".join(["s\tl", *rows]))
    config = TasksConfig(tool_calls=NO_CALLS, choices=(TaskChoice(name="go"),), definitions=("defs",))
    split_tasks(config, data=tmp_path, seed=1, output=tmp_path / "splits")
    manifest = build_tasks(
        config, splits=tmp_path / "splits", tokenizer=make_vocabulary(tmp_path), seed=1, output=tmp_path / "out"
    )
    items = list(read_items(tmp_path / "out" / "test.jsonl"))
    assert {one.output for one in items} == {f"{NUCLEUS}; {CYTOSOL}"}
    assert {one.terms for one in items} == {(NUCLEUS, CYTOSOL, BINDING)}
    assert manifest.counts["go: true terms not written"] == 20
