"""The examples in the documentation are valid, and do what the pages say.

A yaml block that has a `version:` is a whole routes file. Another one names sections of one: before
it comes `version: 1`, and after it, where it has `routes:` and lacks `endpoints:` or `sources:`, come
those below that it names. The files of secrets and certificates that it refers to are made. A python block that begins
with `# PATH` is the file at that path, beside the routes file. docs/examples has whole files.
"""

import re
import shutil
import subprocess
import sys
from base64 import b64encode
from itertools import takewhile
from pathlib import Path
from textwrap import dedent

import jsonschema
import orjson
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.config.document import read_document
from gateway.config.expressions import Expressions
from gateway.config.settings import Settings
from gateway.config.shapes import json_schema
from gateway.config.signatures import STANDARD, sign_presets
from gateway.config.traps import trap_in
from gateway.core.grammar import COMBINING, OPERATORS, compile_pattern
from gateway.core.model import Event, EventId, Json
from gateway.core.routes import Source
from gateway.core.routing import plan
from gateway.core.verifying import Inbound
from gateway.examples import Result, tried
from gateway.flows.deliver import request_of
from gateway.flows.reading import read
from gateway.loading import Checked, check
from gateway.testing import Gateway
from tests.kit.authority import CertificateAuthority

ROOT = Path(__file__).parents[1]
PAGES = (
    "docs/routes.md",
    "docs/order.md",
    "docs/news.md",
    "docs/senders.md",
    "docs/handlers.md",
    "docs/queries.md",
    "docs/getty.md",
    "docs/derived.md",
    "docs/register.md",
    "README.md",
)
EXAMPLES = sorted((ROOT / "docs/examples").rglob("*.yaml"))
WHOLE = sorted((ROOT / "docs/examples").glob("*.yaml"))
FLOWS = sorted((ROOT / "examples/flows").glob("*/routes.yaml"))
KEY = "whsec_" + "a" * 43 + "="
NOW = 1_795_000_000_000_000
EXPECTED = {"unverified", "no-trusted-proxy"}
"""Warnings of what an example is meant to show; others are named in a comment of the example."""
SOURCES = "sources: {contracts: {verify: none}}\n"
ENDPOINTS = {
    name: f"  {name}: {{url: 'https://{name}.example.com/', sign: none}}\n"
    for name in ("cms", "workflow", "alerting")
}
FORMS = ("Preset", "Headers", "Signed", "Several secrets")
SCHEMA = jsonschema.Draft202012Validator(json_schema())
ED25519 = Ed25519PrivateKey.generate().public_key()
RAW = ED25519.public_bytes_raw()
P256 = ec.generate_private_key(ec.SECP256R1()).public_key()
GIVEN = {
    "DISCORD_PUBLIC_KEY": RAW.hex(),
    "LEDGER_PUBLIC_KEY": P256.public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    ).decode(),
    "PARTNER_WHPK": "whpk_" + b64encode(RAW).decode(),
    "PRESS_PUBLIC_KEY": ED25519.public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    ).decode(),
    "GETTY_API_KEY": "key",
    "REGISTER_KEY": "ed25519:" + b64encode(RAW).decode(),
    "SENDGRID_PUBLIC_KEY": b64encode(
        P256.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).decode(),
}
"""What the pages refer to and only others have, so that it is not made up: public keys, mostly."""


# -- reading pages -------------------------------------------------------------------------------------


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


def after(words: str, language: str) -> str:
    """The first block in a language after these words of routes.md."""
    line = (ROOT / "docs/routes.md").read_text(encoding="utf-8").partition(words)[0].count("\n")
    return next(text for at, text in blocks("docs/routes.md", language) if at > line)


def before(words: str, language: str) -> str:
    """The last block in a language before these words of routes.md."""
    line = (ROOT / "docs/routes.md").read_text(encoding="utf-8").partition(words)[0].count("\n")
    return [text for at, text in blocks("docs/routes.md", language) if at < line][-1]


