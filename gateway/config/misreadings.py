"""What people write who take CEL for another language, and how CEL says it.

CEL's own messages name a character and a grammar's token. Here the expression is read once more, as
whoever wrote it meant it.
"""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from gateway.config.evidence import ATTRIBUTES
from gateway.core.success import FIELDS

STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")

FUNCTIONS = (
    "all", "contains", "days", "daysBetween", "double", "duration", "endsWith", "exists", "filter",
    "has", "int", "join", "json", "lower", "map", "matches", "orValue", "replace", "size", "split",
    "startsWith", "string", "substring", "timestamp", "trim", "upper",
)  # fmt: skip
"""Those that are mostly meant where there is none of a name."""

_OPERATORS = (
    (r"===", "=="),
    (r"!==", "!="),
    (r"<>", "!="),
    (r"=>", ">="),
    (r"=<", "<="),
    (r"=~|(?<![\w.])like\b", "….matches(…)"),
    (r"(?<![\w.])not\s+in\b", "!(… in …)"),
    (r"(?<![\w.])is\s+not\b", "!="),
    (r"(?<![\w.])is\b", "=="),
    (r"(?<![\w.])and\b", "&&"),
    (r"(?<![\w.])or\b", "||"),
    (r"(?<![\w.])not\b", "!"),
    (r"(?<![\w.])if\b|(?<![\w.])else\b", "… ? … : …"),
    (r"(?<![\w.])contains\b(?!\s*\()", "….contains(…)"),
    (r"(?<!&)&(?!&)", "&&"),
    (r"(?<!\|)\|(?!\|)", "||"),
    (r"(?<![=!<>~])=(?![=~>])", "=="),
    (r"\bin\s*\(", "in […]"),
)
"""What stands for an operator elsewhere, the longer before what it begins with."""
_OPERATOR = re.compile("|".join(f"({theirs})" for theirs, _ in _OPERATORS), re.IGNORECASE)

NO_PRESENT = "there is no present time: see `event.time`, when it happened"
NO_PRESENT_YET = "there is no present time: what a request comes to depends on it alone"
_CALLS = {
    **dict.fromkeys(("len", "length", "count"), "write `size(…)`"),
    **dict.fromkeys(("lower", "toLowerCase", "tolower", "lowercase"), "write `….lower()`"),
    **dict.fromkeys(("upper", "toUpperCase", "toupper", "uppercase"), "write `….upper()`"),
    **dict.fromkeys(("includes", "contain", "has_text"), "write `….contains(…)`"),
    **dict.fromkeys(("float", "number", "decimal", "parseFloat"), "write `double(…)`"),
    **dict.fromkeys(("integer", "parseInt"), "write `int(…)`"),
    **dict.fromkeys(("str", "text", "toString"), "write `string(…)`"),
    **dict.fromkeys(("any", "some"), "write `….exists(each, …)`"),
    **dict.fromkeys(("exist", "defined", "present"), "write `has(…)`"),
    **dict.fromkeys(("default", "coalesce", "orElse"), "write `.?name.orValue(…)`"),
    **dict.fromkeys(("regex", "match", "test"), "write `….matches(…)`"),
    **dict.fromkeys(("datetime", "parseDate", "Date"), "write `timestamp(…)`"),
}
"""What functions are called elsewhere."""
_PRESENT = frozenset({"now", "today", "current_time", "currentTime", "getdate"})
_WORDS = {
    "True": "true",
    "False": "false",
    "None": "null",
    "nil": "null",
    "NULL": "null",
    "undefined": "null",
}
_NEEDS = {
    "callback": "`callback` is seen by the targets of a route that has `await:`",
    "plan": "`plan` is seen in the `emit` of a schedule",
    "known": "`known` needs `known:` or `remember:` in the route",
    "stale": "`stale` needs `remember:` in the route",
    "response": "`response` is seen in the `emit` of a target: an answer has come there",
}
"""Of what is seen in some places only: in which."""


def without_strings(source: str) -> str:
    """An expression whose strings are empty, every character where it was."""
    return STRING.sub(lambda found: '"' + "_" * (len(found[0]) - 2) + '"', source)


