"""The official client calls the model's tools in process, over the pipes of a program of its own, and over HTTP."""

import asyncio
import json
import os
import sys
import threading
import time
from contextlib import contextmanager
from functools import partial

import pytest
import uvicorn
from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError

from llama_gene import cli
from llama_gene.config import ChatConfig, ServeConfig
from llama_gene.retrieval.index import open_index
from llama_gene.serving.mcp_run import guarded
from llama_gene.serving.mcp_server import build_server
from llama_gene.serving.run import Equipment, listen, open_keys, open_service
from llama_gene.serving.tools import ModelTool, offered_tools
from serving import DNA, DNA_TASK, PROTEIN, make_served_model

CONFIG = ServeConfig(port=0, cache_gib=0.1, max_running=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_served_model(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def service(folder):
    service = open_service(folder, CONFIG, ChatConfig())
    yield service
    service.engine.close()


@pytest.fixture(scope="module")
def offer(service):
    return partial(offered_tools, service)


def run(server, work):
    """What `work` gives with a client of a server."""

    async def connected():
        async with Client(server) as client:
            return await work(client)

    return asyncio.run(asyncio.wait_for(connected(), 120))


async def ask_all(client):
    listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert {"list_tasks", "classify", "score"} <= set(listed)
    assert listed["classify"].input_schema["required"] == ["task", "sequences"]
    assert DNA_TASK in listed["classify"].description
    found = await client.call_tool("classify", {"task": DNA_TASK, "sequences": [DNA]})
    assert not found.is_error
    assert sum(found.structured_content["probabilities"].values()) == pytest.approx(1)
    assert json.loads(found.content[0].text) == found.structured_content
    talked = await client.call_tool("ask", {"message": f"Is it a core promoter? {DNA}"})
    assert talked.structured_content["task"] == DNA_TASK
    scored = await client.call_tool("score", {"texts": [DNA, PROTEIN]})
    assert all(one["log_probability"] < 0 for one in scored.structured_content["scores"])
    assert len((await client.call_tool("list_tasks", {})).structured_content["tasks"]) == 2
    return True


def test_tasks_and_scores_are_called_in_process(offer):
    assert run(build_server(offer, timeout_s=60), ask_all)


@pytest.mark.slow
def test_tasks_and_scores_are_called_over_pipes(folder):
    arguments = ["-m", "llama_gene.cli", "mcp", str(folder), "--set", "serve.cache_gib=0.1"]
    program = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))
    assert run(program, ask_all)


def test_tasks_and_scores_are_called_over_http(offer):
    listening = listen(CONFIG)
    app = guarded(build_server(offer, timeout_s=60), open_keys(CONFIG), CONFIG)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    assert run(f"http://127.0.0.1:{listening.getsockname()[1]}/mcp", ask_all)
    server.should_exit = True
    thread.join()


def test_computed_tools_and_an_index_are_offered_beside_the_model(folder, tmp_path, capsys):
    (tmp_path / "mine.fasta").write_text(f">p1 kinase of mine\n{PROTEIN * 3}\n>p2 other\n{PROTEIN[::-1] * 3}\n")
    index = tmp_path / "index"
    assert cli.run(["index", str(tmp_path / "mine.fasta"), "--output", str(index)]) == 0, capsys.readouterr().err
    service = open_service(folder, CONFIG, ChatConfig(), equipment=Equipment(open_index(index)))

    async def ask(client):
        names = {tool.name for tool in (await client.list_tools()).tools}
        turned = await client.call_tool("reverse_complement", {"dna": "AACGT"})
        found = await client.call_tool("search_sequences", {"sequence": PROTEIN * 3, "kind": "protein"})
        change = {"sequence": DNA, "kind": "dna", "start": 3, "reference": "A", "alternative": "C"}
        effect = await client.call_tool("effect_of_variant", change)
        told = await client.call_tool("ask", {"message": f"What is it? {PROTEIN * 3}"})
        return names, turned, found, effect, told

    try:
        names, turned, found, effect, told = run(build_server(partial(offered_tools, service), timeout_s=60), ask)
    finally:
        service.engine.close()
    assert {"translate", "search_passages", "effect_of_variant", "ask_task", "classify"} <= names
    assert turned.structured_content["dna"] == "ACGTT"
    assert found.structured_content["result"][0]["id"] == "p1"
    assert found.structured_content["result"][0]["identity"] == 1
    assert not effect.is_error, effect.content
    assert told.structured_content["found"]["neighbours"][0]["hits"][0]["id"] == "p1"


BAD_CALLS = [
    ("classify", {"task": DNA_TASK, "sequences": [PROTEIN]}, "look like protein, not DNA"),
    ("classify", {"task": "nonesuch", "sequences": [DNA]}, "nonesuch"),
    ("classify", {"task": DNA_TASK}, "sequences: Field required"),
    ("score", {"texts": [""]}, "the text is empty"),
    ("ask", {"message": f"gene? {'ACGT' * 25_001}"}, "100,004 letters; a sequence may have 100,000"),
    ("list_tasks", {"x": 1}, "x: Extra inputs"),
]


@pytest.mark.parametrize(("name", "arguments", "words"), BAD_CALLS, ids=[words for *_, words in BAD_CALLS])
def test_a_bad_call_is_told_to_the_client(offer, name, arguments, words):
    found = run(build_server(offer, timeout_s=60), lambda client: client.call_tool(name, arguments))
    assert found.is_error
    assert words in found.content[0].text


def test_a_tool_that_raises_or_hangs_ends_its_own_call_alone(offer):
    hanging = threading.Event()
    odd = {
        "raises": ModelTool("raises", "Fails.", {"type": "object"}, lambda _arguments: 1 / 0),
        "hangs": ModelTool("hangs", "Waits.", {"type": "object"}, lambda _arguments: hanging.wait(60)),
    }

    async def ask(client):
        raised = await client.call_tool("raises", {})
        hung, *_ = await asyncio.gather(*(client.call_tool("hangs", {}) for _ in range(40)))
        # More calls hang by now than a pool has threads. On a busy machine another one may be late, but not each time.
        others = [await client.call_tool("list_tasks", {})]
        while others[-1].is_error and len(others) < 100:
            others.append(await client.call_tool("list_tasks", {}))
        hanging.set()
        return raised.content[0].text, hung.content[0].text, others[-1].is_error

    @contextmanager
    def with_odd():
        with offer() as tools:
            yield {**tools, **odd}

    server = build_server(with_odd, timeout_s=0.5)
    assert run(server, ask) == (
        "tool raises: failed with ZeroDivisionError: division by zero. Try other arguments.",
        "tool hangs: no result within 0.5 s (serve.answer_timeout_s). Give less to do, or raise it.",
        False,
    )


def test_an_unknown_tool_is_an_error_of_the_protocol(offer):
    async def ask(client):
        with pytest.raises(MCPError, match="no tool 'rm'"):
            await client.call_tool("rm", {})
        return True

    assert run(build_server(offer, timeout_s=60), ask)
