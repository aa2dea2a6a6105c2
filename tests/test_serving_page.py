"""The web page, in a real browser against a real server: what is done on it."""

import csv
import json
import threading

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from browsing import Page, watching
from llama_gene.assistant.conversation import Assistant, find_task
from llama_gene.assistant.events import Manner
from llama_gene.assistant.turn import reply_to
from llama_gene.config import ChatConfig
from llama_gene.serving.keys import add_key
from serving import DNA, DNA_TASK, PROTEIN, make_served_model, serving, serving_engine

CHAT = ChatConfig(max_new_tokens=24)
UNRULY = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><script>parent.document.title=1</script></svg>'
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_served_model(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def served(folder):
    with serving_engine(folder, CHAT, max_letters=2000) as served:
        yield served


@pytest.fixture(scope="module")
def assistant(folder):
    return Assistant.open(folder, CHAT)


@pytest.fixture
def page(browser, served):
    with watching(browser, served[0]) as page:
        yield page


def test_a_question_is_answered_as_it_is_written(page, assistant):
    page.run(
        "window.seen = []; new MutationObserver(() => { const now = document.querySelector('.writing');"
        "if (now) window.seen.push(now.textContent.length); }).observe(document.getElementById('log'), "
        "{ childList: true, subtree: true })"
    )
    page.ask("What is a gene?")
    seen = page.run("return window.seen")
    assert len(set(seen)) > 2
    assert seen == sorted(seen)
    expected = reply_to(assistant, "What is a gene?").text
    assert page.texts(".answer .words") == [expected]
    assert page.id("said").get_attribute("textContent") == expected


def test_a_task_is_answered_with_bars_and_how_sure_it_is(page, assistant):
    page.ask(f"promoter? {DNA}", DNA_TASK)
    closed = reply_to(assistant, DNA, manner=Manner(find_task(assistant, DNA_TASK))).answers[0].closed
    ordered = sorted(closed.probabilities.items(), key=lambda pair: -pair[1])
    assert page.texts(".bar .label") == [label for label, _ in ordered]
    assert page.texts(".bar .share") == [f"{100 * share:.1f} %" for _, share in ordered]
    widths = page.run("return [...document.querySelectorAll('.fill')].map((bar) => bar.getBoundingClientRect().width)")
    assert widths[0] / sum(widths) == pytest.approx(ordered[0][1], abs=0.02)
    assert page.texts(".verdict") == [closed.label]
    assert "is unknown: no evaluation of it is at hand" in page.id("log").text


def test_a_file_is_read_shown_with_its_tokens_and_asked_about(page, tmp_path):
    file = tmp_path / "two.fasta"
    file.write_text(f">one\n{DNA}\n\n>two\n{DNA[::-1]}\n", encoding="utf-8")
    page.id("file").send_keys(str(file))
    page.wait(lambda: page.texts("#files li"))
    assert page.texts("#files li") == ["two.fasta · 2 records ×"]
    page.ask("", DNA_TASK)
    page.wait(lambda: len(page.all("figure .token")) > 2)
    assert page.texts("figure b") == ["one", "two"]
    page.wait(lambda: page.texts("figure code") == [DNA, DNA[::-1]])
    assert len(page.all(".verdict")) == 2
    assert page.texts("#files li") == []


def test_a_dropped_file_is_taken_and_a_wrong_one_is_told(page):
    drop = (
        "const files = new DataTransfer(); files.items.add(new File([arguments[1]], arguments[0]));"
        "window.dispatchEvent(new DragEvent('drop', { dataTransfer: files, bubbles: true, cancelable: true }))"
    )
    page.run(drop, "one.fa", f">one\n{DNA}")
    page.wait(lambda: page.texts("#files li"))
    page.run(drop, "notes.fa", "two\nwords 1")
    page.wait(lambda: page.id("problem").text)
    assert page.id("problem").text.startswith("notes.fa, line 2: not FASTA.")
    assert page.texts("#files li") == ["one.fa · 1 record ×"]


def test_an_error_is_told_in_the_words_of_the_server_and_can_be_mended(page):
    page.ask(PROTEIN, DNA_TASK)
    (told,) = page.texts("[role=alert].error p")
    assert "sequence 1" in told
    (refused,) = page.complaints()
    assert "/page/turn" in refused
    assert "400" in refused
    page.all(".error button")[0].click()
    assert page.id("message").get_attribute("value") == PROTEIN
    page.ask("", "")
    assert len(page.all(".turn")) == 2


def test_nothing_to_send_is_told_without_asking(page):
    page.ask("")
    assert page.id("problem").text == "Type a question, paste a sequence, or add a file."
    assert page.all(".turn") == []


def test_a_reload_keeps_the_conversation_and_what_it_was_about(page):
    page.ask(DNA)
    page.ask("Is it a promoter?", DNA_TASK)
    before = page.texts(".words, .verdict, .bar")
    page.reload()
    assert page.texts(".words, .verdict, .bar") == before
    assert page.texts(".verdict")
    page.id("new").click()
    page.reload()
    assert page.all(".turn") == []
    assert page.id("welcome").is_displayed()


def test_markup_stays_text_wherever_it_comes_from(page):
    page.ask(UNRULY)
    assert page.texts(".asked .words") == [UNRULY]
    assert page.all("#log img, #log script") == []
    assert page.browser.title == "llama-gene"


def test_escape_stops_an_answer_and_the_page_goes_on(page, served):
    release = threading.Event()
    served[1].call(lambda: release.wait(120))
    page.id("message").send_keys("gene?", Keys.ENTER)
    page.wait(lambda: page.id("stop").is_displayed())
    page.press(Keys.ESCAPE)
    page.wait(lambda: page.id("send").is_displayed())
    release.set()
    assert page.texts(".notice") == ["Stopped. This answer is not remembered."]
    page.ask("gene?")
    assert len(page.all(".answer")) == 1


def test_a_reload_in_the_middle_of_an_answer_keeps_the_question(page, served):
    release = threading.Event()
    served[1].call(lambda: release.wait(120))
    page.id("message").send_keys("gene?", Keys.ENTER)
    page.wait(lambda: page.id("stop").is_displayed())
    page.reload()
    release.set()
    assert page.texts(".asked .words") == ["gene?"]
    assert page.texts(".notice") == ["Stopped. This answer is not remembered."]


def test_everything_is_reached_and_done_by_keys(page):
    page.run("document.activeElement.blur()")
    reached = []
    for _ in range(18):
        page.press(Keys.TAB)
        reached.append(
            page.run("const at = document.activeElement; return at.id || at.parentElement.id || at.className")
        )
    assert reached[0] == "skip"
    wanted = ["new", "export", "theme", "message", "file", "task", "tool", "agent", "send"]
    assert [name for name in reached[: reached.index("send") + 1] if name in wanted] == wanted
    page.run("document.getElementById('message').focus()")
    keys = webdriver.ActionChains(page.browser).send_keys("one").key_down(Keys.SHIFT).send_keys(Keys.ENTER)
    keys.key_up(Keys.SHIFT).send_keys("two").perform()
    assert page.id("message").get_attribute("value") == "one\ntwo"
    unnamed = page.run(
        "return [...document.querySelectorAll('button, select, textarea, input')].filter((one) => "
        "!one.textContent && !one.labels?.length && !one.ariaLabel).map((one) => one.id)"
    )
    assert unnamed == []


def test_the_conversation_is_exported_in_three_forms(page, tmp_path):
    page.browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    page.ask(f'=1+1, "promoter"? {DNA}', DNA_TASK)
    found = {}
    for form in ("csv", "json", "md"):
        page.run("document.getElementById('export').open = true")
        page.all(f"[data-format={form}]")[0].click()
        file = tmp_path / f"llama-gene.{form}"
        page.wait(file.is_file)
        page.wait(lambda file=file: file.stat().st_size)
        found[form] = file.read_text(encoding="utf-8")
    (row,) = csv.DictReader(found["csv"].splitlines())
    # A sheet would compute what starts with =.
    assert row["question"] == '\'=1+1, "promoter"?'
    assert row["task"] == DNA_TASK
    (turn,) = json.loads(found["json"])["turns"]
    assert turn["answers"][0]["closed"]["label"] == row["label"]
    assert f">sequence 1\n{DNA}" in found["md"]


def test_steps_show_pictures_as_images_and_hits_open_on_a_click(page):
    step = {
        "tool": "mutagenesis",
        "arguments": {"dna": "@input"},
        "result": {"map_svg": PICTURE, "best": 3},
        "error": "",
        "seconds": 0.25,
    }
    hit = {
        "id": "P1",
        "source": "javascript:alert(1)",
        "description": "<b>x</b>",
        "identity": 0.5,
        "coverage": 1,
        "e_value": 1e-9,
    }
    page.imported(
        "const { showStep } = await import('/steps.js'); const { showHit } = await import('/found.js');"
        f"const hit = {json.dumps(hit)};"
        f"document.getElementById('log').append(showStep({json.dumps(step)}), showHit(hit), "
        "showHit({ ...hit, source: 'https://www.uniprot.org/P1' }))"
    )
    assert page.all(".step svg") == []
    page.wait(lambda: page.run("return document.querySelector('.step img').naturalWidth") == 40)
    assert page.texts(".step > summary") == ["✓mutagenesis was called dna: @input0.25 s"]
    assert page.texts(".hit summary")[0] == "P1<b>x</b>identity 50.0 % · coverage 100.0 % · E-value 1.0e-9"
    assert [link.get_attribute("href") for link in page.all(".hit a")] == ["https://www.uniprot.org/P1"]
    assert page.browser.title == "llama-gene"


def choose_tool(page, name):
    page.run("document.getElementById('tool').open = true")
    page.all(f"#tools button[value={name}]")[0].click()


def test_a_tool_is_called_through_its_form_about_the_sequence_of_before(page):
    page.ask(DNA)
    choose_tool(page, "gc_content")
    assert page.run("return document.activeElement.id") == "argument-dna"
    page.press(Keys.ENTER)
    page.wait(lambda: page.all(".step summary"))
    assert page.texts(".asked .words")[-1] == '/tool gc_content {"dna":"@input"}'
    assert page.texts(".step dd")[1] == str(len(DNA))
    assert not page.id("tool-form").is_displayed()
    page.ask('/tool gc_content {"dna": 1}')
    assert page.texts(".step.failed > p")[0].startswith("tool gc_content")


def test_a_form_gives_values_of_the_types_of_its_schema_and_leaves_defaults_out(page):
    choose_tool(page, "restriction_sites")
    page.run(
        "const form = document.getElementById('tool-form'); form.elements.dna.value = 'AAGAATTCAA';"
        "form.elements.enzymes.value = 'EcoRI, BamHI'; form.requestSubmit()"
    )
    page.wait(lambda: page.all(".step summary"))
    sent = '/tool restriction_sites {"dna":"AAGAATTCAA","enzymes":["EcoRI","BamHI"]}'
    assert page.texts(".asked .words") == [sent]
    assert page.texts(".step.failed") == []
    choose_tool(page, "kmer_profile")
    assert not page.id("tools").is_displayed()
    page.press(Keys.ESCAPE)
    assert not page.id("tool-form").is_displayed()
    assert page.run("return document.activeElement.id") == "message"


def test_a_server_with_keys_asks_for_one(browser, folder, tmp_path):
    key = add_key(tmp_path / "keys.txt", "alice")
    with serving(folder, keys=str(tmp_path / "keys.txt")) as address:
        page = Page(browser, address)
        browser.get(address)
        page.wait(lambda: page.id("key-form").is_displayed())
        page.id("key").send_keys("wrong", Keys.ENTER)
        page.wait(lambda: "no valid API key" in page.id("key-problem").text)
        page.id("key").clear()
        page.id("key").send_keys(key, Keys.ENTER)
        page.wait(lambda: not page.id("key-form").is_displayed())
        page.ask(DNA, DNA_TASK)
        assert page.texts(".verdict")
        # What the tests after this one see is not theirs.
        browser.get_log("browser")
        page.requests()
