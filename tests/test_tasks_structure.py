"""Structure per token and per letter: what is asked, how it is marked, and the same letters for every tokenizer."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from answering import write_answering_model
from llama_gene.config import EvaluateConfig, TaskChoice, TasksConfig, TokenizerConfig
from llama_gene.errors import ConfigError, DataError
from llama_gene.evaluation.evaluate import evaluate
from llama_gene.evaluation.items import Item, read_items
from llama_gene.evaluation.predictions import read_run
from llama_gene.evaluation.residues import count_residues, measure_residues, spread
from llama_gene.tasks.build import as_chosen, build_tasks
from llama_gene.tasks.definitions import Task, load_task
from llama_gene.tasks.split import split_tasks
from llama_gene.tasks.states import ask_chain, letter_spans, window_of
from llama_gene.tasks.wordings import MARKED, marked_text
from llama_gene.tokenizer.load import load_tokenizer
from models import make_vocabulary
from splitting import NO_CALLS
from vocabularies import MAKERS, grow

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
EIGHT = "GHIEBTSC"
PROTEIN = load_task("secondary-structure")
RNA = load_task("rna-structure")


def ask(task: Task, chain: str, states: str, spans: list[tuple[int, int]], number: int = 0):
    return ask_chain(task, chain, states, spans, number=number, rng=np.random.default_rng(1))


def changed(task: Task, **changes: object) -> Task:
    return Task.model_validate(task.model_dump() | changes)


def test_a_token_is_read_with_the_thirty_letters_before_it_and_none_behind():
    chain = "".join(RESIDUES[n % 20] for n in range(60))
    assert window_of(PROTEIN, chain, (40, 44)) == (chain[10:44], 30)
    assert window_of(PROTEIN, chain, (0, 3)) == (chain[0:3], 0)


def test_a_letter_is_read_with_context_on_both_sides():
    chain = "".join(RESIDUES[n % 20] for n in range(60))
    task = changed(PROTEIN, unit="letter", left_letters=5, right_letters=3)
    assert window_of(task, chain, (20, 21)) == (chain[15:24], 5)
    assert window_of(task, chain, (58, 59)) == (chain[53:60], 5)
    assert changed(PROTEIN, unit="letter").letters_after == 30


def test_a_token_stands_for_its_drawn_letters_and_unknown_states_never_count():
    asked = ask(PROTEIN, "MKVLA", "HC-C-", [(0, 3), (3, 5)])
    assert [(one.start, one.end, one.label) for one in asked] == [(0, 3, "alpha helix"), (3, 5, "random coil")]
    assert [one.states for one in asked] == [("alpha helix", "random coil", None), ("random coil", None)]


def test_the_same_letters_are_drawn_whatever_the_parts_are():
    rng = np.random.default_rng(3)
    chain, states = "".join(rng.choice(list(RESIDUES), 90)), "".join(rng.choice(list("HEC-"), 90))
    cuts = [0, *sorted(rng.choice(range(1, 90), 25, replace=False).tolist()), 90]
    drawn = [
        {one.start + place: state for one in asked for place, state in enumerate(one.states) if state}
        for asked in (
            ask(PROTEIN, chain, states, letter_spans(chain), number=12),
            ask(PROTEIN, chain, states, list(pairwise(cuts)), number=12),
        )
    ]
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 12


def test_dot_bracket_per_base_is_asked_by_hand():
    task = changed(RNA, unit="letter", left_letters=1, right_letters=1)
    asked = ask(task, "GAAC", "(..)", letter_spans("GAAC"))
    assert [(*one.window, one.label) for one in asked] == [
        ("GA", 0, "paired with a later base"), ("GAA", 1, "unpaired"), ("AAC", 1, "unpaired"),
        ("AC", 1, "paired with an earlier base"),
    ]  # fmt: skip


def test_eight_states_are_asked_like_three():
    labels = [{"name": state} for state in EIGHT]
    asked = ask(changed(PROTEIN, labels=labels, unit="letter"), RESIDUES[:8], EIGHT, letter_spans(RESIDUES[:8]))
    assert "".join(one.label for one in asked) == EIGHT


@pytest.fixture(scope="module")
def vocabularies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("vocabularies")
    return {"tokens": make_vocabulary(folder), "letters": write_answering_model(folder / "letters")}


@pytest.mark.parametrize("make", sorted(MAKERS))
def test_no_token_joins_a_bracket_or_what_stands_in_it(tmp_path: Path, make: str):
    folder = grow(MAKERS[make](tmp_path), tmp_path, TokenizerConfig(dna_size=60, protein_size=60))
    tokenizer = load_tokenizer(folder)
    protein = "".join(np.random.default_rng(1).choice(list(RESIDUES), 61))
    for place in (0, 30, 60):
        for spelling in ("joined", "spaced"):
            text = "\n" + marked_text(protein, (place, place + 1), spelling)
            tokens = [stripped for start, end in tokenizer.offsets(text) if (stripped := text[start:end].strip())]
            where = tokens.index("[")
            assert tokens[where : where + 3] == ["[", protein[place], "]"]
            assert sum("[" in token or "]" in token for token in tokens) == 2


def write_chains(folder: Path, *, mixed: bool) -> TasksConfig:
    """Chains of four-letter stretches of one state; or of one state each."""
    rng = np.random.default_rng(5)
    (folder / "defs").mkdir()
    (folder / "defs" / "t.toml").write_text(
        'name = "states"\ntitle = "a test"\nfamily = "structure"\ndefinition = "Which state?"\n'
        'inputs = [{ kind = "protein" }]\nkeep = "end"\n'
        'labels = [{ name = "helix", values = ["H"] }, { name = "coil", values = ["C"] }]\n'
        'reader = { type = "table", files = [{ path = "t.csv" }], sequences = ["s"], label = "l" }\n'
    )
    rows = []
    for number in range(30):
        chain = "".join(rng.choice(list(RESIDUES), 50))
        states = "".join("HC"[int(rng.integers(2))] * 5 for _ in range(10)) if mixed else "HC"[number % 2] * 50
        rows.append(f"{chain},{states}")
    (folder / "t.csv").write_text("\n".join(["s,l", *rows]))
    return TasksConfig(tool_calls=NO_CALLS, choices=(TaskChoice(name="states"),), definitions=("defs",))


def held_out(folder: Path, config: TasksConfig, tokenizer: Path, **choice: object) -> list[Item]:
    config = config.model_copy(update={"choices": (TaskChoice(name="states", **choice),)})
    split_tasks(config, data=folder, seed=1, output=folder / "splits")
    build_tasks(config, splits=folder / "splits", tokenizer=tokenizer, seed=1, output=folder / "out")
    return list(read_items(folder / "out" / "test.jsonl"))


def scored(items: list[Item], texts: list[str]) -> tuple[int, float]:
    """Letters that count, and the accuracy of the answers over them."""
    found = measure_residues(items, spread(items, texts))["per_residue_accuracy"]
    sums_1K = found.sums_NK.sum(axis=0, keepdims=True)
    return int(sums_1K[:, : len(items[0].labels)].sum()), float(found.score(sums_1K)[0])


def test_a_perfect_model_is_right_for_every_residue_with_any_tokenizer(tmp_path: Path, vocabularies):
    config = write_chains(tmp_path, mixed=False)
    for name, positions in (("tokens", 0), ("letters", 0), ("tokens", 6), ("letters", 6)):
        items = held_out(tmp_path, config, vocabularies[name], positions=positions)
        residues = count_residues(items)
        assert (residues.chains, residues.ceiling) == (3, 1.0)
        assert scored(items, [item.output for item in items]) == (3 * (positions or 50), 1.0)


@pytest.mark.parametrize("positions", [0, 7])
def test_the_same_answers_count_alike_on_the_same_residues(tmp_path: Path, vocabularies, positions):
    config = write_chains(tmp_path, mixed=True)
    arms = {
        "tokens": held_out(tmp_path, config, vocabularies["tokens"], positions=positions),
        "letters": held_out(tmp_path, config, vocabularies["letters"], positions=positions),
        "letter by letter": held_out(tmp_path, config, vocabularies["tokens"], positions=positions, unit="letter"),
    }
    assert len(arms["tokens"]) <= len(arms["letters"]) == len(arms["letter by letter"])
    for answer in ("helix", "coil", "none of them"):
        counts = {name: scored(items, [answer] * len(items)) for name, items in arms.items()}
        assert len(set(counts.values())) == 1
    letters = count_residues(arms["letters"])
    assert (letters.ceiling, letters.ceiling_mcc) == (1.0, pytest.approx(1.0))
    assert scored(arms["tokens"], [item.output for item in arms["tokens"]])[1] == count_residues(arms["tokens"]).ceiling


def test_a_token_of_two_states_is_right_for_the_letters_it_fits(tmp_path: Path):
    asked = ask(PROTEIN, "MKV", "HHC", [(0, 3)])[0]
    record = {
        "id": "x", "instruction": "Which?", "input": "MKV", "output": asked.label, "task": "t", "family": "structure",
        "labels": list(PROTEIN.label_names),
        "span": {"chain": "c", "start": 0, "end": 3, "before": 0, "states": list(asked.states)},
    }  # fmt: skip
    (tmp_path / "test.jsonl").write_text(json.dumps(record) + "\n")
    items = list(read_items(tmp_path / "test.jsonl"))
    assert scored(items, ["alpha helix"]) == (3, 2 / 3)
    assert scored(items, ["random coil"]) == (3, 1 / 3)
    assert count_residues(items).ceiling == 2 / 3
    # All three letters are answered alike: MCC is 0.
    assert count_residues(items).ceiling_mcc == 0.0
    assert json.loads(json.dumps(items[0].record()))["span"] == record["span"]


def test_a_span_with_too_few_states_is_refused(tmp_path: Path):
    span = {"chain": "c", "start": 0, "end": 3, "before": 0, "states": ["H"]}
    record = {
        "id": "x", "instruction": "Which?", "output": "H", "task": "t", "family": "structure", "labels": ["H", "C"],
        "span": span,
    }  # fmt: skip
    (tmp_path / "test.jsonl").write_text(json.dumps(record) + "\n")
    with pytest.raises(DataError, match="1 states for 3 letters"):
        list(read_items(tmp_path / "test.jsonl"))


def test_the_report_scores_the_model_and_every_baseline_per_residue(tmp_path: Path, vocabularies):
    held_out(tmp_path, write_chains(tmp_path, mixed=True), vocabularies["letters"], positions=6, unit="letter")
    config = EvaluateConfig(bootstrap=100, generate_items=0, kmer_max=2, batch_items=8, cnn_letters=1000)
    evaluate(config, model=vocabularies["letters"], instructions=tmp_path / "out", seed=1, output=tmp_path / "report")
    (found,) = json.loads((tmp_path / "report" / "report.json").read_text())["tasks"]
    scores = {one["metric"]: one for one in found["comparisons"]}
    assert found["residues"] == {"n": 18, "chains": 3, "ceiling": 1.0, "ceiling_mcc": 1.0}
    assert (found["headline"], list(scores)[:2]) == ("per_residue_mcc", ["per_residue_mcc", "per_residue_accuracy"])
    assert scores["per_residue_mcc"]["ours"]["n"] == 18
    for name in ("ours", "majority", "kmer"):
        # A letter is a question of its own, so both ways of counting agree.
        assert scores["per_residue_accuracy"][name]["value"] == scores["accuracy"][name]["value"]
    page = (tmp_path / "report" / "tasks" / "01-states.html").read_text()
    assert "18 letters of 3 chains" in page


def test_runs_of_two_tokenizers_are_compared_letter_by_letter(tmp_path: Path, vocabularies):
    config = write_chains(tmp_path, mixed=True)
    settings = EvaluateConfig(bootstrap=100, generate_items=0, baselines=("kmer",), kmer_max=1, batch_items=8)
    runs: dict[str, Path] = {}
    for name in ("letters", "tokens"):
        held_out(tmp_path, config, vocabularies[name], positions=24)
        evaluate(
            settings, model=vocabularies["letters"], instructions=tmp_path / "out", seed=1, output=tmp_path / name,
            against=list(runs.values()), baselines=tmp_path / "kept",
        )  # fmt: skip
        runs[name] = tmp_path / name
    first, second = (json.loads((run / "report.json").read_text())["tasks"][0] for run in runs.values())
    assert first["n"] > second["n"]
    (rival,) = second["rivals"]
    alone = {one["metric"]: one["ours"]["value"] for one in first["comparisons"]}
    assert {metric: score["value"] for metric, score in rival["scores"].items()} == pytest.approx(
        {metric: alone[metric] for metric in ("per_residue_mcc", "per_residue_accuracy")}
    )
    text = (runs["tokens"] / "report.md").read_text()
    assert "| states | MCC per residue |" in text.partition("Against letters")[2]
    assert "| states | accuracy |" not in text.partition("Against letters")[2]
    assert "letter by letter" in (runs["tokens"] / "report.html").read_text()


def test_runs_that_ask_about_other_letters_are_refused_with_the_reason(tmp_path: Path, vocabularies):
    config = write_chains(tmp_path, mixed=True)
    others = held_out(tmp_path, config, vocabularies["letters"], positions=5)
    said = "".join(json.dumps({**item.record(), "response": item.output}) + "\n" for item in others)
    (tmp_path / "predictions.jsonl").write_text(said)
    items = held_out(tmp_path, config, vocabularies["tokens"], positions=6)
    with pytest.raises(DataError, match=r"parts its chains otherwise there.*not asked about once in both.*positions"):
        read_run(tmp_path, {"states": items})


def test_a_token_with_letters_behind_it_is_marked_too(tmp_path: Path, vocabularies):
    config = write_chains(tmp_path, mixed=True)
    definition = tmp_path / "defs" / "t.toml"
    definition.write_text(f"right_letters = 4\n{definition.read_text()}")
    for item in held_out(tmp_path, config, vocabularies["tokens"]):
        assert item.span is not None
        asked = item.input.partition("[ ")[2].partition(" ]")[0]
        assert len(asked) == item.span.end - item.span.start
        assert MARKED in item.instruction


def test_a_marked_question_says_so_and_is_the_last_line_of_the_instruction(tmp_path: Path, vocabularies):
    config = write_chains(tmp_path, mixed=True)
    for item in held_out(tmp_path, config, vocabularies["tokens"], unit="letter", positions=2):
        assert item.instruction.endswith(f"helix, coil\n{MARKED}")
        assert item.span is not None
        shown = item.sequences[0]
        place = item.span.before
        assert item.input == f"{shown[:place]} [ {shown[place]} ] {shown[place + 1 :]}".strip()
        assert "[" not in shown


def test_a_limit_is_never_exceeded_and_asks_the_same_residues_with_every_tokenizer(tmp_path: Path, vocabularies):
    config = write_chains(tmp_path, mixed=True)
    for name in vocabularies:
        items = held_out(tmp_path, config, vocabularies[name], test=20, positions=8)
        assert len(items) <= 20
        assert count_residues(items).n == 16
        assert count_residues(held_out(tmp_path, config, vocabularies[name], test=5, positions=8)).n == 5


def test_a_choice_that_the_task_cannot_follow_is_an_error():
    with pytest.raises(ConfigError, match="task 'gb1': unit is for structure tasks, not for regression"):
        as_chosen(load_task("gb1"), TaskChoice(name="gb1", unit="letter"))
    with pytest.raises(ConfigError, match=r"task 'rna-structure': steps needs coding DNA .* Change or drop steps"):
        as_chosen(RNA, TaskChoice(name="rna-structure", steps=True))


@pytest.mark.parametrize(
    ("states", "on_invalid", "said"), [("HHC", "error", "3 states for 5 letters"), ("HHCQC", "error", "'Q' is not one")]
)
def test_states_that_do_not_fit_the_chain_are_an_error_or_counted(tmp_path: Path, states, on_invalid, said):
    config = write_chains(tmp_path, mixed=True)
    with (tmp_path / "t.csv").open("a") as rows:
        rows.write(f"\nMKVLA,{states}\n")
    with pytest.raises(DataError, match=said):
        split_tasks(config.model_copy(update={"on_invalid": on_invalid}), data=tmp_path, seed=1, output=tmp_path / "s")
    manifest = split_tasks(config, data=tmp_path, seed=1, output=tmp_path / "s")
    assert sum(count for reason, count in manifest.counts.items() if "state" in reason) == 1


def test_a_mask_of_another_length_than_its_chain_is_an_error_or_counted(tmp_path: Path):
    """A mask that is not as long as its chain says nothing about its letters."""
    rng = np.random.default_rng(2)
    chains = ["".join(rng.choice(list(RESIDUES), 20)) for _ in range(12)]
    states = [("H" * 10 + "C" * 10)] * 12
    masks = ["1" * 20] * 11 + ["1" * 19]
    for name, rows in (("s", chains), ("t", states), ("m", masks)):
        (tmp_path / f"{name}.fa").write_text("".join(f">c{place}\n{row}\n" for place, row in enumerate(rows)))
    (tmp_path / "defs").mkdir()
    (tmp_path / "defs" / "t.toml").write_text(
        'name = "states"\ntitle = "a test"\nfamily = "structure"\ndefinition = "Which state?"\n'
        'inputs = [{ kind = "protein" }]\nkeep = "end"\n'
        'labels = [{ name = "helix", values = ["H"] }, { name = "coil", values = ["C"] }]\n'
        'reader = { type = "states", sequences = "s.fa", states = "t.fa", mask = "m.fa" }\n'
    )
    config = TasksConfig(tool_calls=NO_CALLS, choices=(TaskChoice(name="states"),), definitions=("defs",))
    with pytest.raises(DataError, match=r"c11.*mask has 19 places for 20 states"):
        split_tasks(config.model_copy(update={"on_invalid": "error"}), data=tmp_path, seed=1, output=tmp_path / "out")
    manifest = split_tasks(config, data=tmp_path, seed=1, output=tmp_path / "out")
    assert manifest.counts["states: mask does not fit the chain"] == 1
