"""What `match` means, once more and as plainly as can be: pattern and index are held to this.

It reads a decoded pattern as it stands, and knows no faults. Whatever an event has at a path is listed
as values, together with the elements of arrays that they are in; conditions choose among these by
trying all there is, and what has to be absent is judged last, by what has been chosen.
"""

import operator
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from ipaddress import ip_address, ip_network
from itertools import product
from typing import Any

COMPARE = {
    "=": operator.eq, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
    "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le,
}  # fmt: skip
ON_TEXT = {
    "exactly": operator.eq,
    "equals-ignore-case": lambda leaf, text: leaf.casefold() == text.casefold(),
    "prefix": str.startswith,
    "suffix": str.endswith,
    "contains": operator.contains,
    "wildcard": lambda leaf, text: re.fullmatch(as_expression(text), leaf, re.DOTALL),
}
ON_OTHERS = {"numeric", "decimal", "cidr", "anything-but", "in", "exists", "present", "all"}
OPERATORS = {*COMPARE, *ON_TEXT, *ON_OTHERS}


def matches(pattern: Any, event: Any, lists: Mapping[str, list] | None = None) -> bool:
    """Whether the event satisfies the pattern."""
    return any(holds(rule, list(event.items()), lists or {}) for rule in rules(pattern, ()))


# -- a pattern as a choice of rules, a rule as a list of (kind, path, argument) --------------------------


def rules(fields: dict, path: tuple) -> list[list[tuple]]:
    factors = []
    for name, value in fields.items():
        inner = (*path, *name.split("."))
        if name == "$or":
            factors.append([rule for branch in value for rule in rules(branch, path)])
        elif name == "$and":
            factors += [rules(branch, path) for branch in value]
        elif name == "$not":
            factors.append([[("not", path, value)]])
        elif isinstance(value, dict) and not value.keys() <= OPERATORS:
            factors.append(rules(value, inner))
        else:
            items = value if isinstance(value, list) else [value]
            factors.append([rule for item in items for rule in alternative(item, inner)])
    return [[part for rule in choice for part in rule] for choice in product(*factors)]


def alternative(item: Any, path: tuple) -> list[list[tuple]]:
    if not isinstance(item, dict):
        return [[("some", path, {"in": [item]})]]
    tests = {name: item[name] for name in item if name not in ("present", "all")}
    parts = []
    if tests.get("exists") is False:
        del tests["exists"]
        parts.append(("no leaf", path, None))
    if "present" in item:
        parts.append(("there" if item["present"] else "not there", path, None))
    if tests:
        parts.append(("some", path, tests))
    factors = [alternative(each, path) for each in item.get("all", [])]
    return [[*parts, *(part for rule in choice for part in rule)] for choice in product(*factors)]


# -- an event as values within elements ------------------------------------------------------------------


def at(members: list, path: tuple, place: tuple = (), within: tuple = ()) -> Iterator[tuple]:
    """All that is at a path: the place, the elements it is in, and the values, maybe none."""
    step, *rest = path
    values = [value for name, value in members if name == step]
    dotted = [(n.removeprefix(step + "."), v) for n, v in members if n.startswith(step + ".")]
    values += [dict([member]) for member in dotted]
    if not rest:
        yield (*place, step), within, values
        return
    for inner, around, inside in objects(values, (*place, step), within):
        yield from at(inside, rest, inner, around)


def objects(values: list, place: tuple, within: tuple) -> Iterator[tuple]:
    """The objects among values, as lists of members; an empty one where there is none."""
    direct = [value for value in values if isinstance(value, dict)]
    many = [[member for value in direct for member in value.items()]] if direct else []
    many += [list(each.items()) for each in elements(values) if isinstance(each, dict)]
    if not many:
        yield place, within, []
    for i, members in enumerate(many):
        yield (*place, i), (*within, (place, i)), members


def elements(values: list) -> list:
    """What is in the arrays among values."""
    found = [each for value in values if isinstance(value, list) for each in value]
    return [each for each in found if not isinstance(each, list)] + (
        elements(found) if any(isinstance(each, list) for each in found) else []
    )


