"""What the pages say is true: blocks run, links lead somewhere, and every command has its line."""

import io
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, get_args

import pytest
import typer.main

from llama_gene import cli
from llama_gene.config import Recipe
from llama_gene.config.fetch import Entry

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
_ANCHOR = re.compile(r"\]\(([^)#\s]*)#([^)\s]+)\)")


class Block(NamedTuple):
    """A fenced block: its language, the file it stands for, its text, its first line, whether one is right above it."""

    language: str
    title: str
    text: str
    line: int
    follows: bool


def blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start()) + 2
        yield Block(match[1], match[2] or "", match[3], line, text[: match.start()].endswith("\n```\n\n"))


def runs(page: Path) -> bool:
    return any(block.language in ("python", "console") for block in blocks_of(page))


@pytest.fixture
def page_folder(small_run, tmp_path, monkeypatch):
    """A folder of the test's own in which `runs` and `recipes` are those of the small run."""
    for name in ("runs", "recipes"):
        (tmp_path / name).symlink_to(small_run / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("page", filter(runs, PAGES), ids=lambda page: page.stem)
def test_every_block_of_a_page_runs_in_order(page, page_folder, monkeypatch, capsys):
    names: dict[str, object] = {"__name__": page.stem}
    shown = ""
    for block in blocks_of(page):
        if block.title:
            file = page_folder / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), names)
        elif block.language == "console":
            for command in block.text.splitlines():
                shown = run_command(command, f"{page.name}:{block.line}", monkeypatch, capsys)
        elif shown and block.follows:
            # The page shows the whole run, this is the small one.
            assert without_numbers(block.text) == without_numbers(shown), f"{page.name}:{block.line}"
        if block.language != "console":
            shown = ""


def without_numbers(text: str) -> list[str]:
    """The words of each line, a 0 for each number."""
    return [" ".join(re.sub(r"\d[\d.,]*(e-?\d+)?", "0", line).split()) for line in text.splitlines()]


def run_command(line: str, where: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command shows, which must be something."""
    assert line.startswith("$ llama-gene "), f"{where}: {line!r} is not a command of ours"
    command, _, source = line.removeprefix("$ llama-gene ").partition(" < ")
    stdin = Path(source.strip()).read_text(encoding="utf-8") if source else ""
    monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
    code = cli.run(shlex.split(command))
    shown = capsys.readouterr()
    assert code == 0, f"{where}: {line}\n{shown.err}"
    assert shown.out, f"{where}: {line} shows nothing"
    return shown.out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_relative_link_and_image_leads_somewhere(page):
    for target in _LINK.findall(_BLOCK.sub("", page.read_text(encoding="utf-8"))):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
            # The site holds the pages alone.
            assert page.parent.name != "docs" or not target.startswith("../"), f"{page.name} links to {target}"


def anchors_of(page: Path) -> set[str]:
    """The anchors that the site gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", _BLOCK.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_to_a_heading_finds_it(page):
    for target, anchor in _ANCHOR.findall(_BLOCK.sub("", page.read_text(encoding="utf-8"))):
        if "://" not in target:
            aimed = page.parent / target if target else page
            assert anchor in anchors_of(aimed), f"{page.name} links to {target}#{anchor}"


def commands(group: object, before: str = "") -> Iterator[str]:
    for name, command in sorted(getattr(group, "commands", {}).items()):
        yield from commands(command, f"{before}{name} ") if hasattr(command, "commands") else [f"{before}{name}"]


def test_every_command_has_a_line_and_every_line_a_command():
    listed = re.findall(
        r"^\| `llama-gene ([a-z -]+?)(?: [A-Z]+)?` \|", (ROOT / "docs/cli.md").read_text(), re.MULTILINE
    )
    assert sorted(listed) == sorted(commands(typer.main.get_command(cli.build_app())))


def test_the_pages_of_the_site_are_all_in_its_menu():
    menu = set(re.findall(r": ([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert menu == {page.name for page in (ROOT / "docs").glob("*.md")}


def test_the_page_on_recipes_names_every_table_of_one():
    text = (ROOT / "docs/recipes.md").read_text(encoding="utf-8")
    for name, field in Recipe.model_fields.items():
        wanted = f"`{name}`" if field.annotation in (str, int) else f"`[{name}]`"
        assert wanted in text or name == "description", f"docs/recipes.md does not name {wanted}"


def test_the_page_on_fetch_names_every_key_of_an_entry_and_its_default():
    text = (ROOT / "docs/fetch.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text.partition("| keys |")[2].partition("## ")[0], re.MULTILINE))
    for entry in get_args(get_args(Entry)[0]):
        archive = get_args(entry.model_fields["archive"].annotation)[0]
        named = dict(re.findall(r"`([a-z]+)(?: = ([^`]+))?`", rows.pop(archive)))
        fields = {name: field.default for name, field in entry.model_fields.items() if name not in ("name", "archive")}
        assert sorted(named) == sorted(fields), archive
        defaults = tomllib.loads("\n".join(f"{key} = {value}" for key, value in named.items() if value))
        for name, value in defaults.items():
            assert fields[name] == (tuple(value) if isinstance(value, list) else value), f"{archive}: {name}"
    assert not rows, "archives that there are not"


def test_the_readme_keeps_a_place_for_the_results():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.index("<!-- results:start -->") < text.index("<!-- results:end -->")


def test_python_and_console_blocks_are_the_only_ones_that_look_like_commands_of_ours():
    for page in PAGES:
        for block in blocks_of(page):
            assert block.language in ("python", "console", "text", "toml"), f"{page.name}:{block.line}"
            assert "$ llama-gene" not in block.text or block.language == "console", f"{page.name}:{block.line}"
