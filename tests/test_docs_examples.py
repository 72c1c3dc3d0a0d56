"""The examples in the documentation are valid.

A yaml block that has a `version:` is a whole routes file. Another one names sections of one: before
it comes `version: 1`, and after it, where it has `routes:` and no `endpoints:`, come the ENDPOINTS.
The files of secrets that it refers to are made. A python block that begins with `# PATH` is the file
at that path, beside the routes file.
"""

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from gateway.config.document import read_document
from gateway.config.settings import Settings
from gateway.core.grammar import compile_pattern
from gateway.loading import check

ROOT = Path(__file__).parents[1]
PAGES = ("docs/routes.md", "docs/handlers.md", "README.md")
KEY = "whsec_" + "a" * 43 + "="
ENDPOINTS = """
endpoints:
  cms: {url: "https://cms.example.com/", sign: none}
  workflow: {url: "https://workflow.example.com/", sign: none}
  alerting: {url: "https://alerting.example.com/", sign: none}
"""


def blocks(page: str, language: str) -> list[tuple[int, str]]:
    """The blocks of a page in a language, each with its line."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.finditer(rf"^( *)```{language}\n(.*?)^\1```$", text, re.DOTALL | re.MULTILINE)
    return [(text.count("\n", 0, m.start()) + 1, dedent(m[2])) for m in found]


def of_pages(pages: tuple[str, ...], language: str) -> list[object]:
    return [
        pytest.param(text, id=f"{page}:{line}")
        for page in pages
        for line, text in blocks(page, language)
    ]


def whole(block: str) -> str:
    """A block as a whole routes file."""
    sections = yaml.safe_load(block)
    if "version" in sections:
        return block
    return f"version: 1\n{block}{ENDPOINTS if set(sections) == {'routes'} else ''}"


def example_files(folder: Path) -> None:
    """Put the files of handlers.md into a folder, beside the project's own handlers."""
    for handler in (ROOT / "handlers").glob("*.py"):
        put(folder / "handlers" / handler.name, handler.read_text(encoding="utf-8"))
    for _, text in blocks("docs/handlers.md", "python"):
        if path := re.match(r"# (\S+\.py)\n", text):
            put(folder / path[1], text)


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("block", of_pages(PAGES, "yaml"))
def test_an_example_of_routes_is_accepted(block, tmp_path):
    text = whole(block)
    example_files(tmp_path)
    for secret in re.findall(r"\{file: ([\w./-]+)", text):
        put(tmp_path / secret, KEY)
    put(tmp_path / "routes.yaml", text)
    settings = Settings(routes=tmp_path / "routes.yaml", database=tmp_path / "gateway.db")
    checked = check(settings, {}, keep=False)
    checked.handlers.discard()
    assert [str(p) for p in checked.problems if p.code != "unverified"] == []


@pytest.mark.parametrize("block", of_pages(("docs/handlers.md",), "python"))
def test_an_example_of_python_compiles(block):
    compile(block, "example", "exec")


def test_the_example_of_a_test_passes(tmp_path):
    example_files(tmp_path)
    _, routes = blocks("docs/handlers.md", "yaml")[0]
    put(tmp_path / "routes.yaml", routes)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "3 passed" in result.stdout, result.stdout


def rows_of_patterns() -> list[tuple[str, ...]]:
    """The rows of the table of patterns that say what matches."""
    lines = (ROOT / "docs/routes.md").read_text(encoding="utf-8").splitlines()
    start = lines.index("| | `match` | Matches | Does not match |") + 2
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append(tuple(cell.strip(" `") for cell in line.strip("|").split("|")[1:]))
    return rows


@pytest.mark.parametrize(("pattern", "good", "bad"), rows_of_patterns())
def test_the_table_of_patterns_is_true(pattern, good, bad):
    compiled = compile_pattern(flow(pattern))
    assert compiled.matches(flow(good))
    assert not bad or not compiled.matches(flow(bad))


def flow(text: str) -> object:
    """A value in flow style, read as routes files are."""
    document = read_document(text.encode(), "table")
    assert document.problems == []
    return document.value