def rows_below(*heads: str) -> list[list[str]]:
    """The rows of every table of routes.md that is headed so."""
    lines = (ROOT / "docs/routes.md").read_text(encoding="utf-8").splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith("|") and cells(line) == [*heads]]
    return [
        cells(row)
        for start in starts
        for row in takewhile(lambda line: line.startswith("|"), lines[start + 2 :])
    ]


def cells(line: str) -> list[str]:
    """The cells of a table's line; `\\|` is no end of one."""
    return [
        cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))
    ]


def code(cell: str) -> str:
    """A cell that is code, without its marks."""
    return cell.strip("`")


def flow(text: str) -> Json:
    """A value in flow style, read as routes files are."""
    document = read_document(text.encode(), "table")
    assert document.problems == []
    return document.value


# -- routes files --------------------------------------------------------------------------------------


def whole(block: str) -> str:
    """A block as a whole routes file."""
    sections = yaml.safe_load(block)
    if "version" in sections:
        return block
    text = f"version: 1\n{block}"
    if "routes" in sections and "endpoints" not in sections:
        named = [line for name, line in ENDPOINTS.items() if re.search(rf"\b{name}\b", block)]
        text += "endpoints:\n" + "".join(named)
    if "tests" in sections and "sources" not in sections:
        text += SOURCES
    return text


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


def put_routes(folder: Path, text: str) -> Path:
    """Put a routes file into a folder, with all that it refers to."""
    example_files(folder)
    CertificateAuthority(folder / "secrets").issue("client")
    for secret in re.findall(r"\{file: ([\w./-]+)", text):
        if not (folder / secret).exists():
            put(folder / secret, KEY)
    put(folder / "routes.yaml", text)
    return folder / "routes.yaml"


def accepted(file: Path) -> Checked:
    """A file that has neither errors nor warnings, but for those that are meant."""
    settings = Settings(routes=file, database=file.parent / "gateway.db")
    checked = check(settings, GIVEN, keep=False)
    checked.handlers.discard()
    problems = [*checked.problems, *checked.examples.problems]
    meant = EXPECTED | set(
        re.findall(r"# gateway check warns: ([a-z-]+)$", file.read_text(), re.MULTILINE)
    )
    assert [str(p) for p in problems if p.code not in meant] == []
    return checked


def failing(checked: Checked) -> list[Result]:
    """The tests that do not come out as the file says."""
    assert checked.routes is not None
    results = tried(checked.examples.found, checked.routes, NOW)
    return [result for result in results if not result.passed]


def test_the_table_of_forms_to_sign_in_has_every_preset():
    told = {code(row[0].partition(",")[0]) for row in rows_below(*FORMS)}
    assert told == {STANDARD, *sign_presets()}


@pytest.mark.parametrize("block", of_pages(PAGES, "yaml"))
def test_an_example_of_routes_is_accepted_and_its_tests_pass(block, tmp_path):
    file = put_routes(tmp_path, whole(block))
    checked = accepted(file)
    assert failing(checked) == []
    SCHEMA.validate(read_document(file.read_bytes(), "x").value)


@pytest.mark.parametrize("example", WHOLE, ids=[file.stem for file in WHOLE])
def test_an_example_to_copy_is_accepted_and_its_tests_pass(example, tmp_path):
    shutil.copytree(ROOT / "docs/examples", tmp_path, dirs_exist_ok=True)
    example_files(tmp_path)
    checked = accepted(tmp_path / example.name)
    assert failing(checked) == []


@pytest.mark.parametrize("flow", FLOWS, ids=[file.parent.name for file in FLOWS])
def test_the_routes_of_a_flow_are_accepted_and_their_tests_pass(flow, tmp_path):
    checked = accepted(put_routes(tmp_path, flow.read_text(encoding="utf-8")))
    assert failing(checked) == []


