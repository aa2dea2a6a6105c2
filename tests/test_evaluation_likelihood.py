"""Likelihood of closed answers and batched generation, against one item at a time."""

import random

import numpy as np
import pytest
import torch

from answering import write_answering_model
from llama_gene.errors import DataError
from llama_gene.evaluation.batches import by_length
from llama_gene.evaluation.generate import generate_answers
from llama_gene.evaluation.likelihood import Question, score_answers
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
