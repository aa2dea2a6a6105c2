"""What MCP clients may call: what is computed, what is found in an index, and what the model says.

A tool has a name, a description, the JSON schema of its arguments, and `call`, which checks them and gives JSON values.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Protocol, TypeVar

from pydantic import Field, ValidationError

from llama_gene.assistant.events import Manner, reply_record
from llama_gene.assistant.turn import reply_to
from llama_gene.errors import DataError
from llama_gene.serving.answering import Seat, Service, take_seat
from llama_gene.serving.bodies import Body
from llama_gene.serving.limits import check_letters, check_number
from llama_gene.serving.tasks import classify_item, list_tasks, score_text, task_named


class Tool(Protocol):
    """Anything that can be called by name."""

    @property
    def name(self) -> str:
        """What calls name it."""

    @property
    def description(self) -> str:
        """What it does, for a model to choose by."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """JSON schema of the arguments, an object."""

    def call(self, arguments: Mapping[str, Any]) -> Any:
        """JSON values; DataError where the arguments are wrong."""


@dataclass(frozen=True)
class ModelTool:
    """A tool that asks the model."""

    name: str
    description: str
    schema: Mapping[str, Any]
    call: Callable[[Mapping[str, Any]], Any]


class ClassifyArguments(Body):
    """An item of a task."""

    task: str = Field(min_length=1, description="Name of the task, one of list_tasks.")
    sequences: list[str] = Field(min_length=1, description="Letters of the item, one string per input of the task.")


class ScoreArguments(Body):
    """Texts to weigh."""

    texts: list[str] = Field(min_length=1, description="DNA, protein or plain text.")


class AskArguments(Body):
    """A question."""

    message: str = Field(description="The question, with its sequences in it: bare letters or FASTA.")


class NoArguments(Body):
    """Nothing."""


_Arguments = TypeVar("_Arguments", bound=Body)


@contextmanager
def offered_tools(service: Service) -> Iterator[Mapping[str, Tool]]:
    """The tools by name, for one call: whatever the call still does when it is over, or nobody waits, is given up.

    Args:
        service: The served model; its index is searched, where it has one.
    """
    with take_seat(service) as seat:
        yield {**seat.toolbox.tools, **_model_tools(service, seat)}


def _model_tools(service: Service, seat: Seat) -> dict[str, Tool]:
    """The tasks and scores of a served model, by name; each waits its turn in the engine."""

    def tasks(arguments: Mapping[str, Any]) -> Any:
        _checked(NoArguments, arguments)
        return {"tasks": list_tasks(service.assistant)}

    def classify(arguments: Mapping[str, Any]) -> Any:
        asked = _checked(ClassifyArguments, arguments)
        task = task_named(service.assistant, asked.task)
        check_letters(service, asked.sequences, "sequences")
        return classify_item(seat.assistant, task, asked.sequences)

    def ask(arguments: Mapping[str, Any]) -> Any:
        asked = _checked(AskArguments, arguments)
        manner = Manner(toolbox=seat.toolbox, longest=service.config.max_letters)
        return reply_record(reply_to(seat.assistant, asked.message, manner=manner))

    def score(arguments: Mapping[str, Any]) -> Any:
        asked = _checked(ScoreArguments, arguments)
        check_number(service, asked.texts, "texts")
        scores = [
            seat.assistant.workplace.on_model(partial(score_text, service, text, f"texts.{place}"))
            for place, text in enumerate(asked.texts)
        ]
        return {"scores": scores}

    names = ", ".join(sorted(service.assistant.learnt)) or "none"
    made = (
        ModelTool(
            "list_tasks", "The gene tasks this model learnt, with inputs and labels.", _schema(NoArguments), tasks
        ),
        ModelTool(
            "ask",
            "Ask the gene model in words. It finds the sequences in the message, leads the question to a task that it "
            "learnt, and says how sure it is and how often it was right.",
            _schema(AskArguments),
            ask,
        ),
        ModelTool(
            "classify",
            f"Answer a gene task about sequences, with the probability of each label. Tasks: {names}.",
            _schema(ClassifyArguments),
            classify,
        ),
        ModelTool(
            "score",
            "Log-probability in nats, and number of tokens, that the model gives each text (DNA, protein, words).",
            _schema(ScoreArguments),
            score,
        ),
    )
    return {tool.name: tool for tool in made}


@cache
def _schema(arguments: type[Body]) -> dict[str, Any]:
    return arguments.model_json_schema()


def _checked(kind: type[_Arguments], arguments: Mapping[str, Any]) -> _Arguments:
    """The arguments as they should be.

    Raises:
        DataError: they are not.
    """
    try:
        return kind.model_validate(dict(arguments))
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "arguments"
        raise DataError(f"{where}: {problem['msg']}. See the tool's schema.") from None
