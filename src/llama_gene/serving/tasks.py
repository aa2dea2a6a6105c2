"""GET /v1/tasks, POST /v1/classify, POST /v1/score: the tasks of the model, and likelihoods of answers and texts."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response

from llama_gene.assistant.asking import ask_task
from llama_gene.assistant.closed import classify
from llama_gene.assistant.conversation import Assistant, find_task, labels_of
from llama_gene.assistant.display import describe_sureness
from llama_gene.assistant.inputs import checked_record
from llama_gene.errors import ConfigError, DataError
from llama_gene.evaluation.likelihood import AnswerScores, Question, score_answers
from llama_gene.sequences.alphabets import guess_kind
from llama_gene.serving.answering import Service, check_model, on_model, unless_gone
from llama_gene.serving.bodies import ScoreBody, TaskBody
from llama_gene.serving.completions import with_begin
from llama_gene.serving.limits import check_letters, check_number, check_size, check_tokens
from llama_gene.serving.messages import letters_of, prompt_of
from llama_gene.serving.refusals import RefusedError
from llama_gene.tasks.definitions import Task

Items = Sequence[str | list[str]]


def list_tasks(assistant: Assistant) -> list[dict[str, Any]]:
    """The tasks this model learnt, as JSON values."""
    return [describe_task(assistant, find_task(assistant, name)) for name in sorted(assistant.learnt)]


def describe_task(assistant: Assistant, task: Task) -> dict[str, Any]:
    """What a client needs to ask a task."""
    return {
        "id": task.name,
        "object": "task",
        "title": task.title,
        "family": task.family,
        "inputs": [{"kind": wanted.kind, "name": wanted.called} for wanted in task.inputs],
        "labels": list(labels_of(assistant, task)),
        "learnt": task.name in assistant.learnt,
    }


def task_named(assistant: Assistant, name: str) -> Task:
    """A task, learnt or registered.

    Raises:
        RefusedError: no task has this name.
    """
    try:
        return find_task(assistant, name)
    except ConfigError:
        said = f"no task {name!r}. GET /v1/tasks lists those this model learnt."
        raise RefusedError(404, said, code="task_not_found", param="task") from None


async def answer_classify(service: Service, body: TaskBody, http: HttpRequest) -> Response:
    """The likeliest label of each item, and the probability of every label.

    Raises:
        RefusedError: unknown model or task, too much at once, or no time.
        DataError: sequences do not suit the task.
    """
    check_model(service, body.model)
    task = task_named(service.assistant, body.task)
    items = _items(service, body.input)
    data = await unless_gone(http, _classify_each(service, task, items))
    return JSONResponse(
        {
            "object": "list", "model": service.name, "task": task.name,
            "labels": list(labels_of(service.assistant, task)), "synthetic": service.assistant.is_synthetic,
            "data": [{"object": "classification", "index": place, **found} for place, found in enumerate(data)],
        }
    )  # fmt: skip


async def _classify_each(service: Service, task: Task, items: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """One at a time, so that others' answers go on in between."""
    return [
        await on_model(service, partial(classify_item, service.assistant, task, item, place))
        for place, item in enumerate(items)
    ]


def classify_item(assistant: Assistant, task: Task, sequences: Sequence[str], place: int = 0) -> dict[str, Any]:
    """Label, probabilities and what has to be said about one item, as JSON values.

    Raises:
        DataError: the sequences are not those the task asks for.
    """
    letters, mended = checked_letters(task, sequences, place)
    _, found = classify(assistant, task, letters)
    return {
        "label": found.label,
        "probabilities": dict(found.probabilities),
        "sureness": describe_sureness(found),
        "states": found.states or None,
        "steps": found.steps or None,
        "notices": [*mended, *_unlearnt(assistant, task), *found.notices],
    }


def checked_letters(task: Task, sequences: Sequence[str], place: int = 0) -> tuple[list[str], list[str]]:
    """The letters of an item in upper case, and what was mended.

    Raises:
        DataError: another number of sequences than the task asks for, letters of another alphabet, or a protein where
            DNA is asked.
    """
    if len(sequences) != len(task.inputs):
        raise DataError(
            f"input.{place}: task {task.name!r} asks about {len(task.inputs)} sequence(s), not {len(sequences)}. "
            f"Give {' and '.join(wanted.kind for wanted in task.inputs)}."
        )
    letters: list[str] = []
    mended: list[str] = []
    for wanted, given in zip(task.inputs, sequences, strict=True):
        record, notices = checked_record(given, wanted.kind, f"input.{place} ({wanted.called})")
        # Every base is also the letter of an amino acid, so DNA passes for protein: say so, it may be meant.
        if wanted.kind == "protein" and len(record.text) >= 20 and guess_kind(record.text) == "dna":
            notices = (*notices, f"input.{place} ({wanted.called}): looks like DNA, but a protein is asked for.")
        letters.append(record.text)
        mended.extend(notices)
    return letters, mended


