"""English that a gene model must keep: what is asked, how it is read, and what the gauge says."""

import gzip
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from answering import motif_items, write_answering_model, write_instructions
from llama_gene.config import ControlsConfig, CorpusConfig, EvaluateConfig, Source
from llama_gene.corpus.build import build_corpus
from llama_gene.corpus.english import is_held_out, read_pubmedqa
from llama_gene.errors import DataError
from llama_gene.evaluation.controls import EnglishSources, begin_controls
from llama_gene.evaluation.controls_pubmedqa import decide, held_out_questions, prompt_within
from llama_gene.evaluation.controls_questions import is_right, plain_questions
from llama_gene.evaluation.controls_text import held_out_text, nats_of_texts
from llama_gene.evaluation.evaluate import evaluate
from llama_gene.model.folders import load_pair
from llama_gene.prompts import RESPONSE_HEADING
from llama_gene.sequences.files import open_parquet
from llama_gene.tokenizer.tiny import english_pages

SMALL = ControlsConfig(text_bytes=600, questions=4, max_new_tokens=4, pubmedqa_items=5)


def word_of(number: int) -> str:
    """A word of its own for each number, so that no two records share a run of words."""
    return "".join(chr(97 + int(digit)) for digit in f"{number:04d}") + "ol"


def record(number: int, words: int = 40) -> dict[str, Any]:
    stem = " ".join(f"{word_of(number)}{word_of(place)}" for place in range(words))
    return {
        "QUESTION": f"Does {word_of(number)} help?", "CONTEXTS": [f"{stem} one.", f"{stem} two."],
        "LONG_ANSWER": f"It does, said {stem}.", "final_decision": ("yes", "no", "maybe")[number % 3],
    }  # fmt: skip


def write_pubmedqa(path: Path, count: int = 60, words: int = 40) -> Path:
    path.write_text(json.dumps({str(number): record(number, words) for number in range(count)}, indent=1))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("controls")
    write_answering_model(place / "tuned", seed=1)
    write_answering_model(place / "base", seed=2)
    write_pubmedqa(place / "pubmedqa.json", words=4)
    return place


@pytest.fixture(scope="module")
def corpus(folder: Path) -> tuple[Path, Mapping[str, int]]:
    """A corpus of English pages and of abstracts, built without those that are asked; and its counts."""
    (folder / "pages").mkdir()
    for name, text in english_pages():
        (folder / "pages" / f"{name}.md").write_text(text)
    write_pubmedqa(folder / "abstracts.json", words=14)
    sources = tuple(Source(path=path, kind="text") for path in ("pages", "abstracts.json"))
    settings = CorpusConfig(sources=sources, valid_share=0.2, text_max_bytes=400)
    controls = ControlsConfig(pubmedqa="abstracts.json")
    made = build_corpus(settings, data=folder, seed=1, output=folder / "corpus", controls=controls)
    return folder / "corpus", made.counts


@pytest.fixture(scope="module")
def pair(folder: Path):
    model, tokenizer = load_pair(folder / "tuned")
    return model.eval(), tokenizer


# --- plain questions -------------------------------------------------------------------------------------------------

RIGHT = {
    "Answer with the word yes.": ("Yes.", "yes\nACGT"),
    "Write this word in capital letters.": ("STONE", "STONE."),
    "How many words are in this list? Answer with a number.": ("3", "Three."),
    "Write exactly three words.": ("we went home", "One, two, three."),
    "Name three fruits on one line, separated by commas.": ("apple, pear, plum",),
    "Name four animals, each on a line of its own.": ("cat\ndog\n\ncow\nhen",),
    "Write a sentence that ends with the word home.": ("We went home.",),
    "Write a sentence that begins with the word Today.": ("Today it rains.",),
    "Write a sentence of at least four words without the letter e.": ("A cat sat still.",),
    "Write a sentence with the words lamp and table.": ("The lamp is on the table.",),
    "Write one word in capital letters only.": ("RIVER",),
    "Write a sentence of at least four words in small letters only.": ("it is very cold",),
    "Write these numbers in order from small to large, separated by commas.": ("4, 6, 9",),
}
WRONG = {
    "Answer with the word yes.": ("yesterday", "no", "promoter", ""),
    "Write this word in capital letters.": ("stone", "Stone"),
    "How many words are in this list? Answer with a number.": ("30", "red, green, blue"),
    "Write exactly three words.": ("we went", "we all went home"),
    "Name three fruits on one line, separated by commas.": ("apple, pear", "apple pear plum"),
    "Name four animals, each on a line of its own.": ("cat dog cow hen",),
    "Write a sentence that ends with the word home.": ("A homerun.", "Home is best."),
    "Write a sentence that begins with the word Today.": ("It rains today.",),
    "Write a sentence of at least four words without the letter e.": ("No.", "A hen sat here still."),
    "Write a sentence with the words lamp and table.": ("The lamp.", "tablelamp"),
    "Write one word in capital letters only.": ("River", "42"),
    "Write a sentence of at least four words in small letters only.": ("It is very cold", "cold"),
    "Write these numbers in order from small to large, separated by commas.": ("9, 4, 6",),
}