@pytest.mark.parametrize(
    "example", [*EXAMPLES, *FLOWS], ids=lambda file: str(file.relative_to(ROOT))
)
def test_an_example_to_copy_has_tests_a_comment_and_the_schemas_consent(example):
    value = read_document(example.read_bytes(), "x").value
    SCHEMA.validate(value)
    assert value["tests"]
    assert example.read_text(encoding="utf-8").startswith("# ")


def test_every_example_to_copy_is_in_the_list():
    listed = {code(row[0]) for row in rows_below("File", "Shows")}
    assert listed == {f"[{file.name}](examples/{file.name})" for file in WHOLE}


# -- python --------------------------------------------------------------------------------------------


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


async def test_the_example_of_arguments_hands_them_over(tmp_path):
    (block,) = [text for _, text in blocks("docs/handlers.md", "yaml") if "with:" in text]
    async with Gateway(put_routes(tmp_path, whole(block))) as gateway:
        event = {"type": "terms.changed", "subject": "asset/1", "data": {"severity": "tightened"}}
        await gateway.send("contracts", event)
        await gateway.settled()
        (call,) = gateway.endpoint("tracker").received
    assert call.json() == {"project": "RIGHTS", "title": "asset/1", "labels": ["tightened"]}


# -- patterns ------------------------------------------------------------------------------------------


def lists() -> dict[str, list[Json]]:
    """Those of the example of lists."""
    found: dict[str, list[Json]] = yaml.safe_load(after("## Lists\n", "yaml"))["lists"]
    return found


ROWS = rows_below("", "`match`", "Matches", "Does not match")


@pytest.mark.parametrize(("pattern", "good", "bad"), [list(map(code, row[1:])) for row in ROWS])
def test_the_tables_of_patterns_are_true(pattern, good, bad):
    compiled = compile_pattern(flow(pattern), lists())
    SCHEMA.validate({"version": 1, "routes": [{"name": "a", "match": flow(pattern), "to": ["x"]}]})
    assert compiled.matches(flow(good))
    assert not bad or not compiled.matches(flow(bad))


def test_every_operator_has_an_example():
    shown = " ".join(row[0] for row in ROWS)
    assert [name for name in (*OPERATORS, *COMBINING) if f"`{name}" not in shown] == []


NOTHINGS = ("`{}`", "`{a: null}`", "`{a: []}`", "`{a: {}}`", '`{a: ""}`', "`{a: x}`")


@pytest.mark.parametrize("row", rows_below("`match`", *NOTHINGS), ids=lambda row: row[0])
def test_the_table_of_what_is_missing_is_true(row):
    compiled = compile_pattern(flow(code(row[0])))
    found = ["yes" if compiled.matches(flow(code(event))) else "no" for event in NOTHINGS]
    assert found == row[1:]


FROM_ELSEWHERE = [code(row[1]) for row in rows_below("There", "Here", "What differs") if row[1]]


@pytest.mark.parametrize("pattern", FROM_ELSEWHERE)
def test_what_others_write_can_be_written_so(pattern):
    compile_pattern(flow(pattern))


# -- expressions, calls, bodies ------------------------------------------------------------------------


def posted(
    source: Source, body: bytes | dict[str, Json], headers: dict[bytes, bytes] | None = None
) -> list[Event]:
    """The events that a source makes of what is posted to it; of a dict, as it is recommended."""
    content = orjson.dumps(body) if isinstance(body, dict) else body
    request = Inbound("POST", headers or {}, frozenset(), content, NOW)
    return read(source, request, None, lambda: EventId("evt_1")).events


@pytest.mark.parametrize(
    ("text", "value"), [list(map(code, row[:2])) for row in rows_below("Text", "Value", "")]
)
def test_the_table_of_expressions_is_true(text, value):
    event = orjson.loads(after("In this table, `event` is", "json"))
    assert Expressions(["event"]).template(text)({"event": event}) == flow(value)


@pytest.mark.parametrize(
    ("expression", "value"),
    [list(map(code, row[1:])) for row in rows_below("Operators", "Example", "Value")],
)
def test_the_table_of_operators_of_expressions_is_true(expression, value):
    event = orjson.loads(after("In this table, `event` is", "json"))
    assert Expressions(["event"]).expression(expression)({"event": event}) == flow(value)


