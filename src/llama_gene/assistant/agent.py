"""A bounded loop in which a model calls tools: it asks for a call, the call is checked and run, it reads the result.

A planner says what comes next: a call, or the answer. It is the tuned model itself (`local_planner`) or a larger one
(`api_planner`); the loop and its checks are the same. Sequences of the question are called `@input` (of several:
`@input1`, `@input2` …), its words `@question` and what a call gave `@result.FIELD`, so that no model has to copy.

Only what a planner writes as its turn is read as a call. A result is data: it goes back as a user turn, made harmless
by `prompts.defuse`, and is never searched for calls. A tool that fails or takes too long gives a step with an error.
"""

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, Literal, Protocol

from llama_gene.assistant.grounds import unfounded_numbers
from llama_gene.config import AgentConfig
from llama_gene.errors import DataError, LlamaGeneError
from llama_gene.sequences.records import Record
from llama_gene.tasks.tool_calls import Request, cut_text, tell
from llama_gene.tasks.tool_questions import say_result
from llama_gene.tools import Tool
from llama_gene.tools.calling import call_within
from llama_gene.tools.references import fill_references
from llama_gene.tools.search import SEARCH_TOOLS


@dataclass(frozen=True)
class Step:
    """One call: what was asked for, and what came of it.

    `arguments` are as the planner gave them, `written` is the call in its own words. Where `error` is not "", `result`
    is None. `seconds` is wall time.
    """

    tool: str
    arguments: Mapping[str, Any]
    written: str
    result: Any
    error: str
    seconds: float


@dataclass(frozen=True)
class Decision:
    """What a planner wants next: calls, or else its answer, cut for length or not; and what has to be said about it."""

    requests: tuple[Request, ...] = ()
    text: str = ""
    notices: tuple[str, ...] = ()
    is_cut: bool = False


Deciding = Generator[str, None, Decision]


@dataclass(frozen=True)
class Finished:
    """The end of a loop: the answer and all steps; `ended`: the answer is whole, was cut for length, or never came."""

    text: str
    steps: tuple[Step, ...]
    ended: Literal["answered", "cut", "out of steps"]
    notices: tuple[str, ...] = ()


class Planner(Protocol):
    """Says what comes next, from the question and the steps so far."""

    def __call__(
        self, question: str, sequences: Sequence[Record], steps: Sequence[Step], tools: Mapping[str, Tool]
    ) -> Deciding:
        """Calls to make, or the answer, whose pieces are given as they are written if the planner can."""


def _here(take: Callable[[], Step]) -> Step:
    return take()


def run_agent(
    planner: Planner,
    question: str,
    sequences: Sequence[Record],
    tools: Mapping[str, Tool],
    config: AgentConfig,
    apart: Callable[[Callable[[], Step]], Step] = _here,
) -> Generator[str | Step | Finished]:
    """Every step as it is made, pieces of the answer where the planner gives them, and at last the whole.

    Args:
        planner: Says what comes next.
        question: In the user's words.
        sequences: Checked records, which calls name by `@input`.
        tools: What may be called.
        config: Bounds.
        apart: Makes a step, as `Workplace.apart` does.

    Raises:
        DataError: the planner cannot be asked this (no question, or one that does not fit).
        NetworkError: the planner is a server that cannot be reached.
    """
    steps: list[Step] = []
    notices: list[str] = []
    while True:
        decision = yield from planner(question, sequences, steps, tools)
        notices += [notice for notice in decision.notices if notice not in notices]
        if not decision.requests:
            told = [tell_result(step, config.max_result_letters) for step in steps]
            # The sentence of a tool may count what its result lists.
            said = [say_result(step.tool, step.result) for step in steps if not step.error]
            grounds = [question, *told, *said]
            if steps and (missing := unfounded_numbers(decision.text, grounds)):
                notices.append(f"No tool gave {', '.join(missing)}: the numbers of the steps are the ones to trust.")
            ended: Literal["answered", "cut"] = "cut" if decision.is_cut else "answered"
            yield Finished(decision.text, tuple(steps), ended, tuple(notices))
            return
        for request in decision.requests:
            if len(steps) == config.max_steps:
                yield Finished(
                    f"No answer after {len(steps)} tool calls (agent.max_steps); the steps show what was found.",
                    tuple(steps), "out of steps", tuple(notices),
                )  # fmt: skip
                return
            take = partial(
                take_step, request, sequences, tools, timeout_s=config.timeout_s, before=tuple(steps), question=question
            )  # fmt: skip
            steps.append(apart(take))
            yield steps[-1]


def take_step(
    request: Request,
    sequences: Sequence[Record],
    tools: Mapping[str, Tool],
    *,
    timeout_s: float,
    before: Sequence[Step] = (),
    question: str = "",
) -> Step:
    """Check and run one call; what goes wrong is in the step's `error`.

    Args:
        request: As a planner wrote it.
        sequences: What `@input` stands for.
        tools: What may be called.
        timeout_s: Longest time, > 0.
        before: The steps so far, whose results `@result` stands for.
        question: What `@question` stands for.
    """
    started = perf_counter()
    try:
        result, error = _run(request, sequences, tools, timeout_s, before, question), ""
    except LlamaGeneError as problem:
        result, error = None, str(problem)
    return Step(request.tool, request.arguments, request.written, result, error, perf_counter() - started)


def _run(
    request: Request,
    sequences: Sequence[Record],
    tools: Mapping[str, Tool],
    timeout_s: float,
    before: Sequence[Step],
    question: str,
) -> Any:
    if request.problem:
        raise DataError(f"the call cannot be read: {request.problem}. Expected one JSON object; write it again.")
    if request.tool in SEARCH_TOOLS and request.tool not in tools:
        raise DataError(
            f"{request.tool}: no index is open. Make one with `llama-gene index` and open it with --index FOLDER."
        )
    if request.tool not in tools:
        raise DataError(f"{request.tool[:40]!r}: no such tool. Expected one of {', '.join(tools)}; correct the name.")
    tool = tools[request.tool]
    letters, results = [record.text for record in sequences], [step.result for step in before]
    arguments = fill_references(request.arguments, letters, results, tool.schema, question)
    return call_within(tool.name, lambda: tool.call(arguments), timeout_s, "agent.timeout_s")


def tell_result(step: Step, most_letters: int) -> str:
    """A step's result or error as the turn that the model reads; pictures are left out, long results are cut.

    Args:
        step: A call that was made.
        most_letters: Longest result, > 0.

    >>> tell_result(Step("predict_expression", {}, "", {"value": 11.4168}, "", 0.0), 100)
    'The tool predict_expression gives 11.42.'
    """
    if step.error:
        return f"The tool {step.tool or '?'} failed: {cut_text(step.error, most_letters)}"
    return tell(step.tool, step.result, most_letters)


def show_step(step: Step, most_letters: int = 400) -> str:
    """A step in two lines, for people."""
    came = f"error: {step.error}" if step.error else tell_result(step, most_letters)
    return f"{show_call(step, most_letters)}\n  {cut_text(came, 2 * most_letters)} ({step.seconds:.2f} s)"


def show_call(step: Step, most_letters: int = 400) -> str:
    """What was called, with which arguments, on one line."""
    given = cut_text(json.dumps(dict(step.arguments), ensure_ascii=False), most_letters)
    return f"{step.tool or step.written} {given}"
