"""How the web page looks, in a real browser: colours of both themes, pictures, a phone's width."""

import json
import re
from contextlib import contextmanager

import pytest
from selenium.webdriver.common.keys import Keys

from browsing import watching
from llama_gene.config import ChatConfig, IndexConfig
from llama_gene.model.folders import write_card
from llama_gene.retrieval.build import build_index
from llama_gene.retrieval.index import open_index
from llama_gene.serving.run import Equipment
from llama_gene.serving.spans import gene_ranges
from llama_gene.tokenizer.load import load_tokenizer
from llama_gene.tokenizer.tiny import tiny_vocabulary
from models import make_model, make_vocabulary
from serving import DNA, DNA_TASK, PROTEIN, serving_engine

KINDS = ("dna", "protein", "english")
KINASE = PROTEIN * 4
PHONE = {"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": True}
BACKGROUND = "return getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model whose vocabulary has 24 tokens learnt from DNA and 24 from protein."""
    place = tmp_path_factory.mktemp("served")
    made = make_model(place, make_vocabulary(place))
    write_card(made, {"tasks": {DNA_TASK: {}}})
    return made


@pytest.fixture(scope="module")
def served(folder, tmp_path_factory):
    place = tmp_path_factory.mktemp("index")
    (place / "proteins.fasta").write_text(f">P1 a kinase\n{KINASE[:30]}W{KINASE[31:]}\n")
    build_index(IndexConfig(), files=[place / "proteins.fasta"], seed=1, output=place / "idx")
    with serving_engine(folder, ChatConfig(max_new_tokens=8), Equipment(open_index(place / "idx"))) as (address, _):
        yield address


@pytest.fixture
def page(browser, served):
    with watching(browser, served) as page:
        yield page


def colours(page, selector, name="backgroundColor"):
    """What an element's colour is, for all that match."""
    script = "return [...document.querySelectorAll(arguments[0])].map((one) => getComputedStyle(one)[arguments[1]])"
    return page.run(script, selector, name)


