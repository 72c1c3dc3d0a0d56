"""The tables of handlers.md, and the examples that handlers begin with, say what the code does."""

import ast
import importlib
import inspect
import re
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest
import yaml

from gateway.config.settings import Settings
from gateway.loading import check
from handlers.answers import FINAL, Api
from tests.kit.cases import check_each
from tests.test_docs import rows, tables
from tests.test_docs_examples import put_routes

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/handlers.md"
MODULES = {
    f"handlers.{file.stem}": importlib.import_module(f"handlers.{file.stem}")
    for file in sorted((ROOT / "handlers").glob("[a-z]*.py"))
}
VENDORS = {name: module for name, module in MODULES.items() if hasattr(module, "API")}
ENVIRONMENT = {
    "PAGERDUTY_ROUTING_KEY": "r" * 32,
    "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T/B/X",
    "TEAMS_WORKFLOW_URL": "https://x.api.powerplatform.com/invoke?sig=s",
}


def handlers_of(module: ModuleType) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(each)
        for name, each in vars(module).items()
        if inspect.iscoroutinefunction(each)
        and each.__module__ == module.__name__
        and not name.startswith("_")
    }


HANDLERS = {
    f"{module}:{name}": signature
    for module, found in VENDORS.items()
    for name, signature in handlers_of(found).items()
}


def code(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def as_written(parameter: inspect.Parameter) -> str:
    if parameter.default is inspect.Parameter.empty:
        return parameter.name
    if isinstance(parameter.default, tuple):
        return f"{parameter.name}=(…)"
    return f"{parameter.name}={parameter.default!r}".replace("'", '"')


def test_every_handler_is_in_the_table_with_its_arguments():
    told = {code(row[0])[0]: code(row[3]) for row in rows(PAGE, "Handler")}
    assert told == {
        name: [as_written(p) for p in list(signature.parameters.values())[2:]]
        for name, signature in HANDLERS.items()
    }


def test_the_finals_that_all_share_are_told():
    (told,) = re.findall(r"own words as its reason: ([\d,\s]+), and what", PAGE.read_text())
    assert {int(number) for number in re.findall(r"\d+", told)} == FINAL


@pytest.mark.parametrize("name", VENDORS)
def test_what_is_final_and_when_to_come_back_is_told_of_every_vendor(name):
    (row,) = [each for each in rows(PAGE, "Vendor") if code(each[0]) == [name]]
    api: Api = VENDORS[name].API
    _, final, back, _ = row
    also = set(map(int, re.findall(r"\balso (\d+)", final)))
    but = set(map(int, re.findall(r"\bbut (\d+)", final)))
    assert (also, but) == (set(api.final) - FINAL, FINAL - set(api.final))
    assert set(api.final_codes) <= set(code(final))
    if api.reset:
        assert (code(back), back.endswith(f", {api.reset_form}")) == ([api.reset], True)
    else:
        assert back == (f"{api.rest_seconds} s after 429" if api.rest_seconds else "")


def example(module: ModuleType) -> dict[str, dict[str, object]]:
    """The endpoint that a handler's file begins with."""
    blocks = re.findall(r"(?:^(?: {4}.*)?\n)+", module.__doc__ or "", re.MULTILINE)
    (block,) = [each for each in blocks if "handler:" in each]
    return yaml.safe_load(dedent(block))


@pytest.mark.parametrize("name", VENDORS)
def test_the_example_of_a_handler_is_a_good_endpoint_with_the_credentials_that_are_told(
    name, tmp_path, monkeypatch
):
    ((endpoint, shape),) = example(VENDORS[name]).items()
    signature = HANDLERS[shape["handler"]]
    needed = [p.name for p in signature.parameters.values() if p.default is p.empty]
    given = dict.fromkeys(needed[2:], "x")
    target = {"endpoint": endpoint, **({"with": given} if given else {})}
    document = {
        "version": 1,
        "sources": {"contracts": {"verify": "none"}},
        "endpoints": {endpoint: shape},
        "routes": [{"name": "all", "match": {"type": "license.expired"}, "to": [target]}],
    }
    file = put_routes(tmp_path, yaml.safe_dump(document, default_flow_style=None, width=1000))
    settings = Settings(routes=file, database=tmp_path / "gateway.db")
    checked = check(settings, ENVIRONMENT, keep=False)
    checked.handlers.discard()
    assert [str(p) for p in checked.problems if p.code != "unverified"] == []
    (row,) = [each for each in rows(PAGE, "Vendor") if code(each[0]) == [name]]
    place = (code(row[3]) or [""])[0].split(".")
    here: object = shape
    for step in filter(None, place):
        assert isinstance(here, dict)
        here = here[step]
    assert place != [""] or not {"auth", "secrets", "sign"} & set(shape)


def test_a_handler_names_the_page_of_its_vendor_and_is_short():
    def holds(module: ModuleType) -> None:
        assert module.__name__ not in VENDORS or "\nhttps://" in (module.__doc__ or "")
        assert len(inspect.getsource(module).splitlines()) <= 100

    check_each(MODULES.items(), holds)


def test_handlers_import_only_what_the_gateway_gives_and_each_other():
    for module in MODULES.values():
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gateway"):
                assert node.module == "gateway"


def test_the_fields_that_handlers_read_are_told():
    (told,) = [found for head, found in tables(PAGE) if head[0] == "In the event"]
    text = " ".join(" ".join(row) for row in told)
    systems = set(
        re.findall(r"refs\(event, \"(\w+)\"\)", "".join(map(inspect.getsource, VENDORS.values())))
    )
    assert systems <= set(code(text))
