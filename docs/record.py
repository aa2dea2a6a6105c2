"""Record anew what the README shows of a run of the demo: a session in the terminal and a picture of the web page.

    python docs/record.py runs/demo

Rewrites the lines between the session's markers in README.md, and docs/images/page.png. Both ask about held-out items
of the run. The picture needs what `pip install '.[test]'` brings, and Debian's chromium with its driver.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from selenium import webdriver
from selenium.webdriver.common.by import By

from llama_gene.assistant.conversation import Assistant
from llama_gene.assistant.terminal import chat
from llama_gene.config import ChatConfig

ROOT = Path(__file__).resolve().parent.parent
START, END = "<!-- session:start -->", "<!-- session:end -->"
_ECO_RI = "GAATTC"
_LINE_LETTERS = 108
_WIDTH = 1000
_COLOURS = 256
_DATA = ("genomes", "proteins", "text")
_PATIENCE_S = 300.0


def main() -> None:
    """Record both, from the folder of a run."""
    parser = argparse.ArgumentParser(description="Record the README's session and its picture of the page anew.")
    parser.add_argument("run", type=Path, help="folder that `llama-gene demo` left, such as runs/demo")
    run = parser.parse_args().run.resolve()
    # What is recorded names files as somebody sees them who made the run.
    os.chdir(run.parent.parent)
    run = run.relative_to(Path.cwd())
    promoter = held_out(run, "demo-promoter", with_letters=_ECO_RI)
    protein = held_out(run, "demo-function")
    questions = [f"Is this a promoter? {promoter}", "where does EcoRI cut it?"]
    rewrite(ROOT / "README.md", record_session(run / "finetuned", questions))
    start = promoter.index(_ECO_RI) + len(_ECO_RI)
    asked = [
        f"What is the secondary structure of this protein?\n>my_protein\n{protein}",
        f'/tool map_mutations {{"sequence": "@input", "kind": "dna", "start": {start}, "end": {start + 32}}}\n'
        f">my_promoter\n{promoter}",
    ]
    with tempfile.TemporaryDirectory() as place, serving(run, Path(place)) as address:
        picture(address, asked, ROOT / "docs/images/page.png")


def held_out(run: Path, task: str, with_letters: str = "") -> str:
    """The sequence of the first test item of a task that holds some letters once, with room after them."""
    for line in (run / "instructions/test.jsonl").read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        letters = item["sequences"][0] if item["task"] == task else ""
        if letters and (not with_letters or letters[:-40].count(with_letters) == letters.count(with_letters) == 1):
            return str(letters)
    raise SystemExit(f"{run}/instructions/test.jsonl: no item of {task} with {with_letters}. Is it a run of the demo?")


def record_session(folder: Path, questions: Sequence[str]) -> str:
    """What the terminal shows, long lines cut."""
    console = Console(file=io.StringIO(), highlight=False, width=_LINE_LETTERS)

    def typed() -> Iterator[str]:
        for question in questions:
            console.print(f"\nyou > {question}", soft_wrap=True, markup=False)
            yield question

    chat(Assistant.open(folder, ChatConfig()), input_lines=typed(), console=console)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(shorten(line.rstrip()) for line in console.file.getvalue().strip().splitlines())


def shorten(line: str, most: int = _LINE_LETTERS) -> str:
    """A line cut at a word.

    >>> shorten("one two three", most=9)
    'one two …'
    """
    return line if len(line) <= most else f"{line[: most - 1].rpartition(' ')[0]} …"


def rewrite(page: Path, session: str) -> None:
    """Put a session between the markers of a page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{START}\n```text\n{session}\n```\n{END}{after}", encoding="utf-8")


@contextmanager
def serving(run: Path, place: Path) -> Iterator[str]:
    """The address of a server of the run's model, with an index of the run's data."""
    us, data = [sys.executable, "-m", "llama_gene.cli"], [str(run / "data" / name) for name in _DATA]
    subprocess.run([*us, "index", *data, "--output", str(place / "idx")], check=True)
    command = [*us, "serve", str(run / "finetuned"), "--index", str(place / "idx"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().split()[-1]
        server.terminate()


def picture(address: str, messages: Sequence[str], file: Path) -> None:
    """The page after some messages, from its top to its end."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={_WIDTH},1000"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    try:
        browser.get(address)
        until(lambda: browser.execute_script("return document.body.dataset.ready === 'yes'"))
        for message in messages:
            browser.execute_script(
                "document.getElementById('message').value = arguments[0];"
                "document.getElementById('composer').requestSubmit()",
                message,
            )
            until(lambda: browser.find_element(By.ID, "send").is_displayed())
        shown = (
            "return [...document.images].every((one) => one.complete) && document.querySelectorAll('.legend').length"
        )
        until(lambda: browser.execute_script(shown) >= len(messages))
        browser.execute_script("document.activeElement.blur()")
        height = browser.execute_script("return document.documentElement.scrollHeight")
        size = {"width": _WIDTH, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.execute_script("scrollTo(0, 0)")
        whole = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
        whole.quantize(_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(file, optimize=True)
    finally:
        browser.quit()


def until(is_so: Callable[[], Any]) -> None:
    """Wait for something.

    Raises:
        TimeoutError: it takes too long.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError("the page did not come to its end; what it shows is not recorded.")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
