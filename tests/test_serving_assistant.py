"""NAME:assistant, the second model of the server: OpenAI's client talks to what the terminal talks to."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from llama_gene.assistant.conversation import Assistant
from llama_gene.assistant.turn import reply_to
from llama_gene.config import ChatConfig, IndexConfig
from llama_gene.retrieval.build import build_index
from llama_gene.retrieval.index import open_index
from llama_gene.serving.run import Equipment
from serving import DNA, PROTEIN, make_served_model, serving_engine

CHAT = ChatConfig(max_new_tokens=16)
QUESTION = f"Is it a core promoter? {DNA}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_served_model(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def assistant(folder):
    return Assistant.open(folder, CHAT)


@pytest.fixture(scope="module")
def equipment(tmp_path_factory):
    place = tmp_path_factory.mktemp("index")
    (place / "mine.fasta").write_text(f">P1 a kinase\n{PROTEIN * 2}\n")
    build_index(IndexConfig(), files=[place / "mine.fasta"], seed=1, output=place / "idx")
    return Equipment(open_index(place / "idx"))


@pytest.fixture(scope="module")
def client(folder, equipment):
    with (
        serving_engine(folder, CHAT, equipment) as (address, _),
        openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0, timeout=60) as client,
    ):
        yield client


def talk(client, *contents, **more):
    """What comes after turns of user and assistant."""
    messages = [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(contents)]
    return client.chat.completions.create(model="model:assistant", messages=messages, **more)


def text_of(answer):
    return answer.choices[0].message.content


def test_a_question_is_led_to_its_task_and_the_answer_says_how_sure_it_is(client, assistant):
    reply = reply_to(assistant, QUESTION)
    closed = reply.answers[0].closed
    found = talk(client, QUESTION)
    answer, remarks = text_of(found).split("\n\n---\n")
    assert answer == closed.label
    for said in ("The model is", f"{closed.label} ", "is unknown: no evaluation", *reply.notices, "synthetic organism"):
        assert said in remarks
    assert found.reply["task"] == "promoter-core"
    assert found.reply["answers"][0]["closed"]["probabilities"] == pytest.approx(dict(closed.probabilities))


@pytest.mark.parametrize("message", [QUESTION, "What is a gene?"])
def test_a_stream_joins_to_the_whole(client, message):
    whole = talk(client, message)
    *chunks, last, usage = talk(client, message, stream=True, stream_options={"include_usage": True})
    assert "".join(chunk.choices[0].delta.content for chunk in chunks) == text_of(whole)
    finish = whole.choices[0].finish_reason
    assert (last.choices[0].finish_reason, last.reply, usage.usage) == (finish, whole.reply, whole.usage)


def test_a_free_answer_has_the_words_of_the_terminal_and_as_many_as_asked(client, assistant):
    answer = text_of(talk(client, "What is a gene?")).partition("\n\n---\n")[0]
    assert answer.strip() == reply_to(assistant, "What is a gene?").text
    short = talk(client, "What is a gene?", max_tokens=1).reply["text"]
    assert len(short) < len(answer)


def test_the_reason_of_the_end_is_the_true_one(client, assistant):
    cut = talk(client, "What is a gene?", max_tokens=3)
    assert cut.choices[0].finish_reason == "length"
    assert cut.usage.completion_tokens > 3  # the remarks count as well
    assert "The answer was cut: it was as long as it may be" in text_of(cut)
    assert talk(client, QUESTION, max_tokens=3).choices[0].finish_reason == "stop"  # a label is never cut


def test_a_free_answer_ends_before_a_stop_string(client):
    whole = talk(client, "What is a gene?").reply["text"]
    middle = whole[len(whole) // 2 :][:3]
    ended = talk(client, "What is a gene?", stop=[middle])
    assert (ended.reply["text"], ended.choices[0].finish_reason) == (whole[: whole.index(middle)].strip(), "stop")


def test_a_seed_gives_the_same_answer_and_another_seed_another(client):
    def drawn(seed):
        return talk(client, "What is a gene?", temperature=1.0, seed=seed).reply["text"]

    assert drawn(1) == drawn(1) != drawn(2)


def test_answers_of_many_clients_are_written_in_one_batch(folder):
    questions = [f"What is gene number {number}?" for number in range(6)]
    with (
        serving_engine(folder, ChatConfig(max_new_tokens=64)) as (address, engine),
        openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0, timeout=60) as client,
        ThreadPoolExecutor(len(questions)) as pool,
    ):
        alone = [talk(client, question).reply["text"] for question in questions]
        widths, step = [], engine._batch.step

        def noting_step():
            widths.append(len(engine._batch))
            step()

        engine._batch.step = noting_step
        together = [one.reply["text"] for one in pool.map(lambda question: talk(client, question), questions)]
    assert together == alone
    assert max(widths) > 1
    assert len(widths) < 64 * len(questions)  # fewer steps than one by one would take


def turns_running() -> list[threading.Thread]:
    """Threads that make a turn."""
    return [thread for thread in threading.enumerate() if thread.name == "turn" and thread.is_alive()]


def test_a_client_that_leaves_frees_its_place(folder):
    with (
        serving_engine(folder, ChatConfig(max_new_tokens=256), step_tokens=16) as (address, engine),
        openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0, timeout=60) as client,
    ):
        step = engine._batch.step
        engine._batch.step = lambda: (time.sleep(0.02), step())  # so that the answer is not over first
        stream = talk(client, "What is a gene?", stream=True)
        next(iter(stream))
        next(iter(stream))
        assert engine.load.running == 1
        stream.close()
        until = time.monotonic() + 60
        while (engine.load.running or turns_running()) and time.monotonic() < until:
            time.sleep(0.01)
        engine._batch.step = step
        assert engine.load == (0, 0)
        assert not turns_running()


def test_a_question_may_be_about_a_sequence_of_before(client):
    alone = text_of(talk(client, QUESTION)).partition("\n")[0]
    waiting = talk(client, DNA)
    assert "1 sequence (32 letters) read" in text_of(waiting)
    after = talk(client, DNA, text_of(waiting), "Is it a core promoter?")
    again = talk(client, QUESTION, text_of(after), "Is it really a core promoter?")
    assert [text_of(found).partition("\n")[0] for found in (after, again)] == [alone, alone]
    assert "of before" in text_of(again)


def test_what_an_index_holds_is_quoted_with_its_source(client):
    found = talk(client, f"What is known of it? {PROTEIN * 2}")
    assert found.reply["found"]["neighbours"][0]["hits"][0]["id"] == "P1"
    assert "P1" in text_of(found).partition("\n\n---\n")[2]
    assert "The index holds no DNA sequences." in text_of(talk(client, QUESTION))


def test_remarks_of_before_are_not_shown_to_the_model(client):
    remarked = talk(client, "What is a gene?", "A stretch of DNA.\n\n---\nNobody measured this.", "And a codon?")
    assert remarked.reply["text"] == talk(client, "What is a gene?", "A stretch of DNA.", "And a codon?").reply["text"]


def test_what_was_refused_before_does_not_spoil_the_talk(client):
    assert text_of(talk(client, f"Is it? {DNA}JJJJ", "error", "What is a gene?"))


def test_too_long_a_sequence_is_refused_and_does_not_spoil_the_talk_after_it(client):
    long = "ACGT" * 25_001
    with pytest.raises(openai.APIStatusError, match="100,004 letters; a sequence may have 100,000") as caught:
        talk(client, f"Is it a core promoter? {long}")
    assert caught.value.status_code == 413
    assert text_of(talk(client, f"Is it a core promoter? {long}", "error", "What is a gene?"))


def test_sequences_may_wait_and_have_names_of_any_length(client):
    named = f">{'long-name-' * 200}\n{DNA}"
    for place in range(6):
        few = "\n".join(f">s{place}-{number}\n{DNA}" for number in range(12))
        history = [part for _ in range(place) for part in (few, "read")]
        assert text_of(talk(client, named, "read", *history, "What is a gene?"))


@pytest.mark.parametrize(
    "option",
    [
        {"logprobs": True}, {"response_format": {"type": "json_object"}},
        {"tools": [{"type": "function", "function": {"name": "gc"}}]},
    ],
    ids=lambda option: next(iter(option)),
)  # fmt: skip
def test_an_option_without_a_meaning_is_refused(client, option):
    with pytest.raises(openai.BadRequestError, match=f"{next(iter(option))}: 'model:assistant' answers in words"):
        talk(client, "What is a gene?", **option)


def test_bad_sequences_and_other_addresses_are_told(client):
    with pytest.raises(openai.BadRequestError, match="the message is empty"):
        talk(client, " ")
    with pytest.raises(openai.NotFoundError, match="answers /v1/chat/completions alone"):
        client.embeddings.create(model="model:assistant", input=PROTEIN)


def test_a_system_prompt_is_said_before_free_questions(client, assistant):
    said = client.chat.completions.create(
        model="model:assistant",
        messages=[{"role": "system", "content": "Say it in verse."}, {"role": "user", "content": "What is a gene?"}],
    )
    plain = talk(client, "What is a gene?")
    assert said.reply["text"] != plain.reply["text"]
