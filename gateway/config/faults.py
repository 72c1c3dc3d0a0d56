"""What pydantic finds wrong with a part of a file, as problems with place and cure."""

import re
from collections.abc import Sequence
from copy import deepcopy
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from gateway.config.document import Document
from gateway.config.nearest import nearest
from gateway.config.shape import EXPRESSION, HANDLER, HEADER, NAME, Shape
from gateway.config.traps import flow
from gateway.core.errors import Problem
from gateway.core.model import Json, kind_of
from gateway.core.operators import shown

Shaped = TypeVar("Shaped", bound=Shape)
Path = tuple[str | int, ...]


def shaped(
    shape: type[Shaped], value: Json, document: Document, path: Path
) -> tuple[Shaped | None, list[Problem]]:
    """The part at *path* in its shape, and what is wrong with it.

    Where something is, the part is read once more without the faulty keys, or with stand-ins for
    those that it must have, so that the rest of it can still be checked: all problems are to be told
    at once. None where that fails too.
    """
    try:
        return shape.model_validate(value), []
    except ValidationError as error:
        faults = error.errors(include_url=False)
    problems = [
        _problem(fault, shape, document, path)
        for fault in faults
        if not (fault["type"] == "missing" and _misspelt(fault, faults))
    ]
    if not isinstance(value, dict):
        return None, problems
    rest = deepcopy(value)
    for fault in faults:
        path_within = _plain(fault["loc"])
        _drop(rest, path_within)
        if len(path_within) == 1 and (key := str(path_within[0])) in shape.stand_ins:
            rest[key] = shape.stand_ins[key]
        if path_within and (excused := shape.excuses.get(str(path_within[0]))):
            rest.setdefault(excused, shape.stand_ins[excused])
    mended = {**rest, **{name: shape.stand_ins[name] for name in _faulty(faults, shape)}}
    for candidate in (rest, mended):
        try:
            return shape.model_validate(candidate), problems
        except ValidationError:
            continue
    return None, problems


def _faulty(faults: Sequence[ErrorDetails], shape: type[Shape]) -> set[str]:
    """The keys with a fault in them that have a stand-in."""
    return {str(fault["loc"][0]) for fault in faults if fault["loc"]} & set(shape.stand_ins)


def _misspelt(missing: ErrorDetails, faults: Sequence[ErrorDetails]) -> bool:
    """Whether a missing key is there after all, under a name that is nearly its own."""
    *around, name = missing["loc"]
    return any(
        fault["type"] == "extra_forbidden"
        and list(fault["loc"][:-1]) == around
        and get_close_matches(str(fault["loc"][-1]), [str(name)])
        for fault in faults
    )


def _plain(location: Sequence[str | int]) -> Path:
    """Where an error is, without the tags of alternatives."""
    return tuple(
        step
        for step in location
        if not (isinstance(step, str) and step[:1] in "<[" and step[-1:] in ">]")
    )


def _drop(value: Json, path: Path) -> None:
    """Remove what stands at *path*, as far as it is there."""
    *outer, last = path or (None,)
    for step in outer:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(value, dict):
        value.pop(last, None)


