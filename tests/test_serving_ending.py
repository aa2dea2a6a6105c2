"""What a client sees of an answer that was in work when the server ended."""

import asyncio
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack

import httpx
import pytest

from llama_gene.serving.ending import Ending, describe_ending, ending_well
from serving import make_served_model

POST = {"type": "http", "method": "POST", "path": "/v1/chat/completions"}
GET = {**POST, "method": "GET"}


def ended(scope, has_begun, is_cut):
    """The counts, and what was sent, of a request that is in work when the signal comes."""

    async def run():
        sent, ending, begun = [], Ending(), asyncio.Event()

        async def app(_scope, _receive, send):
            if has_begun:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            begun.set()
            await asyncio.sleep(60 if is_cut else 0)

        async def send(message):
            sent.append(message)

        task = asyncio.ensure_future(ending_well(app, ending)(scope, None, send))
        await begun.wait()
        ending.is_closing = True
        if is_cut:
            task.cancel()
        await task
        return ending, sent

    return asyncio.run(run())


def test_an_answer_that_ends_in_time_counts_as_finished():
    assert ended(POST, has_begun=True, is_cut=False)[0] == Ending(is_closing=True, finished=1)


@pytest.mark.parametrize("has_begun", [True, False])
def test_an_answer_that_is_cut_tells_its_client(has_begun):
    ending, sent = ended(POST, has_begun, is_cut=True)
    assert ending == Ending(is_closing=True, cut=1)
    assert sent[0]["status"] == (200 if has_begun else 503)
    assert b"the server is closing and cut this answer" in sent[-1]["body"]
    assert sent[-1]["body"].endswith(b"data: [DONE]\n\n") == has_begun
    assert describe_ending(ending, 30) == (
        "stopped; 0 of 1 answers in work were finished, the rest cut after 30 s (serve.drain_s)."
    )


def test_a_stream_that_nobody_waits_for_does_not_count():
    assert ended(GET, has_begun=True, is_cut=True)[0] == Ending(is_closing=True)


def test_the_server_stops_when_the_last_answer_is_done_or_time_is_up():
    for in_work, drain_s in ((0, 60), (1, 0)):
        stopped, ending = threading.Event(), Ending(in_work=in_work)
        ending.begin(drain_s, stopped.set)
        assert ending.is_closing
        assert stopped.wait(10)


# The steps of its engine are slowed down, so that no answer is over too early.
SERVER = """
import sys, time
from llama_gene import cli
from llama_gene.serving.batch import Batch

step = Batch.step
Batch.step = lambda batch: (time.sleep(0.01 * bool(len(batch))), step(batch))
sys.exit(cli.run(sys.argv[1:]))
"""
QUESTION = [{"role": "user", "content": "gene?"}]
CHAT = {"max_tokens": 150, "temperature": 5, "stream": True, "messages": QUESTION}
STREAMS = [
    ("/v1/chat/completions", {"model": "model", **CHAT}),
    ("/v1/chat/completions", {"model": "model:assistant", **CHAT}),
    ("/page/turn", {"message": "gene?"}),
]


@pytest.mark.slow
def test_sigterm_lets_answers_of_every_kind_end_refuses_new_ones_and_exits_143(tmp_path):
    folder = make_served_model(tmp_path)
    settings = ["--port", "0", "--set", "serve.cache_gib=0.1", "--set", "chat.max_new_tokens=150"]
    command = [sys.executable, "-c", SERVER, "serve", str(folder), *settings]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server,
        ExitStack() as open_,
    ):
        address = server.stdout.readline().strip().removeprefix("serving on ")
        answers = [
            open_.enter_context(httpx.stream("POST", f"{address}{path}", json=body, timeout=60))
            for path, body in STREAMS
        ]
        streams = [answer.iter_lines() for answer in answers]
        for lines in streams:
            next(lines)
        server.send_signal(signal.SIGTERM)
        refused = httpx.get(f"{address}/health")
        while refused.status_code == 200:
            refused = httpx.get(f"{address}/health")
        late = httpx.post(f"{address}/v1/chat/completions", json={"model": "model", "messages": QUESTION})
        rest = [[line for line in lines if line] for lines in streams]
        assert server.wait(60) == 143
        assert server.stderr.read() == "llama-gene: stopped; 3 of 3 answers in work were finished.\n"
    for answer in (refused, late):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["error"]["message"] == "the server is closing. Ask again when it is back."
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert [lines[-1] for lines in rest] == ["data: [DONE]"] * 3
    assert all('"error": {' not in line for lines in rest for line in lines)
