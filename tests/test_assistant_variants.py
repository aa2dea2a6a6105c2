"""Variant effects and mutation maps against plain forward passes of a tiny random LLaMA, and the tools of a model."""

import math

import numpy as np
import pytest
import torch

from chatting import make_chat_model
from llama_gene.assistant.conversation import Assistant
from llama_gene.assistant.model_tools import model_tools
from llama_gene.assistant.mutation_map import describe_mutations, draw_mutations, list_changes
from llama_gene.assistant.variants import MutationMap, effects, mutate_window, variant_effect
from llama_gene.config import ChatConfig
from llama_gene.errors import DataError
from llama_gene.evaluation.specialist import Card, Specialist, save_specialist
from llama_gene.evaluation.specialist_linear import kmer_features
from llama_gene.sequences.alphabets import reverse_complement
from llama_gene.tools import all_tools

LETTERS = "ATGGCATTGACCTTAGGCATGCATTATAATGC"


@pytest.fixture(scope="module")
def assistant(tmp_path_factory) -> Assistant:
    card = {"tasks": {"promoter-core": {}, "solubility": {}}}
    opened = Assistant.open(make_chat_model(tmp_path_factory.mktemp("variants")), ChatConfig(max_new_tokens=8))
    return Assistant(opened.model, opened.tokenizer, opened.folder, opened.config, card=card)


def log_likelihood(assistant: Assistant, letters: str) -> float:
    """One plain pass: every token after the begin token, without the end token."""
    ids = [assistant.tokenizer.bos_id, *assistant.tokenizer.encode(letters)]
    ids_1T = torch.tensor([ids], device=assistant.model.device)
    with torch.inference_mode():
        logits = assistant.model(ids_1T).logits[0].double().log_softmax(dim=-1)
    return sum(float(logits[place, token]) for place, token in enumerate(ids[1:]))


def changed(place: int, letter: str) -> str:
    return LETTERS[:place] + letter + LETTERS[place + 1 :]


def test_effects_are_differences_of_plain_log_likelihoods(assistant):
    others = [changed(0, "C"), changed(15, "A"), changed(31, "T"), LETTERS[:10] + LETTERS[12:], LETTERS]
    own = log_likelihood(assistant, LETTERS)
    expected = [log_likelihood(assistant, other) - own for other in others]
    assert effects(assistant, LETTERS, others).tolist() == pytest.approx(expected, abs=1e-4)
    assert expected[-1] == 0


@pytest.mark.parametrize(
    ("start", "reference", "alternative"),
    [(5, LETTERS[5], "G"), (8, "", "ACG"), (8, LETTERS[8:11], ""), (0, "AT", "C")],
)
def test_substitutions_insertions_and_deletions_on_both_strands(assistant, start, reference, alternative):
    found = variant_effect(
        assistant, LETTERS, "dna", start=start, reference=reference, alternative=alternative, strands=2
    )
    other = LETTERS[:start] + alternative + LETTERS[start + len(reference) :]
    forward = log_likelihood(assistant, other) - log_likelihood(assistant, LETTERS)
    turned = [log_likelihood(assistant, reverse_complement(letters)) for letters in (other, LETTERS)]
    assert found.forward_nats == pytest.approx(forward, abs=1e-4)
    assert found.reverse_nats == pytest.approx(turned[0] - turned[1], abs=1e-4)
    assert found.effect_nats == pytest.approx((found.forward_nats + found.reverse_nats) / 2)
    assert (found.window_start, found.window_end) == (0, len(LETTERS))


def test_a_long_sequence_is_cut_to_a_window_around_the_variant(assistant):
    letters = LETTERS * 60
    found = variant_effect(assistant, letters, "dna", start=900, reference=letters[900], alternative="N")
    assert found.window_start < 900 < found.window_end
    assert found.window_end - found.window_start < assistant.context_tokens
    window = letters[found.window_start : found.window_end]
    place = 900 - found.window_start
    expected = log_likelihood(assistant, window[:place] + "N" + window[place + 1 :]) - log_likelihood(assistant, window)
    assert found.effect_nats == pytest.approx(expected, abs=1e-4)


def test_a_mutation_map_holds_the_effect_of_every_single_change(assistant):
    found = mutate_window(assistant, LETTERS, "dna", start=4, end=30, strands=1)
    assert (found.letters, found.alternatives) == (LETTERS[4:30], "ACGT")
    own = log_likelihood(assistant, LETTERS)
    for row, place in ((0, 4), (11, 15), (25, 29)):
        for letter, effect in zip("ACGT", found.effects_nats[row], strict=True):
            assert effect == pytest.approx(log_likelihood(assistant, changed(place, letter)) - own, abs=1e-4)
    assert len(list_changes(found)) == 26 * 3


def test_a_map_of_both_strands_is_the_mean(assistant):
    both = mutate_window(assistant, LETTERS, "dna", start=4, end=6, strands=2)
    one = variant_effect(assistant, LETTERS, "dna", start=4, reference=LETTERS[4], alternative="T", strands=2)
    assert both.effects_nats[0][3] == pytest.approx(one.effect_nats, abs=1e-4)


def test_proteins_have_twenty_rows(assistant):
    found = mutate_window(assistant, "MKTAYIAKQR", "protein", start=2, end=5)
    assert [len(row) for row in found.effects_nats] == [20, 20, 20]
    assert found.effects_nats[0][found.alternatives.index("T")] == 0


