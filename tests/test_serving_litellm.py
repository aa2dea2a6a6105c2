"""The server behind LiteLLM, a client that speaks to many servers in one way."""

import os

import pytest

from serving import DNA, make_served_model, serving

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it fetches prices when it is imported
litellm = pytest.importorskip("litellm", reason="LiteLLM is missing: pip install litellm")
QUESTION = [{"role": "user", "content": f"Is it a core promoter? {DNA}"}]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(make_served_model(tmp_path_factory.mktemp("served"))) as address:
        yield {"api_base": f"{address}/v1", "api_key": "none", "max_retries": 0}


@pytest.mark.parametrize("name", ["model", "model:assistant"])
def test_an_answer_comes_whole_and_streamed(server, name):
    asked = {"model": f"openai/{name}", "messages": QUESTION, "max_tokens": 16, **server}
    whole = litellm.completion(**asked).choices[0]
    *pieces, last = litellm.completion(**asked, stream=True)
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == whole.message.content
    assert last.choices[0].finish_reason == whole.finish_reason


def test_a_tool_is_called(server):
    strand_of = {
        "type": "function",
        "function": {
            "name": "strand_of",
            "parameters": {
                "type": "object",
                "properties": {"site": {"enum": ["TATAAA", "TTGACA"]}},
                "required": ["site"],
            },
        },
    }
    found = litellm.completion(
        model="openai/model", messages=QUESTION, tools=[strand_of], tool_choice="required", max_tokens=64, **server
    ).choices[0]
    assert (found.finish_reason, found.message.tool_calls[0].function.name) == ("tool_calls", "strand_of")


def test_texts_become_vectors(server):
    found = litellm.embedding(model="openai/model", input=[DNA, "a gene"], **server)
    assert [len(one["embedding"]) for one in found.data] == [32, 32]


def test_what_is_refused_comes_as_its_own_kind_of_error(server):
    with pytest.raises(litellm.exceptions.NotFoundError, match="no model 'other' here"):
        litellm.completion(model="openai/other", messages=QUESTION, **server)
