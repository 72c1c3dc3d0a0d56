"""YAML, read strictly, with the place of everything in it.

YAML 1.2 core types only, so `NO` is text and `12:30` is no number. No anchors, aliases, tags or
merge keys, no duplicate keys, no key that is not text; limits on depth and size. All of this is
checked on the stream of events before anything is composed: a deep enough document would otherwise
crash the parser's C code.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from gateway.core.errors import Problem
from gateway.core.model import Json

LARGEST_BYTES = 1024 * 1024
DEEPEST = 40

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands, counted from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Document:
    """A file's content as plain values, and where each of them stands."""

    name: str
    value: Json = None
    problems: list[Problem] = field(default_factory=list)
    value_places: dict[Path, Place] = field(default_factory=dict)
    key_places: dict[Path, Place] = field(default_factory=dict)

    def place(self, path: Sequence[str | int], *, key: bool = False) -> Place:
        """Where the value at *path* stands, or its key; of what is not there, the nearest around it."""
        whole = tuple(path)
        for length in range(len(whole), -1, -1):
            part = whole[:length]
            found = (self.key_places.get(part) if key else None) or self.value_places.get(part)
            if found is not None:
                return found
        return Place(1, 1)

    def problem(
        self, path: Sequence[str | int], code: str, what: str, cure: str, *, key: bool = False
    ) -> Problem:
        """A problem with what stands at *path*."""
        place = self.place(path, key=key)
        return Problem(
            file=self.name, line=place.line, column=place.column, code=code, what=what, cure=cure
        )


def read_document(text: bytes, name: str) -> Document:
    """The document in *text*; what is wrong with it is in `problems`, and then it has no value."""
    document = Document(name)
    if len(text) > LARGEST_BYTES:
        what, cure = f"the file has {len(text):,} bytes", f"keep it under {LARGEST_BYTES:,}"
        document.problems.append(_of_file(name, "yaml-size", what, cure))
        return document
    try:
        decoded = text.decode("utf-8")
        document.value = _Composer(document).compose(yaml.parse(decoded, Loader=yaml.CSafeLoader))
    except UnicodeDecodeError as error:
        what = f"the file is no UTF-8 text: {error.reason} at byte {error.start}"
        document.problems.append(_of_file(name, "yaml-encoding", what, "save it as UTF-8"))
    except yaml.MarkedYAMLError as error:
        document.problems.append(_syntax(error, name, decoded))
    except yaml.YAMLError as error:  # a character that YAML does not allow
        what = str(error).splitlines()[0]
        document.problems.append(_of_file(name, "yaml-encoding", what, "remove that character"))
    except _Stop:
        pass
    return document


def _of_file(name: str, code: str, what: str, cure: str) -> Problem:
    return Problem(file=name, line=0, column=0, code=code, what=what, cure=cure)


class _Stop(Exception):  # ends the reading; the problem has been noted
    """The document cannot be read any further."""


@dataclass(slots=True)
class _Open:
    """A mapping or a sequence whose end has not come yet."""

    value: dict[str, Json] | list[Json]
    path: Path
    key: str | None = None
    """In a mapping: the key whose value comes next; None: a key comes next."""


