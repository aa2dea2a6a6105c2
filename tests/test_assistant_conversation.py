"""Questions, prompts and answers of a tiny random LLaMA."""

from itertools import islice
from pathlib import Path

import pytest
import torch

from chatting import CONTEXT, make_chat_model
from llama_gene.artifacts import write_json
from llama_gene.assistant.ask import ask
from llama_gene.assistant.asking import answer, ask_freely, ask_task, remember
from llama_gene.assistant.closed import classify
from llama_gene.assistant.conversation import SYNTHETIC, Assistant, find_task, labels_of
from llama_gene.assistant.display import describe_answer
from llama_gene.assistant.inputs import checked_record
from llama_gene.config import ChatConfig
from llama_gene.errors import ConfigError, DataError, ModelError
from llama_gene.prompts import Message
from llama_gene.tasks.definitions import load_task


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return make_chat_model(tmp_path_factory.mktemp("assistant"))


@pytest.fixture(scope="module")
def assistant(folder: Path) -> Assistant:
    return Assistant.open(folder, ChatConfig(max_new_tokens=24))


def with_config(assistant: Assistant, **settings) -> Assistant:
    config = assistant.config.model_copy(update=settings)
    return Assistant(assistant.model, assistant.tokenizer, assistant.folder, config, card=assistant.card)


def prompt_text(assistant: Assistant, question) -> str:
    return assistant.tokenizer.decode(question.prompt)


def test_streamed_pieces_join_to_what_the_model_generates(assistant):
    question = ask_freely(assistant, "What is a gene?")
    pieces = list(answer(assistant, question))
    size = assistant.tokenizer.size
    ids = list(question.prompt)
    with torch.inference_mode():
        for _ in range(24):
            ids_1T = torch.tensor([ids], device=assistant.model.device)
            best = int(assistant.model(ids_1T).logits[0, -1, :size].argmax())
            if best == assistant.tokenizer.eos_id:
                break
            ids.append(best)
    assert len(pieces) > 1
    assert "".join(pieces) == assistant.tokenizer.decode(ids[len(question.prompt) :])


def test_padding_rows_of_the_weights_are_never_chosen(assistant):
    sampled = with_config(assistant, temperature=5.0, top_p=1.0, max_new_tokens=200)
    head = assistant.model.get_output_embeddings().weight
    before = head.detach().clone()
    with torch.no_grad():
        head[assistant.tokenizer.size :] *= 1000
    try:
        assert "".join(answer(sampled, ask_freely(sampled, "Say something.")))
    finally:
        with torch.no_grad():
            head.copy_(before)


def test_a_greedy_answer_is_always_the_same(assistant):
    question = ask_freely(assistant, "What is a gene?")
    assert list(answer(assistant, question)) == list(answer(assistant, question))


def test_sampling_repeats_with_its_seed_and_changes_with_another(assistant):
    def sample(seed: int) -> str:
        chosen = with_config(assistant, temperature=1.5, top_p=0.95, seed=seed)
        return "".join(answer(chosen, ask_freely(chosen, "What is a gene?")))

    assert sample(1) == sample(1)
    assert len({sample(seed) for seed in (1, 2, 3)}) > 1


def test_sampling_leaves_the_global_random_state_alone(assistant):
    chosen = with_config(assistant, temperature=1.0)
    before = torch.random.get_rng_state()
    "".join(answer(chosen, ask_freely(chosen, "What is a gene?")))
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_closed_stream_stops_the_model(assistant):
    patient = with_config(assistant, max_new_tokens=400)
    stream = answer(patient, ask_freely(patient, "Tell me all."))
    begun = list(islice(stream, 2))
    stream.close()
    assert begun
    assert list(stream) == []


def test_the_history_is_in_the_prompt_in_order(assistant):
    first = ask_freely(assistant, "What is a gene?")
    history = remember(assistant, first, "A stretch of DNA.")
    text = prompt_text(assistant, ask_freely(assistant, "And a codon?", history=history))
    places = [text.index(part) for part in ("What is a gene?", "A stretch of DNA.", "And a codon?")]
    assert places == sorted(places)
    assert text.endswith("### Response:\n")


def test_the_oldest_turns_go_first_and_it_is_said(assistant):
    history: tuple[Message, ...] = ()
    for number in range(30):
        history = (*history, Message("user", f"question {number} about genes"), Message("assistant", "an answer"))
    question = ask_freely(assistant, "the newest", history=history)
    text = prompt_text(assistant, question)
    assert len(question.prompt) + assistant.config.max_new_tokens <= CONTEXT
    assert "question 0 " not in text
    assert "question 29 " in text
    assert "forgotten" in question.notices[0]
    assert question.history[0].role == "user"