def test_every_operator_of_expressions_has_an_example():
    rows = rows_below("Operators", "Example", "Value")
    named = {o for row in rows for cell in re.findall(r"`([^`]+)`", row[0]) for o in [cell]}
    assert named >= {
        "&&",
        "||",
        "!",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "in",
        "+",
        "-",
        "*",
        "/",
        "%",
    }


WANTED = rows_below("I want to", "Write, in a route", "See")


@pytest.mark.parametrize(
    "written", [found[1] for row in WANTED if (found := re.match(r"`([^`]+)`", row[1]))]
)
def test_what_the_first_table_says_to_write_is_accepted(written, tmp_path):
    part = flow(written)
    value: dict[str, Json] = {
        "version": 1,
        "lists": {"EU": ["DE"]},
        "endpoints": {"cms": {"url": "https://a.example/", "sign": "none", "groups": ["publishers"]}},
    }  # fmt: skip
    route = {"name": "a", "match": {"type": "x"}, "to": ["cms"]}
    if {"include", "schedules"} & part.keys():
        value |= {"routes": [route], **part}
        put(tmp_path / "routes.d" / "team.yaml", "version: 1\n")
    else:
        value["routes"] = [route | part]
    SCHEMA.validate(value)
    put(tmp_path / "routes.yaml", orjson.dumps(value).decode())
    settings = Settings(routes=tmp_path / "routes.yaml", database=tmp_path / "gateway.db")
    told = {problem.code for problem in check(settings, {}, keep=False).problems}
    assert told <= {"list-unused", "route-scans"}


def test_the_example_of_a_call_makes_the_call_that_stands_below_it(tmp_path):
    words = "The event of this test makes the call"
    checked = accepted(put_routes(tmp_path, whole(before(words, "yaml"))))
    routes = checked.routes
    assert routes is not None
    (test,) = read_document((tmp_path / "routes.yaml").read_bytes(), "x").value["tests"]
    (made,) = posted(routes.sources["contracts"], test["event"])
    (delivery,) = plan(made, routes).deliveries
    call = request_of(routes.endpoints[delivery.endpoint], delivery, NOW)
    head, _, body = after(words, "http").strip().partition("\n\n")
    line, *headers = head.splitlines()
    assert line == f"{call.method} {call.url}"
    assert dict(header.split(": ") for header in headers).items() <= call.headers.items()
    assert body.encode() == call.body


def test_the_examples_of_what_is_posted_are_posted(tmp_path):
    mapping = after("### Mappings", "yaml")
    sent, event, raw, own = (
        text.strip().encode() for _, text in blocks("docs/routes.md", "json")[:4]
    )
    template = after("JSON of your own, as `application/json`", "yaml").partition("endpoints:\n")[2]
    file = put_routes(
        tmp_path,
        f"version: 1\n{mapping}\nendpoints:\n{template}"
        "  whole: {url: 'https://a.example.com/', sign: none}\n"
        "  raw: {url: 'https://b.example.com/', sign: none, body: raw}\n"
        "routes: [{name: all, match: {}, to: [whole, raw, chat]}]\n",
    )
    routes = accepted(file).routes
    assert routes is not None
    (made,) = posted(routes.sources["dam"], sent, {b"x-dam-delivery": b"d-1"})
    assert [d.content()[1] for d in plan(made, routes).deliveries] == [event, raw, own]


@pytest.mark.parametrize(
    ("written", "works"),
    [
        (code(row[0]), code(row[2]))
        for row in rows_below("Written", "What YAML makes of it", "Write")
    ],
)
def test_the_table_of_traps_is_true(written, works):
    caught, meant = read_document(written.encode(), "x"), flow(works)
    assert caught.problems or caught.value != meant
    trap = trap_in(written)
    assert trap is not None
    assert trap.line == works