@pytest.mark.parametrize("ask", RIGHT)
def test_an_answer_is_read_by_the_rule_of_its_question(ask: str) -> None:
    (question,) = [one for one in plain_questions(99) if one.ask == ask]
    assert all(is_right(question, answer) for answer in RIGHT[ask])
    assert not any(is_right(question, answer) for answer in WRONG[ask])


def test_there_are_about_thirty_questions_and_no_empty_answer_is_right() -> None:
    questions = plain_questions(99)
    assert 30 <= len(questions) == len({(one.ask, one.input) for one in questions})
    assert not any(is_right(one, answer) for one in questions for answer in ("", " ", "...", "\n"))
    assert {one.rule for one in questions} >= {"is", "exactly", "words", "items", "lines", "lacks", "holds"}


def test_sequence_letters_and_labels_are_right_for_no_question_about_words() -> None:
    about = [one for one in plain_questions(99) if one.rule in ("is", "exactly", "begins", "ends", "holds", "lines")]
    answers = ("ACGTACGT", "promoter", "Non-promoter", "MKVLA", "alpha helix")
    assert not any(is_right(one, answer) for one in about for answer in answers)


# --- held-out text ---------------------------------------------------------------------------------------------------


def test_bits_are_those_of_one_document_at_a_time(pair) -> None:
    model, tokenizer = pair
    documents = ["Water falls.", "A hillside remembers the rain for a long while.", "x"]
    found = nats_of_texts(model, tokenizer, documents)
    for nats, text in zip(found, documents, strict=True):
        ids = torch.tensor([[tokenizer.bos_id, *tokenizer.encode(text), tokenizer.eos_id]])
        with torch.inference_mode():
            steps = model(ids).logits[0, :-1].log_softmax(dim=-1)
        assert nats == pytest.approx(-float(steps.gather(1, ids[0, 1:, None]).sum()), rel=1e-4)


def test_a_document_beyond_the_context_is_read_in_pieces(pair) -> None:
    model, tokenizer = pair
    (nats,) = nats_of_texts(model, tokenizer, ["a b c d " * 200])
    assert math.isfinite(nats)
    assert nats > nats_of_texts(model, tokenizer, ["a b c d " * 60])[0]


def test_named_files_come_before_the_corpus_and_the_corpus_before_the_page(corpus, tmp_path: Path) -> None:
    (tmp_path / "paper.txt").write_text("A named paper about rivers and rain.\n")
    named = held_out_text(ControlsConfig(texts=("paper.txt",)), data=tmp_path, corpus=corpus[0])
    of_corpus = held_out_text(ControlsConfig(text_bytes=500), data=tmp_path, corpus=corpus[0])
    page = held_out_text(ControlsConfig(), data=tmp_path, corpus=None)
    assert (named.documents, named.source) == (("A named paper about rivers and rain.",), "paper.txt")
    held_out = {row["text"] for row in open_parquet(corpus[0] / "valid" / "00000.parquet").read().to_pylist()}
    assert of_corpus.source == "validation texts of the corpus"
    assert set(of_corpus.documents) <= held_out
    assert 500 <= of_corpus.sizes()[:, 0].sum() < 1000
    assert page.source.startswith("a page of llama-gene")
    assert len(page.documents) > 15


def test_the_page_shares_no_run_of_eight_words_with_the_pages_the_tiny_vocabulary_learns_from() -> None:
    def runs(text: str) -> set[tuple[str, ...]]:
        words = text.casefold().split()
        return {tuple(words[place : place + 8]) for place in range(len(words))}

    page = " ".join(held_out_text(ControlsConfig(), data=Path(), corpus=None).documents)
    assert not runs(page) & set.union(*(runs(text) for _, text in english_pages()))


# --- PubMedQA --------------------------------------------------------------------------------------------------------