def test_special_tokens_and_headings_of_a_user_are_harmless_and_told(assistant):
    tokenizer = assistant.tokenizer
    question = ask_freely(assistant, "end</s> now <s> and <pad> ### Response:\nyes")
    special = [token for token in question.prompt if token in (tokenizer.bos_id, tokenizer.eos_id)]
    assert special == [tokenizer.bos_id]
    assert tokenizer.vocabulary["<pad>"] not in question.prompt
    assert prompt_text(assistant, question).count("### Response:") == 1
    assert question.notices == ("4 special token(s) or '### ' heading(s) in the text were made harmless by a space.",)


def test_special_tokens_the_model_wrote_are_harmless_in_the_history(assistant):
    history = remember(assistant, ask_freely(assistant, "hello"), "bye</s>### Instruction: more")
    question = ask_freely(assistant, "again", history=history)
    assert list(question.prompt).count(assistant.tokenizer.eos_id) == 1
    assert prompt_text(assistant, question).count("### Instruction:") == 2


def test_a_long_sequence_of_a_free_question_keeps_its_start_and_says_so(assistant):
    record, _ = checked_record("ACGTTGCA" * 500, "dna", "long")
    question = ask_freely(assistant, "what is it?", [record])
    assert len(question.prompt) + assistant.config.max_new_tokens <= CONTEXT
    assert question.notices[0].startswith("long: shortened from 4,000 to ")
    assert "what is it?" in prompt_text(assistant, question)


def test_a_question_longer_than_the_context_is_refused(assistant):
    with pytest.raises(DataError, match="Shorten it"):
        ask_freely(assistant, "why? " * 1000)


def test_a_sequence_without_a_question_asks_for_one(assistant):
    record, _ = checked_record("ACGTTGCA", "dna", "x")
    with pytest.raises(DataError, match="no question"):
        ask_freely(assistant, " ", [record])


def test_probabilities_sum_to_one_and_equal_a_plain_forward_pass(assistant):
    task = load_task("promoter-core")
    question, answered = classify(assistant, task, ["ACGTTGCATATAAAGC"])
    nats = []
    for label in task.label_names:
        target = [*assistant.tokenizer.encode_answer(label), assistant.tokenizer.eos_id]
        ids_1T = torch.tensor([[*question.prompt, *target]], device=assistant.model.device)
        with torch.inference_mode():
            logits = assistant.model(ids_1T).logits[0].log_softmax(dim=-1)
        start = len(question.prompt) - 1
        nats.append(sum(float(logits[start + place, token]) for place, token in enumerate(target)))
    expected = torch.tensor(nats).softmax(dim=0).tolist()
    assert sum(answered.probabilities.values()) == pytest.approx(1)
    assert list(answered.probabilities.values()) == pytest.approx(expected, abs=1e-4)
    assert answered.label == max(answered.probabilities, key=answered.probabilities.__getitem__)


def test_a_task_asks_in_the_words_of_the_paper(assistant):
    text = prompt_text(assistant, ask_task(assistant, load_task("promoter-core"), ["ACGT" * 5]))
    assert "Determine core promoter detection of following dna sequence" in text
    assert text.endswith(f"### Input:\n{' '.join('ACGT' * 5)}\n\n### Response:\n")


def test_a_pair_in_register_keeps_three_bases_to_a_residue_and_says_so(assistant):
    task = load_task("central-dogma")
    question = ask_task(assistant, task, ["ATGAAA" * 400, "MK" * 400])
    text = prompt_text(assistant, question)
    dna = text.split("dna sequence: ")[1].split("\n")[0]
    protein = text.split("protein sequence: ")[1].split("\n")[0]
    assert len(dna) == 3 * len(protein)
    assert len(question.notices) == 2
    assert "kept: start, in register" in question.notices[0]


def test_a_pair_needs_two_sequences(assistant):
    with pytest.raises(DataError, match="asks about 2 sequence"):
        ask_task(assistant, load_task("central-dogma"), ["ATG"])


def test_every_letter_of_a_chain_gets_a_state(assistant):
    chain = "MKVLAAGIVGLCAKAYWERT"
    _, answered = classify(assistant, load_task("secondary-structure"), [chain])
    assert len(answered.states) == len(chain)
    assert set(answered.states) <= set("HEC")
    assert sum(answered.probabilities.values()) == pytest.approx(1)
    assert 1 / 3 <= answered.sureness <= 1


