"""What clients may send. Every parameter is honoured or refused: an unknown one, or a value that does nothing here, is
answered with 400. Parameters that ask for nothing (`user`, `metadata`) are taken and left alone.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_MOST_STOPS = 16
_MOST_SEED = 2**63 - 1
_Stop = Annotated[str, Field(min_length=1, max_length=200)]
Texts = str | Annotated[list[str], Field(min_length=1)]


class Body(BaseModel):
    """A JSON object without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TextPart(Body):
    """A piece of a message."""

    type: Literal["text"]
    text: str


class CalledFunction(Body):
    """A call the model made: `arguments` is a JSON object as text."""

    name: str = Field(min_length=1)
    arguments: str = "{}"


class ToolCall(Body):
    """A call in an answer of the model."""

    id: str
    type: Literal["function"] = "function"
    function: CalledFunction


class ChatMessage(Body):
    """One turn."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    refusal: None = None


class Function(Body):
    """A tool: its arguments as JSON schema."""

    name: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")
    description: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    strict: bool | None = None


class Tool(Body):
    """A tool the model may call."""

    type: Literal["function"]
    function: Function


class ChosenFunction(Body):
    """The name of a tool."""

    name: str


class ChosenTool(Body):
    """The tool the model must call."""

    type: Literal["function"]
    function: ChosenFunction


class JsonSchema(Body):
    """A named JSON schema."""

    name: str = Field(min_length=1, max_length=64)
    description: str | None = None
    schema_: dict[str, Any] = Field(default_factory=dict, alias="schema")
    strict: bool | None = None


class ResponseFormat(Body):
    """What the answer must be."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(Body):
    """What a stream tells besides the answer."""

    include_usage: bool = False
    include_obfuscation: Literal[False] = False


class Writing(Body):
    """How an answer is written, in chats and completions alike."""

    model: str
    max_tokens: int | None = Field(None, ge=1, description="Longest answer, in tokens.")
    temperature: float | None = Field(None, ge=0, le=5, description="0, the default: the likeliest token.")
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(None, ge=0, le=_MOST_SEED, description="The same seed gives the same answer.")
    stop: _Stop | Annotated[list[_Stop], Field(max_length=_MOST_STOPS)] | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None
    presence_penalty: Literal[0] | None = None
    frequency_penalty: Literal[0] | None = None
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] | None = None
    user: str | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())


class ChatBody(Writing):
    """POST /v1/chat/completions."""

    messages: list[ChatMessage] = Field(min_length=1)
    max_completion_tokens: int | None = Field(None, ge=1, description="The newer name of max_tokens.")
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    response_format: ResponseFormat | None = None
    tools: list[Tool] | None = Field(None, max_length=64)
    tool_choice: Literal["none", "auto", "required"] | ChosenTool | None = None
    parallel_tool_calls: bool | None = None
    metadata: dict[str, str] | None = None
    store: Literal[False] | None = None


class CompletionBody(Writing):
    """POST /v1/completions."""

    prompt: Texts = Field(description="Text, or several; special tokens in it are spelled out.")
    logprobs: int | None = Field(None, ge=0, le=20)
    echo: Literal[False] | None = None
    best_of: Literal[1] | None = None
    suffix: None = None


class EmbeddingBody(Body):
    """POST /v1/embeddings."""

    model: str
    input: Texts
    encoding_format: Literal["float", "base64"] = "float"
    user: str | None = None


class TaskBody(Body):
    """POST /v1/classify: items of one task, each a sequence or the list of its sequences."""

    model: str
    task: str = Field(min_length=1)
    input: str | Annotated[list[str | Annotated[list[str], Field(min_length=1)]], Field(min_length=1)]


class ScoreBody(Body):
    """POST /v1/score: answers of a task's items, candidates after a conversation, or texts alone."""

    model: str
    task: str | None = Field(None, min_length=1)
    input: str | Annotated[list[str | Annotated[list[str], Field(min_length=1)]], Field(min_length=1)] | None = None
    messages: list[ChatMessage] | None = Field(None, min_length=1)
    candidates: Annotated[list[str], Field(min_length=1)] | None = None
    texts: Annotated[list[str], Field(min_length=1)] | None = None
