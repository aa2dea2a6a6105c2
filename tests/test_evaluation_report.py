"""The stage: predictions, three reports, and what it refuses."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from answering import (
    SMALL,
    evaluate_small,
    function_items,
    item,
    motif_items,
    strength_items,
    write_answering_model,
    write_instructions,
)
from llama_gene.artifacts import build_stage
from llama_gene.errors import DataError
from llama_gene.evaluation.evaluate import evaluate
from llama_gene.evaluation.notes import read_notes
from llama_gene.tasks.definitions import load_task
from llama_gene.tasks.table9 import TABLE9


def write_curve(folder: Path) -> Path:
    def build(_work, ledger):
        ledger.facts["history"] = [{"step": step, "loss": 3.0 / step, "learning_rate": 1e-3} for step in (1, 2, 3)]
        ledger.facts["validation"] = {"bits_per_base": 1.93}
        ledger.facts["validation_before"] = {"bits_per_base": 2.4}

    build_stage("pretrain", folder, build, config={}, inputs={}, seed=1, code=1)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    model = write_answering_model(folder / "model")
    sizes = {"train": 60, "valid": 20, "test": 24}
    splits = {
        name: [
            *motif_items(count, seed=count, split=name),
            *strength_items(count, seed=count),
            *function_items(count, seed=count),
        ]
        for name, count in sizes.items()
    }
    evaluate(
        SMALL,
        model=model,
        instructions=write_instructions(folder / "instructions", splits),
        seed=1,
        output=folder / "out",
        title="A <small> run",
        synthetic=True,
        notes=("A note.",),
        training=[write_curve(folder / "pretrained")],
    )
    return folder / "out"


def predictions(made: Path) -> list[dict]:
    return [json.loads(line) for line in (made / "predictions.jsonl").read_text().splitlines()]


def test_every_test_item_has_a_prediction_with_probabilities_and_a_verdict(made):
    found = predictions(made)
    assert len(found) == 72
    for record in found:
        if record["labels"]:
            assert sum(record["scores"].values()) == pytest.approx(1.0)
            assert record["response"] == max(record["scores"], key=record["scores"].get)
            assert record["correct"] == (record["response"] == record["output"])
        else:
            assert record["scores"] is None


def test_a_sample_of_closed_items_is_also_answered_freely(made):
    assert sum("generated" in record for record in predictions(made)) == 2 * SMALL.generate_items


def test_report_json_holds_each_score_with_size_interval_baselines_config_and_hardware(made):
    report = json.loads((made / "report.json").read_text())
    tasks = {task["task"]: task for task in report["tasks"]}
    assert {name: task["headline"] for name, task in tasks.items()} == {
        "boxes": "mcc", "strength": "spearman", "function": "token_f1",
    }  # fmt: skip
    for task in tasks.values():
        for found in task["comparisons"]:
            assert found["ours"]["n"] == 24
            assert found["ours"]["low"] <= found["ours"]["value"] <= found["ours"]["high"]
            assert found["kmer"]["value"] is not None
            assert found["neighbour"]["value"] is not None
            assert found["difference"]["low"] <= found["difference"]["value"] <= found["difference"]["high"]
            assert 0 < found["difference"]["p"] <= 1
    assert (
        tasks["function"]["comparisons"][0]["kmer"]["value"] > tasks["function"]["comparisons"][0]["majority"]["value"]
    )
    assert report["config"]["bootstrap"] == 100
    assert report["hardware"]["cores"] >= 1
    assert report["synthetic"] is True


def test_the_confusion_matrix_adds_up_to_the_items(made):
    for task in json.loads((made / "report.json").read_text())["tasks"]:
        assert sum(map(sum, task["confusion"])) == (24 if task["closed"] else 0)


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_the_page_asks_nothing_of_the_network(made):
    page = (made / "report.html").read_text()
    assert not re.search(r"(?:src|href|action|data)\s*=\s*[\"']?\s*(?:https?:)?//", page)
    assert "url(http" not in page
    assert "http://" not in page
    assert "https://" not in page
    parser = Page()
    parser.feed(page)
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in parser.found}


def test_every_picture_of_the_page_is_described_in_words_and_ids_are_unique(made):
    parser = Page()
    parser.feed((made / "report.html").read_text())
    pictures = [values for tag, values in parser.found if tag == "svg"]
    assert len(pictures) == 3 + 1
    assert all(values["role"] == "img" and len(values["aria-label"]) > 20 for values in pictures)
    ids = [values["id"] for _, values in parser.found if "id" in values]
    assert len(ids) == len(set(ids))


def pages(made: Path) -> list[Path]:
    return sorted((made / "tasks").glob("*.html"))


def test_each_task_has_a_page_that_the_report_leads_to_and_that_leads_back(made):
    parser = Page()
    parser.feed((made / "report.html").read_text())
    links = [values["href"] for tag, values in parser.found if tag == "a"]
    assert links == [f"tasks/{page.name}" for page in pages(made)]
    assert [page.name for page in pages(made)] == ["01-boxes.html", "02-strength.html", "03-function.html"]
    for page in pages(made):
        assert '<a href="../report.html">' in page.read_text()


def test_a_task_page_asks_nothing_of_the_network_and_describes_its_pictures(made):
    for page in pages(made):
        text = page.read_text()
        assert "http://" not in text
        assert "https://" not in text
        assert "Synthetic data" in text
        parser = Page()
        parser.feed(text)
        assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in parser.found}
        pictures = [values for tag, values in parser.found if tag == "svg"]
        assert all(values["role"] == "img" and len(values["aria-label"]) > 20 for values in pictures)
        ids = [values["id"] for _, values in parser.found if "id" in values]
        assert len(ids) == len(set(ids))
    shown = {page.name: page.read_text() for page in pages(made)}
    for heading in (
        "Which labels are confused",
        "Can its probabilities be believed?",
        "By GC share",
        "Hardest items",
        "by the mean likelihood of a label's tokens (length-normalised)",
    ):
        assert heading in shown["01-boxes.html"], heading
    assert "By likeness to training" in shown["03-function.html"]
    assert "Which labels are confused" not in shown["03-function.html"]


def test_what_a_task_or_model_says_is_escaped_on_its_page(tmp_path):
    odd = "<script>alert(1)</script>"
    labels = ("yes", odd)
    sizes = {"train": 40, "valid": 20, "test": 20}
    splits = {
        name: [
            item(id=f"{odd}{n}", output=labels[n % 2], labels=labels, task="a/../b <i>", sequences=("ACGT" * count,))
            for n in range(count)
        ]
        for name, count in sizes.items()
    }
    evaluate_small(tmp_path, splits)
    assert [page.name for page in pages(tmp_path / "out")] == ["01-a-b-i.html"]
    text = pages(tmp_path / "out")[0].read_text()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "<i>" not in text


class Blocks(HTMLParser):
    """The words of each table, paragraph, picture and list of a page in lower case, without those of blocks inside."""

    kept = ("table", "p", "figure", "svg", "dl", "div", "section", "body")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.open: list[list[str]] = [[]]
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag in self.kept:
            self.open.append([])

    def handle_data(self, data):
        self.open[-1].append(data.lower())

    def handle_endtag(self, tag):
        if tag in self.kept:
            self.found.append((tag, " ".join(self.open.pop())))


def test_accuracy_never_stands_without_mcc(made):
    report = json.loads((made / "report.json").read_text())
    means = {mean["metric"]: mean["tasks"] for mean in report["means"]}
    assert means["accuracy"] == means["mcc"] == ["boxes", "strength"]
    assert means["token_f1"] == ["function"]
    check_values(report)
    html = [made / "report.html", *pages(made)]
    blocks = [block for page in html for block in Blocks(page.read_text()).found]
    blocks += [("text", part) for part in (made / "report.md").read_text().lower().split("\n\n")]
    told = [(tag, words) for tag, words in blocks if "accuracy" in words]
    assert [tag for tag, _ in told].count("table") == 5
    assert any("length-normalised" in words for _, words in told)
    assert [words for _, words in told if "mcc" not in words] == []
    closed = [block for page in pages(made)[:2] for block in Blocks(page.read_text()).found]
    bands = [words for tag, words in closed if tag == "table" and "band" in words]
    assert bands
    assert [words for words in bands if "model's mcc" not in words or "baseline's mcc" not in words] == []


def check_values(values):
    """Of a JSON document, that a field or score of accuracy has one of MCC beside it."""
    if isinstance(values, list):
        named = {value["metric"] for value in values if isinstance(value, dict) and "metric" in value}
        for name in named:
            assert name.replace("accuracy", "mcc") in named
        for value in values:
            check_values(value)
    if isinstance(values, dict):
        for name, value in values.items():
            assert name.replace("accuracy", "mcc") in values
            check_values(value)
        assert "ceiling" not in values or "ceiling_mcc" in values
        assert values.get("measured") != "share right" or {"mcc", "best_mcc"} <= set(values["bands"][0])


def test_the_majority_has_its_interval_as_every_baseline(made):
    majority = next(
        found["majority"]
        for task in json.loads((made / "report.json").read_text())["tasks"]
        for found in task["comparisons"]
        if (task["task"], found["metric"]) == ("boxes", "accuracy")
    )
    value, low, high = (f"{majority[name]:.3f}" for name in ("value", "low", "high"))
    assert low < value < high
    assert f"| {value} [{low}, {high}] |" in (made / "report.md").read_text()
    assert f'{value} <span class="range">[{low}, {high}]</span>' in (made / "report.html").read_text()


def test_published_scores_and_the_row_of_table_9_come_from_the_definitions(tmp_path):
    splits = {name: motif_items(40, seed=seed) for seed, name in enumerate(("train", "valid", "test"))}
    splits["test"][:9] = [replace(one, sequences=(one.sequences[0][:30],)) for one in splits["test"][:9]]
    note = {
        "definition": "Is it <one>?", "table9": "DNA classification",
        "published": [{"system": "DNABERT-2", "metric": "mcc", "value": 0.694, "note": "official test set"}],
    }  # fmt: skip
    folder = write_instructions(tmp_path / "instructions", splits)
    (folder / "tasks.json").write_text(json.dumps({"boxes": note}))
    model = write_answering_model(tmp_path / "model")
    evaluate(SMALL, model=model, instructions=folder, seed=1, output=tmp_path / "out")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    rows = {row["row"]: row for row in report["table9"]}
    assert len(rows) == 11
    assert rows["DNA classification"]["tasks"] == ["boxes"]
    assert rows["DNA classification"]["ours"]["value"] == report["tasks"][0]["comparisons"][1]["ours"]["value"]
    html = (tmp_path / "out" / "report.html").read_text()
    assert "Beside the paper's Table 9" in html
    row = html.partition('<th scope="row">DNA classification</th>')[2].partition("</tr>")[0]
    cells = [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td.*?>(.*?)</td>", row)]
    paper = TABLE9["DNA classification"]
    assert cells[:3] == [f"{paper.llama_gene:.2f}", f"{paper.best:.2f}", "accuracy"]
    best = report["tasks"][0]["best_baseline"]
    assert cells[4].split()[0] == f"{report['tasks'][0]['comparisons'][1][best]['value']:.3f}"
    assert cells[7] == "boxes"
    page = pages(tmp_path / "out")[0].read_text()
    assert "DNABERT-2" in page
    assert "<h3>By length: " in page
    assert '<tr><td>30</td><td class="number">9</td>' in page
    assert "Is it &lt;one&gt;?" in page


def test_the_first_term_and_the_accuracy_of_labels_have_rows_of_their_own(tmp_path):
    def of_two_tasks(count):
        terms = [replace(one, task="product", terms=(one.output,)) for one in function_items(count, seed=count)]
        return [*terms, *motif_items(count, seed=count, task="enzyme", family="function")]

    splits = {name: of_two_tasks(count) for name, count in {"train": 40, "valid": 20, "test": 21}.items()}
    folder = write_instructions(tmp_path / "instructions", splits)
    row = {"table9": "protein function"}
    (folder / "tasks.json").write_text(json.dumps({"product": row, "enzyme": row}))
    config = SMALL.model_copy(update={"generate_items": 0, "baselines": ("kmer",)})
    evaluate(config, model=write_answering_model(tmp_path / "m"), instructions=folder, seed=1, output=tmp_path / "out")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [task["headline"] for task in report["tasks"]] == ["fmax", "mcc"]
    rows = [(one["metric"], one["tasks"], one["mcc"] is None) for one in report["table9"] if one["tasks"]]
    assert rows == [("first_term", ["product"], True), ("accuracy", ["enzyme"], False)]
    means = {mean["metric"]: mean["tasks"] for mean in report["means"]}
    assert (means["first_term"], means["accuracy"], means["mcc"]) == (["product"], ["enzyme"], ["enzyme"])
    assert "| protein function | 0.71 | 0.81 | first term true |" in (tmp_path / "out" / "report.md").read_text()


def test_the_definition_names_the_score_that_leads(tmp_path):
    splits = {name: motif_items(40, seed=seed) for seed, name in enumerate(("train", "valid", "test"))}
    folder = write_instructions(tmp_path / "instructions", splits)
    definition = load_task("promoter-core").model_dump(mode="json")
    (folder / "tasks.json").write_text(json.dumps({"boxes": definition | {"metric": "macro_f1"}}))
    model = write_answering_model(tmp_path / "model")
    config = SMALL.model_copy(update={"generate_items": 0, "baselines": ("kmer",)})
    made = evaluate(config, model=model, instructions=folder, seed=1, output=tmp_path / "out")
    (task,) = json.loads((tmp_path / "out" / "report.json").read_text())["tasks"]
    assert (task["headline"], made.facts["headline"]["boxes"]["metric"]) == ("macro_f1", "macro_f1")
    assert [found["metric"] for found in task["comparisons"]] == ["macro_f1", "mcc", "accuracy"]
    (folder / "tasks.json").write_text(json.dumps({"boxes": definition | {"metric": "accuracy"}}))
    with pytest.raises(DataError, match=r"task 'boxes': accuracy cannot decide\. Expected mcc or macro_f1; split and"):
        read_notes(folder)


def test_titles_are_escaped(made):
    page = (made / "report.html").read_text()
    assert "A &lt;small&gt; run" in page
    assert "<small>" not in page


@pytest.mark.parametrize("name", ["report.md", "report.html"])
def test_synthetic_data_is_called_synthetic_on_every_page(made, name):
    assert "Synthetic data: a made-up organism" in (made / name).read_text()


def test_the_table_names_each_task_with_its_baselines(made):
    text = (made / "report.md").read_text()
    assert re.search(
        r"\| boxes \| classification \| \*\*MCC\*\* \| 24 \| -?[\d.]+ \[.*\] \| 0\.000 \[0\.000, 0\.000\] \|", text
    )
    assert "bits per base on validation 1.93 (before: 2.4)" in text


def test_the_same_inputs_give_the_same_bytes_elsewhere(made, tmp_path):
    again = evaluate(
        SMALL,
        model=made.parent / "model",
        instructions=made.parent / "instructions",
        seed=1,
        output=tmp_path / "again",
        title="A <small> run",
        synthetic=True,
        notes=("A note.",),
        training=[made.parent / "pretrained"],
    )
    assert again.counts["items"] == 72
    for name in ("predictions.jsonl", "report.json", "report.md", "report.html"):
        assert (tmp_path / "again" / name).read_bytes() == (made / name).read_bytes()
