"""CEL, in the two places where routes.yaml has expressions: `when:` and `${…}`.

https://github.com/google/cel-spec/blob/master/doc/langdef.md

A string that is one `${…}` keeps the expression's type; other text around it, or several of them,
make text. `$${` is a literal `${`. Expressions are compiled and checked when the file is loaded, and
bounded when they run (iterations, recursion, size). Where one has no value, ExpressionFailed says
why; an error never passes for a value, although the library shows errors as text.

Plain paths (`body.license.id`, `headers["x-id"]`) are most of what people write, and a Python getter
is ten times as fast as CEL: those are compiled to getters, and a property test holds them to CEL.

To CEL's own functions, and those of its string and optional extensions, FUNCTIONS adds a few.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import product
from typing import Any

import orjson
from cel_expr_python import cel
from cel_expr_python.ext.ext_optional import ExtOptional
from cel_expr_python.ext.ext_strings import ExtStrings

from gateway.config.misreadings import (
    STRING,
    header_fault,
    name_cure,
    response_fault,
    syntax_cure,
)
from gateway.core.computed import Compute, Scope
from gateway.core.errors import ExpressionFailed
from gateway.core.model import Json, kind_of

LONGEST_SHOWN = 120


class ExpressionInvalid(Exception):  # becomes a Problem of the file it stands in
    """An expression cannot be compiled."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(what)
        self.what = what
        self.cure = cure


_DAY = timedelta(days=1)


def _days_between(earlier: datetime | str, later: datetime | str) -> int:
    """Whole days from one moment to another, negative where the first is the later one."""
    return int((_moment(later) - _moment(earlier)) / _DAY)


