"""Requests made at random from the schema, of every endpoint and both models: no answer is a 5xx."""

import json
import random

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from llama_gene.config import ChatConfig
from llama_gene.serving.by_hand import add_tool_routes
from llama_gene.serving.turns import add_page_routes
from serving import DNA, DNA_TASK, make_served_model, serving_service

MODELS = ("model", "model:assistant")
KNOWN = {
    "task": DNA_TASK, "input": DNA, "tool": "gc_content", "max_tokens": 2, "max_completion_tokens": 2,
    "messages": [{"role": "user", "content": f"gene? {DNA}"}],
}  # fmt: skip
SHARE = 0.8
MOST = 12


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = make_served_model(tmp_path_factory.mktemp("served"))
    chat, limits = ChatConfig(max_new_tokens=2), {"max_new_tokens": 2, "max_inputs": 4, "max_letters": 2000}
    with serving_service(folder, chat, **limits, max_body_mb=1, body_timeout_s=1) as served:
        yield served


def whole_schema(address, service):
    """That of the server, and of what its page asks, which is not for others and so not told."""
    page = FastAPI()
    add_page_routes(page, service)
    add_tool_routes(page, service)
    for route in page.routes:
        route.include_in_schema = route.path.startswith("/page/")
    told = schemathesis.openapi.from_url(f"{address}/openapi.json").raw_schema
    schemas = told["components"]["schemas"] | page.openapi()["components"]["schemas"]
    merged = {**told, "paths": told["paths"] | page.openapi()["paths"], "components": {"schemas": schemas}}
    return schemathesis.openapi.from_dict(merged)


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_fuzzing_every_endpoint_finds_no_5xx(served, mode):
    address, service = served
    operations = [found.ok() for found in whole_schema(address, service).get_all_operations()]
    assert len(operations) == 16
    assert sum(operation.path.startswith("/page/") for operation in operations) == 5
    # Nothing can be wrong with a request that takes nothing.
    asked = operations if mode is GenerationMode.POSITIVE else [one for one in operations if one.method == "post"]
    for operation in asked:
        examples = MOST if operation.method == "post" else 4
        many = settings(
            max_examples=examples, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip

        @many
        @given(case=operation.as_strategy(mode))
        def ask(case):
            has_an_answer(address, case)

        ask()


def has_an_answer(address, case):
    # Names and turns drawn at random would end at 404 and 400: most are those that there are, each time others.
    if isinstance(case.body, dict):
        rng = random.Random(json.dumps(case.body, default=str))
        known = {**KNOWN, "model": rng.choice(MODELS)}
        case.body.update({name: value for name, value in known.items() if name in case.body and rng.random() < SHARE})
    answer = case.call(base_url=address, timeout=60)
    assert answer.status_code < 500, (case.operation.label, case.body, answer.text)
