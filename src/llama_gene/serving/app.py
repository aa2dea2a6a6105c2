"""The HTTP API as one ASGI app: routes, errors, guard. The bodies are in `bodies`, the answers in their own modules."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from llama_gene import __version__
from llama_gene.serving.answering import Service, check_model
from llama_gene.serving.assets import answer_with, read_assets
from llama_gene.serving.assistant_chat import answer_as_assistant
from llama_gene.serving.bodies import ChatBody, CompletionBody, EmbeddingBody, ScoreBody, TaskBody
from llama_gene.serving.by_hand import add_tool_routes
from llama_gene.serving.chat import answer_chat
from llama_gene.serving.completions import complete
from llama_gene.serving.embeddings import embed
from llama_gene.serving.guard import Guard, limits_of
from llama_gene.serving.handbook import handbook
from llama_gene.serving.keys import KeyRing
from llama_gene.serving.refusals import add_refusals
from llama_gene.serving.tasks import answer_classify, answer_score, describe_task, list_tasks, task_named
from llama_gene.serving.turns import add_page_routes

_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The request is wrong; `error.message` says how."},
    401: {"description": "No valid API key."},
    404: {"description": "No such model or task."},
    413: {"description": "Too large."},
    429: {"description": "Too many requests of this key; see Retry-After."},
    503: {"description": "The line is full; see Retry-After."},
    504: {"description": "No answer in time."},
}


def build_app(service: Service, keys: KeyRing) -> Guard:
    """The whole server around one model.

    Args:
        service: What is served.
        keys: Who may ask.
    """
    app = FastAPI(
        title="llama-gene", version=__version__, docs_url=None, redoc_url=None, lifespan=_lifespan(service),
        description=f"{service.name}: gene tasks and text, in OpenAI's API and a few addresses of its own.",
    )  # fmt: skip
    _add_model_routes(app, service)
    _add_status_routes(app, service)
    add_refusals(app)
    add_page_routes(app, service)
    add_tool_routes(app, service)
    for asset in read_assets():
        app.add_api_route(asset.path, answer_with(asset), methods=["GET", "HEAD"], include_in_schema=False)
    paths = list(app.openapi()["paths"])
    return Guard(app, keys=keys, limits=limits_of(service.config), metrics=service.metrics, paths=paths)


def _lifespan(service: Service) -> Any:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        service.engine.close()

    return lifespan


def _add_model_routes(app: FastAPI, service: Service) -> None:
    """What needs the model; request bodies are checked by FastAPI before these run."""

    async def chat_completions(body: ChatBody, http: Request) -> Response:
        """Answer a conversation, whole or as server-sent events."""
        answer = answer_as_assistant if body.model == service.assistant_name else answer_chat
        return await answer(service, body, http)

    async def completions(body: CompletionBody, http: Request) -> Response:
        """Go on with a text."""
        return await complete(service, body, http)

    async def embeddings(body: EmbeddingBody, http: Request) -> Response:
        """The mean of the last hidden states over each text's tokens."""
        return await embed(service, body, http)

    async def classify(body: TaskBody, http: Request) -> Response:
        """The likeliest label of each item of a task, and the probability of every label."""
        return await answer_classify(service, body, http)

    async def score(body: ScoreBody, http: Request) -> Response:
        """Log-probabilities of a task's labels, of candidate answers, or of texts."""
        return await answer_score(service, body, http)

    for path, answer in (
        ("/v1/chat/completions", chat_completions),
        ("/v1/completions", completions),
        ("/v1/embeddings", embeddings),
        ("/v1/classify", classify),
        ("/v1/score", score),
    ):
        app.add_api_route(path, answer, methods=["POST"], responses=_ERRORS, response_class=JSONResponse)


def _add_status_routes(app: FastAPI, service: Service) -> None:
    """What the server says of itself."""
    known = {
        name: {"id": name, "object": "model", "created": service.started, "owned_by": "llama-gene"}
        for name in (service.name, service.assistant_name)
    }

    async def models() -> dict[str, Any]:
        """The model, and the assistant that it makes."""
        return {"object": "list", "data": list(known.values())}

    async def one_model(name: str) -> dict[str, Any]:
        """One of them."""
        if name not in known:
            check_model(service, name)
        return known[name]

    async def tasks() -> dict[str, Any]:
        """The tasks this model learnt, with their inputs and labels."""
        return {"object": "list", "data": list_tasks(service.assistant)}

    async def one_task(name: str) -> dict[str, Any]:
        """One task."""
        return describe_task(service.assistant, task_named(service.assistant, name))

    async def health() -> JSONResponse:
        """200 while the engine works."""
        load, is_well = service.engine.load, service.engine.is_alive
        facts = {"status": "ok" if is_well else "failed", "model": service.name, **load._asdict()}
        return JSONResponse(facts, status_code=200 if is_well else 503)

    async def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def docs() -> HTMLResponse:
        return HTMLResponse(handbook(app.openapi()))

    for path, answer in (
        ("/v1/models", models),
        ("/v1/models/{name:path}", one_model),
        ("/v1/tasks", tasks),
        ("/v1/tasks/{name}", one_task),
        ("/health", health),
        ("/metrics", metrics),
    ):
        app.add_api_route(path, answer, methods=["GET"], responses=_ERRORS)
    app.add_api_route("/docs", docs, include_in_schema=False)
