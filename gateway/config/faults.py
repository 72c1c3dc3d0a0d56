"""What pydantic finds wrong with a part of a file, as problems with place and cure."""

from collections.abc import Sequence
from copy import deepcopy
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.config.document import Document
from gateway.config.shapes import NAME, Shape
from gateway.core.errors import Problem
from gateway.core.model import Json

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
        _drop(rest, _plain(fault["loc"]))
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


def nearest(word: str, known: Sequence[str]) -> str:
    """The known name that *word* was probably meant to be, as the start of a cure; or the choice."""
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f'did you mean "{close[0]}"?'
    shown = ", ".join(sorted(known)[:12]) or "(none)"
    return f"known: {shown}"


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
        case "literal_error":
            expected = context.get("expected", "")
            words = [word.strip(" '") for word in expected.replace(" or ", ",").split(",")]
            what = f'{_shown(fault["input"])} is no value for "{name}"'
            if isinstance(fault["input"], str) and fault["input"] in words:
                return document.problem(whole, "unknown-value", what, "write it without quotes")
            return document.problem(
                whole, "unknown-value", what, nearest(str(fault["input"]), words)
            )
        case _ if "cure" in context:
            what = fault["msg"].partition(";")[0]
            return document.problem(whole, fault["type"], what, context["cure"])
        case kind:
            what = f'"{name}": {fault["msg"][:1].lower()}{fault["msg"][1:]}'
            code = "wrong-type" if kind.endswith("_type") else kind.replace("_", "-")
            return document.problem(whole, code, what, _CURES.get(kind, "see docs/routes.md"))


_CURES = {
    "string_type": "quote it, so that it is text",
    "int_type": "write a whole number, without quotes",
    "bool_type": "write true or false, without quotes",
    "dict_type": "write it as a mapping, `key: value`",
    "model_type": "write it as a mapping, `key: value`",
    "list_type": "write it as a list, `[…]`",
    "too_short": "name at least one",
    "string_too_short": "it may not be empty",
    "greater_than_equal": "choose a larger number",
    "less_than_equal": "choose a smaller number",
    "string_pattern_mismatch": "write it in that form",
}


def _name(path: Path) -> str:
    """What to call the part at *path*: its key, or its number in a list."""
    match path:
        case (*_, str(last)):
            return last
        case (*_, str(of), int(index)):
            return f"{of}[{index}]"
        case _:
            return "the file"


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _keys(shape: Any, location: Sequence[str | int]) -> list[str]:
    """The keys that are known at a location of a shape."""
    for step in location:
        if isinstance(step, str) and step.startswith("<"):
            shape = _tagged(shape, step)
        else:
            shape = _entered(shape, step)
    shape = _bare(shape)
    return (
        [field.alias or name for name, field in shape.model_fields.items()]
        if isinstance(shape, type) and issubclass(shape, BaseModel)
        else []
    )


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
