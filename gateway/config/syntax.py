"""A CEL expression taken apart: what the library has parsed, as values.

The library gives it away in one form only, serialised as `cel.expr.CheckedExpr`
(https://github.com/google/cel-spec/blob/master/proto/cel/expr/checked.proto, syntax.proto). What is needed
of that is little, so it is read here: a message is a sequence of numbered fields
(https://protobuf.dev/programming-guides/encoding/).
"""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from gateway.config.expressions import Expressions
from gateway.config.misreadings import STRING
from gateway.core.model import Json

MOST_KEPT = 4096
"""Expressions: a file has the same ones again and again."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that stands there."""

    value: Json


@dataclass(frozen=True, slots=True)
class Name:
    """A variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """`operand.field`; where it is a test, `has(operand.field)`."""

    operand: "Node"
    field: str
    is_test: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A function, or an operator: `_>_`."""

    function: str
    target: "Node | None"
    arguments: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Items:
    """A list, or a mapping with its keys and values."""

    nodes: "tuple[Node, ...]"
    is_list: bool = True


@dataclass(frozen=True, slots=True)
class Loop:
    """What a macro comes to: `all`, `exists`, `filter`, `map` …"""

    over: "Node"
    item: str
    result: str
    """The variable that gathers it."""
    nodes: "tuple[Node, ...]"
    """What it begins with, its condition, its step, and what comes of it."""


Node: TypeAlias = Constant | Name | Select | Call | Items | Loop

_everything = Expressions(["event", "item", "known", "plan", "response", "sent"])


LONG = ('"""', "'''")
"""Around texts of several lines."""
_LITERAL = re.compile(STRING.pattern + r"|(?<![\w.])\d+(?:\.\d+)?(?![\w.])", re.ASCII)


def literals_aside(source: str) -> str:
    """An expression with other numbers than stand in it, and other texts where those have digits.

    They are such as nobody means. What differs in nothing else then is the same; and where nothing is
    wrong with that, nothing is with what it was made of.
    """
    return source if any(each in source for each in LONG) else _LITERAL.sub(_aside, source)


def _aside(literal: re.Match[str]) -> str:
    text, before = literal[0], literal.string[: literal.start()]
    if text[0] in "\"'":
        is_key = before.endswith(("[", "?"))
        return text if is_key or not any(map(str.isdigit, text)) else '"\u25cc0"'
    return "987654321.5" if "." in text else "987654321"


@lru_cache(MOST_KEPT)
def parsed(source: str) -> Node:
    """An expression over an event and what is known beside it; of one that does not compile, nothing."""
    try:
        message = _everything.serialized(source)
    except RuntimeError:
        return Constant(None)
    checked = dict(_fields(message))[2]
    return _node(dict(_fields(checked))[4])


def path_of(steps: Sequence[str | int]) -> Node:
    """A plain path, its variable first, as it would be parsed."""
    root, *rest = steps
    node: Node = Name(str(root))
    for step in rest:
        if isinstance(step, str):
            node = Select(node, step)
        else:
            node = Call("_[_]", None, (node, Constant(step)))
    return node


def _node(message: bytes) -> Node:
    for number, value in _fields(message):
        match number:
            case 3:
                return Constant(_constant(value))
            case 4:
                return Name(_text(value, 1))
            case 5:
                fields = dict(_fields(value))
                return Select(_node(fields[1]), fields[2].decode(), bool(fields.get(3)))
            case 6:
                return _call(value)
            case 7:
                return Items(tuple(_node(each) for n, each in _fields(value) if n == 1))
            case 8:
                entries = [dict(_fields(each)) for n, each in _fields(value) if n == 2]
                nodes = [_node(each[n]) for each in entries for n in (3, 4) if n in each]
                return Items(tuple(nodes), is_list=False)
            case 9:
                fields = dict(_fields(value))
                nodes = [_node(fields[n]) for n in (4, 5, 6, 7)]
                return Loop(_node(fields[2]), fields[1].decode(), fields[3].decode(), tuple(nodes))
    return Constant(None)


def _call(message: bytes) -> Call:
    target, function, arguments = None, "", []
    for number, value in _fields(message):
        match number:
            case 1:
                target = _node(value)
            case 2:
                function = value.decode()
            case 3:
                arguments.append(_node(value))
    return Call(function, target, tuple(arguments))


def _constant(message: bytes) -> Json:
    for number, value in _fields(message):
        match number:
            case 2:
                return bool(value)
            case 3:
                return value - (1 << 64) if value >> 63 else value
            case 4:
                return value
            case 5:
                return struct.unpack("<d", value)[0]
            case 6:
                return value.decode()
    return None


def _text(message: bytes, wanted: int) -> str:
    found: bytes = dict(_fields(message))[wanted]
    return found.decode()


def _fields(message: bytes) -> list[tuple[int, Any]]:
    """The fields of a message: whole numbers, or bytes."""
    found: list[tuple[int, Any]] = []
    at, end = 0, len(message)
    while at < end:
        tag = message[at]
        at += 1
        if tag >= 0x80:
            tag, at = _number(message, at - 1)
        if tag & 7 == 0:
            value, at = _number(message, at)
            found.append((tag >> 3, value))
            continue
        size = 8 if tag & 7 == 1 else 4
        if tag & 7 == 2:
            size = message[at]
            at += 1
            if size >= 0x80:  # few are that long
                size, at = _number(message, at - 1)
        found.append((tag >> 3, message[at : at + size]))
        at += size
    return found


def _number(message: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
