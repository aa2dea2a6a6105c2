"""The engine answers many at a time as it answers each alone, within its memory, and survives what clients do."""

import queue
import random
import sys
import threading

import pytest
import torch

from chatting import make_chat_model
from llama_gene.errors import ConfigError, DataError
from llama_gene.evaluation.generate import generate_answers
from llama_gene.model.folders import load_pair
from llama_gene.prompts import Message, render
from llama_gene.serving.batch import Request
from llama_gene.serving.cache import Part, RowCache
from llama_gene.serving.choose import Sampling, choose, forbidden_ids, sample
from llama_gene.serving.constrain import json_grammar
from llama_gene.serving.engine import BusyError, Engine
from llama_gene.serving.growing import GrowingText

SIZES = {"most_running": 4, "most_waiting": 8, "cache_gib": 0.1, "step_tokens": 64}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return load_pair(make_chat_model(tmp_path_factory.mktemp("chat")))


@pytest.fixture(scope="module")
def engine(pair):
    engine = Engine(*pair, **SIZES)
    yield engine
    engine.close()


def prompts(tokenizer, number):
    rng = random.Random(2)
    texts = ["".join(rng.choices("ACGT", k=rng.randint(1, 120))) for _ in range(number)]
    return [tuple(tokenizer.encode_prompt(render([Message("user", text)], bos=tokenizer.bos))) for text in texts]


def ask(engine, request):
    pieces = queue.Queue()
    ticket = engine.submit(request, pieces.put)
    return ticket, pieces


def collect(pieces):
    found = []
    while not found or not found[-1].finish:
        found.append(pieces.get(timeout=60))
    return found


def text_of(pieces):
    return "".join(piece.text for piece in pieces)


def test_answers_are_the_same_alone_together_and_from_generate(engine, pair):
    model, tokenizer = pair
    asked = prompts(tokenizer, 8)
    requests = [Request(prompt, max_new_tokens=5 + number) for number, prompt in enumerate(asked)]
    alone = [text_of(collect(ask(engine, request)[1])) for request in requests]
    together = [collect(pieces) for _, pieces in [ask(engine, request) for request in requests]]
    assert [text_of(pieces) for pieces in together] == alone
    generated = [
        generate_answers(model, tokenizer, [request.prompt], max_new_tokens=request.max_new_tokens, batch_items=1)[0]
        for request in requests
    ]
    assert [text.strip() for text in alone] == generated


def test_a_prompt_read_in_parts_gives_the_logits_of_one_pass(pair):
    model, tokenizer = pair
    ids = prompts(tokenizer, 1)[0]
    cache = RowCache(model, most_rows=3, cache_gib=0.1)
    cache.read([Part(0, 0, ids[:7]), Part(2, 0, ids[:3])])
    logits_BV = cache.read([Part(0, 7, ids[7:]), Part(2, 3, ids[3:])])
    with torch.inference_mode():
        expected_V = model(torch.tensor([ids])).logits[0, -1]
    assert torch.allclose(logits_BV, expected_V.expand(2, -1), atol=1e-4)


def test_a_row_moved_to_another_place_goes_on_as_before(pair):
    model, tokenizer = pair
    ids = prompts(tokenizer, 1)[0]
    cache = RowCache(model, most_rows=2, cache_gib=0.1)
    cache.read([Part(1, 0, ids[:-1])])
    cache.move(1, 0, len(ids) - 1)
    moved_BV = cache.read([Part(0, len(ids) - 1, ids[-1:])])
    assert torch.allclose(moved_BV, cache.read([Part(1, len(ids) - 1, ids[-1:])]), atol=1e-5)


def test_the_same_seed_gives_the_same_sample_in_any_company(engine, pair):
    prompt = prompts(pair[1], 1)[0]
    request = Request(prompt, 12, Sampling(temperature=1.5, top_p=0.9, seed=7))
    alone = text_of(collect(ask(engine, request)[1]))
    others = [Request(prompt, 12, Sampling(1.5, 0.9, seed)) for seed in (8, 9)]
    together = [text_of(collect(pieces)) for _, pieces in [ask(engine, one) for one in (*others, request)]]
    assert together[2] == alone
    assert len(set(together)) == 3


def test_sampling_draws_each_token_as_often_as_its_probability():
    logits = torch.tensor([0.5, 0.3, 0.2]).log()
    wide, narrow = Sampling(temperature=1.0), Sampling(temperature=1.0, top_p=0.7)
    drawn = [sample(logits, wide, (step + 0.5) / 100) for step in range(100)]
    assert [drawn.count(token) for token in range(3)] == [50, 30, 20]
    drawn = [sample(logits, narrow, (step + 0.5) / 80) for step in range(80)]
    assert [drawn.count(token) for token in range(3)] == [50, 30, 0]


def test_nucleus_wider_than_the_likeliest_few_is_sorted_whole():
    logits = torch.zeros(1000)
    assert len({sample(logits, Sampling(temperature=1.0, top_p=0.5), (step + 0.5) / 500) for step in range(500)}) == 500


def test_log_probabilities_are_those_of_the_model(pair):
    logits = torch.tensor([[1.0, 3.0, 2.0, -torch.inf]])
    choice = choose(logits, [Sampling()], [random.Random(1)], [4])[0]
    assert choice.token == 1
    assert choice.log_probability == pytest.approx(float(torch.log_softmax(logits[0], 0)[1]))
    assert [token for token, _ in choice.likeliest] == [1, 2, 0]