class _Composer:
    """Builds plain values out of YAML's events, without recursion."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._open: list[_Open] = []
        self._root: Json = None
        self._documents = 0

    def compose(self, events: Iterator[Any]) -> Json:
        for event in events:
            match event:
                case yaml.DocumentStartEvent():
                    self._documents += 1
                    if self._documents > 1:
                        self._stop(
                            event, "yaml-documents", "there is a second document", "remove `---`"
                        )
                case yaml.AliasEvent():
                    self._stop(event, "yaml-anchor", "aliases are not read", "write it out")
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    self._refuse_properties(event)
                    self._begin(event, {} if isinstance(event, yaml.MappingStartEvent) else [])
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self._open.pop()
                case yaml.ScalarEvent():
                    self._refuse_properties(event)
                    self._scalar(event)
                case _:
                    pass
        return self._root

    def _begin(self, event: Any, value: dict[str, Json] | list[Json]) -> None:
        if len(self._open) >= DEEPEST:
            self._stop(event, "yaml-depth", f"it nests deeper than {DEEPEST}", "flatten it")
        if self._open and isinstance(self._open[-1].value, dict) and self._open[-1].key is None:
            self._stop(event, "yaml-key", "a key is no text", "write keys as plain words")
        path = self._place(event, value)
        self._open.append(_Open(value, path))

    def _scalar(self, event: Any) -> None:
        top = self._open[-1] if self._open else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            self._key(top, event)
        else:
            self._place(event, self._resolved(event))

    def _key(self, top: _Open, event: Any) -> None:
        path = (*top.path, event.value)
        if event.value == "<<" and event.implicit[0]:
            self._stop(event, "yaml-anchor", "merge keys are not read", "write it out")
        if event.value in top.value:
            first = self._document.place(path, key=True)
            self._note(
                event,
                "yaml-duplicate-key",
                f'the key "{event.value}" stands twice (first in line {first.line})',
                "remove one",
            )
        self._document.key_places.setdefault(path, _at(event))
        top.key = event.value

    def _place(self, event: Any, value: Json) -> Path:
        """Put *value* where it belongs: into what is open, or at the root."""
        path: Path = ()
        if not self._open:
            self._root = value
        else:
            top = self._open[-1]
            if isinstance(top.value, dict):
                assert top.key is not None  # noqa: S101  # _scalar and _begin saw to it
                path = (*top.path, top.key)
                top.value[top.key] = value
                top.key = None
            else:
                path = (*top.path, len(top.value))
                top.value.append(value)
        self._document.value_places.setdefault(path, _at(event))
        return path

    def _resolved(self, event: Any) -> Json:
        """A scalar's value by the YAML 1.2 core schema: only what is plain can be other than text."""
        text = event.value
        if not event.implicit[0]:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INT.fullmatch(text):
            return int(text)
        if _PREFIXED.fullmatch(text):
            return int(text, 0)
        if _FLOAT.fullmatch(text):
            number = float(text)
            if math.isfinite(number):
                return number
            self._note(
                event, "yaml-number", f"{text} is too large a number", "quote it if it is text"
            )
        if _NOT_FINITE.fullmatch(text):
            self._note(
                event,
                "yaml-number",
                f"{text} is no number that JSON knows",
                "quote it, or write a number",
            )
        return text

    def _refuse_properties(self, event: Any) -> None:
        if event.anchor is not None:
            self._stop(
                event,
                "yaml-anchor",
                f"the anchor &{event.anchor} is not read",
                "write it out where it is used",
            )
        if event.tag is not None and event.tag != "!":
            self._stop(
                event, "yaml-tag", f"the tag {event.tag} is not read", "quote text; leave out tags"
            )

    def _note(self, event: Any, code: str, what: str, cure: str) -> None:
        place = _at(event)
        self._document.problems.append(
            Problem(
                file=self._document.name,
                line=place.line,
                column=place.column,
                code=code,
                what=what,
                cure=cure,
            )
        )

    def _stop(self, event: Any, code: str, what: str, cure: str) -> None:
        self._note(event, code, what, cure)
        raise _Stop


_WORDS: dict[str, Json] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INT = re.compile(r"[-+]?[0-9]{1,400}", re.ASCII)
_PREFIXED = re.compile(r"0o[0-7]{1,400}|0x[0-9a-fA-F]{1,400}", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", re.ASCII)


def _at(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


def _syntax(error: yaml.MarkedYAMLError, name: str, text: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    what = error.problem or "it is no YAML"
    if error.context:
        what = f"{what} {error.context}" if error.context.startswith("while") else what
    cure = "check indentation and quotes: text that begins with [ { * & ! % @ ` or holds `: ` needs quotes"
    if mark and "${" in (text.splitlines()[mark.line : mark.line + 1] or [""])[0]:
        cure = 'within { } or [ ], put quotes around text that holds ${…}: "${body.id}"'
    return Problem(
        file=name,
        line=mark.line + 1 if mark else 0,
        column=mark.column + 1 if mark else 0,
        code="yaml-syntax",
        what=what,
        cure=cure,
    )