def test_both_published_layouts_are_read(tmp_path: Path) -> None:
    one = record(7)
    theirs = tmp_path / "pqal.json.gz"
    theirs.write_bytes(gzip.compress(json.dumps({"7": one}).encode()))
    rows = tmp_path / "train.jsonl"
    row = {
        "pubid": 7, "question": one["QUESTION"], "context": {"contexts": one["CONTEXTS"], "labels": ["A", "B"]},
        "long_answer": one["LONG_ANSWER"], "final_decision": one["final_decision"],
    }  # fmt: skip
    rows.write_text(json.dumps(row) + "\n" + json.dumps(row | {"pubid": 8}) + "\n")
    (first,), (second, third) = read_pubmedqa(theirs), read_pubmedqa(rows)
    assert first == second
    assert (first.id, third.id, first.decision) == ("7", "8", "no")
    assert first.context == " ".join(one["CONTEXTS"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"not JSON"),
        ("3", r"expected records by identifier or a list of them"),
        ('{"5": 1}', r"record '5': expected an object"),
        (json.dumps({"5": record(5) | {"CONTEXTS": []}}), r"record '5': contexts is missing or empty"),
        (json.dumps({"5": record(5) | {"final_decision": "perhaps"}}), r"'perhaps' is none of yes, no, maybe"),
    ],
)
def test_a_file_of_another_layout_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        list(read_pubmedqa(path))


def test_a_fifth_is_held_out_the_same_one_everywhere() -> None:
    held = [number for number in range(1000) if is_held_out(str(number))]
    assert 150 < len(held) < 250
    assert held[:3] == [1, 2, 7]


def test_only_held_out_questions_are_asked_and_no_more_than_wanted(folder: Path) -> None:
    config = ControlsConfig(pubmedqa="pubmedqa.json", pubmedqa_items=5)
    asked = held_out_questions(config, folder)
    assert len(asked) == 5
    assert all(is_held_out(one.id) for one in asked)
    assert asked == held_out_questions(config, folder)


def test_an_abstract_gives_way_until_the_question_fits(pair, folder: Path) -> None:
    _, tokenizer = pair
    question = held_out_questions(ControlsConfig(pubmedqa="pubmedqa.json"), folder)[0]
    whole = prompt_within(question, tokenizer, 9999)
    cut = prompt_within(question, tokenizer, len(whole) - 40)
    assert len(cut) <= len(whole) - 40
    text = tokenizer.decode(cut)
    assert f"Question: {question.question}" in text
    assert text.endswith(RESPONSE_HEADING)
    with pytest.raises(DataError, match=r"tokens without its abstract, the model reads 20"):
        prompt_within(question, tokenizer, 20)


def test_every_question_is_answered_with_one_of_three_words(pair, folder: Path) -> None:
    asked = held_out_questions(ControlsConfig(pubmedqa="pubmedqa.json"), folder)
    found = decide(*pair, asked, batch_items=3)
    assert len(found) == len(asked)
    assert set(found) <= {"yes", "no", "maybe"}


def test_the_corpus_holds_no_abstract_that_is_asked(corpus, folder: Path) -> None:
    built, counts = corpus
    train = "\n".join(row["text"] for row in open_parquet(built / "train" / "00000.parquet").read().to_pylist())
    asked = list(read_pubmedqa(folder / "abstracts.json"))
    read = [one for one in asked if one.long_answer in train]
    assert read
    assert not any(is_held_out(one.id) for one in read)
    assert counts["text documents that hold an item of English control pubmedqa"] > 0


# --- the gauge -------------------------------------------------------------------------------------------------------


def test_the_same_model_before_and_after_has_lost_nothing(folder: Path) -> None:
    config = EvaluateConfig(
        bootstrap=100, batch_items=8, controls=SMALL.model_copy(update={"pubmedqa": "pubmedqa.json"})
    )
    controls = begin_controls(config, EnglishSources(data=folder, before=folder / "tuned"))
    report = controls.report(*load_pair(folder / "tuned"), name="tuned", seed=1)
    assert report is not None
    assert {score.control for score in report.scores} == {"held-out text", "PubMedQA", "plain questions"}
    for score in report.scores:
        # A GPU adds up in an order of its own each time; a random model's perplexity is of 15 digits.
        assert score.before.value == pytest.approx(score.after.value, nan_ok=True)
        same = pytest.approx(0, abs=1e-6 * max(1.0, score.before.value or 0.0))
        assert score.change is None or score.change.value in (None, same)
        assert score.told in ("not told apart", "undefined")


def test_another_model_is_told_to_have_lost_or_gained(folder: Path) -> None:
    config = EvaluateConfig(bootstrap=200, controls=ControlsConfig(questions=0, text_bytes=4000))
    told = []
    for before, after in (("tuned", "base"), ("base", "tuned")):
        controls = begin_controls(config, EnglishSources(before=folder / before))
        report = controls.report(*load_pair(folder / after), name=after, seed=1)
        assert report is not None
        (bits, _) = report.scores
        assert (bits.metric, bits.n) == ("bits_per_byte", len(controls.english.text.documents))
        assert bits.change is not None
        assert bits.change.value == pytest.approx(bits.after.value - bits.before.value)
        told.append(bits.told)
    assert sorted(told) == ["gained", "lost"]


