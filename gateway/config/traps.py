"""Where YAML eats an expression that nobody quoted, and the line that works.

`when: "a" == b` is a text with something behind it, `when: !has(x)` a tag, `when: a ? b : c` a mapping,
and ` #` begins a comment, wherever it stands. What YAML's parser says of these helps nobody. So the
line at fault is read once more, as whoever wrote it meant it: a key, and a value that goes on to the
end of the line; in flow style, to the next comma or bracket that does not belong to the expression.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from gateway.core.model import Json

LONGEST = 4_096
DEEPEST = 40
"""Longer lines, and what nests deeper, nobody has written."""

_BLOCK_LINE = re.compile(
    r"""(?P<before>\s*(?:-\s+)*(?:(?:"[^"]*"|'[^']*'|[^\s"'\[\]{},#&*!|>%@`:][^\s:#]*)\s*:\s+)?)"""
    r"(?P<value>\S.*)"
)
_FLOW_KEY = re.compile(r"""(?:"[^"]*"|'[^']*'|[^\s"'\[\]{},:#][^"'\[\]{},:]*?)\s*:\s+""")
_BLOCK_SCALAR = re.compile(r"[|>][-+\d]{0,2}\s*(#.*)?")
_NEGATION = re.compile(r"!+\s*(\(|[A-Za-z_]\w*\s*[.(\[])")
_UNSAFE_IN_FLOW = re.compile(r"[\[\]{},?]|:(\s|$)|\s#|^[-?]\s")
_SECRET = re.compile(
    r"\b(secrets?|password|bearer|value)\s*:\s*(?!\[?\s*\{)\S|whsec_", re.IGNORECASE
)
"""What may be a secret that stands in the file itself, although it should not: it is not repeated."""
_CLOSING = {"[": "]", "{": "}", "(": ")"}

IN_FLOW = (
    "within { } and [ ], text that holds ${…}, brackets, commas or a question mark needs quotes"
)

AROUND = [
    (opening, closing) for opening in ("", "{", "[") for closing in ("", "}", "]", "}}", "]}", "]]")
]
"""What may stand in the lines around one line of a collection."""


@dataclass(frozen=True, slots=True)
class Trap:
    """What YAML makes of a line, and how to write it."""

    what: str
    line: str

    @property
    def cure(self) -> str:
        """What to do: the line as it works."""
        return f"write `{self.line}`"


class _Unclosed(Exception):
    """What was opened in this line is not closed in it."""


def trap_in(line: str) -> Trap | None:
    """The trap that the line is in; None where it is in none that is known."""
    if len(line) > LONGEST or _SECRET.search(line):
        return None
    found = _BLOCK_LINE.fullmatch(line.rstrip())
    if found is None:
        return None
    value, comment = _without_comment(found["value"])
    if not found["before"].strip() and value.endswith(":"):
        return None  # a key
    try:
        caught = _caught(value)
        written = "" if caught else _in_flow(value)
    except _Unclosed:
        return _trap_in_fragment(found["before"], value) or _trap_in_fragment("", line.strip())
    if caught:
        written = quoted(value)
    elif written == value:
        return _trap_in_fragment("", line.strip()) if value[-1] in ",]}" else None
    whole = f"{found['before']}{written}{comment}".strip()
    return (
        Trap(caught or IN_FLOW, whole) if _is_yaml(whole) else _trap_in_fragment("", line.strip())
    )


def _trap_in_fragment(before: str, value: str) -> Trap | None:
    """The trap in a line of a collection in flow style that has several lines."""
    if value.startswith("- "):
        return None
    for opening, closing in AROUND:
        try:
            mended = _in_flow(f"{opening}{value}{closing}")
        except _Unclosed:
            continue
        inner = mended[len(opening) : len(mended) - len(closing)]
        if inner != value and _is_yaml(mended):
            return Trap(IN_FLOW, f"{before}{inner}".strip())
    return None


def _caught(value: str) -> str:
    """What YAML makes of a value that goes on to the end of its line; nothing where it is well."""
    first = value[0]
    if first in "\"'":
        end = _end_of_quoted(value)
        return (
            f"text that begins with {first} ends at the next one, and more follows"
            if end < len(value)
            else ""
        )
    if first in "[{":
        if value.startswith("{{"):
            return ""
        end = _end_of_brackets(value)
        kind = "list" if first == "[" else "mapping"
        follows = value[end:].strip(" ,]}")  # of a collection around it
        return f"what begins with {first} is a {kind}, and more follows" if follows else ""
    if first == "!":
        return "what begins with ! is a tag" if _NEGATION.match(value) else ""
    if first == "*":
        return "what begins with * is an alias" if value[1:].strip() else ""
    if first in "%@`":
        return f"nothing can begin with {first}"
    if first in "|>":
        return (
            "" if _BLOCK_SCALAR.fullmatch(value) else f"what begins with {first} is a block of text"
        )
    if re.search(r":(\s|$)", value):
        return "a colon with a space behind it makes a mapping"
    return "a # with a space before it begins a comment" if re.search(r"\s#", value) else ""


# -- flow style: { } and [ ] -----------------------------------------------------------------------------


def _in_flow(text: str) -> str:
    """A value in flow style, with quotes where they are missing. Raises _Unclosed."""
    if text[0] not in "[{":
        return text
    written, end = _collection(text, 0)
    return written + text[end:]


def _collection(text: str, start: int, depth: int = 0) -> tuple[str, int]:
    """The mapping or the list that begins there, and where it ends."""
    if depth > DEEPEST:
        raise _Unclosed
    opening = text[start]
    closing = _CLOSING[opening]
    written = opening
    i = start + 1
    while i < len(text):
        if text[i] == closing:
            return written + closing, i + 1
        if text[i].isspace() or text[i] == ",":
            written += text[i]
            i += 1
            continue
        key = _FLOW_KEY.match(text, i)
        if key is not None:
            written += key[0]
            i = key.end()
        value, end = _entry(text, i, depth)
        if end == i and not key:  # a bracket that closes nothing
            raise _Unclosed
        written += value
        i = end
    raise _Unclosed


def _entry(text: str, start: int, depth: int) -> tuple[str, int]:
    """The value that begins there, and where it ends."""
    if text[start : start + 1] in ("[", "{"):
        written, end = _collection(text, start, depth + 1)
        if re.match(r"\s*[,\]}]", text[end:]):
            return written, end
    end = _end(text, start, lambda char: char in ",]}")
    raw = text[start:end]
    value = raw.rstrip()
    return _safe(value) + raw[len(value) :], end


def _safe(value: str) -> str:
    """A single value as it can stand in flow style."""
    if not value:
        return value
    if value[0] in "\"'":
        return value if _end_of_quoted(value) == len(value) else quoted(value)
    if value[0] in "!*%@`|>" and (value[0] != "!" or _NEGATION.match(value)):
        return quoted(value)
    return quoted(value) if _UNSAFE_IN_FLOW.search(value) else value


# -- text ------------------------------------------------------------------------------------------------

PLAIN = re.compile(r"[A-Za-z_][\w./-]*")
WORDS = frozenset({"true", "false", "null"})
"""Plain words that are no text."""


def flow(value: Json) -> str:
    """A value in YAML's flow style, as it can be pasted."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case list():
            return "[" + ", ".join(map(flow, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{name}: {flow(inner)}" for name, inner in value.items()) + "}"
        case str():
            plain = PLAIN.fullmatch(value) and value.lower() not in WORDS
            return value if plain else quoted(value)
        case _:
            return str(value)


def quoted(text: str) -> str:
    """Text in quotes: those that leave it readable."""
    if '"' in text or "\\" in text:
        return "'" + text.replace("'", "''") + "'"
    return f'"{text}"'


def is_cut(text: str, *, expression: bool) -> bool:
    """Whether an unquoted text ends within a string or within `${…}`: something has cut it off.

    Of an *expression*, brackets and strings in single quotes have to be closed as well; in prose
    they need not be.
    """
    expression = expression or "${" in text
    try:
        _end(text, 0, lambda _: False, quotes="\"'" if expression else '"', brackets=expression)
    except _Unclosed:
        return True
    return False


def _end(
    text: str,
    start: int,
    ends: Callable[[str], bool],
    quotes: str = "\"'",
    *,
    brackets: bool = True,
) -> int:
    """Where a value ends, outside of strings and brackets. Raises _Unclosed within them."""
    open_brackets: list[str] = []
    i = start
    while i < len(text):
        char = text[i]
        if char in quotes and not text[i - 1 : i].isalnum():
            i = _end_of_string(text, i)
            continue
        if not open_brackets and ends(char):
            return i
        if brackets and char in _CLOSING:
            open_brackets.append(_CLOSING[char])
        elif open_brackets and char == open_brackets[-1]:
            open_brackets.pop()
        i += 1
    if open_brackets:
        raise _Unclosed
    return i


def _end_of_string(text: str, start: int) -> int:
    """Where a string of an expression ends. Raises _Unclosed."""
    i = start + 1
    while i < len(text):
        if text[i] == "\\":
            i += 1
        elif text[i] == text[start]:
            return i + 1
        i += 1
    raise _Unclosed


def _end_of_quoted(text: str) -> int:
    """Where a text that YAML reads as quoted ends. Raises _Unclosed."""
    quote = text[0]
    inner = r'"(?:[^"\\]|\\.)*"' if quote == '"' else r"'(?:[^']|'')*'"
    found = re.match(inner, text)
    if found is None:
        raise _Unclosed
    return found.end()


def _end_of_brackets(text: str) -> int:
    """Where the bracket with which a text begins is closed. Raises _Unclosed."""
    depth = 0
    for i, char in enumerate(text):
        depth += (char in "[{") - (char in "]}")
        if not depth:
            return i + 1
    raise _Unclosed


def _without_comment(value: str) -> tuple[str, str]:
    """A value, and the comment behind it: ` #` within a string of an expression begins none."""
    i = 0
    while i < len(value):
        if value[i] in "\"'" and not value[i - 1 : i].isalnum():
            try:
                i = _end_of_string(value, i)
            except _Unclosed:
                break
            continue
        if value[i] == "#" and i and value[i - 1].isspace() and not value.startswith("#${", i):
            head = value[:i].rstrip()
            if not is_cut(head, expression=True):
                return head, value[len(head) :]
        i += 1
    return value, ""


def _is_yaml(text: str) -> bool:
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "tag", None):
                return False
    except yaml.YAMLError:
        return False
    return True
