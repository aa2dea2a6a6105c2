"""Likelihood of closed answers and batched generation, against one item at a time."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from answering import write_answering_model
from llama_gene.errors import DataError, ModelError
from llama_gene.evaluation import generate, likelihood
from llama_gene.evaluation.batches import by_length
from llama_gene.evaluation.generate import generate_answers, generate_labels
from llama_gene.evaluation.likelihood import Question, score_answers
from llama_gene.evaluation.rows import lay_out
from llama_gene.evaluation.starts import share_starts
from llama_gene.evaluation.threads import side_by_side
from llama_gene.model.folders import load_pair


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    model, tokenizer = load_pair(write_answering_model(tmp_path_factory.mktemp("answering")))
    return model.eval(), tokenizer


def questions(count, *, start=(256, 7, 8, 9), seed=1):
    rng = random.Random(seed)
    return [
        Question(
            (*start, *(rng.randrange(256) for _ in range(rng.randint(1, 30)))),
            tuple((*(rng.randrange(256) for _ in range(length)), 257) for length in (1, 5, 3)),
        )
        for _ in range(count)
    ]


def one_by_one(model, question):
    """Plain scoring: each answer in a forward pass of its own."""
    found = []
    for answer in question.answers:
        ids = torch.tensor([[*question.prompt, *answer]])
        with torch.inference_mode():
            steps = model(ids).logits[0].log_softmax(dim=-1)
        first = len(question.prompt) - 1
        found.append(sum(steps[first + place, token].item() for place, token in enumerate(answer)))
    return np.array(found)


@pytest.mark.parametrize("start", [(256, 7, 8, 9), ()])
@pytest.mark.parametrize("batch_items", [1, 4, 64])
def test_batched_likelihoods_equal_one_answer_at_a_time(pair, start, batch_items):
    model, _ = pair
    asked = questions(9, start=start)
    found = score_answers(model, asked, batch_items=batch_items)
    for question, scores in zip(asked, found, strict=True):
        assert np.allclose(scores.log_probability, one_by_one(model, question), atol=1e-4)


@pytest.mark.parametrize(
    "shape",
    [
        {"num_key_value_heads": 2, "attention_bias": True, "mlp_bias": True},
        {"num_hidden_layers": 1, "tie_word_embeddings": True, "hidden_act": "gelu"},
        {"head_dim": 16, "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 500.0}},
    ],
    ids=["grouped heads and biases", "one layer, tied, another activation", "wide heads, scaled positions"],
)
def test_every_shape_of_llama_gives_the_models_own_likelihoods(shape):
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 4} | shape
    torch.manual_seed(3)
    model = LlamaForCausalLM(
        LlamaConfig(vocab_size=320, hidden_size=32, intermediate_size=64, max_position_embeddings=128, **sizes)
    ).eval()
    for weights in model.parameters():
        torch.nn.init.normal_(weights, std=0.3)
    asked = questions(5)
    for question, scores in zip(asked, score_answers(model, asked, batch_items=3), strict=True):
        assert np.allclose(scores.log_probability, one_by_one(model, question), atol=1e-4)


def test_rows_laid_out_alike_share_one_mask_and_their_likelihoods_are_the_models_own(pair):
    model, _ = pair
    answers = questions(1)[0].answers
    asked = [Question((256, 7, *((31 * row + place) % 256 for place in range(9))), answers) for row in range(6)]
    odd = Question(asked[0].prompt[:-1], answers)
    alike, apart = lay_out(asked, 2), lay_out([*asked, odd], 2)
    assert (len(alike.ids), len(alike.positions), len(alike.visible)) == (6, 1, 1)
    assert (len(apart.ids), len(apart.positions), len(apart.visible)) == (7, 7, 7)
    for batch in (asked, [*asked, odd]):
        for question, scores in zip(batch, score_answers(model, batch, batch_items=7), strict=True):
            assert np.allclose(scores.log_probability, one_by_one(model, question), atol=1e-4)


def test_a_batch_on_a_cpu_has_no_more_tokens_than_its_cache_holds(pair, monkeypatch):
    model, _ = pair
    read_rows, sizes = likelihood.read_rows, []

    def note_size(base, start, ids_BT, *rest):
        sizes.append(ids_BT.numel())
        return read_rows(base, start, ids_BT, *rest)

    monkeypatch.setattr(likelihood, "read_rows", note_size)
    monkeypatch.setattr(likelihood, "_CPU_BATCH_TOKENS", 100)
    score_answers(model, questions(20), batch_items=20)
    assert max(sizes) <= 100 < sum(sizes)


def test_questions_of_several_wordings_windows_and_lengths_are_scored_in_the_order_given(pair, monkeypatch):
    model, _ = pair
    monkeypatch.setattr(likelihood, "_WINDOW", 7)
    asked = [
        question
        for pairs in zip(questions(8, seed=1), questions(8, start=(256, 90, 91, 92, 93), seed=2), strict=True)
        for question in pairs
    ]
    asked[3] = Question(asked[3].prompt, ((257,), (5, 6, 7, 8, 9, 257)))
    found = score_answers(model, iter(asked), batch_items=4, batch_tokens=64, total=16)
    for question, scores in zip(asked, found, strict=True):
        assert np.allclose(scores.log_probability, one_by_one(model, question), atol=1e-4)


def test_a_model_that_is_no_llama_is_refused():
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = MistralForCausalLM(MistralConfig(vocab_size=320, **sizes))
    with pytest.raises(ModelError, match="of type 'mistral': labels are weighed with LLaMA models alone"):
        score_answers(model, questions(1), batch_items=1)


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=5).map(tuple), max_size=12), st.integers(1, 6))
def test_groups_hold_every_prompt_once_and_never_share_its_last_token(prompts, worth):
    groups = share_starts(prompts, worth=worth)
    assert sorted(member for group in groups for member in group.members) == list(range(len(prompts)))
    for shared, members in groups:
        starts = {prompts[member][:shared] for member in members}
        assert len(starts) == 1
        assert all(shared < len(prompts[member]) for member in members)


def test_prompts_of_two_tasks_are_parted_where_their_own_starts_save_enough():
    prompts = [(1, 2, 2, 2, place) for place in range(10)] + [(1, 3, 3, 3, place) for place in range(10)]
    # Parted, 2 * 4 * 9 tokens need not be read; together, 1 * 19.
    assert [group.shared for group in share_starts(prompts, worth=53)] == [4, 4]
    assert [group.shared for group in share_starts(prompts, worth=54)] == [1]


def test_threads_give_results_in_order_and_the_cores_back():
    cores = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        assert list(side_by_side(sum, [[n] for n in range(20)], torch.device("cpu"))) == list(range(20))
        assert torch.get_num_threads() == 4
        with pytest.raises(TypeError):
            list(side_by_side(sum, [[1], ["a"], [2]], torch.device("cpu")))
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(cores)


def test_one_question_alone_is_scored(pair):
    model, _ = pair
    (question,) = questions(1)
    (scores,) = score_answers(model, [question], batch_items=8)
    assert np.allclose(scores.log_probability, one_by_one(model, question), atol=1e-4)


def test_another_label_of_the_row_does_not_change_a_labels_score(pair):
    model, _ = pair
    asked = questions(3)
    alone = [Question(question.prompt, question.answers[1:2]) for question in asked]
    together = score_answers(model, asked, batch_items=3)
    apart = score_answers(model, alone, batch_items=3)
    for both, one in zip(together, apart, strict=True):
        assert both.log_probability[1] == pytest.approx(one.log_probability[0], abs=1e-4)


def test_probabilities_sum_to_one_and_follow_the_log_probabilities(pair):
    model, _ = pair
    for scores in score_answers(model, questions(5), batch_items=2):
        assert scores.probability.sum() == pytest.approx(1.0)
        assert np.argmax(scores.probability) == np.argmax(scores.log_probability)


def test_length_normalised_scores_count_the_end_token(pair):
    model, _ = pair
    (scores,) = score_answers(model, questions(1), batch_items=1)
    assert scores.tokens.tolist() == [2, 6, 4]
    assert np.allclose(scores.per_token * [2, 6, 4], scores.log_probability)


def test_a_prompt_beyond_the_context_is_refused_with_what_to_do(pair):
    model, _ = pair
    with pytest.raises(DataError, match=r"513 tokens, the model reads 512.*tasks\.max_tokens"):
        score_answers(model, [Question((1,) * 511, ((5, 257),))], batch_items=1)


def test_no_questions_give_no_scores(pair):
    assert score_answers(pair[0], [], batch_items=4) == []


def test_batches_hold_every_item_once_longest_first():
    batches = by_length([5, 1, 9, 7, 2], 2)
    assert batches == [[2, 3], [0, 4], [1]]


def test_batched_generation_equals_one_prompt_at_a_time(pair):
    model, tokenizer = pair
    prompts = [tokenizer.encode_prompt(f"<s>Say {letters}") for letters in ("A", "ACGTACGTACGT", "GG")]
    together = generate_answers(model, tokenizer, prompts, max_new_tokens=6, batch_items=3)
    alone = [generate_answers(model, tokenizer, [prompt], max_new_tokens=6, batch_items=1)[0] for prompt in prompts]
    assert together == alone


def test_generation_stays_inside_the_context(pair):
    model, tokenizer = pair
    prompt = [256] + [65] * 509
    assert len(tokenizer.encode(generate_answers(model, tokenizer, [prompt], max_new_tokens=40, batch_items=1)[0])) <= 6
    with pytest.raises(DataError, match="reads 512"):
        generate_answers(model, tokenizer, [[65] * 512], max_new_tokens=4, batch_items=1)


def test_windows_do_not_change_the_order_of_written_answers(pair, monkeypatch):
    model, tokenizer = pair
    prompts = [tokenizer.encode_prompt("<s>Say " + "A" * length) for length in (5, 1, 9, 2, 7)]
    together = generate_answers(model, tokenizer, prompts, max_new_tokens=4, batch_items=5)
    monkeypatch.setattr(generate, "_WINDOW", 2)
    apart = generate_answers(model, tokenizer, iter(prompts), max_new_tokens=4, batch_items=5, batch_tokens=30)
    assert apart == together


def greedy_label(model, tokenizer, prompt, labels):
    """The path of likeliest allowed tokens, a plain forward pass a step."""
    answers = {(*tokenizer.encode_answer(label), tokenizer.eos_id): label for label in labels}
    written = ()
    while written not in answers:
        allowed = sorted({answer[len(written)] for answer in answers if answer[: len(written)] == written})
        with torch.inference_mode():
            logits = model(torch.tensor([[*prompt, *written]])).logits[0, -1]
        written += (max(allowed, key=lambda token: logits[token].item()),)
    return answers[written]


LABEL_SETS = [("promoter", "Non-promoter"), ("low", "lower", "lowest", "low one"), ("NPP", "non-NPP"), ("only",)]


@pytest.mark.parametrize("labels", LABEL_SETS, ids=lambda labels: labels[0])
@pytest.mark.parametrize("seed", [1, 2])
def test_constrained_writing_follows_the_likeliest_allowed_tokens_to_a_label(tmp_path_factory, labels, seed):
    folder = write_answering_model(tmp_path_factory.mktemp("constrained"), seed=seed)
    model, tokenizer = load_pair(folder)
    model.eval()
    prompts = [tokenizer.encode_prompt(f"<s>{'ACGT' * length}?") for length in (1, 4, 2, 3)]
    found = generate_labels(model, tokenizer, prompts, labels, batch_items=3)
    assert set(found) <= set(labels)
    assert found == [greedy_label(model, tokenizer, prompt, labels) for prompt in prompts]


def test_a_label_that_begins_another_can_be_written_and_so_can_the_other(pair):
    model, tokenizer = pair
    prompts = [tokenizer.encode_prompt(f"<s>{number} {'ACGT' * (number % 5)}") for number in range(24)]
    found = generate_labels(model, tokenizer, prompts, ("A", "AA"), batch_items=24)
    assert set(found) == {"A", "AA"}


def test_a_prompt_without_room_for_the_longest_label_is_refused(pair):
    model, tokenizer = pair
    with pytest.raises(DataError, match=r"has 510 tokens and its answer needs 5, the model reads 512"):
        generate_labels(model, tokenizer, [[65] * 510], ("a", "abcd"), batch_items=1)
