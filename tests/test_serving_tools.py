"""Tools of the page, of turns and of MCP that raise, hang, or whose client is gone: nothing goes on for nobody."""

import asyncio
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import httpx
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from llama_gene.assistant.agent import Decision
from llama_gene.config import AgentConfig, ChatConfig, ServeConfig
from llama_gene.serving.mcp_server import build_server
from llama_gene.serving.run import Equipment, open_service
from llama_gene.serving.tools import offered_tools
from llama_gene.tasks.tool_calls import Request
from llama_gene.tools import make_tool
from serving import DNA, DNA_TASK, events_of, make_served_model, serving_service

HANGING = threading.Event()


def raises() -> int:
    """It fails."""
    raise ZeroDivisionError("by hand")


def hangs() -> bool:
    """It waits."""
    return HANGING.wait(60)


RAISED = "tool raises: failed with ZeroDivisionError: by hand. Try other arguments."
HUNG = "tool hangs: no result within 0.3 s (agent.timeout_s). Give less to do, or raise it."
ERRORS = {"raises": RAISED, "hangs": HUNG}
ASK = {"task": DNA_TASK, "sequences": [DNA]}
MAP = {"sequence": DNA * 2, "kind": "dna", "start": 0, "end": 2 * len(DNA)}


def call_each(question, sequences, steps, tools):
    """A planner that calls both, then answers."""
    yield from ()
    if len(steps) < len(ERRORS):
        return Decision(requests=(Request(list(ERRORS)[len(steps)], {}, ""),))
    return Decision(text="Neither worked.")


def with_odd_tools(service):
    tools = {**service.toolbox.tools, "raises": make_tool(raises), "hangs": make_tool(hangs)}
    return replace(service, toolbox=replace(service.toolbox, tools=tools, planner=call_each))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_served_model(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def odd(folder):
    equipment = Equipment(agent=AgentConfig(timeout_s=0.3))
    with serving_service(folder, ChatConfig(), equipment, with_odd_tools) as (address, _):
        yield address
        HANGING.set()


def by_hand(address, tool, arguments="", timeout=60):
    return httpx.post(f"{address}/page/tool", json={"tool": tool, "arguments": arguments}, timeout=timeout)


@pytest.mark.parametrize("tool", ERRORS)
def test_a_tool_by_hand_that_raises_or_hangs_gives_a_step_with_the_error(odd, tool):
    answer = by_hand(odd, tool)
    assert answer.status_code == 200
    step = answer.json()["step"]
    assert (step["tool"], step["result"], step["error"]) == (tool, None, ERRORS[tool])
    assert by_hand(odd, "gc_content", '{"dna": "GGCA"}').json()["step"]["result"]["gc_share"] == 0.75


def test_tools_of_a_turn_that_raise_or_hang_are_steps_and_the_turn_goes_on(odd):
    answer = httpx.post(f"{odd}/page/turn", json={"message": "gene?", "tools": True}, timeout=60)
    assert answer.status_code == 200
    events = events_of(answer)
    steps = [event for event in events if event["type"] == "step"]
    assert {step["tool"]: step["error"] for step in steps} == ERRORS
    assert events[-1]["text"] == "Neither worked."


# What nobody waits for is given up.


def wait_until(is_so):
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def at_work():
    """Threads of tools and turns, but for those of `hangs`."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith(("tool ", "turn")) and name != "tool hangs"]


@contextmanager
def holding(engine):
    """The engine is busy meanwhile, and counts what it is asked."""
    held, started, asked, call = threading.Event(), threading.Event(), [], engine.call
    call(lambda: (started.set(), held.wait(60)))
    assert started.wait(60)

    def counting(work):
        asked.append(call(work))
        return asked[-1]

    engine.call = counting
    try:
        yield asked
    finally:
        engine.call = call
        held.set()
    wait_until(lambda: engine.load == (0, 0))


def test_a_tool_by_hand_ends_when_its_client_leaves(folder):
    with serving_service(folder) as (address, service), holding(service.engine) as asked:
        arguments = f'{{"task": "{DNA_TASK}", "sequences": ["{DNA}"]}}'
        with pytest.raises(httpx.ReadTimeout):
            by_hand(address, "ask_task", arguments, timeout=0.5)
        wait_until(lambda: asked and asked[0].cancelled() and not at_work())


def test_a_tool_of_a_turn_ends_when_the_client_leaves(folder):
    def calls_map(question, sequences, steps, tools):
        yield "I look. "
        return Decision(requests=(Request("map_mutations", MAP, ""),))

    def change(service):
        return replace(service, toolbox=replace(service.toolbox, planner=calls_map))

    with serving_service(folder, change=change) as (address, service), holding(service.engine) as asked:
        body = {"message": "gene?", "tools": True}
        with httpx.stream("POST", f"{address}/page/turn", json=body, timeout=60) as answer:
            lines = answer.iter_lines()  # kept: without it the stream would be closed at once
            next(lines)
            wait_until(lambda: asked)
        wait_until(lambda: asked[0].cancelled() and not at_work())
        assert len(asked) == 1


@pytest.fixture(scope="module")
def service(folder):
    service = open_service(folder, ServeConfig(cache_gib=0.1, max_running=2), ChatConfig())
    yield service
    service.engine.close()


def asking(service, work, *, timeout_s=60.0):
    """What `work` gives with MCP's client."""

    async def run():
        async with Client(build_server(partial(offered_tools, service), timeout_s=timeout_s)) as client:
            return await work(client)

    return asyncio.run(asyncio.wait_for(run(), 60))


CALLS = [("classify", ASK), ("ask", {"message": f"Is it a core promoter? {DNA}"}), ("score", {"texts": [DNA, DNA]}),
         ("ask_task", ASK), ("map_mutations", MAP)]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments"), CALLS, ids=[name for name, _ in CALLS])
def test_a_call_by_mcp_that_takes_too_long_ends_in_the_engine_as_well(service, name, arguments):
    with holding(service.engine) as asked:
        found = asking(service, lambda client: client.call_tool(name, arguments), timeout_s=0.3)
        assert "no result within 0.3 s (serve.answer_timeout_s)" in found.content[0].text
        wait_until(lambda: not at_work())
        assert [one.cancelled() for one in asked] == [True]


def test_a_call_by_mcp_that_the_client_takes_back_ends(service):
    async def lose_patience(client):
        with pytest.raises(MCPError, match=r"[Tt]imed out"):
            await client.call_tool("classify", ASK, read_timeout_seconds=0.5)

    with holding(service.engine) as asked:
        asking(service, lose_patience)
        wait_until(lambda: not at_work())
        assert [one.cancelled() for one in asked] == [True]


def test_a_map_of_mutations_comes_to_the_engine_in_pieces_with_others_in_between(service):
    order, call = [], service.engine.call

    def noting(work):
        if not order:
            order.append("map")
            call(lambda: order.append("other"))
        else:
            order.append("map")
        return call(work)

    service.engine.call = noting
    found = asking(service, lambda client: client.call_tool("map_mutations", MAP))
    service.engine.call = call
    assert not found.is_error
    # 64 letters have 192 changes, 48 in a piece.
    assert order.count("map") == 4
    assert order[-1] == "map"
