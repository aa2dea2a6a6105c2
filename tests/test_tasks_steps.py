"""Answers with steps: exact by hand, whole in every prompt, generated before the labels are weighed."""

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from answering import item, write_answering_model, write_instructions
from llama_gene.config import EvaluateConfig, TaskChoice, TasksConfig
from llama_gene.errors import DataError
from llama_gene.evaluation.answering import answer_items, prompt_ids
from llama_gene.evaluation.evaluate import evaluate
from llama_gene.evaluation.items import Item, read_items
from llama_gene.evaluation.likelihood import Question, score_answers
from llama_gene.evaluation.score import score_file
from llama_gene.evaluation.steps import after_steps
from llama_gene.model.folders import load_pair
from llama_gene.sequences.translate import genetic_code, translate
from llama_gene.tasks.build import build_tasks
from llama_gene.tasks.split import split_tasks
from llama_gene.tasks.steps import Reading, dogma_steps, split_answer, with_answer
from llama_gene.tokenizer.load import load_tokenizer
from models import make_vocabulary
from splitting import NO_CALLS

LABELS = ("Conform", "Not Conform")
STEPS = "Frame: 1\nCodons: ATG AAA\nTranslation by genetic code 11: M K\nCompare: M=M K/R"


def test_the_steps_of_a_pair_are_exact_by_hand():
    assert dogma_steps(Reading(11, "MK"), "ATGAAA", "MR") == STEPS


def test_a_start_codon_a_stop_that_is_read_and_selenocysteine_are_read_as_the_gene_does():
    reading = Reading(4, translate("GTGTGATTT", table=4))
    assert dogma_steps(reading, "GTGTGATTT", "MWF").splitlines()[2:] == [
        "Translation by genetic code 4: M W F", "Compare: M=M W=W F=F",
    ]  # fmt: skip
    assert dogma_steps(Reading(11, "MUF"), "ATGTGATTT", "MUF").endswith("Compare: M=M U=U F=F")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (with_answer(STEPS, "Not Conform"), "Not Conform"),
        (with_answer(STEPS, "Conform") + "\n\n", "Conform"),
        ("Answer: Conform", "Conform"),
        (STEPS, None),
        ("Answer: Conform\nCodons: ATG", None),
        ("The Answer: Conform", None),
        ("", None),
    ],
)
def test_the_answer_is_the_last_line_or_none(text: str, answer: str | None):
    parted = split_answer(text)
    assert (parted[1] if parted else None) == answer


def write_genes(folder: Path, *, wrong: int = 0) -> None:
    """Two GenBank files of 40 genes, read by the genetic codes 11 and 4; of `wrong` ones the protein is another."""
    rng = np.random.default_rng(4)
    for code in (11, 4):
        residues = genetic_code(code).residues
        sense = [codon for codon in map("".join, product("ACGT", repeat=3)) if residues[codon] != "*"]
        genes = ["ATG" + "".join(rng.choice(sense, 39)) + "TAA" for _ in range(40)]
        lines = [f"LOCUS       G{code}  {123 * 40} bp DNA linear BCT 01-JAN-2020", f"VERSION     G{code}.1"]
        lines.append("FEATURES             Location/Qualifiers")
        for number, gene in enumerate(genes):
            protein = translate(gene, table=code)
            if number < wrong:
                protein = protein[:-1] + ("A" if protein[-1] != "A" else "G")
            lines.append(f"     CDS             {123 * number + 1}..{123 * number + 123}")
            for qualifier in (f"/transl_table={code}", f'/locus_tag="g{code}_{number}"', f'/translation="{protein}"'):
                lines.append(f"                     {qualifier}")
        (folder / f"{code}.gbk").write_text("\n".join([*lines, "ORIGIN", *origin("".join(genes)), "//", ""]))
    (folder / "defs").mkdir()
    (folder / "defs" / "t.toml").write_text(
        'name = "dogma"\ntitle = "Central Dogma prediction"\nfamily = "multi-sequence"\ndefinition = "Is it?"\n'
        'inputs = [{ kind = "dna" }, { kind = "protein" }]\nkeep = "start"\nin_register = true\nmin_letters = 10\n'
        'labels = [{ name = "Conform" }, { name = "Not Conform" }]\nsteps = true\n'
        'reader = { type = "coding", answer = "protein", files = [{ path = "11.gbk" }, { path = "4.gbk" }] }\n'
    )