def _moment(value: datetime | str) -> datetime:
    """A moment; text as events have it (RFC 3339, or a date alone, which begins at midnight UTC)."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


CUT_AT_NUL = "there is a U+0000 in what expressions look at, and CEL would cut the text there"


def _json(text: str) -> Json:
    """What JSON in a text stands for. Raises ValueError where it is none, or would not be whole."""
    value = orjson.loads(text)
    if r"\u0000" in text and _holds_nul(value):
        raise ValueError(CUT_AT_NUL)
    return value


FUNCTIONS = (
    cel.FunctionDecl(
        "days",
        [
            cel.Overload(
                "days_int", cel.Type.DURATION, [cel.Type.INT], impl=lambda count: _DAY * count
            )
        ],
    ),
    cel.FunctionDecl(
        "daysBetween",
        [
            cel.Overload(f"days_between_{i}", cel.Type.INT, list(kinds), impl=_days_between)
            for i, kinds in enumerate(product((cel.Type.TIMESTAMP, cel.Type.STRING), repeat=2))
        ],
    ),
    cel.FunctionDecl(
        "json", [cel.Overload("json_string", cel.Type.DYN, [cel.Type.STRING], impl=_json)]
    ),
    *(
        cel.FunctionDecl(
            name,
            [cel.Overload(f"{name}_string", cel.Type.STRING, [cel.Type.STRING], True, impl=do)],
        )
        for name, do in (("lower", str.lower), ("upper", str.upper))
    ),
)
"""`days(14)`, a duration; `daysBetween(a, b)`, whole days from one moment to another, each a timestamp or
text; `json(text)`, what JSON in a text stands for; `text.lower()` and `text.upper()`, of any script."""


class Expressions:
    """Compiles expressions over a fixed set of variables."""

    def __init__(self, variables: Sequence[str]) -> None:
        self.variables = tuple(variables)
        self._latest: tuple[str, Any] | None = None

    @cached_property
    def _env(self) -> Any:
        """What CEL compiles in; made when there is something to compile: it takes a MiB."""
        return cel.NewEnv(
            variables=dict.fromkeys(self.variables, cel.Type.DYN),
            extensions=[ExtStrings(), ExtOptional(), cel.CelExtension("gateway", FUNCTIONS)],
        )

    def template(self, template: Json) -> Compute:
        """What computes *template*: any JSON value whose strings may hold `${…}`."""
        if isinstance(template, str):
            return self._text(template)
        if isinstance(template, list):
            items = [self.template(item) for item in template]
            return lambda variables: [item(variables) for item in items]
        if isinstance(template, dict):
            members = {name: self.template(item) for name, item in template.items()}
            return lambda variables: {name: item(variables) for name, item in members.items()}
        return lambda _variables: template

    def _text(self, text: str) -> Compute:
        pieces = _split(text)
        if len(pieces) == 1 and isinstance(pieces[0], _Expression):
            return self.expression(pieces[0].source)
        if all(isinstance(piece, str) for piece in pieces):
            literal = "".join(piece for piece in pieces if isinstance(piece, str))
            return lambda _variables: literal
        compute = self.pieces(text)
        return lambda variables: "".join(piece for piece, _ in compute(variables))

    def pieces(self, text: str) -> Callable[[Mapping[str, Json]], list[tuple[str, bool]]]:
        """What computes the pieces of a text, each with whether it is the value of an expression."""
        parts = [
            piece if isinstance(piece, str) else (piece.source, self.expression(piece.source))
            for piece in _split(text)
        ]
        return lambda variables: [
            (part, False)
            if isinstance(part, str)
            else (_as_text(part[1](variables), part[0]), True)
            for part in parts
        ]

    def sources(self, text: str) -> list[str]:
        """The expressions in a text. Raises ExpressionInvalid."""
        return [piece.source for piece in _split(text) if isinstance(piece, _Expression)]

    def literals(self, text: str) -> list[str]:
        """The pieces of a text that are no expressions. Raises ExpressionInvalid."""
        return [piece for piece in _split(text) if isinstance(piece, str)]

    def condition(self, source: str) -> Compute:
        """What computes a bare expression that is true or false. Raises ExpressionInvalid."""
        if source.strip().startswith("${"):
            bare = source.strip().removeprefix("${").removesuffix("}").strip()
            cure = f"write `{bare}`: ${{…}} is for values"
            raise ExpressionInvalid(f"`{source}` is wrapped in ${{…}}", cure)
        compute = self.expression(source)
        kind = self._compiled(source).return_type().name()
        if kind not in ("BOOL", "DYN"):
            what = f"`{_excerpt(source)}` is {kind.lower()}, neither true nor false"
            raise ExpressionInvalid(what, "compare it with something")
        return compute

    def expression(self, source: str) -> Compute:
        """What computes one expression. Raises ExpressionInvalid."""
        evaluated = self.evaluated(source)
        steps = plain_path(source, self.variables)
        return evaluated if steps is None else _getter(source, steps)

    def _compiled(self, source: str) -> Any:
        """What CEL makes of one expression; several that ask about the same one after the other share it."""
        if self._latest is None or self._latest[0] != source:
            self._latest = source, self._env.compile(source)
        return self._latest[1]

    def serialized(self, source: str) -> bytes:
        """An expression that compiles, as `syntax.py` reads it."""
        found: bytes = self._compiled(source).serialize()
        return found

    def evaluated(self, source: str) -> Compute:
        """What computes one expression, in CEL whatever it is. Raises ExpressionInvalid."""
        env = self._env
        try:
            program = self._compiled(source)
        except RuntimeError as error:
            raise _invalid(source, str(error), self.variables) from None
        if {"headers", "response"}.intersection(self.variables) and (fault := header_fault(source)):
            raise ExpressionInvalid(*fault)
        if "response" in self.variables and (fault := response_fault(source)):
            raise ExpressionInvalid(*fault)
        if "optional_type" in program.return_type().name():
            what = f"`{_excerpt(source)}` may have no value"
            raise ExpressionInvalid(what, "say what it is then: .orValue(…)")
        _check_constants(env, source)
        plain_value = (
            _plain_value if "?" in source or "optional" in source else cel.Value.plain_value
        )

        def compute(variables: Mapping[str, Json]) -> Json:
            try:
                value = program.eval(_activation(env, variables))
                plain = plain_value(value)
            except (RuntimeError, ValueError, OverflowError) as error:
                raise ExpressionFailed(f"`{source}`: {_first_line(error)}") from None
            if value.type() == cel.Type.ERROR:  # its plain value is the error's text
                raise ExpressionFailed(f"`{source}`: {_first_line(plain)}")
            return _as_json(plain, source)

        return compute


_CONSTANT = re.compile(
    r"\b(duration|timestamp)\(\s*(\"[^\"\\]*\"|'[^'\\]*')\s*\)"
    r"|\.(matches)\(\s*(r?\"[^\"]*\"|r?'[^']*')\s*\)"
)
_CURES = {
    "duration": 'write hours, minutes, seconds: "36h", "90s"',
    "timestamp": 'write date, time and zone: "2026-12-01T00:00:00Z"',
    "matches": "mend the regular expression: it is RE2's",
}


def _check_constants(env: Any, source: str) -> None:
    """Refuse what would fail for every event, since nothing of the event is in it."""
    for found in _CONSTANT.finditer(source):
        name = found[1] or found[3]
        call = found[0] if found[1] else f'""{found[0]}'
        try:
            value = env.compile(call).eval(env.Activation({}))
            failed = value.type() == cel.Type.ERROR
        except RuntimeError:
            failed = True
        if failed:
            days = re.fullmatch(r"[\"'](\d+)d[\"']", found[2] or "")
            cure = f"write `days({days[1]})`" if days else _CURES[name]
            what = f"`{found[0].lstrip('.')}` never has a value"
            raise ExpressionInvalid(f"`{_excerpt(source)}`: {what}", cure)


def _activation(env: Any, variables: Mapping[str, Json]) -> Any:
    """The variables as CEL sees them: made once for all the expressions that look at one event."""
    if not isinstance(variables, Scope):
        return _checked_activation(env, variables)
    if variables.activation is None:
        variables.activation = _checked_activation(env, variables)
    return variables.activation


def _checked_activation(env: Any, variables: Mapping[str, Json]) -> Any:
    """The library cuts text at U+0000 on its way in. What it would say of the rest is not to be believed."""
    if _may_hold_nul(variables) and _holds_nul(dict(variables)):
        raise ExpressionFailed(CUT_AT_NUL)
    return env.Activation(variables)


def _may_hold_nul(variables: Mapping[str, Json]) -> bool:
    """A look that costs little: what passes it is walked through."""
    try:
        return b"\\u0000" in orjson.dumps(dict(variables), option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # nothing that JSON can hold is among them
        return True


def _holds_nul(value: Json) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(map(_holds_nul, value)) or any(map(_holds_nul, value.values()))
    return isinstance(value, list) and any(map(_holds_nul, value))


def _plain_value(value: Any) -> Any:
    """A value in Python's terms, looked into with care.

    Asked for the plain value of an optional, the library raises TypeError; of a mapping that holds
    one, the process dies.
    """
    try:
        inner = value.value()
    except TypeError:
        raise ValueError(NO_JSON) from None
    if isinstance(inner, list):
        return [_checked(each) for each in inner]
    if isinstance(inner, dict):
        return {key: _checked(each) for key, each in inner.items()}
    return value.plain_value()


def _checked(value: Any) -> Any:
    if value.type() == cel.Type.ERROR:
        raise ValueError(NO_JSON)
    return _plain_value(value)


NO_JSON = "its value is nothing that JSON can hold (an optional wants .orValue(…))"


class _Expression:
    """An expression between pieces of text."""

    __slots__ = ("source",)

    def __init__(self, source: str) -> None:
        self.source = source


def _split(text: str) -> list[str | _Expression]:
    """A string in literal pieces and expressions."""
    pieces: list[str | _Expression] = []
    position = 0
    while (start := text.find("${", position)) >= 0:
        if start > position and text[start - 1] == "$":
            pieces.append(text[position : start - 1] + "${")
            position = start + 2
            continue
        end = _end_of_expression(text, start + 2)
        source = text[start + 2 : end].strip()
        if not source:
            raise ExpressionInvalid("`${}` holds no expression", "write one, or `$${` for the text")
        if start > position:
            pieces.append(text[position:start])
        pieces.append(_Expression(source))
        position = end + 1
    if position < len(text) or not pieces:
        pieces.append(text[position:])
    return pieces


def _end_of_expression(text: str, position: int) -> int:
    """Where the `}` stands that ends an expression; braces in its strings and maps are its own."""
    depth = 0
    while position < len(text):
        char = text[position]
        if char in "\"'":
            closing = STRING.match(text, position)
            if closing is None:
                break
            position = closing.end()
            continue
        if char == "{":
            depth += 1
        elif char == "}":
            if depth == 0:
                return position
            depth -= 1
        position += 1
    raise ExpressionInvalid(
        f"`{text}` has a `${{` without its `}}`", "close it, or write `$${` for the text"
    )


_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[\"([^\"\\]*)\"\]|\['([^'\\]*)'\]|\[(\d{1,9})\]")


def plain_path(source: str, variables: Sequence[str]) -> list[str | int] | None:
    """The steps of a plain path, its variable first; None when the expression is more than that."""
    root = re.match(r"[A-Za-z_][A-Za-z0-9_]*", source)
    if root is None or root.group() not in variables:
        return None
    steps: list[str | int] = [root.group()]
    position = root.end()
    while position < len(source):
        step = _STEP.match(source, position)
        if step is None:
            return None
        name = step[1] or step[2] or step[3]
        steps.append(int(step[4]) if step[4] else name or "")
        position = step.end()
    return steps


def _getter(source: str, steps: Sequence[str | int]) -> Compute:
    """A path's value: as CEL would give it, without CEL."""
    root, *rest = steps

    def get(variables: Mapping[str, Json]) -> Json:
        value = variables[root]  # type: ignore[index]  # the first step is a name
        for step in rest:
            if isinstance(value, dict) and isinstance(step, str):
                if step not in value:
                    raise ExpressionFailed(f'`{source}`: there is no "{step}"')
                value = value[step]
            elif isinstance(value, list) and isinstance(step, int):
                if step >= len(value):
                    raise ExpressionFailed(f"`{source}`: there is no element {step}")
                value = value[step]
            else:
                raise ExpressionFailed(f'`{source}`: "{step}" is looked up in {kind_of(value)}')
        return value

    return get


