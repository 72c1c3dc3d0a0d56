"""The pages in docs/ say what the code does: no more, no less."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest

from gateway.catalogue import described
from gateway.cli import client, exits
from gateway.config.faults import _CURES
from gateway.config.settings import Settings
from gateway.core.errors import GatewayError
from gateway.core.model import SECOND, Outcome
from gateway.core.retention import DAY
from gateway.core.retry import EGRESS_DENIED, NOT_SUCCESSFUL, REQUEST_INVALID, TOKEN_FAILED
from gateway.core.state import State
from gateway.core.turns import AFTER_NOT_DELIVERED, EXPIRED
from gateway.core.verifying import OUTCOMES
from gateway.loading import check
from gateway.sender import reasons as reasons_of_senders
from gateway.sender.aiohttp import _REASONS, FAILED
from gateway.store.leasing import BODY_CORRUPT
from gateway.web.errors import STATUS, TYPE

ROOT = Path(__file__).parents[1]
ERRORS, SETTINGS = ROOT / "docs/errors.md", ROOT / "docs/settings.md"
SOURCES = sorted((ROOT / "gateway").rglob("*.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


# -- reading pages -------------------------------------------------------------------------------------


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^(```+).*?^\1$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def tables(page: Path) -> Iterator[tuple[list[str], list[list[str]]]]:
    """The tables of a page: what heads each, and its rows."""
    for block in re.findall(r"(?:^\|.*\n)+", prose(page) + "\n", re.MULTILINE):
        head, _, *rows = [
            [cell.strip() for cell in line.strip().strip("|").split("|")]
            for line in block.splitlines()
        ]
        yield head, rows


def rows(page: Path, *heads: str) -> list[list[str]]:
    """The rows of the tables whose first column is headed by one of these."""
    return [row for head, found in tables(page) if head[0] in heads for row in found]


def first_words(page: Path, *heads: str) -> set[str]:
    """What stands as code in the first column of these tables."""
    return {row[0].strip("`") for row in rows(page, *heads)}


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    found: list[str] = []
    for heading in re.findall(r"^#{1,6} (.+)$", prose(page), re.MULTILINE):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
        found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return set(found)


# -- settings ------------------------------------------------------------------------------------------


def as_written(name: str, value: Any) -> str:
    """A setting's default, as a user would write it."""
    match value:
        case int() if name == "max_connections":
            return str(value)
        case int() if name in {"max_in_flight", "ballast", "disk_reserve"}:
            return f"{value // 1024**2}MiB"
        case int() if name == "retention_size":
            return f"{value // 1024**3}GiB"
        case None | ():
            return "(none)"
        case bool():
            return str(value).lower()
        case (str(host), int(port)):
            return f"{host}:{port}"
        case frozenset():
            return ",".join(map(str, sorted(value))) or "(none)"
        case int() if value >= DAY:
            return f"{value // DAY}d"
        case int():
            return f"{value // SECOND}s"
        case _:
            return str(value)


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_is_documented_with_its_forms_and_its_default(name):
    found = [row for row in rows(SETTINGS, "Flag") if row[2] == f"`{name}`"]
    assert len(found) == 1, f"{SETTINGS.name} has {len(found)} rows for the setting {name}"
    flag, variable, _, default, meaning = found[0]
    assert re.fullmatch(rf"`--{name.replace('_', '-')}( [A-Z:]+)?`", flag)
    assert variable == f"`GATEWAY_{name.upper()}`"
    assert default.strip("`") == as_written(name, Settings.model_fields[name].default)
    assert meaning


def test_no_setting_is_documented_that_does_not_exist():
    documented = [row[2].strip("`") for row in rows(SETTINGS, "Flag")]
    assert [name for name in documented if name not in Settings.model_fields] == []


def test_no_variable_is_documented_that_nothing_reads():
    read = {f"GATEWAY_{name.upper()}" for name in Settings.model_fields} | {
        "GATEWAY_ADMIN_URL", "GATEWAY_TOKEN", "GATEWAY_TOKEN_FILE",
        "GATEWAY_TEST_POSTGRES",  # the bench reads it
    }  # fmt: skip
    # `GATEWAY_NAME` stands for any of them.
    named = {
        name for page in PAGES for name in re.findall(r"\bGATEWAY_[A-Z_]+\b", page.read_text())
    }
    assert named - read - {"GATEWAY_NAME"} == set()