def origin(genome: str) -> list[str]:
    rows = ((start, genome[start : start + 60].lower()) for start in range(0, len(genome), 60))
    return [f"{start + 1:>9} {' '.join(row[at : at + 10] for at in range(0, len(row), 10))}" for start, row in rows]


def build(folder: Path, **settings: Any) -> tuple[list[Item], dict[str, int]]:
    config = TasksConfig(tool_calls=NO_CALLS, choices=(TaskChoice(name="dogma"),), definitions=("defs",), **settings)
    split_tasks(config, data=folder, seed=1, output=folder / "splits")
    vocabulary = folder / "vocabulary" if (folder / "vocabulary").exists() else make_vocabulary(folder)
    manifest = build_tasks(config, splits=folder / "splits", tokenizer=vocabulary, seed=1, output=folder / "out")
    return list(read_items(folder / "out" / "train.jsonl")), manifest.counts


def test_every_answer_follows_from_its_steps_by_the_genes_own_code(tmp_path: Path):
    write_genes(tmp_path)
    items, _ = build(tmp_path, max_tokens=2000)
    codes = set()
    for one in items:
        (_, codons, read, compared, last), (dna, protein) = one.steps.splitlines(), one.sequences
        code = int(read.split(":")[0].rpartition(" ")[2])
        codes.add(code)
        assert codons == "Codons: " + " ".join(dna[place : place + 3] for place in range(0, len(dna), 3))
        ours = translate(dna, table=code, complete_end=False)
        assert read == f"Translation by genetic code {code}: {' '.join(ours)}"
        pairs = [f"{a}{'=' if a == b else '/'}{b}" for a, b in zip(ours, protein, strict=True)]
        assert compared == f"Compare: {' '.join(pairs)}"
        assert last == "Answer: "
        assert one.output == ("Not Conform" if "/" in compared.split(maxsplit=1)[1] else "Conform")
    assert codes == {4, 11}
    assert {one.output for one in items} == set(LABELS)


def test_steps_are_shortened_with_their_pair_and_the_prompt_fits(tmp_path: Path):
    write_genes(tmp_path)
    items, counts = build(tmp_path, max_tokens=320)
    tokenizer = load_tokenizer(tmp_path / "vocabulary")
    assert counts["dogma: shortened"] > 0
    for one in items:
        assert len(one.sequences[0]) == 3 * len(one.sequences[1]) < 120
        whole = prompt_ids(one, tokenizer) + tokenizer.encode_answer(one.steps + one.output)
        assert len(whole) + 1 <= 320
        assert one.steps.count("=") + one.steps.count("/") == len(one.sequences[1])


def test_a_pair_whose_given_protein_is_not_its_translation_is_refused_and_counted(tmp_path: Path):
    write_genes(tmp_path, wrong=3)
    _, counts = build(tmp_path, max_tokens=2000)
    assert counts["dogma: refused: its steps contradict its answer"] == 6


def stepped(**changes: Any) -> Item:
    return item(labels=LABELS, output="Not Conform", steps=STEPS + "\nAnswer: ", task="dogma", **changes)


def test_a_record_with_steps_is_read_and_written_alike(tmp_path: Path):
    (tmp_path / "test.jsonl").write_text(json.dumps(stepped().record()))
    (found,) = read_items(tmp_path / "test.jsonl")
    assert found == stepped()
    assert found.record()["output"] == with_answer(STEPS, "Not Conform")