def _problem(
    fault: ErrorDetails, shape: type[BaseModel], document: Document, path: Path
) -> Problem:
    inner = _plain(fault["loc"])
    whole = (*path, *inner)
    name = _name(whole)
    context = fault.get("ctx", {})
    match fault["type"]:
        case "extra_forbidden":
            known = _keys(shape, fault["loc"][:-1])
            cure = nearest(name, known)
            return document.problem(whole, "unknown-key", f'unknown key "{name}"', cure, key=True)
        case "missing":
            what = f'the key "{name}" is missing'
            return document.problem(whole, "missing-key", what, f"add `{name}: …`")
        case "string_pattern_mismatch" if context.get("pattern") == NAME:
            what = f'"{fault["input"]}" is no name'
            cure = "use a-z, 0-9, - and _, at most 63 of them"
            return document.problem(whole, "name", what, cure, key=fault["loc"][-1] == "[key]")
        case "string_pattern_mismatch":
            what, cure = _other_form(context.get("pattern"), name, fault["input"])
            key = fault["loc"][-1] == "[key]"
            return document.problem(whole, "string-pattern-mismatch", what, cure, key=key)
        case "literal_error":
            what, cure = _no_such_value(name, fault["input"], context.get("expected", ""))
            return document.problem(whole, "unknown-value", what, cure)
        case _ if "cure" in context:
            what = fault["msg"].partition(";")[0]
            return document.problem(whole, fault["type"], what, context["cure"])
        case kind if kind in _WANTED:
            what, cure = _other_kind(kind, name, fault["input"], _at(shape, fault["loc"]))
            return document.problem(whole, "wrong-type", what, cure)
        case kind:
            what = f'"{name}": {fault["msg"][:1].lower()}{fault["msg"][1:]}'
            if kind in _SAID:
                what = _SAID[kind].format(name=name, given=fault["input"], **context)
            code = kind.replace("_", "-")
            return document.problem(whole, code, what, _CURES.get(kind, "see docs/routes.md"))


# -- in plain words ------------------------------------------------------------------------------------

_CURES = {
    "string_type": "quote it, so that it is text",
    "int_type": "write a whole number, without quotes",
    "bool_type": "write true or false, without quotes",
    "dict_type": "write it as a mapping, `key: value`",
    "model_type": "write it as a mapping, `key: value`",
    "list_type": "write it as a list, `[…]`",
    "too_short": "name at least one",
    "too_long": "name fewer",
    "string_too_short": "fill it in, or remove it",
    "greater_than_equal": "choose a larger number",
    "less_than_equal": "choose a smaller number",
    "string_pattern_mismatch": "write it in that form",
}
_SAID = {
    "too_short": '"{name}" is an empty list',
    "too_long": '"{name}" has more than {max_length}',
    "string_too_short": '"{name}" is empty',
    "greater_than_equal": '"{name}" is {given}, and less than {ge}',
    "less_than_equal": '"{name}" is {given}, and more than {le}',
}
_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "list_type": "a list",
}
_SPELLED_OUT = {
    "verify": "write `verify: {preset: standard-webhooks, secrets: [{env: NAME}]}`, or spell out `none`",
    "sign": "write `sign: {secrets: [{env: NAME}]}`, or spell out `none`",
    "retry": "write `retry: {schedule: [5s, 5m]}`, say; `never` means one attempt",
}
_SCHEMES = {
    "hmac": "write `verify: {scheme: hmac, secrets: [{env: NAME}], signature: {header: NAME}}`",
    "token": "write `verify: {scheme: token, secrets: [{env: NAME}]}`",
}
_PATH = re.compile(r"[A-Za-z_][\w.?\[\]\"'-]*")


def _no_such_value(name: str, given: Json, expected: str) -> tuple[str, str]:
    words = [word.strip(" '") for word in expected.replace(" or ", ",").split(",")]
    what = f'{shown(given)} is no value for "{name}"'
    if isinstance(given, str) and given in words:
        return what, "write it without quotes"
    if (
        name in _SPELLED_OUT
        and words in (["none"], ["never"])
        and not get_close_matches(str(given), words)
    ):
        if isinstance(given, str) and not re.fullmatch(r"[a-z-]{1,20}", given):
            what = f'this is no value for "{name}"'  # it may well be a secret
        cure = _SCHEMES.get(str(given), "") if name == "verify" else ""
        return what, cure or _SPELLED_OUT[name]
    return what, nearest(str(given), words)


def _other_form(pattern: str | None, name: str, given: str) -> tuple[str, str]:
    """What is said of text that has not the form it has to have."""
    match pattern:
        case str() if pattern == EXPRESSION:
            cure = "put what is to be computed into `${…}`"
            if given.isidentifier():
                cure = f"write where it is, `${{event.data.{given}}}` say; or `${{'{given}'}}`, if it is always that"
            elif _PATH.fullmatch(given):
                cure = f"write `${{{given}}}`"
            return f'"{given}" is plain text, and "{name}" has to be computed', cure
        case str() if pattern == HANDLER:
            cure = "write `module:function`, such as `handlers.wordpress:unpublish`"
            return f'"{given}" names no function in a module', cure
        case str() if pattern == HEADER:
            return f'"{given}" is no header\'s name', "use letters, digits and -"
        case _:
            return f'"{name}" has to have the form {pattern}', "write it in that form"