def leaves(values: list) -> list:
    return [each for each in values + elements(values) if not isinstance(each, (dict, list))]


# -- the one in the other --------------------------------------------------------------------------------


def holds(rule: list[tuple], members: list, lists: Mapping, bound: dict | None = None) -> bool:
    bound = bound or {}
    for i, (kind, path, tests) in enumerate(rule):
        if kind in ("some", "there"):
            others = rule[:i] + rule[i + 1 :]
            return any(
                holds(others, members, lists, bound | dict(within))
                for _, within, values in at(members, path)
                if agree(within, bound)
                and (values if kind == "there" else any(passes(tests, leaf, lists) for leaf in leaves(values)))
            )  # fmt: skip
    return all(is_absent(part, members, lists, bound) for part in rule)


def agree(within: tuple, bound: dict) -> bool:
    return all(bound.get(place, i) == i for place, i in within)


def is_absent(part: tuple, members: list, lists: Mapping, bound: dict) -> bool:
    kind, path, negated = part
    if kind != "not":
        read = leaves if kind == "no leaf" else list
        return not any(
            read(found) for _, around, found in at(members, path) if agree(around, bound)
        )
    inside = [((), (), members)]
    if path:
        inside = [
            each
            for place, around, found in at(members, path)
            for each in objects(found, place, around)
        ]
    return not any(
        holds(rule, each, lists)
        for _, around, each in inside
        if agree(around, bound)
        for rule in rules(negated, ())
    )  # fmt: skip


# -- one leaf --------------------------------------------------------------------------------------------


def passes(tests: dict, leaf: Any, lists: Mapping) -> bool:
    return all(passes_one(name, argument, leaf, lists) for name, argument in tests.items())


def passes_one(name: str, argument: Any, leaf: Any, lists: Mapping) -> bool:
    if name == "exists":
        return True
    if name == "in":
        values = lists[argument] if isinstance(argument, str) else argument
        return any(equal(value, leaf) for value in values)
    if name == "anything-but" and isinstance(argument, dict):
        ((inner, texts),) = argument.items()
        return not any(passes_one(inner, text, leaf, lists) for text in as_list(texts))
    if name == "anything-but":
        return not any(equal(value, leaf) for value in as_list(argument))
    if name in ON_TEXT or name in ("decimal", "cidr"):
        return isinstance(leaf, str) and bool(of_text(name, argument, leaf))
    if isinstance(leaf, bool) or not isinstance(leaf, (int, float)):
        return False
    pairs = (
        zip(argument[::2], argument[1::2], strict=True) if name == "numeric" else [(name, argument)]
    )
    return all(COMPARE[comparison](leaf, as_number(bound)) for comparison, bound in pairs)


def of_text(name: str, argument: Any, leaf: str) -> Any:
    if name == "cidr":
        if "%" in leaf:
            return False
        try:
            return any(
                ip_address(leaf) in ip_network(each, strict=False) for each in as_list(argument)
            )
        except ValueError:
            return False
    if name == "decimal":
        if not re.fullmatch(r"[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?", leaf):
            return False
        return all(
            COMPARE[each](Decimal(leaf), Decimal(str(bound))) for each, bound in argument.items()
        )
    if isinstance(argument, dict):
        return ON_TEXT[name](leaf.casefold(), argument["equals-ignore-case"].casefold())
    return ON_TEXT[name](leaf, argument)


def equal(value: Any, leaf: Any) -> bool:
    if any(each is None or isinstance(each, (bool, str)) for each in (value, leaf)):
        return type(value) is type(leaf) and value == leaf
    return bool(as_number(value) == leaf)


def as_number(value: Any) -> Any:
    return value if isinstance(value, float) or -(2**63) <= value < 2**64 else float(value)


def as_list(value: Any) -> list:
    return value if isinstance(value, list) else [value]


def as_expression(text: str) -> str:
    r"""A regular expression for a wildcard: `\*` and `\\` stand for themselves."""
    pieces = re.findall(r"\\.|\*|[^\\*]+", text, re.DOTALL)
    return "".join(
        ".*" if piece == "*" else re.escape(piece.removeprefix("\\")) for piece in pieces
    )