def test_an_output_that_does_not_end_with_its_answer_is_refused(tmp_path: Path):
    record = stepped().record() | {"output": "Frame: 1"}
    (tmp_path / "test.jsonl").write_text(json.dumps(record))
    with pytest.raises(DataError, match="does not end with the answer 'Not Conform'"):
        list(read_items(tmp_path / "test.jsonl"))


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_answering_model(tmp_path_factory.mktemp("model") / "model")


def writes(text: str) -> Callable[..., list[str]]:
    return lambda model, tokenizer, prompts, **_: [text] * len(prompts)


@pytest.mark.parametrize("text", [with_answer(STEPS, "Conform"), "Frame: 1\nCodons: ATG"])
def test_labels_are_weighed_after_the_steps_the_model_wrote(model_folder: Path, monkeypatch, text: str):
    monkeypatch.setattr("llama_gene.evaluation.steps.generate_answers", writes(text))
    model, tokenizer = load_pair(model_folder, dtype=torch.float32)
    items = [stepped(id="1"), stepped(id="2", input="GGCC")]
    answers = answer_items(EvaluateConfig(), model.eval(), tokenizer, items, train=items, seed=1)
    written = (split_answer(text) or (text, ""))[0]
    questions = [
        Question(
            tuple(prompt_ids(one, tokenizer) + tokenizer.encode_answer(written + "\nAnswer: ")),
            tuple((*tokenizer.encode(label), tokenizer.eos_id) for label in LABELS),
        )
        for one in items
    ]
    expected = [scores.probability for scores in score_answers(model, questions, batch_items=2)]
    assert answers.probabilities == pytest.approx(np.array(expected), abs=1e-5)
    assert answers.generated == {0: text, 1: text}


def test_what_all_answers_begin_with_belongs_to_the_prompt(tmp_path: Path):
    tokenizer = load_tokenizer(make_vocabulary(tmp_path))
    question = after_steps(tokenizer, [5, 6], STEPS, LABELS)
    whole = [*question.prompt, *question.answers[1]]
    assert whole == [5, 6, *tokenizer.encode_answer(with_answer(STEPS, "Not Conform")), tokenizer.eos_id]
    assert len({answer[0] for answer in question.answers}) == 2


def test_a_model_with_random_weights_is_evaluated_and_its_unread_answers_counted(tmp_path: Path, model_folder: Path):
    splits = {
        split: [stepped(id=f"{split}{n}", split=split, group=str(n)) for n in range(4)] for split in ("test", "train")
    }
    splits["train"].append(stepped(id="x", split="train"))
    splits["train"] += [item(labels=LABELS, output="Conform", task="dogma", steps="Frame: 1\nAnswer: ", split="train")]
    folder = write_instructions(tmp_path / "instructions", splits)
    config = EvaluateConfig(max_step_tokens=12, bootstrap=100, kmer_max=2, allow_leaks=True)
    manifest = evaluate(config, model=model_folder, instructions=folder, seed=1, output=tmp_path / "out")
    assert manifest.counts["generated answers that name no label"] == 4
    predictions = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()]
    assert predictions[0]["output"] == with_answer(STEPS, "Not Conform")
    assert predictions[0]["response"] in LABELS
    assert predictions[0]["correct"] == (predictions[0]["response"] == "Not Conform")
    # The file scores alike when it is scored alone.
    right = np.mean([prediction["correct"] for prediction in predictions])
    assert score_file(tmp_path / "out" / "predictions.jsonl").accuracy == right


def test_a_file_of_answers_with_steps_is_scored_by_their_last_lines(tmp_path: Path):
    whole = with_answer(STEPS, "Not Conform")
    given = [whole, with_answer(STEPS, "Conform"), STEPS, "Not Conform"]
    rows = [{"output": whole, "response": text, "labels": list(LABELS)} for text in given]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = score_file(tmp_path / "a.jsonl")
    assert (found.accuracy, found.unread) == (0.5, 1)
