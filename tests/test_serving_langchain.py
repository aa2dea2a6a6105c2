"""The server behind LangChain: what a chain, an agent or a vector store asks of it."""

import socket
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from serving import DNA, make_served_model, serving

langchain_openai = pytest.importorskip("langchain_openai", reason="LangChain is missing: pip install langchain-openai")
QUESTION = f"Is it a promoter? {DNA}"


class Verdict(BaseModel):
    """Whether a sequence is a promoter."""

    label: Literal["promoter", "other"]
    strand: Literal["+", "-"] | None = Field(None, description="Where it was read.")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with serving(make_served_model(tmp_path_factory.mktemp("served"))) as address:
        yield f"{address}/v1"


@pytest.fixture(scope="module")
def model(address):
    return langchain_openai.ChatOpenAI(base_url=address, api_key="none", model="model", max_tokens=16, max_retries=0)


def test_a_chain_is_answered_whole_streamed_and_in_batches(model):
    whole = model.invoke([("system", "Be short."), ("system", "Be kind."), ("human", QUESTION)])
    assert whole.usage_metadata["output_tokens"] <= 16
    alone = model.invoke(QUESTION).content
    assert "".join(piece.content for piece in model.stream(QUESTION)) == alone
    assert [found.content for found in model.batch([QUESTION, QUESTION])] == [alone, alone]


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_an_answer_becomes_an_object(model, method):
    asked = model.model_copy(update={"max_tokens": 64}).with_structured_output(Verdict, method=method)
    assert isinstance(asked.invoke(QUESTION), Verdict)


def test_a_tool_is_called_and_its_result_read(model):
    def strand_of(site: Literal["TATAAA", "TTGACA"]) -> str:
        """The strand that a site lies on."""
        return f"{site} lies on +"

    asked = model.model_copy(update={"max_tokens": 64}).bind_tools([strand_of], tool_choice="strand_of")
    called = asked.invoke(QUESTION)
    (call,) = called.tool_calls
    assert strand_of(**call["args"]).endswith("lies on +")
    streamed = asked.stream(QUESTION)
    whole = next(streamed)
    for piece in streamed:
        whole += piece
    assert [(one["name"], one["args"]) for one in whole.tool_calls] == [(call["name"], call["args"])]
    result = {"role": "tool", "tool_call_id": call["id"], "content": strand_of(**call["args"])}
    assert isinstance(model.bind_tools([strand_of]).invoke([("human", QUESTION), called, result]).content, str)


def test_texts_are_embedded_and_continued(address):
    options = {"base_url": address, "api_key": "none", "model": "model", "max_retries": 0}
    vectors = langchain_openai.OpenAIEmbeddings(**options, check_embedding_ctx_length=False)
    assert [len(vector) for vector in vectors.embed_documents(["ACGT", "MKVL"])] == [32, 32]
    texts = langchain_openai.OpenAI(**options, max_tokens=4)
    assert "".join(texts.stream("ACGT")) == texts.batch(["ACGT", "MKVL"])[0]


def test_an_error_reaches_the_chain_in_the_words_of_the_server(model):
    with pytest.raises(Exception, match=r"messages\.0: the message is empty"):
        model.invoke("")
    with pytest.raises(Exception, match="This server has 'model'"):
        model.model_copy(update={"model_name": "gpt"}).invoke("hi")


def test_langchain_asks_no_other_host(address, monkeypatch):
    asked, ask = set(), socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *more, **named: asked.add(host) or ask(host, *more, **named)
    )
    # LangChain keeps a connection for each address, so another name makes it ask again.
    named = address.replace("127.0.0.1", "localhost")
    langchain_openai.ChatOpenAI(base_url=named, api_key="none", model="model", max_tokens=2).invoke(QUESTION)
    assert asked == {"localhost"}
