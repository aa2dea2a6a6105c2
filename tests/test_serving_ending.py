"""What a client sees of an answer that was in work when the server ended."""

import asyncio

import pytest

from llama_gene.serving.ending import Ending, counting, describe_ending

POST = {"type": "http", "method": "POST", "path": "/v1/chat/completions"}
GET = {**POST, "method": "GET"}


def ended(scope, has_begun, is_cut):
    """The counts, and what was sent, of a request that goes on when the signal comes."""

    async def run():
        sent, ending, begun = [], Ending(), asyncio.Event()

        async def app(_scope, _receive, send):
            if has_begun:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            begun.set()
            await asyncio.sleep(60 if is_cut else 0)

        async def send(message):
            sent.append(message)

        task = asyncio.ensure_future(counting(app, ending, lambda: True)(scope, None, send))
        await begun.wait()
        if is_cut:
            task.cancel()
        await task
        return ending, sent

    return asyncio.run(run())


def test_an_answer_that_ends_in_time_counts_as_finished():
    assert ended(POST, has_begun=True, is_cut=False)[0] == Ending(finished=1)


@pytest.mark.parametrize("has_begun", [True, False])
def test_an_answer_that_is_cut_tells_its_client(has_begun):
    ending, sent = ended(POST, has_begun, is_cut=True)
    assert ending == Ending(cut=1)
    assert sent[0]["status"] == (200 if has_begun else 503)
    assert b"the server is closing and cut this answer" in sent[-1]["body"]
    assert sent[-1]["body"].endswith(b"data: [DONE]\n\n") == has_begun
    assert describe_ending(ending, 30) == (
        "stopped; 0 of 1 answers in work were finished, the rest cut after 30 s (serve.drain_s)."
    )


def test_a_stream_that_nobody_waits_for_does_not_count():
    assert ended(GET, has_begun=True, is_cut=True)[0] == Ending()
