"""Handlers: found, loaded, checked."""

import re
import sys
from pathlib import Path

import pytest

from gateway.plugins import Handlers

GOOD = "async def act(event, endpoint):\n    return 1\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "hands").mkdir()
    yield tmp_path
    for name in [n for n in sys.modules if n == "hands" or n.startswith("hands.")]:
        del sys.modules[name]


def put(folder, text: str, name: str = "mine") -> None:
    (folder / "hands" / f"{name}.py").write_text(text)


def test_a_coroutine_is_found(folder):
    put(folder, GOOD)
    handlers = Handlers(folder)
    assert handlers.find("hands.mine:act") == ""
    assert handlers.get("hands.mine:act").__name__ == "act"


def test_handlers_may_import_each_other(folder):
    put(folder, "from hands.shared import X\n" + GOOD)
    put(folder, "X = 1\n", "shared")
    assert Handlers(folder).find("hands.mine:act") == ""


def test_a_broken_module_says_nothing_about_its_neighbours(folder):
    put(folder, "def (", "broken")
    put(folder, GOOD)
    handlers = Handlers(folder)
    assert "syntax error" in handlers.find("hands.broken:act")
    assert handlers.find("hands.mine:act") == ""


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        (None, "nowhere.mine:act", "there is no"),
        (None, "hands.mine:act", "there is no"),
        (GOOD, "hands.mine:akt", "did you mean act"),
        (GOOD, "hands.mine:zzz", "it has act"),
        ("", "hands.mine:act", "it has none"),
        ("def act(event, endpoint): pass", "hands.mine:act", "async def act"),
        ("async def act(event): pass", "hands.mine:act", "does not take (event, endpoint)"),
        ("def (", "hands.mine:act", "syntax error in line 1"),
        (
            "import not_installed_anywhere",
            "hands.mine:act",
            "not_installed_anywhere, which is not installed",
        ),
        ("1 / 0", "hands.mine:act", "raised ZeroDivisionError"),
    ],
)
def test_what_is_wrong_is_said(folder, text, name, words):
    if text is not None:
        put(folder, text)
    assert words in Handlers(folder).find(name)


def test_a_module_of_the_standard_library_is_no_handler(folder):
    assert "there is no" in Handlers(folder).find("json:loads")
    assert "json" in sys.modules


def test_each_load_sees_the_code_as_it_is_now(folder):
    put(folder, GOOD)
    Handlers(folder).find("hands.mine:act")
    put(folder, GOOD.replace("act", "axt"))
    again = Handlers(folder)
    assert again.find("hands.mine:axt") == ""
    assert "did you mean axt" in again.find("hands.mine:act")


def test_what_is_discarded_leaves_the_former_modules(folder):
    put(folder, GOOD)
    first = Handlers(folder)
    first.find("hands.mine:act")
    module = sys.modules["hands.mine"]
    second = Handlers(folder)
    second.find("hands.mine:act")
    assert sys.modules["hands.mine"] is not module
    second.discard()
    assert sys.modules["hands.mine"] is module


def test_no_bytecode_is_left_beside_the_handlers(folder):
    put(folder, GOOD)
    Handlers(folder).find("hands.mine:act")
    assert not (folder / "hands" / "__pycache__").exists()


def test_the_shipped_handlers_load():
    root = Path(__file__).parents[2]
    names = [
        f"handlers.{file.stem}:{name}"
        for file in (root / "handlers").glob("*.py")
        for name in re.findall(r"^async def ([a-z]\w*)\(\s*event\b", file.read_text(), re.MULTILINE)
    ]
    assert "handlers.wordpress:unpublish" in names
    handlers = Handlers(root)
    try:
        assert [fault for name in names if (fault := handlers.find(name))] == []
    finally:
        handlers.discard()


def test_arguments_have_to_be_those_that_a_handler_takes(folder):
    put(folder, "async def act(event, endpoint, *, project): pass")
    handlers = Handlers(folder)
    assert handlers.find("hands.mine:act") == ""
    assert handlers.find("hands.mine:act", ("project",)) == ""
    assert "project" in handlers.find("hands.mine:act", ())
    assert "other" in handlers.find("hands.mine:act", ("project", "other"))