def brightness(colour):
    """Relative luminance of `rgb(…)`, as WCAG 2.1 defines it, 0 to 1."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    """From 1 to 21; text needs 4.5."""
    dark, bright = sorted((brightness(one), brightness(other)))
    return (bright + 0.05) / (dark + 0.05)


@contextmanager
def a_system_of(browser, scheme):
    """The system says that pages should be dark, or light."""
    wish = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wish})
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_each_token_has_the_colour_of_what_it_was_learnt_from(page, folder, tmp_path):
    tokenizer, first = load_tokenizer(folder), tiny_vocabulary().size
    ranges = {"dna": range(first, first + 24), "protein": range(first + 24, first + 48)}
    assert gene_ranges(tokenizer) == ranges
    protein = PROTEIN + "".join(tokenizer.decode([one]) for one in ranges["protein"])
    (tmp_path / "two.fasta").write_text(f">d\n{DNA}\n\n>p\n{protein}\n")
    page.id("file").send_keys(str(tmp_path / "two.fasta"))
    page.wait(lambda: page.texts("#files li"))
    page.ask("Are they alike?")
    page.wait(lambda: len(page.all(".sequence .legend")) == 2)
    legends = []
    for figure, letters in zip(page.all(".sequence"), (DNA, protein), strict=True):
        ids = tokenizer.encode(letters)
        kinds = ["dna" if one in ranges["dna"] else "protein" if one in ranges["protein"] else "english" for one in ids]
        shown = figure.find_elements("css selector", ".token:not(i)")
        assert [one.get_attribute("class").split()[1] for one in shown] == kinds
        assert "".join(one.text for one in shown) == letters
        names = {"dna": "DNA", "protein": "protein", "english": "English"}
        assert [one.get_attribute("title") for one in shown] == [f"{names[kind]} token" for kind in kinds]
        counts = {kind: kinds.count(kind) for kind in KINDS if kind in kinds}
        legends.append([f" {count} {names[kind]} token{'' if count == 1 else 's'}" for kind, count in counts.items()])
    assert page.texts(".sequence .legend > span") == [one for legend in legends for one in legend]
    assert page.all(".sequence .token.dna:not(i)")
    assert page.all(".sequence .token.protein:not(i)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_kinds_of_tokens_differ_in_colour_and_can_be_read_in_both_themes(page, scheme):
    with a_system_of(page.browser, scheme):
        page.imported(
            "const { make } = await import('/elements.js');"
            "document.getElementById('log').append(...['dna', 'protein', 'english'].flatMap((kind) => ["
            "...['even', 'odd'].map((place) => "
            "make('span', { className: `token ${kind} ${place}`, textContent: 'A' })),"
            "make('span', { className: 'legend' }, make('i', { className: `token ${kind}` }))]))"
        )
        tokens, (text,) = colours(page, "#log > .token"), set(colours(page, "#log > .token", "color"))
        assert len(set(tokens)) == 6
        assert min(contrast(text, token) for token in tokens) >= 4.5
        # The sample in the legend is the colour of the kind's tokens.
        assert colours(page, ".legend i") == tokens[1::2]


def test_the_page_is_dark_where_the_system_is_unless_it_is_switched(page):
    light = page.run(BACKGROUND)
    assert page.id("theme").text == "Auto"
    with a_system_of(page.browser, "dark"):
        dark, text = page.run(BACKGROUND), colours(page, "body", "color")[0]
        assert brightness(dark) < 0.05
        assert brightness(light) > 0.8
        assert contrast(text, dark) > 7
        page.id("theme").click()
        assert (page.id("theme").text, page.run(BACKGROUND)) == ("Light", light)
        page.id("theme").click()
        assert (page.id("theme").text, page.run(BACKGROUND)) == ("Dark", dark)
    assert page.run(BACKGROUND) == dark


def test_the_theme_is_switched_and_kept(page):
    light = page.run(BACKGROUND)
    page.id("theme").click()
    page.id("theme").click()
    assert page.id("theme").text == "Dark"
    dark = page.run(BACKGROUND)
    assert dark != light
    page.reload()
    assert page.run(BACKGROUND) == dark


def test_an_alignment_is_drawn_by_its_columns(page):
    page.ask('/tool align_pair {"first": "ACGTACGTAC", "second": "ACGAACGTAC", "kind": "dna"}')
    assert page.texts(".step.failed > p") == []
    kinds = page.run("return [...document.querySelectorAll('.alignment rect')].map((one) => one.className.baseVal)")
    assert kinds == ["alike", "unlike", "alike"]
    rows = page.texts(".alignment text")
    assert rows[:3] == ["ACGTACGTAC", "|||·||||||", "ACGAACGTAC"]
    assert rows[3:] == ["1", "10", "1", "10"]
    told = page.all(".alignment")[0].get_attribute("aria-label")
    assert told == "Alignment of 10 columns: 9 alike, 1 unlike, 0 against a gap"


def test_an_alignment_with_the_other_strand_counts_down_and_gaps_are_not_counted(page):
    drawn = {"first": "AC--GT", "second": "ACGGGT", "first_start": 20, "first_step": -1, "second_start": 5}
    page.imported(
        "const { showAlignment } = await import('/alignment.js');"
        f"document.getElementById('log').append(showAlignment({json.dumps(drawn)}))"
    )
    assert page.texts(".alignment text")[3:] == ["20", "17", "5", "10"]
    kinds = page.run("return [...document.querySelectorAll('.alignment rect')].map((one) => one.className.baseVal)")
    assert kinds == ["alike", "gap", "alike"]


def test_a_mutation_map_comes_as_a_picture_of_its_own_size(page):
    show_map(page)
    # 1.6 inches and 0.16 a letter, 96 pixels an inch, without the margins.
    assert 300 < page.run("return document.querySelector('.step img').getBoundingClientRect().width") < 800


def show_map(page):
    page.ask(f'/tool map_mutations {{"sequence": "@input", "kind": "dna", "start": 0, "end": 24}} {DNA}')
    page.wait(lambda: page.run("return document.querySelector('.step img')?.naturalWidth") or page.all(".step.failed"))
    assert page.texts(".step.failed > p") == []


@pytest.fixture
def phone(page):
    """The page on the narrowest screen that is still sold."""
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    yield page
    # Whatever a test showed, the page itself is not scrolled sideways, nor does anything stick out of it unseen.
    assert page.run("return [innerWidth, document.documentElement.scrollWidth]") == [320, 320]
    wide = (
        "return [...document.querySelectorAll('body *:not(.scroll *, .alignment *)')].filter((one) => "
        "one.checkVisibility() && one.getBoundingClientRect().right > 321).map((one) => one.outerHTML.slice(0, 80))"
    )
    assert page.run(wide) == []
    page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_phone_shows_probabilities(phone):
    phone.ask(f"promoter? {DNA}", DNA_TASK)
    assert len(phone.all(".bar")) == 2


def test_a_phone_shows_a_hit_with_its_alignment_whole(phone):
    phone.ask(f"What is it? {KINASE}")
    drawings = phone.run(
        "return [...document.querySelectorAll('.alignment')].map((one) => [one.scrollWidth, one.clientWidth])"
    )
    assert len(drawings) == 1
    assert all(held == shown for held, shown in drawings)
    rows = phone.texts(".alignment text")[::7]
    assert len(rows) > 3
    assert "".join(rows) == KINASE
    size = phone.run("const [at] = document.querySelectorAll('.alignment text'); return getComputedStyle(at).fontSize")
    assert size == "14px"
    assert colours(phone, "rect.unlike", "fill") != colours(phone, "rect.alike", "fill")[:1]


def test_a_phone_scrolls_a_mutation_map_in_its_box_and_does_not_shrink_it(phone):
    show_map(phone)
    picture, box = (f"return document.querySelector('.step {part}')" for part in ("img", ".scroll"))
    assert phone.run(f"{picture}.getBoundingClientRect().width") > 300
    assert phone.run(f"{box}.scrollWidth > {box.removeprefix('return ')}.clientWidth")
    assert phone.run(f"{box}.focus(); return document.activeElement.className".removeprefix("return ")) == "scroll"
    phone.press(Keys.ARROW_RIGHT)
    phone.wait(lambda: phone.run(f"{box}.scrollLeft") > 0)


def test_a_phone_fills_in_the_form_of_a_tool(phone):
    phone.run("document.getElementById('tool').open = true")
    assert phone.run("const at = document.getElementById('tools').getBoundingClientRect(); return at.left >= 0") is True
    phone.all("#tools button[value=restriction_sites]")[0].click()
    for field in phone.all("#tool-form .fields input"):
        if field.is_displayed():
            assert field.rect["width"] > 200
    phone.id("argument-dna").clear()
    phone.id("argument-dna").send_keys("AAGAATTCAA", Keys.ENTER)
    phone.wait(lambda: phone.all(".step summary"))
    assert phone.texts(".step.failed > p") == []
    assert phone.all(".step table")


# What is copied.


def permit(page, state):
    for name in ("clipboard-read", "clipboard-write"):
        wish = {"permission": {"name": name}, "setting": state, "origin": page.address}
        page.browser.execute_cdp_cmd("Browser.setPermission", wish)


def copied(page):
    """The word on the button once it was clicked, and what the clipboard then holds."""
    page.all(".copy")[0].click()
    page.wait(lambda: page.texts(".copy") != ["Copy"])
    word = page.texts(".copy")[0]
    page.wait(lambda: page.texts(".copy") == ["Copy"])
    permit(page, "granted")
    return word, page.imported("return navigator.clipboard.readText()")


def test_an_answer_is_copied_as_its_text(page):
    permit(page, "granted")
    page.ask(f"promoter? {DNA}", DNA_TASK)
    word, held = copied(page)
    assert word == "Copied"
    assert held.startswith(page.texts(".verdict")[0])
    assert all(label in held for label in page.texts(".bar .label"))


def test_where_nothing_may_be_copied_it_is_said(page):
    permit(page, "granted")
    page.imported("await navigator.clipboard.writeText('before')")
    page.ask(f"promoter? {DNA}", DNA_TASK)
    permit(page, "denied")
    assert copied(page) == ("Not allowed here", "before")


def test_a_page_without_a_clipboard_of_its_own_copies_all_the_same(page):
    permit(page, "granted")
    page.ask(f"promoter? {DNA}", DNA_TASK)
    # As over plain HTTP from another machine.
    page.run(
        "window.kept = navigator.clipboard;"
        "Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true })"
    )
    page.all(".copy")[0].click()
    page.wait(lambda: page.texts(".copy") == ["Copied"])
    held = page.imported("return window.kept.readText()")
    assert held.startswith(page.texts(".verdict")[0])
    assert page.run("return document.activeElement.className") == "small copy"
    assert page.all("body > textarea") == []