def test_special_and_padding_ids_are_never_written_but_the_end(pair):
    model, tokenizer = pair
    banned = set(forbidden_ids(tokenizer, model.get_output_embeddings().weight.shape[0]))
    assert tokenizer.eos_id not in banned
    assert tokenizer.bos_id in banned
    assert {tokenizer.size, tokenizer.size + 63} <= banned


def test_a_cancelled_answer_frees_its_place_and_the_others_go_on(pair):
    model, tokenizer = pair
    engine = Engine(model, tokenizer, **{**SIZES, "most_running": 1})
    try:
        prompt = prompts(tokenizer, 1)[0][:20]
        first, first_pieces = ask(engine, Request(prompt, 400, Sampling(1.0)))
        _, second_pieces = ask(engine, Request(prompt, 3))
        first_pieces.get(timeout=60)
        first.cancel()
        assert collect(first_pieces)[-1].finish == "cancelled"
        assert collect(second_pieces)[-1].finish in ("length", "stop")
        assert engine.load == (0, 0)
    finally:
        engine.close()


def test_a_full_line_refuses_and_a_closed_engine_too(pair):
    engine = Engine(*pair, **{**SIZES, "most_waiting": 1})
    held = threading.Event()
    started = threading.Event()
    engine.call(lambda: (started.set(), held.wait(60)))
    started.wait(60)
    late = engine.call(lambda: 1)
    with pytest.raises(BusyError, match="1 requests wait already"):
        engine.call(lambda: 2)
    held.set()
    assert late.result(60) == 1
    engine.close()
    with pytest.raises(BusyError, match="closing"):
        engine.submit(Request((1,), 1), print)


def test_those_who_left_the_line_make_room_in_it(pair):
    engine = Engine(*pair, **{**SIZES, "most_waiting": 2})
    held, started = threading.Event(), threading.Event()
    engine.call(lambda: (started.set(), held.wait(60)))
    started.wait(60)
    ticket, pieces = ask(engine, Request((1, 2), 1))
    engine.call(lambda: 1).cancel()
    ticket.cancel()
    last = engine.call(lambda: 2)
    assert collect(pieces)[-1].finish == "cancelled"
    held.set()
    assert last.result(60) == 2
    engine.close()


def ask_for_ever(engine):
    while True:
        engine.call(lambda: 3).cancel()


def test_closing_refuses_those_who_wait_and_passes_over_those_who_left(pair):
    engine = Engine(*pair, **SIZES)
    held, started = threading.Event(), threading.Event()
    engine.call(lambda: (started.set(), held.wait(60)))
    started.wait(60)
    engine.call(lambda: 1).cancel()
    waiting = engine.call(lambda: 2)
    closing = threading.Thread(target=engine.close)
    closing.start()
    with pytest.raises(BusyError, match="closing"):
        ask_for_ever(engine)
    held.set()
    with pytest.raises(BusyError, match="closing"):
        waiting.result(60)
    closing.join()


def test_a_job_that_would_end_the_program_ends_alone(engine):
    with pytest.raises(RuntimeError, match="ended by SystemExit: 3"):
        engine.call(lambda: sys.exit(3)).result(60)
    assert engine.call(lambda: 3).result(60) == 3


def test_a_job_that_fails_tells_its_owner_alone(engine):
    def fail():
        raise DataError("wrong")

    with pytest.raises(DataError, match="wrong"):
        engine.call(fail).result(60)
    assert engine.call(lambda: 3).result(60) == 3


def test_a_step_that_fails_ends_its_answers_and_the_engine_lives(pair):
    engine = Engine(*pair, **SIZES)
    try:
        # An id beyond the embedding rows: what a bug would hand over.
        assert collect(ask(engine, Request((10**6,), 3))[1])[-1].finish == "failed"
        assert collect(ask(engine, Request((1, 2), 3))[1])[-1].finish in ("length", "stop")
    finally:
        engine.close()


def test_memory_is_bounded_by_the_setting(pair):
    model, _ = pair
    bytes_per_row = 2 * 2 * 513 * 32 * 4
    assert RowCache(model, most_rows=9, cache_gib=bytes_per_row * 3.5 / 2**30).rows == 3
    with pytest.raises(ConfigError, match=r"serve\.cache_gib = 1e-05 holds no answer: one of 512 tokens takes"):
        RowCache(model, most_rows=9, cache_gib=1e-5)


def test_an_answer_keeps_to_its_schema(engine, pair):
    schema = {
        "type": "object", "properties": {"is_promoter": {"enum": ["yes", "no"]}, "sure": {"type": "boolean"}},
        "required": ["is_promoter", "sure"], "additionalProperties": False,
    }  # fmt: skip
    grammar = json_grammar(pair[1], schema)
    text = text_of(collect(ask(engine, Request(prompts(pair[1], 1)[0], 60, grammar=grammar))[1]))
    assert text in {
        f'{{"is_promoter": "{word}", "sure": {sure}}}' for word in ("yes", "no") for sure in ("true", "false")
    }


def test_a_schema_that_cannot_be_kept_is_refused(pair):
    with pytest.raises(DataError, match="cannot be kept: Unimplemented keys"):
        json_grammar(pair[1], {"type": "array", "uniqueItems": True})


def test_long_texts_grow_as_they_decode_whole(pair):
    tokenizer = pair[1]
    text = "Grüße an 東京 and ACGTACGTTTGACA " * 12
    ids = tokenizer.encode(text)
    growing = GrowingText(tokenizer.decode)
    assert "".join(growing.push(token) for token in ids) + growing.finish() == tokenizer.decode(ids)