# -- codes ---------------------------------------------------------------------------------------------

CODE_AT = {
    "fault": 0,
    "warning": 0,
    "_warning": 0,
    "SecretMissing": 0,
    "PydanticCustomError": 0,
    "problem": 1,
    "_refuse": 1,
    "_problem": 1,
    "_of_file": 1,
    "_stop": 1,
    "_note": 1,
}
"""Where the code stands among the arguments of each call that gives one."""

CODE = re.compile(r"[a-z][a-z-]*[a-z]")


def text_of(node: ast.AST | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def codes_in(tree: ast.AST) -> Iterator[str]:
    """The codes that a module gives problems, entries and errors in so many words."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        position = CODE_AT.get(name)
        given = [text_of(keyword.value) for keyword in call.keywords if keyword.arg == "code"]
        if position is not None and len(call.args) > position:
            given.append(text_of(call.args[position]))
        if name == "_matched":  # quantities.py names what is written wrongly
            given.append(f"not-a-{text_of(call.args[2])}")
        yield from (code for code in given if code and CODE.fullmatch(code))


def literal_codes() -> set[str]:
    return {code for file in SOURCES for code in codes_in(ast.parse(file.read_text()))}


def computed_codes() -> set[str]:
    """What pydantic finds wrong, under the name that config/faults.py gives it."""
    kinds = (kind for kind in _CURES if not kind.endswith("_type"))
    return {"wrong-type", *(kind.replace("_", "-") for kind in kinds)}


def errors_below(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    for below in kind.__subclasses__():
        yield below
        yield from errors_below(below)


def error_codes() -> set[str]:
    assert client.NotRunning in set(errors_below(GatewayError))
    kinds = errors_below(GatewayError)
    return {kind.code for kind in kinds if kind.__module__.startswith("gateway.")}


def reasons() -> set[str]:
    """Why attempts fail and deliveries die."""
    told = {reason for _, reason in _REASONS} | {
        *(
            text
            for name, text in vars(reasons_of_senders).items()
            if name.isupper() and name[0] != "_"
        ),
        FAILED,
        EGRESS_DENIED,
        REQUEST_INVALID,
        BODY_CORRUPT.partition(":")[0],
    }
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text())):
            name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            if name in {"Unreachable", "Raised"} and (text := text_of(node.args[0])):
                told.add(text)
    told |= {EXPIRED.partition(":")[0], AFTER_NOT_DELIVERED, "superseded by …"}
    return told | {"http-NNN", "handler-raised", NOT_SUCCESSFUL, TOKEN_FAILED}


@cache
def all_codes() -> set[str]:
    return error_codes() | literal_codes() | computed_codes()


def test_the_codes_are_found_in_the_code():
    expected = {
        "yaml-depth", "unknown-endpoint", "not-a-duration", "not-a-moment", "unverified", "setting",
        "pattern-or", "secret-literal", "cannot-listen", "duplicate-differs", "internal-error",
        "invalid-json", "wrong-type", "not-running",
    }  # fmt: skip
    assert expected - all_codes() == set()
    assert {"timeout", "handler-returned-no-response", "connection-refused"} <= reasons()


def test_the_catalogue_is_what_the_schemas_say():
    """`gateway types --markdown` prints what stands there below the words that people wrote."""
    text = (ROOT / "docs/catalogue.md").read_text()
    assert text[text.index(described.HEAD[:20]) :] == described.page()


def test_every_code_is_documented_and_no_other():
    assert first_words(ERRORS, "Code") == all_codes()


@pytest.mark.parametrize(("code", "status"), [(kind.code, status) for kind, status, _ in STATUS])
def test_every_answer_is_documented_with_its_status(code, status):
    answers = [row for head, found in tables(ERRORS) if "Status" in head for row in found]
    told = {row[1] for row in answers if row[0] == f"`{code}`"}
    assert told == {str(status)}, f"{ERRORS.name} tells another status of {code}"


def test_the_type_of_a_problem_is_documented():
    assert f'"type": "{TYPE}verification-failed"' in ERRORS.read_text()


def test_every_outcome_of_verification_is_documented():
    assert set(OUTCOMES) - first_words(ERRORS, "Outcome") == set()


def test_every_outcome_of_an_attempt_is_documented():
    outcomes = {outcome.__name__.lower() for outcome in get_args(Outcome)}
    assert first_words(ERRORS, "Outcome") - set(OUTCOMES) == outcomes


def test_the_reasons_are_documented_and_no_others():
    assert first_words(ERRORS, "Reason") == reasons()


def test_the_states_are_documented():
    source = ast.parse((ROOT / "gateway/flows/lanes.py").read_text())
    (lane,) = (n for n in source.body if isinstance(n, ast.ClassDef) and n.name == "Lane")
    described = next(
        text for node in ast.walk(lane) if (text := text_of(node)) and text.startswith("`open`")
    )
    of_an_endpoint = set(re.findall(r"`(\w+)`", described))
    assert first_words(ERRORS, "State") == {*State, *of_an_endpoint}


def test_every_exit_code_is_documented():
    codes = {str(value) for name, value in vars(exits).items() if name.isupper()}
    assert first_words(ERRORS, "Exit code") == codes


FAULTY = """\
version: 2
sources:
  Bad Name: {verify: none, ack: 5, max_body: 3MB, rate: 5, dedupe: {key: "${", window: 1}}
  a: {verify: {preset: nobody, secrets: [{env: A, until: soon}]}}
  b: {verify: {scheme: hmac, secrets: [], signature: {header: "X Y", sep: ""}}}
  c: {verify: {scheme: hmac, secrets: [text], signature: {}}, extra: 1}
endpoints:
  a: {url: ftp://x, concurrency: 0}
  b: {url: https://x, sign: none, concurrency: 1001, auth: {}, handler: nothing}
  c: {url: [], sign: none, retry: {schedule: 5s}}
routes:
  - {name: a, match: {type: []}, to: []}
  - {name: a, match: [], to: [x, {}]}
"""


def test_every_code_that_a_faulty_file_comes_to_is_documented(tmp_path):
    file = tmp_path / "routes.yaml"
    file.write_text(FAULTY)
    settings = Settings(routes=file, database=tmp_path / "gateway.db")
    told = {problem.code for problem in check(settings, {}, keep=False).problems}
    assert len(told) > 15
    assert told - first_words(ERRORS, "Code") == set()


# -- links ---------------------------------------------------------------------------------------------


def links() -> Iterator[tuple[str, Path, str]]:
    """Every link within the repository: where it stands, the file it leads to, and the anchor."""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
            if not re.match(r"[a-z]+:", target):
                place, _, anchor = target.partition("#")
                leads_to = page.parent / place if place else page
                yield f"{page.relative_to(ROOT)}: {target}", leads_to, anchor
    texts = [*SOURCES, *sorted((ROOT / "handlers").rglob("*.py")), ROOT / "routes.yaml", *PAGES]
    for file in texts:
        pattern = r"(?<![\w/.-])(docs/[\w./-]+\.md)(?:#([\w-]+))?"
        for place, anchor in re.findall(pattern, file.read_text()):
            yield f"{file.relative_to(ROOT)}: {place}#{anchor}".rstrip("#"), ROOT / place, anchor


def test_every_link_leads_somewhere():
    broken = sorted({where for where, target, _ in links() if not target.exists()})
    assert broken == []


def test_every_anchor_is_there():
    broken = [
        where
        for where, target, anchor in links()
        if anchor and target.is_file() and anchor not in anchors(target)
    ]
    assert broken == []


def test_a_heading_that_a_message_names_is_there():
    """`see docs/routes.md, Expressions`."""
    missing = [
        f"{file.relative_to(ROOT)}: {place}, {heading}"
        for file in SOURCES
        for place, heading in re.findall(r"(docs/[\w-]+\.md), ([A-Z]\w+)", file.read_text())
        if not (ROOT / place).exists() or heading.lower() not in anchors(ROOT / place)
    ]
    assert missing == []
