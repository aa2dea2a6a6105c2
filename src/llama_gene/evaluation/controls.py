"""Natural language kept: the same English before and after gene training, and what was lost.

Three controls: bits per byte of held-out text, PubMedQA (yes, no, maybe), and plain questions whose answers a program
can check. Both models read the same; changes are tested by a paired bootstrap over documents or questions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from transformers import PreTrainedModel

from llama_gene.artifacts import MANIFEST, fingerprint, read_manifest
from llama_gene.config import ControlsConfig, EvaluateConfig
from llama_gene.corpus.english import DECISIONS, AbstractQuestion, control_files
from llama_gene.evaluation.controls_pubmedqa import decide, held_out_questions
from llama_gene.evaluation.controls_questions import PlainQuestion, is_right, plain_questions
from llama_gene.evaluation.controls_text import HeldOutText, held_out_text, nats_of_texts
from llama_gene.evaluation.generate import generate_answers
from llama_gene.evaluation.metrics import (
    Array,
    Difference,
    Drawn,
    Estimate,
    Measured,
    difference,
    draw_scores,
    estimate,
    measure_labels,
    measure_mean,
)
from llama_gene.model.folders import load_answerer
from llama_gene.prompts import Message, render, user_content
from llama_gene.tokenizer.load import GeneTokenizer

Change = Literal["lost", "gained", "not told apart", "undefined", "no model before"]
LOWER_IS_BETTER = ("bits_per_byte", "word_perplexity")
_ABSTRACTS = "PubMedQA"


@dataclass(frozen=True)
class EnglishSources:
    """Where the controls find what they need.

    `before` is the model before gene training; `corpus` the folder of `corpus build`, for its validation texts; `data`
    the folder that paths of the settings start from.
    """

    data: Path = Path()
    corpus: Path | None = None
    before: Path | None = None

    def inputs(self, config: ControlsConfig) -> dict[str, Path]:
        """What the result depends on."""
        named = {"corpus": self.corpus, "model before": self.before}
        return {name: path for name, path in named.items() if path} | control_files(config, self.data)


@dataclass(frozen=True)
class English:
    """What both models are asked, and notes on where it comes from."""

    text: HeldOutText
    abstracts: tuple[AbstractQuestion, ...]
    questions: tuple[PlainQuestion, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class EnglishAnswers:
    """What one model needs and says: nats of each text, (D,), a decision a question, an answer a plain question."""

    nats_D: Array
    decisions: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True)
class ControlScore:
    """One score before and after; `by_chance` is what the most frequent answer reaches."""

    control: str
    metric: str
    n: int
    before: Estimate | None
    after: Estimate
    change: Difference | None
    told: Change
    by_chance: float | None = None


@dataclass(frozen=True)
class AskedQuestion:
    """A plain question with both answers and whether they are right; None where there is no model before."""

    ask: str
    input: str
    before: str | None
    after: str
    right_before: bool | None
    right_after: bool


@dataclass(frozen=True)
class ControlsReport:
    """What became of the model's English."""

    before: str
    after: str
    scores: tuple[ControlScore, ...]
    questions: tuple[AskedQuestion, ...]
    notes: tuple[str, ...]

    @property
    def headline(self) -> dict[str, Any]:
        """What a manifest keeps: the scores by name."""
        return {
            f"{score.control}, {score.metric}": {
                "before": score.before.value if score.before else None, "after": score.after.value, "told": score.told,
            }
            for score in self.scores
        }  # fmt: skip


@dataclass(frozen=True)
class Controls:
    """What is asked, and what the model before gene training said to it."""

    config: EvaluateConfig
    english: English
    before: EnglishAnswers | None
    before_name: str

    def report(
        self, model: PreTrainedModel, tokenizer: GeneTokenizer, *, name: str, seed: int
    ) -> ControlsReport | None:
        """Ask the tuned model the same, and compare; None where the settings ask nothing.

        Args:
            model: In evaluation mode, on its device.
            tokenizer: Of the model.
            name: What the model is called.
            seed: Seed of the resamples.
        """
        after = answer_english(self.config, model, tokenizer, self.english)
        scores = compare_english(self.english, after, self.before, resamples=self.config.bootstrap, seed=seed)
        asked = _side_by_side(self.english.questions, after, self.before)
        return ControlsReport(self.before_name, name, scores, asked, self.english.notes) if scores else None


def begin_controls(config: EvaluateConfig, sources: EnglishSources) -> Controls:
    """Gather what is asked, and ask the model before gene training, which is released again.

    Raises:
        DataError: a named file is missing or of another layout.
        ModelError: the model before cannot be read.
    """
    english = _gather(config.controls, sources)
    before = answer_english(config, *load_answerer(sources.before), english) if sources.before else None
    return Controls(config, english, before, sources.before.name if sources.before else "")


def _gather(config: ControlsConfig, sources: EnglishSources) -> English:
    text = held_out_text(config, data=sources.data, corpus=sources.corpus)
    abstracts = held_out_questions(config, sources.data)
    notes = [f"Text: {text.source}, {len(text.documents)} documents, {int(text.sizes()[:, 0].sum()):,} bytes."]
    if abstracts:
        notes.append(f"PubMedQA: {len(abstracts)} held-out questions. {_kept_out(config, sources)}")
    else:
        notes.append(
            "PubMedQA was not asked: its questions do not come with this program. Name the file of its labelled part "
            "(ori_pqal.json of github.com/pubmedqa/pubmedqa) as evaluate.controls.pubmedqa."
        )
    return English(text, abstracts, plain_questions(config.questions), tuple(notes))


