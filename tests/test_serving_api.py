"""The server as clients see it: OpenAI's own client, curl, and what each endpoint says."""

import base64
import shutil
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import openai
import pytest
import torch

from llama_gene.assistant.asking import answer, ask_freely
from llama_gene.assistant.closed import classify
from llama_gene.assistant.conversation import Assistant, find_task
from llama_gene.config import ChatConfig
from serving import DNA, DNA_TASK, PAIR_TASK, PROTEIN, make_served_model, serving

QUESTION = [{"role": "user", "content": f"Is it a promoter? {DNA}"}]
SCHEMA = {
    "type": "object", "properties": {"label": {"enum": ["promoter", "other"]}}, "required": ["label"],
    "additionalProperties": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_served_model(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def address(folder):
    with serving(folder, max_inputs=4, max_letters=2000) as address:
        yield address


@pytest.fixture(scope="module")
def client(address):
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def assistant(folder):
    return Assistant.open(folder, ChatConfig(max_new_tokens=16))


def chat(client, **more):
    return client.chat.completions.create(**{"model": "model", "messages": QUESTION, "max_tokens": 16, **more})


def test_the_model_is_listed_and_another_one_is_not_found(client):
    assert [model.id for model in client.models.list()] == ["model", "model:assistant"]
    assert client.models.retrieve("model:assistant").owned_by == "llama-gene"
    with pytest.raises(openai.NotFoundError, match=r"no model 'gpt' here\. This server has 'model' and") as caught:
        chat(client, model="gpt")
    assert caught.value.code == "model_not_found"


def test_a_chat_gives_what_the_terminal_gives(client, assistant):
    expected = "".join(answer(assistant, ask_freely(assistant, "What is a gene?")))
    found = chat(client, messages=[{"role": "user", "content": "What is a gene?"}])
    assert found.choices[0].message.content == expected
    assert found.usage.completion_tokens <= 16
    assert found.choices[0].finish_reason in ("stop", "length")


def test_a_stream_joins_to_the_whole_answer(client):
    whole = chat(client)
    chunks = list(chat(client, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason
    assert chunks[-1].usage == whole.usage


def test_many_clients_at_once_get_the_answers_they_get_alone(client):
    asked = [[{"role": "user", "content": f"{DNA[:number]} ?"}] for number in range(4, 16)]
    alone = [chat(client, messages=one).choices[0].message.content for one in asked]
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(lambda one: chat(client, messages=one).choices[0].message.content, asked))
    assert together == alone


def test_a_stop_string_ends_the_answer_before_it(client):
    whole = chat(client).choices[0].message.content
    stop = whole[5:8]
    found = chat(client, stop=[stop]).choices[0]
    assert found.message.content == whole[: whole.index(stop)]
    assert found.finish_reason == "stop"


def test_a_seed_repeats_a_sample_and_another_changes_it(client):
    samples = [chat(client, temperature=2.0, seed=seed).choices[0].message.content for seed in (1, 1, 2)]
    assert samples[0] == samples[1] != samples[2]


def test_log_probabilities_are_the_likeliest_of_each_step(client):
    told = chat(client, logprobs=True, top_logprobs=3).choices[0].logprobs.content
    assert 1 <= len(told) <= 17
    for token in told:
        assert token.logprob == max(other.logprob for other in token.top_logprobs)
        assert bytes(token.bytes).decode() == token.token
    with pytest.raises(openai.BadRequestError, match="logprobs is not true"):
        chat(client, top_logprobs=3)


def test_an_answer_keeps_to_a_json_schema(client):
    wanted = {"type": "json_schema", "json_schema": {"name": "verdict", "schema": SCHEMA}}
    found = chat(client, response_format=wanted, max_tokens=60)
    assert found.choices[0].message.content in ('{"label": "promoter"}', '{"label": "other"}')
    wanted["json_schema"]["schema"] = {"type": "array", "uniqueItems": True}
    with pytest.raises(openai.BadRequestError, match="the JSON schema cannot be kept"):
        chat(client, response_format=wanted)


def test_a_required_tool_is_called_with_arguments_of_its_schema(client):
    parameters = {"type": "object", "properties": {"strand": {"enum": ["+", "-"]}}, "required": ["strand"]}
    tools = [{"type": "function", "function": {"name": "find_orf", "parameters": parameters}}]
    found = chat(client, tools=tools, tool_choice="required", max_tokens=80)
    (call,) = found.choices[0].message.tool_calls
    assert found.choices[0].finish_reason == "tool_calls"
    assert (call.function.name, call.function.arguments) in {("find_orf", f'{{"strand": "{one}"}}') for one in "+-"}
    chunks = list(chat(client, tools=tools, tool_choice="required", max_tokens=80, stream=True))
    assert chunks[-2].choices[0].delta.tool_calls[0].function.arguments == call.function.arguments
    told = [*QUESTION, found.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "17"}]
    assert chat(client, messages=told, tools=tools).choices[0].message.content is not None


def test_a_completion_goes_on_with_a_text(client, assistant):
    found = client.completions.create(model="model", prompt=DNA, max_tokens=6, logprobs=2)
    ids = [assistant.tokenizer.bos_id, *assistant.tokenizer.encode(DNA)]
    ids_1T = torch.tensor([ids], device=assistant.model.device)
    with torch.inference_mode():
        best = int(assistant.model(ids_1T).logits[0, -1, : assistant.tokenizer.size].argmax())
    assert found.choices[0].logprobs.tokens[0] == assistant.tokenizer.decode([best])
    streamed = client.completions.create(model="model", prompt=DNA, max_tokens=6, stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed) == found.choices[0].text


def test_several_prompts_are_continued_as_each_is_alone(client):
    alone = [client.completions.create(model="model", prompt=one, max_tokens=4) for one in ("ACGT", "MKVL")]
    both = client.completions.create(model="model", prompt=["ACGT", "MKVL"], max_tokens=4)
    assert [(one.index, one.text) for one in both.choices] == [(i, one.choices[0].text) for i, one in enumerate(alone)]
    assert both.usage.total_tokens == sum(one.usage.total_tokens for one in alone)
    with pytest.raises(openai.BadRequestError, match="one is streamed at a time"):
        client.completions.create(model="model", prompt=["ACGT", "MKVL"], stream=True)


def test_messages_of_one_side_in_a_row_are_one_turn(client):
    def ask(*contents):
        messages = [{"role": "user", "content": content} for content in contents]
        return chat(client, messages=messages)

    assert ask("What is", "a gene?").usage == ask("What is\n\na gene?").usage


def test_an_embedding_is_the_mean_of_the_last_hidden_states(client, address, assistant):
    found = client.embeddings.create(model="model", input=[DNA, PROTEIN])
    ids = [assistant.tokenizer.bos_id, *assistant.tokenizer.encode(DNA)]
    ids_1T = torch.tensor([ids], device=assistant.model.device)
    with torch.inference_mode():
        expected = assistant.model.model(ids_1T).last_hidden_state[0, 1:].mean(0).cpu().numpy()
    assert np.allclose(found.data[0].embedding, expected, atol=1e-5)
    assert len(found.data[1].embedding) == 32
    body = {"model": "model", "input": DNA, "encoding_format": "base64"}
    written = httpx.post(f"{address}/v1/embeddings", json=body).json()["data"][0]["embedding"]
    assert np.allclose(struct.unpack("<32f", base64.b64decode(written)), expected, atol=1e-5)


def post(address, path, **body):
    return httpx.post(f"{address}{path}", json={"model": "model", **body}, timeout=60)


def test_a_task_is_answered_with_the_probabilities_of_the_assistant(address, assistant):
    found = post(address, "/v1/classify", task=DNA_TASK, input=[DNA, DNA[::-1]]).json()
    _, expected = classify(assistant, find_task(assistant, DNA_TASK), [DNA])
    assert found["data"][0]["label"] == expected.label
    assert found["data"][0]["probabilities"] == pytest.approx(dict(expected.probabilities), abs=1e-5)
    assert found["labels"] == list(expected.probabilities)
    assert found["data"][1]["index"] == 1
    assert found["synthetic"] is True


def test_two_sequences_make_an_item_where_a_task_asks_for_two(address):
    found = post(address, "/v1/classify", task=PAIR_TASK, input=[[PROTEIN, PROTEIN]])
    assert found.status_code == 200
    assert sum(found.json()["data"][0]["probabilities"].values()) == pytest.approx(1)


def test_scores_are_of_labels_of_candidates_or_of_texts(address):
    labels = post(address, "/v1/score", task=DNA_TASK, input=DNA).json()["data"][0]["scores"]
    shares = post(address, "/v1/classify", task=DNA_TASK, input=DNA).json()["data"][0]["probabilities"]
    assert {one["text"]: pytest.approx(one["probability"], abs=1e-5) for one in labels} == shares
    found = post(address, "/v1/score", messages=QUESTION, candidates=["yes", "no"]).json()["data"][0]["scores"]
    assert sum(one["probability"] for one in found) == pytest.approx(1)
    (text,) = post(address, "/v1/score", texts=[DNA]).json()["data"][0]["scores"]
    assert text["log_probability"] < 0
    assert text["tokens"] > 1
    assert post(address, "/v1/score", texts=[DNA], task=DNA_TASK, input=DNA).status_code == 400


def test_tasks_health_metrics_and_pages(address):
    assert [task["id"] for task in httpx.get(f"{address}/v1/tasks").json()["data"]] == [PAIR_TASK, DNA_TASK]
    assert httpx.get(f"{address}/v1/tasks/{DNA_TASK}").json()["inputs"] == [{"kind": "dna", "name": "dna"}]
    assert httpx.get(f"{address}/health").json() == {"status": "ok", "model": "model", "running": 0, "waiting": 0}
    assert post(address, "/v1/completions", prompt=DNA, max_tokens=1).status_code == 200
    figures = httpx.get(f"{address}/metrics").text
    assert 'llama_gene_requests_total{path="/health",status="200"}' in figures
    assert 'llama_gene_tokens_total{side="written"}' in figures
    page = httpx.get(f"{address}/docs").text
    assert "POST /v1/chat/completions" in page
    assert "http" not in page.replace("http-equiv", "")
    assert httpx.get(f"{address}/openapi.json").json()["info"]["title"] == "llama-gene"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_streams_an_answer(address):
    body = '{"model": "model", "stream": true, "max_tokens": 4, "messages": [{"role": "user", "content": "gene?"}]}'
    done = subprocess.run(
        ["curl", "-sSN", f"{address}/v1/chat/completions", "-H", "Content-Type: application/json", "-d", body],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
