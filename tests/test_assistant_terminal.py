"""The chat loop, on lines, on a pipe, and with Ctrl-C."""

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from chatting import make_chat_model
from llama_gene.assistant.agent import Decision
from llama_gene.assistant.asking import answer, ask_freely
from llama_gene.assistant.conversation import SYNTHETIC, Assistant
from llama_gene.assistant.display import Answer, describe_answer
from llama_gene.assistant.terminal import chat, messages
from llama_gene.assistant.toolbox import Toolbox
from llama_gene.config import ChatConfig
from llama_gene.errors import ConfigError
from llama_gene.tasks.tool_calls import Request
from llama_gene.tools import all_tools

DNA = "ACGTTGCATATAAAGCACGT"


@pytest.fixture(scope="module")
def assistant(tmp_path_factory) -> Assistant:
    folder = make_chat_model(tmp_path_factory.mktemp("terminal"))
    return Assistant.open(folder, ChatConfig(max_new_tokens=12))


def talk(assistant: Assistant, *lines: str, **options) -> str:
    page = io.StringIO()
    chat(assistant, input_lines=lines, console=Console(file=page, width=200), **options)
    return page.getvalue()


def test_a_line_is_a_message_and_fasta_goes_on_to_an_empty_line():
    assert list(messages(["", "one\n", ">a\r\n", "AC\r\n", "\r\n", "two"])) == ["one", ">a\nAC", "two"]
    assert list(messages([">a", "AC"])) == [">a\nAC"]


def test_a_free_answer_is_written_whole(assistant):
    expected = "".join(answer(assistant, ask_freely(assistant, "What is a gene?")))
    assert any(letter.isalnum() for letter in expected)
    shown = talk(assistant, "What is a gene?")
    assert "".join(letter for letter in expected if letter.isprintable() or letter == "\n").strip() in shown


def test_a_task_answers_with_bars_and_a_sentence(assistant):
    shown = talk(assistant, DNA, task="promoter-core")
    assert "core promoter detection" in shown
    assert "█" in shown
    assert "The model is " in shown


def test_a_pasted_record_of_a_task_is_answered(assistant):
    assert "Non-promoter  " in talk(assistant, ">x", DNA.lower(), DNA, "", task="promoter-core")


def test_every_record_of_a_file_is_answered_under_its_name(assistant, tmp_path: Path):
    (tmp_path / "two.fa").write_text(f">first\n{DNA}\n>second\n{DNA[::-1]}\n")
    shown = talk(assistant, "@two.fa", task="promoter-core", folder=tmp_path)
    assert shown.index("first") < shown.index("second")
    assert shown.count("The model is ") == 2


def test_a_pair_task_takes_records_two_by_two(assistant):
    one = talk(assistant, ">d", "ATGAAAGTT", ">p", "MKV", "", task="central-dogma")
    assert "Not Conform  " in one
    assert "asks about 2 sequences at a time, not 1" in talk(assistant, ">d", "ATGAAAGTT", "", task="central-dogma")


def test_wrong_letters_are_told_and_the_chat_goes_on(assistant):
    shown = talk(assistant, "MKVLAAGIVGLCAKAYWERTMKVLAAG", DNA, task="promoter-core")
    assert "look like protein, not DNA" in shown
    assert "The model is " in shown


def test_a_sequence_without_question_waits_for_it(assistant):
    shown = talk(assistant, ">x", DNA, "", "What is it?")
    assert "1 sequence (20 letters) read. Now type the question" in shown
    assert "had no question" not in shown
    assert "had no question" in talk(assistant, DNA)


def test_the_task_can_be_changed_and_left(assistant):
    shown = talk(assistant, "/task promoter-core", DNA, "/task none", "hello", "/task promotor-core", "/nonsense")
    assert "core promoter detection" in shown
    assert "Free questions." in shown
    assert "did you mean 'promoter-core'?" in shown
    assert "/nonsense: no such command" in shown


def test_a_waiting_sequence_is_answered_when_a_task_is_chosen(assistant):
    shown = talk(assistant, DNA, "/task promoter-core", "/tasks")
    assert shown.count("The model is ") == 1
    assert "had no question" not in shown


def test_a_waiting_sequence_of_the_wrong_alphabet_is_refused_by_the_task(assistant):
    shown = talk(assistant, "MKVLAAGIVGLCAKAYWERT", "/task promoter-core")
    assert "sequence 1: the letters look like protein, not DNA" in shown


def test_waiting_sequences_count_against_the_limit(assistant):
    few = replace(assistant, config=ChatConfig(max_sequences=2))
    assert "more than 2 sequences with those that wait" in talk(few, DNA, DNA, DNA)


def test_quit_ends_before_the_next_line(assistant):
    assert "The model is " not in talk(assistant, "/quit", DNA, task="promoter-core")