def _unlearnt(assistant: Assistant, task: Task) -> list[str]:
    if task.name in assistant.learnt:
        return []
    return [f"The model was not tuned on task {task.name!r}: its answer is a guess."]


def _items(service: Service, given: str | Items) -> list[list[str]]:
    """Items as lists of sequences."""
    items = [[item] if isinstance(item, str) else item for item in ([given] if isinstance(given, str) else given)]
    check_number(service, items, "input")
    for place, item in enumerate(items):
        check_letters(service, item, f"input.{place}")
    return items


async def answer_score(service: Service, body: ScoreBody, http: HttpRequest) -> Response:
    """Log-probabilities in nats: of a task's labels for each item, of candidates after messages, or of texts.

    Raises:
        RefusedError: unknown model or task, too much at once, or no time.
        DataError: not exactly one of the three is asked for, or it is wrong.
    """
    check_model(service, body.model)
    given = [
        [part is not None for part in parts]
        for parts in ((body.task, body.input), (body.messages, body.candidates), (body.texts,))
    ]
    if sum(map(any, given)) != 1 or sum(map(all, given)) != 1:
        raise DataError("expected one of: task and input; messages and candidates; texts. Give one of the three.")
    if body.texts is not None:
        found = await unless_gone(http, _score_texts(service, body.texts))
    elif body.messages is not None:
        candidates = body.candidates or []
        check_number(service, candidates, "candidates")
        check_size(service, letters_of(body.messages), "messages")
        prompt = await asyncio.to_thread(prompt_of, service.assistant.tokenizer, body.messages)
        found = [await unless_gone(http, on_model(service, lambda: _score_answers(service, prompt, candidates)))]
    else:
        task = task_named(service.assistant, body.task or "")
        found = await unless_gone(http, _score_items(service, task, _items(service, body.input or [])))
    data = [{"object": "score", "index": place, "scores": scores} for place, scores in enumerate(found)]
    return JSONResponse({"object": "list", "model": service.name, "data": data})


async def _score_items(service: Service, task: Task, items: Sequence[Sequence[str]]) -> list[list[dict[str, Any]]]:
    labels = labels_of(service.assistant, task)
    if not labels:
        raise DataError(f"task {task.name!r} has no closed answers. Give messages and candidates instead.")

    def score(place: int, item: Sequence[str]) -> list[dict[str, Any]]:
        question = ask_task(service.assistant, task, checked_letters(task, item, place)[0])
        return _score_answers(service, question.prompt, labels)

    return [await on_model(service, partial(score, place, item)) for place, item in enumerate(items)]


def _score_answers(service: Service, prompt: tuple[int, ...], answers: Sequence[str]) -> list[dict[str, Any]]:
    """Each answer with its end token; the probabilities are shares among the answers and sum to 1."""
    tokenizer = service.assistant.tokenizer
    options = tuple((*tokenizer.encode_answer(answer), tokenizer.eos_id) for answer in answers)
    scores = _weigh(service, Question(prompt, options))
    shares = scores.probability.tolist()
    return [
        {"text": answer, "probability": share, **_figures(scores, place)}
        for place, (answer, share) in enumerate(zip(answers, shares, strict=True))
    ]


async def _score_texts(service: Service, texts: Sequence[str]) -> list[list[dict[str, Any]]]:
    return [
        [await on_model(service, partial(score_text, service, text, f"texts.{place}"))]
        for place, text in enumerate(texts)
    ]


def score_text(service: Service, text: str, where: str) -> dict[str, Any]:
    """The log-probability of a text after the begin token: of a sequence, how much the model expects it.

    Raises:
        DataError: the text is empty or longer than the model reads.
    """
    ids = with_begin(service, text, where)
    if len(ids) < 2:
        raise DataError(f"{where}: the text is a single token, which nothing foretells. Give a longer one.")
    scores = _weigh(service, Question(ids[:1], (ids[1:],)))
    return {"text": text, "probability": None, **_figures(scores, 0)}


def _weigh(service: Service, question: Question) -> AnswerScores:
    """The scores of one question's answers, which must fit the context."""
    check_tokens(service, len(question.prompt) + max(map(len, question.answers)), "prompt and answer")
    return score_answers(service.engine.model, [question], batch_items=1)[0]


def _figures(scores: AnswerScores, place: int) -> dict[str, Any]:
    return {"log_probability": float(scores.log_probability[place]), "tokens": int(scores.tokens[place])}