def _as_text(value: Json, source: str) -> str:
    """A value as part of a longer text."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            raise ExpressionFailed(f"`{source}`: {kind_of(value)} cannot stand within text")


def _as_json(value: Any, source: str) -> Json:
    """What CEL computed, as JSON: times as RFC 3339 text, durations as CEL writes them."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case timedelta():
            return f"{value.total_seconds():f}".rstrip("0").rstrip(".") + "s"
        case list():
            return [_as_json(item, source) for item in value]
        case dict():
            return {_key(key, source): _as_json(item, source) for key, item in value.items()}
        case None | bool() | int() | float() | str():
            return value
        case _:
            raise ExpressionFailed(
                f"`{source}`: {type(value).__name__} is nothing that JSON can hold"
            )


def _key(key: Any, source: str) -> str:
    if isinstance(key, str):
        return key
    raise ExpressionFailed(f"`{source}`: a key that is no text is nothing that JSON can hold")


def _invalid(source: str, message: str, variables: Sequence[str]) -> ExpressionInvalid:
    """CEL's own message, shortened to what went wrong and where in the expression."""
    first = message.partition("\n")[0]
    found = re.search(r"<input>:-?\d+:(-?\d+): (.*)$", first)
    column, what = (int(found[1]), found[2]) if found else (0, first)
    what = re.sub(r" expecting \{.*", "", what).removesuffix(" (in container '')")
    where = f" at character {column}" if column > 0 else ""
    shown = _excerpt(source)
    cure = ""
    if name := re.search(r"undeclared reference to '([\w.]+)'", what):
        cure = name_cure(name[1], source, variables)
    elif what.startswith("Syntax error"):
        cure = syntax_cure(source)
    elif "(type(type)" in what and "event" in variables:
        cure = "`type` is a function of CEL: write `event.type`"
    cure = cure or "see docs/routes.md, Expressions"
    return ExpressionInvalid(f"`{shown}` is no expression{where}: {what}", cure)


def _excerpt(source: str) -> str:
    return source if len(source) <= LONGEST_SHOWN else source[:LONGEST_SHOWN] + "…"


def _first_line(error: object) -> str:
    return str(error).partition("\n")[0][:200]