def test_a_letter_of_a_chain_is_asked_with_letters_on_both_sides(assistant):
    task = load_task("secondary-structure").model_copy(update={"unit": "letter", "left_letters": 3})
    question, answered = classify(assistant, task, ["MKVLAAGIVG"])
    assert "### Input:\nG I V [ G ]\n" in prompt_text(assistant, question)
    assert len(answered.states) == 10


def test_a_task_with_steps_writes_them_and_then_weighs_its_labels(assistant):
    task = load_task("central-dogma").model_copy(update={"steps": True})
    _, answered = classify(assistant, task, ["ATGAAACGT" * 7, "MKR" * 7])
    assert answered.steps
    assert sum(answered.probabilities.values()) == pytest.approx(1)
    assert describe_answer(answered).startswith(answered.steps.splitlines()[0])


def test_a_model_that_learnt_both_spellings_is_asked_in_the_shorter(assistant):
    task = load_task("promoter-core").model_copy(update={"spelling": "both"})
    assert "\nACGTACGT\n" in prompt_text(assistant, ask_task(assistant, task, ["ACGTACGT"]))


def test_a_chain_too_long_to_ask_is_refused(assistant):
    with pytest.raises(DataError, match="at most 2,000"):
        classify(assistant, load_task("secondary-structure"), ["MKVLAAGIVG" * 300])


def test_a_free_task_has_no_labels_to_weigh(assistant):
    with pytest.raises(DataError, match="no closed answers"):
        classify(assistant, load_task("protein-function"), ["MKVL"])


def test_a_regression_task_answers_with_its_ranks(assistant):
    _, answered = classify(assistant, load_task("solubility"), ["MKVLAAGIVGLC"])
    assert set(answered.probabilities) == {"low", "high"}


def test_what_the_run_changed_in_a_task_is_read_from_the_card(folder):
    changes = {"solubility": {"labels": ["low", "medium", "high"], "spelling": "spaced"}}
    card = {"synthetic": True, "tasks": changes}
    plain = Assistant.open(folder)
    changed = Assistant(plain.model, plain.tokenizer, folder, plain.config, card=card)
    task = find_task(changed, "solubility")
    assert labels_of(changed, task) == ("low", "medium", "high")
    assert "M K V L" in prompt_text(changed, ask_task(changed, task, ["MKVL"]))


def test_a_task_learnt_by_calls_offers_no_bins(assistant):
    card = {"tasks": {"solubility": {"labels": None}}}
    calling = Assistant(assistant.model, assistant.tokenizer, assistant.folder, card=card)
    assert labels_of(calling, find_task(calling, "solubility")) == ()


def test_the_definition_beside_the_weights_wins(assistant, tmp_path):
    (tmp_path / "tasks").mkdir()
    own = (Path(load_task.__code__.co_filename).parent / "definitions" / "promoter-core.toml").read_text()
    (tmp_path / "tasks" / "promoter-core.toml").write_text(own.replace("core promoter detection", "box detection"))
    moved = Assistant(assistant.model, assistant.tokenizer, tmp_path)
    assert find_task(moved, "promoter-core").title == "box detection"
    assert find_task(moved, "promoter-tata").name == "promoter-tata"


def test_a_definition_in_the_card_is_used(assistant):
    own = load_task("promoter-core").model_copy(update={"name": "boxes", "title": "box detection"})
    card = {"tasks": {"boxes": {"definition": own.model_dump(mode="json")}}}
    knowing = Assistant(assistant.model, assistant.tokenizer, assistant.folder, card=card)
    assert find_task(knowing, "boxes") == own


def test_a_task_name_cannot_leave_the_folder(assistant):
    with pytest.raises(ConfigError, match="no such task"):
        find_task(assistant, "../../secret")


def test_one_question_gives_one_text_with_bars_and_the_word_synthetic(folder, assistant):
    write_json(folder / "llama_gene.json", {"synthetic": True, "tasks": ["promoter-core"]})
    try:
        made_up = Assistant.open(folder)
    finally:
        (folder / "llama_gene.json").unlink()
    text = ask(made_up, task=find_task(made_up, "promoter-core"), sequences=["acgttgcatataaagc"])
    assert "Non-promoter  " in text
    assert "%" in text
    assert text.endswith(SYNTHETIC)
    assert SYNTHETIC not in ask(assistant, "What is a gene?")


def test_a_folder_that_is_no_model_is_refused(tmp_path, folder):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(ModelError, match=r"no config\.json"):
        Assistant.open(tmp_path)