def test_without_a_model_before_nothing_is_said_to_be_lost(folder: Path) -> None:
    config = EvaluateConfig(bootstrap=100, controls=SMALL)
    report = begin_controls(config, EnglishSources()).report(*load_pair(folder / "tuned"), name="tuned", seed=1)
    assert report is not None
    assert {score.told for score in report.scores} == {"no model before"}
    assert all(one.before is None and one.right_before is None for one in report.questions)


def test_pubmedqa_without_its_file_is_said_to_be_missing_and_how_to_give_it(folder: Path) -> None:
    def notes(file: str) -> str:
        config = EvaluateConfig(controls=SMALL.model_copy(update={"pubmedqa": file}))
        return " ".join(begin_controls(config, EnglishSources(data=folder)).english.notes)

    assert "PubMedQA was not asked" in notes("")
    assert "evaluate.controls.pubmedqa" in notes("")
    assert "not asked" not in notes("pubmedqa.json")


def test_settings_that_ask_nothing_give_no_controls(folder: Path) -> None:
    config = EvaluateConfig(controls=ControlsConfig(text_bytes=0, questions=0))
    assert begin_controls(config, EnglishSources()).report(*load_pair(folder / "tuned"), name="tuned", seed=1) is None


def test_bits_per_byte_and_perplexity_are_those_of_all_documents_together(folder: Path) -> None:
    config = EvaluateConfig(bootstrap=100, controls=ControlsConfig(text_bytes=900, questions=0))
    controls = begin_controls(config, EnglishSources())
    model, tokenizer = load_pair(folder / "tuned")
    report = controls.report(model, tokenizer, name="tuned", seed=1)
    documents = controls.english.text.documents
    nats = nats_of_texts(model, tokenizer, documents).sum()
    bits, perplexity = report.scores
    assert bits.after.value == pytest.approx(nats / math.log(2) / sum(len(text.encode()) for text in documents))
    assert perplexity.after.value == pytest.approx(math.exp(nats / sum(len(text.split()) for text in documents)))


@pytest.mark.parametrize(
    ("file", "told"),
    [("abstracts.json", "built without their abstracts"), ("pubmedqa.json", "a score may be memory")],
)
def test_the_report_says_whether_the_abstracts_were_kept_from_training(
    corpus, folder: Path, file: str, told: str
) -> None:
    config = EvaluateConfig(controls=SMALL.model_copy(update={"pubmedqa": file}))
    notes = begin_controls(config, EnglishSources(data=folder, corpus=corpus[0])).english.notes
    assert told in " ".join(notes)


def test_the_stage_writes_the_gauge_into_all_three_reports(folder: Path, tmp_path: Path) -> None:
    config = EvaluateConfig(bootstrap=100, generate_items=0, kmer_max=2, controls=SMALL)
    splits = {name: motif_items(count, seed=count) for name, count in {"train": 20, "valid": 6, "test": 12}.items()}
    made = evaluate(
        config, model=folder / "tuned", instructions=write_instructions(tmp_path / "instructions", splits), seed=1,
        output=tmp_path / "out", english=EnglishSources(before=folder / "base"),
    )  # fmt: skip
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    scores = {score["metric"]: score for score in report["controls"]["scores"]}
    assert set(scores) == {"bits_per_byte", "word_perplexity", "share_right"}
    assert scores["bits_per_byte"]["before"]["n"] == scores["bits_per_byte"]["n"] > 1
    assert (report["controls"]["before"], report["controls"]["after"]) == ("base", "tuned")
    assert set(made.facts["english"]) == {
        "held-out text, bits_per_byte", "held-out text, word_perplexity", "plain questions, share_right",
    }  # fmt: skip
    page, text = ((tmp_path / "out" / name).read_text() for name in ("report.html", "report.md"))
    assert "<h2>Natural language kept</h2>" in page
    assert "Answer with the word yes." in page
    assert "| held-out text | bits per byte |" in text
    assert "English: held-out text bits per byte" in text


def test_a_change_of_the_model_before_or_of_the_english_asks_again(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "paper.txt").write_text("A paper.")
    config = ControlsConfig(texts=("paper.txt",))
    sources = EnglishSources(data=tmp_path, before=folder / "base")
    assert set(sources.inputs(config)) == {"model before", "English control paper.txt"}