def syntax_cure(source: str) -> str:
    """The cure for what is no expression: the operators that were meant; nothing where none were."""
    bare = without_strings(source)
    found = [
        (" ".join(each[0].split()), _OPERATORS[(each.lastindex or 1) - 1][1])
        for each in _OPERATOR.finditer(bare)
    ]
    told = [f"`{ours}` for `{theirs}`" for theirs, ours in dict.fromkeys(found)]
    return f"write {', '.join(told)}" if told else ""


def name_cure(name: str, source: str, variables: Sequence[str]) -> str:
    """The cure for a name that nothing has: what was meant by it, as far as that can be told."""
    if re.split(r"\W", name)[0] in _PRESENT:
        return NO_PRESENT if "event" in variables else NO_PRESENT_YET
    if re.search(rf"(?<!\w){re.escape(name)}\s*\(", without_strings(source)):
        return _function_cure(name)
    root, dot, rest = name.partition(".")
    if root in _WORDS:
        return f"write `{_WORDS[root]}`"
    if root == "item":
        return "`item` needs `each:`, beside what it stands in"
    if root in _NEEDS and "event" in variables:
        return _NEEDS[root]
    near = get_close_matches(root, variables, n=1, cutoff=0.7)
    if "event" in variables:
        return _of_event(root, rest, near)
    if "response" in variables:
        if root in ("event", "item"):
            return "an answer is judged by itself: write `response.…`"
        return f"write `response.{name if root in FIELDS else f'body.{name}'}`; text needs quotes"
    if root in ("event", "data"):
        return "write `body.…`: there is no event yet, but the body of the request"
    if near:
        return f"write `{near[0]}{dot}{rest}`"
    return f"write `body.{name}`; text needs quotes; the variables are {', '.join(variables)}"


def _of_event(root: str, rest: str, near: Sequence[str]) -> str:
    whole = f"{root}.{rest}" if rest else root
    if root in ATTRIBUTES:
        return f"write `event.{whole}`"
    if near:
        return f"write `{near[0]}.{rest}`" if rest else f"write `{near[0]}`"
    if root == "body":
        return f"write `event.data.{rest or '…'}`: the body is what a source sees"
    if root == "headers":
        return "only a source sees headers: map what is needed into `data`"
    return f"write `event.data.{whole}`; text needs quotes"


def _function_cure(name: str) -> str:
    plain = name.rpartition(".")[2]
    if plain in _CALLS:
        return _CALLS[plain]
    close = get_close_matches(plain, FUNCTIONS, n=1, cutoff=0.7)
    if close:
        return f"did you mean `{close[0]}`?"
    return "there is no such function: docs/routes.md, Expressions, has those there are"


# -- headers, answers ------------------------------------------------------------------------------------

_HEADER = re.compile(
    r"(?<![\w.])((?:response\.)?headers)\s*(?:\[(\??)\s*([\"'])([^\"']*[A-Z][^\"']*)\3\s*\]"
    r"|\.(\??)([A-Za-z_0-9]*[A-Z]\w*)(?!\w*\())"
)


def header_fault(source: str) -> tuple[str, str] | None:
    """What is wrong where a header is asked for by a name with capitals, and the cure."""
    strings = [found.span() for found in STRING.finditer(source)]
    for found in _HEADER.finditer(source):
        if any(start < found.start() < end for start, end in strings):
            continue
        name = (found[4] or found[6].replace("_", "-")).lower()
        optional = found[2] or found[5] or ""
        what = f"`{found[0]}` never has a value: headers are known by their names in lower case"
        return what, f'write `{found[1]}[{optional}"{name}"]`'
    return None


_OF_RESPONSE = re.compile(r"(?<![\w.])response\s*\.\s*\??\s*(\w+)")


def response_fault(source: str) -> tuple[str, str] | None:
    """What is wrong where an answer is asked for what it has not, and the cure."""
    for found in _OF_RESPONSE.finditer(without_strings(source)):
        if found[1] not in FIELDS:
            near = get_close_matches(found[1], FIELDS, n=1, cutoff=0.6)
            meant = near[0] if near else f"body.{found[1]}"
            return f"`{found[0]}` never has a value", f"write `response.{meant}`"
    return None
