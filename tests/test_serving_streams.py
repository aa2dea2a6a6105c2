"""Streams that go wrong midway still end as the API says: an event with the error, then `[DONE]`."""

import httpx
import pytest

from llama_gene.config import ChatConfig
from llama_gene.serving.run import Equipment
from serving import events_of, make_served_model, serving_engine


def fail_midway(question, sequences, steps, tools):
    """A planner with a bug."""
    yield "It is "
    raise ZeroDivisionError("secret detail")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = make_served_model(tmp_path_factory.mktemp("served"))
    with serving_engine(folder, ChatConfig(tools="on"), Equipment(planner=fail_midway)) as (address, _):
        yield address


ASKED = [
    ("/page/turn", {"message": "gene?"}),
    (
        "/v1/chat/completions",
        {"model": "model:assistant", "stream": True, "messages": [{"role": "user", "content": "gene?"}]},
    ),
]


@pytest.mark.parametrize(("path", "body"), ASKED, ids=[path for path, _ in ASKED])
def test_a_bug_in_the_middle_of_a_stream_is_logged_and_told_as_the_last_event(address, caplog, path, body):
    answer = httpx.post(f"{address}{path}", json=body, timeout=60)
    assert answer.status_code == 200
    assert "It is " in answer.text
    error = events_of(answer)[-1]["error"]
    assert error["type"] == "server_error"
    assert error["message"] == "the server failed; the operator's log says why."
    assert "secret detail" not in answer.text
    assert "ZeroDivisionError: secret detail" in caplog.text
    assert httpx.get(f"{address}/health").status_code == 200