MAP = MutationMap("dna", 7, "GN", "ACGT", ((-2.0, 0.5, 0.0, -0.25), (0.125, 0.0, 0.0, 0.0)), 1)


def test_changes_are_listed_with_the_least_likely_first():
    assert list_changes(MAP)[0] == ("G7A", -2.0)
    assert list_changes(MAP)[-1] == ("G7C", 0.5)
    assert len(list_changes(MAP)) == 7
    assert "strongest G7A, -2.00 nats" in describe_mutations(MAP)


def test_the_picture_says_what_it_shows_and_names_every_letter():
    picture = draw_mutations(MAP)
    assert picture.startswith('<svg role="img" aria-label="Effects of 7 single changes of letters 7 to 9')
    assert "effect, nats" in picture
    assert "http" not in picture.replace("http://www.w3.org", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start": 0, "reference": "C", "alternative": "G"}, "at 0 (0-based) of 32 letters stands 'A', not 'C'"),
        ({"start": 40, "reference": "A", "alternative": "G"}, "at 40 (0-based) of 32 letters stands ''"),
        ({"start": 0, "reference": "A", "alternative": "A"}, "is replaced by itself"),
        ({"start": 0, "reference": "A", "alternative": "!"}, "is not a DNA letter"),
        ({"start": -1, "reference": "A", "alternative": "G"}, "greater than or equal to 0"),
        ({"start": 0, "reference": "A", "alternative": "G", "strands": 3}, "strands = 3"),
        ({"start": 0, "reference": "A", "alternative": "G", "kind": "text"}, 'kind = "text"'),
    ],
)
def test_a_variant_that_is_not_there_is_refused(assistant, arguments, message):
    tools = all_tools(more=model_tools(assistant))
    with pytest.raises(DataError) as caught:
        tools["effect_of_variant"].call({"sequence": LETTERS, "kind": "dna", **arguments})
    assert message in str(caught.value)


def test_windows_that_do_not_fit_and_strands_of_proteins_are_refused(assistant):
    with pytest.raises(DataError, match=r"window 5\.\.33"):
        mutate_window(assistant, LETTERS, "dna", start=5, end=33)
    with pytest.raises(DataError, match=r"2,001 changes\. Expected 2,000 at most, that is 666 letters"):
        mutate_window(assistant, LETTERS * 30, "dna", start=0, end=667)
    with pytest.raises(DataError, match="tokens, the model reads"):
        mutate_window(assistant, LETTERS * 60, "dna", start=0, end=6)
    with pytest.raises(DataError, match="strands = 2 of protein"):
        mutate_window(assistant, "MKTAYIAKQR", "protein", start=0, end=2, strands=2)


def test_a_task_is_asked_as_a_tool_with_probabilities(assistant):
    tool = all_tools(more=model_tools(assistant))["ask_task"]
    assert tool.schema["properties"]["task"]["enum"] == ["promoter-core", "solubility"]
    assert "promoter-core: core promoter detection (dna)" in tool.description
    found = tool.call({"task": "promoter-core", "sequences": ["acgtacgtacgtacgtacgt"]})
    assert sum(found["probabilities"].values()) == pytest.approx(1)
    assert found["answer"] in found["probabilities"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"task": "../../etc/passwd", "sequences": ["ACGT"]},
            "the model did not learn it. Expected one of promoter-core",
        ),
        ({"task": "promoter-core", "sequences": ["ACGT", "ACGT"]}, "asks about 1 sequence(s), not 2"),
        ({"task": "promoter-core", "sequences": ["MKVLAAGIVGLL"]}, "sequence 1: "),
        ({"task": "promoter-core", "sequences": []}, "at least 1 item"),
    ],
)
def test_a_task_that_cannot_be_asked_so_is_refused(assistant, arguments, message):
    with pytest.raises(DataError) as caught:
        all_tools(more=model_tools(assistant))["ask_task"].call(arguments)
    assert message in str(caught.value)


def test_a_specialist_is_a_tool_under_the_name_of_tuned_calls(assistant, tmp_path):
    card = Card(
        task="promoter-strength-yeast", model="kmer", kinds=("dna",), labels=(), centre=10.0, scale=0.5, kmer_max=1,
        channels=4, max_letters=100, keep="centre",
    )  # fmt: skip
    features = kmer_features([("ACGT",)], ("dna",), 1).shape[1]
    weights = {"coefficients": np.zeros((1, features)), "intercept": np.array([3.0])}
    save_specialist(Specialist(card, weights), tmp_path)
    tool = all_tools(more=model_tools(assistant, [tmp_path]))["predict_expression"]
    # Every coefficient is 0: the intercept, scaled and centred.
    assert tool.call({"sequence": "ACGTACGT"})["value"] == 3.0 * 0.5 + 10.0
    with pytest.raises(DataError, match=r"sequence 1: .* DNA"):
        tool.call({"sequence": "/etc/passwd"})


def test_the_tool_of_a_map_gives_changes_and_a_picture(assistant):
    tool = all_tools(more=model_tools(assistant))["map_mutations"]
    found = tool.call({"sequence": LETTERS, "kind": "dna", "start": 0, "end": 4})
    assert len(found["least_likely"]) == len(found["likeliest"]) == 10
    assert found["least_likely"][0]["effect_nats"] <= found["likeliest"][0]["effect_nats"]
    assert found["picture_svg"].startswith("<svg")
    assert all(math.isfinite(effect) for row in found["effects_nats"] for effect in row)