def _kept_out(config: ControlsConfig, sources: EnglishSources) -> str:
    """Whether the corpus was built without what is asked here."""
    if sources.corpus is None or not (sources.corpus / MANIFEST).is_file():
        return "Whether the model has read their abstracts was not checked: no corpus was named."
    manifest = read_manifest(sources.corpus)
    wanted = {name: fingerprint(path) for name, path in control_files(config, sources.data).items()}
    if manifest.config["contamination"]["enabled"] and wanted.items() <= manifest.inputs.items():
        return "The corpus was built without their abstracts."
    return "The corpus was built without leaving out their abstracts, so a score may be memory: build it again."


def answer_english(
    config: EvaluateConfig, model: PreTrainedModel, tokenizer: GeneTokenizer, english: English
) -> EnglishAnswers:
    """What a model needs and says.

    Args:
        config: Batch size, and the longest answer.
        model: In evaluation mode, on its device.
        tokenizer: Of the model.
        english: What is asked.
    """
    asked = [
        render([Message("user", user_content(one.ask, one.input))], bos=tokenizer.bos, eos=tokenizer.eos)
        for one in english.questions
    ]
    answers = generate_answers(
        model, tokenizer, [tokenizer.encode_prompt(prompt) for prompt in asked],
        max_new_tokens=config.controls.max_new_tokens, batch_items=config.batch_items, title="plain questions",
    )  # fmt: skip
    decisions = decide(model, tokenizer, english.abstracts, batch_items=config.batch_items)
    return EnglishAnswers(nats_of_texts(model, tokenizer, english.text.documents), decisions, tuple(answers))


def compare_english(
    english: English, after: EnglishAnswers, before: EnglishAnswers | None, *, resamples: int, seed: int
) -> tuple[ControlScore, ...]:
    """The scores of both models, and their change with its interval.

    Args:
        english: What was asked.
        after: Of the tuned model.
        before: Of the model before gene training, or None.
        resamples: Bootstrap resamples.
        seed: Seed of the resamples.
    """
    ours, theirs = _measure(english, after), _measure(english, before) if before else {}
    scores = []
    for control, metrics in ours.items():
        together = {("after", metric): one for metric, one in metrics.items()}
        together |= {("before", metric): one for metric, one in theirs.get(control, {}).items()}
        size = len(next(iter(metrics.values())).sums_NK)
        drawn = draw_scores(together, units=np.arange(size), resamples=resamples, seed=seed)
        for metric in metrics:
            chance = _by_chance(english.abstracts, metric) if control == _ABSTRACTS else None
            scores.append(_score(control, metric, drawn["after", metric], drawn.get(("before", metric)), chance))
    return tuple(scores)


def _side_by_side(
    questions: Sequence[PlainQuestion], after: EnglishAnswers, before: EnglishAnswers | None
) -> tuple[AskedQuestion, ...]:
    earlier = before.answers if before else (None,) * len(questions)
    return tuple(
        AskedQuestion(one.ask, one.input, then, now, None if then is None else is_right(one, then), is_right(one, now))
        for one, then, now in zip(questions, earlier, after.answers, strict=True)
    )


def _measure(english: English, found: EnglishAnswers) -> Mapping[str, Mapping[str, Measured]]:
    """Control to metric to what it is computed from; a control that asks nothing is left out."""
    controls: dict[str, Mapping[str, Measured]] = {}
    if english.text.documents:
        sums_NK = np.column_stack([found.nats_D, english.text.sizes()])
        controls["held-out text"] = {
            "bits_per_byte": Measured(sums_NK, lambda sums: sums[:, 0] / np.log(2) / sums[:, 1]),
            "word_perplexity": Measured(sums_NK, lambda sums: np.exp(sums[:, 0] / sums[:, 2])),
        }
    if english.abstracts:
        expected = np.array([DECISIONS.index(one.decision) for one in english.abstracts])
        answered = np.array([DECISIONS.index(word) for word in found.decisions])
        controls[_ABSTRACTS] = measure_labels(expected, answered, len(DECISIONS))
    if english.questions:
        right = [is_right(one, answer) for one, answer in zip(english.questions, found.answers, strict=True)]
        controls["plain questions"] = {"share_right": measure_mean(np.array(right, dtype=float))}
    return controls


def _score(control: str, metric: str, after: Drawn, before: Drawn | None, chance: float | None) -> ControlScore:
    change = difference(after, before) if before else None
    told = _told(metric, change)
    return ControlScore(
        control, metric, after.n, estimate(before) if before else None, estimate(after), change, told, chance
    )


def _told(metric: str, change: Difference | None) -> Change:
    """What the interval of a change says.

    >>> _told("bits_per_byte", Difference(0.2, 0.1, 0.3, 0.01)), _told("accuracy", Difference(0.2, 0.1, 0.3, 0.01))
    ('lost', 'gained')
    """
    if change is None:
        return "no model before"
    if change.low is None or change.high is None:
        return "undefined"
    if change.low <= 0 <= change.high:
        return "not told apart"
    return "lost" if (change.low > 0) == (metric in LOWER_IS_BETTER) else "gained"


def _by_chance(abstracts: Sequence[AbstractQuestion], metric: str) -> float | None:
    """What the most frequent decision alone reaches: a share, and by the definition of MCC none."""
    if metric == "mcc":
        return 0.0
    if metric != "accuracy":
        return None
    decisions = [one.decision for one in abstracts]
    return max(map(decisions.count, DECISIONS)) / len(decisions)