def _other_kind(kind: str, name: str, given: Json, shape: Any) -> tuple[str, str]:
    """What is said of a value of another kind than belongs there."""
    wanted = _WANTED[kind]
    found = "a mapping" if isinstance(given, dict) else kind_of(given)
    what = f'"{name}" is {found}, where {wanted} belongs'
    if given is None:
        what = f'"{name}" is empty, where {wanted} belongs'
    if name == "match":
        return what, _match_instead(given)
    if wanted == "a mapping" and isinstance(shape, type) and issubclass(shape, BaseModel):
        keys = [field.alias or key for key, field in shape.model_fields.items()]
        required = [key for key in keys if shape.model_fields.get(key, _OPTIONAL).is_required()]
        if required or len(keys) == 1:
            inner = ", ".join(f"{key}: …" for key in required or keys)
            return what, f"write `{_key(name)}{{{inner}}}`"
        return what, f"write it as a mapping, with some of {', '.join(keys)}"
    if wanted == "a list" and isinstance(given, (str, int)):
        return what, f"write `{_key(name)}[{flow(given)}]`"
    if wanted == "text" and isinstance(given, (list, dict)):
        return what, "write one text"
    return what, _CURES.get(kind, f"write {wanted}")


_OPTIONAL = FieldInfo(default=None)


def _key(name: str) -> str:
    """A key as it stands before its value; nothing for an item of a list."""
    return "" if name.endswith("]") else f"{name}: "


def _match_instead(given: Json) -> str:
    """How to write what was meant by a `match` that is no mapping."""
    match given:
        case str():
            return f"write `match: {{type: {flow(given)}}}`"
        case list() if given and all(isinstance(each, str) for each in given):
            return f"write `match: {{type: {flow(given)}}}`"
        case None:
            return "write which events, such as `{type: …}`; `{}` matches all"
        case _:
            return "write a mapping of fields, such as `{type: …}`; `{}` matches all"


# -- looking into shapes -------------------------------------------------------------------------------


def _name(path: Path) -> str:
    """What to call the part at *path*: its key, or its number in a list."""
    match path:
        case (*_, str(last)):
            return last
        case (*_, str(of), int(index)):
            return f"{of}[{index}]"
        case _:
            return "the file"


def _keys(shape: Any, location: Sequence[str | int]) -> list[str]:
    """The keys that are known at a location of a shape."""
    shape = _at(shape, location)
    return (
        [field.alias or name for name, field in shape.model_fields.items()]
        if isinstance(shape, type) and issubclass(shape, BaseModel)
        else []
    )


def _at(shape: Any, location: Sequence[str | int]) -> Any:
    """What a shape has at a location."""
    for step in location:
        if isinstance(step, str) and step.startswith("<"):
            shape = _tagged(shape, step)
        else:
            shape = _entered(shape, step)
    return _bare(shape)


def _bare(annotation: Any) -> Any:
    """An annotation without Annotated and Optional around it."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, UnionType):
            forms = [form for form in get_args(annotation) if form is not NoneType]
            if len(forms) != 1:
                return annotation
            (annotation,) = forms
        else:
            return annotation


def _tagged(annotation: Any, tag: str) -> Any:
    """The form of a union that carries *tag*."""
    for form in get_args(_bare(annotation)):
        if any(getattr(meta, "tag", None) == tag for meta in get_args(form)[1:]):
            return get_args(form)[0]
    return None


def _entered(annotation: Any, step: str | int) -> Any:
    """The annotation of what stands at *step* within."""
    annotation = _bare(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields
        field = next((f for name, f in fields.items() if (f.alias or name) == step), None)
        return None if field is None else field.annotation
    arguments = get_args(annotation)
    return arguments[-1] if arguments else None