def test_help_names_every_command(assistant):
    shown = talk(assistant, "/help")
    assert all(command in shown for command in ("/task", "/tasks", "/reset", "/quit", "@file"))


def test_reset_forgets_the_turns(assistant):
    def asked_after(*lines: str) -> str:
        return talk(assistant, *lines, "And then?").split("forgotten.")[-1].split("can type.")[-1]

    fresh = asked_after()
    assert fresh.strip() in asked_after("What is a gene?", "/reset")


def test_words_beside_a_sequence_give_way_to_the_task_and_it_is_said(assistant):
    assert "Asked in the words of task promoter-core" in talk(assistant, f"is {DNA} one?", task="promoter-core")


def test_a_synthetic_model_says_so_at_once(assistant):
    made_up = replace(assistant, card={"synthetic": True, "tasks": ["promoter-core"]})
    shown = talk(made_up, "/tasks", "/task promoter-tata")
    assert SYNTHETIC in shown
    assert "promoter-core  core promoter detection" in shown
    assert "was not tuned on it" in shown
    assert SYNTHETIC not in talk(assistant)


def test_an_unknown_task_is_refused_at_the_start(assistant):
    with pytest.raises(ConfigError, match="no such task"):
        talk(assistant, task="nonsense")


def test_special_tokens_in_a_message_are_told(assistant):
    assert "made harmless" in talk(assistant, "hello</s>")


def test_ctrl_c_at_the_prompt_ends_the_chat(assistant):
    def lines() -> Iterator[str]:
        yield "/help"
        signal.raise_signal(signal.SIGINT)
        yield "never read"

    with pytest.raises(KeyboardInterrupt):
        chat(assistant, input_lines=lines(), console=Console(file=io.StringIO()))


def test_ctrl_c_during_an_answer_stops_it_and_the_chat_goes_on(assistant):
    patient = replace(assistant, config=ChatConfig(max_new_tokens=400, temperature=5.0, top_p=1.0))

    class Impatient(io.StringIO):
        writes = 0

        def write(self, text: str) -> int:
            self.writes += 1
            if self.writes == 12:
                os.kill(os.getpid(), signal.SIGINT)
            return super().write(text)

    page, before = Impatient(), threading.active_count()
    chat(patient, input_lines=["Tell me all.", "/tasks"], console=Console(file=page, width=200))
    assert "stopped; this answer is not remembered" in page.getvalue()
    assert "does not say what it learnt" in page.getvalue()
    assert threading.active_count() == before


def test_bars_are_plain_where_the_terminal_is(assistant):
    page = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace")
    chat(assistant, task="promoter-core", input_lines=[DNA], console=Console(file=page, width=200))
    page.seek(0)
    assert "###" in page.read()


def test_many_labels_are_summed_up():
    shown = describe_answer(Answer("l0", {f"l{number}": 0.1 for number in range(10)}))
    assert "and 2 more with 20.0 % together" in shown


@pytest.mark.slow
def test_a_pipe_is_answered_to_its_end(assistant):
    program = (
        "import sys; from pathlib import Path; from llama_gene.assistant.conversation import Assistant;"
        "from llama_gene.assistant.terminal import chat; chat(Assistant.open(Path(sys.argv[1])), task='promoter-core')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(assistant.folder)],
        input=f"{DNA}\n>x\n{DNA}\n{DNA}\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("The model is ") == 2


def test_tools_are_listed_and_called_by_hand_on_the_sequence_that_waits(assistant):
    shown = talk(assistant, "/tools", "ATGGCATGAATG", '/tool translate {"dna": "@input"}', '/tool rm {"path": "/"}')
    assert "translate(dna, [genetic_code]" in shown
    assert '"protein": "MA*M"' in shown
    assert "'rm': no such tool" in shown


def test_a_tool_called_by_hand_after_a_question_is_about_the_sequence_of_that_question(assistant):
    shown = talk(assistant, "Is it a promoter? ATGGCATGAATG", '/tool translate {"dna": "@input"}')
    assert '"protein": "MA*M"' in shown


def test_a_question_is_answered_with_tools_and_every_step_is_shown(assistant):
    def plan(question, sequences, steps, tools):
        yield from ()
        if steps:
            return Decision(text=f"{question} It is {steps[0].result['protein']}.")
        return Decision((Request("translate", {"dna": "@input"}, ""),))

    toolbox = Toolbox(all_tools(), planner=plan)
    shown = talk(assistant, "What does ATGGCATGAATG code for?", "ATGGCATGAATG", "And this?", toolbox=toolbox)
    assert shown.count('translate {"dna": "@input"}') == 2
    assert "What does code for? It is MA*M." in shown
    assert "Now type the question" in shown
