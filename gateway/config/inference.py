"""What an expression speaks of: its paths through an event whose data are known, and what it compares.

An expression is gone through as CEL would compute it, with what may stand in each place instead of a
value. What it asks for with care (`has(…)`, `in`, `.?`) counts as known to whoever wrote it to be missing at
times: nothing is said of it, nor of the same field elsewhere in the expression.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from gateway.config.evidence import Kind
from gateway.config.fields import ANYTHING, Value
from gateway.config.syntax import Call, Constant, Items, Loop, Name, Node, Select
from gateway.core.model import Json

FREE = Value([ANYTHING])
COMPARISONS = frozenset({"_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"})
UNWRAPPING = frozenset({"orValue", "value"})

Path: TypeAlias = tuple[str, ...]
ELEMENT = "[]"
"""The step to an element of a list."""


@dataclass(frozen=True, slots=True)
class Typed:
    """Something in an expression."""

    value: Value = FREE
    path: Path = ()
    """From where it comes in the event; empty: it is no field of it."""
    optional: bool = False
    constants: tuple[Json, ...] = ()
    """What it is, where it stands there: one constant, or those of a list."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A field that nothing has."""

    of: Typed
    name: str

    @property
    def path(self) -> Path:
        """Where it would be."""
        return (*self.of.path, self.name)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two things that are compared, by an operator."""

    operator: str
    left: Typed
    right: Typed


Variables: TypeAlias = Mapping[str, Typed]
NOTHING = Typed()


@dataclass(slots=True)
class Inference:
    """What has been found in one expression."""

    unknown: dict[Path, Unknown] = field(default_factory=dict)
    compared: list[Comparison] = field(default_factory=list)
    careful: set[Path] = field(default_factory=set)
    """The fields that it asks for with care."""

    def found(self) -> list[Unknown]:
        """The fields that nothing has, and that are asked for as if it had."""
        return [
            each
            for path, each in self.unknown.items()
            if not any(path[:length] in self.careful for length in range(len(path) + 1))
        ]

    def infer(self, node: Node, variables: Variables) -> Typed:
        """What a part of the expression may be."""
        match node:
            case Constant(value):
                return Typed(Value([({"const": value}, True)]), constants=(value,))
            case Name(name):
                return variables.get(name, NOTHING)
            case Select(operand, name, is_test):
                return self._select(self.infer(operand, variables), name, is_test=is_test)
            case Call():
                return self._call(node, variables)
            case Items(nodes, is_list):
                return self._items(nodes, variables, is_list=is_list)
            case Loop():
                return self._loop(node, variables)

    def _select(self, of: Typed, name: str, *, is_test: bool = False, ask: bool = False) -> Typed:
        """A field of something; *ask*: with `.?`."""
        path = (*of.path, name) if of.path else ()
        optional = of.optional or ask
        if is_test or optional:
            self.careful.add(path)
            self.careful |= {each for each in self.unknown if path[: len(each)] == each}
        if not path or of.value.is_free:
            return Typed(path=path, optional=optional)
        member = of.value.member(name)
        if member.is_nothing:
            if not is_test and not optional:
                self.unknown[path] = Unknown(of, name)
            return Typed(path=path, optional=optional)
        return NOTHING if is_test else Typed(member, path, optional)

    def _call(self, call: Call, variables: Variables) -> Typed:
        target = None if call.target is None else self.infer(call.target, variables)
        arguments = [self.infer(each, variables) for each in call.arguments]
        match call.function, arguments:
            case "_[_]" | "_[?_]" | "_?._", [of, key]:
                return self._look_up(of, key, ask="?" in call.function)
            case "@in", [one, several]:
                self._note_in(one, several)
            case function, [left, right] if function in COMPARISONS:
                self.compared.append(Comparison(function, left, right))
            case function, _ if target is not None and function in UNWRAPPING:
                return _unwrapped(target, arguments)
        return NOTHING

    def _look_up(self, of: Typed, key: Typed, *, ask: bool) -> Typed:
        if len(key.constants) == 1 and isinstance(key.constants[0], str):
            return self._select(of, key.constants[0], ask=ask)
        return element(of, optional=ask)

    def _note_in(self, one: Typed, several: Typed) -> None:
        if several.constants:
            for constant in several.constants:
                self.compared.append(Comparison("_==_", one, _constant(constant)))
        elif len(one.constants) == 1 and several.path:
            if isinstance(one.constants[0], str):
                self.careful.add((*several.path, one.constants[0]))
            self.compared.append(Comparison("_==_", element(several), one))

    def _items(self, nodes: Sequence[Node], variables: Variables, *, is_list: bool) -> Typed:
        items = [self.infer(each, variables) for each in nodes]
        if is_list and items and all(len(each.constants) == 1 for each in items):
            return Typed(constants=tuple(each.constants[0] for each in items))
        return NOTHING

    def _loop(self, loop: Loop, variables: Variables) -> Typed:
        over = self.infer(loop.over, variables)
        within = {**variables, loop.item: element(over), loop.result: NOTHING}
        for node in loop.nodes:
            self.infer(node, within)
        return over if _filters(loop) else NOTHING


def element(of: Typed, *, optional: bool = False) -> Typed:
    """An element of a list; the keys of an object are text, and no fields."""
    items = of.value.items
    if not of.path or items.is_nothing:
        return NOTHING
    return Typed(items, (*of.path, ELEMENT), of.optional or optional)


def _constant(value: Json) -> Typed:
    return Typed(Value([({"const": value}, True)]), constants=(value,))


def _unwrapped(target: Typed, otherwise: Sequence[Typed]) -> Typed:
    """What `orValue` comes to: the one or the other."""
    alternatives = [*target.value.alternatives]
    for each in otherwise:
        alternatives += each.value.alternatives
    return replace(target, value=Value(alternatives), optional=False)


def _filters(loop: Loop) -> bool:
    """Whether what comes of it are some of the same elements."""
    match loop.nodes[2]:
        case Call(
            "_?_:_",
            None,
            (
                _,
                Call("_+_", None, (Name(one), Items((Name(item),)))),
                Name(other),
            ),
        ):
            return one == other == loop.result and item == loop.item
        case _:
            return False


def leaf_kinds(typed: Typed) -> frozenset[Kind] | None:
    """Of what kinds it is, null aside, where all of them are text, numbers, true or false; None: nobody knows."""
    kinds = typed.value.kinds
    if kinds is None:
        return None
    kinds -= {Kind.NULL, Kind.DECIMAL}
    return kinds if kinds and kinds <= {Kind.TEXT, Kind.NUMBER, Kind.TRUTH} else None
