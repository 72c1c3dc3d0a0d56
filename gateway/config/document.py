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

from gateway.config.traps import is_cut, trap_in
from gateway.core.errors import Problem
from gateway.core.model import Json

LARGEST_BYTES = 16 * 1024 * 1024
LARGE = 128 * 1024
"""The places of a text longer than this are looked up in excerpts of it."""
DEEPEST = 40

CONDITIONS = frozenset({"when", "success"})
"""Keys whose value is a bare expression."""
ALLOWED = re.compile(r"#\s*lint:\s*allow\s+([\w-]+(?:\s*,\s*[\w-]+)*)")
HIDDEN = " #${"
OPENS = re.compile(r"[\"'({\[]")
"""What text that has been cut off has in it."""
NEWLINE = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""What YAML's parser counts as the end of a line."""

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands, counted from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Places:
    """Where each value of a document stands, and each key."""

    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)


@dataclass(slots=True)
class Document:
    """A file's content as plain values, and where each of them stands."""

    name: str
    text: str = ""
    value: Json = None
    problems: list[Problem] = field(default_factory=list)
    _places: Places | None = None
    _lines: list[str] = field(default_factory=list)
    _excerpts: dict[Path, "Document | None"] = field(default_factory=dict)
    _items: dict[str, list[int]] = field(default_factory=dict)

    @property
    def lines(self) -> list[str]:
        """Its text line by line, as YAML's parser counts them."""
        if not self._lines:
            self._lines = lines_of(self.text)
        return self._lines

    def line(self, number: int) -> str:
        """One of them, counted from 0; nothing where there is no such line."""
        return self.lines[number] if 0 <= number < len(self.lines) else ""

    @property
    def places(self) -> Places:
        """Where everything stands: found at the first question, for most files are never asked."""
        if self._places is None:
            self._places = Places()
            again = _Composer(Document(self.name), self._places)
            again.compose(yaml.parse(self.text, Loader=yaml.CSafeLoader))
        return self._places

    def place(self, path: Sequence[str | int], *, key: bool = False) -> Place:
        """Where the value at *path* stands, or its key; of what is not there, the nearest around it."""
        whole = tuple(path)
        if self._places is None and len(self.text) > LARGE and whole:
            near = self._place_in_excerpt(whole, key=key)
            if near is not None:
                return near
        places = self.places
        for length in range(len(whole), -1, -1):
            part = whole[:length]
            found = (places.keys.get(part) if key else None) or places.values.get(part)
            if found is not None:
                return found
        return Place(1, 1)

    def _place_in_excerpt(self, path: Path, *, key: bool) -> Place | None:
        """The same, found in the part of a large file that it is in: an item of a section, or a section.

        None where that part does not stand on lines of its own, indented as usual.
        """
        section = str(path[0])
        items = self._items.get(section)
        if items is None:
            items = self._items[section] = item_lines(self.lines, section)
        within: Path = path
        if len(path) > 1 and isinstance(path[1], int):
            if path[1] + 1 >= len(items):
                return None
            first, end = items[path[1]], items[path[1] + 1]
            around, within = path[:2], (0, *path[2:])
        elif items:
            first, end, around = section_lines(self.lines, section)[0], items[-1], path[:1]
        else:
            return None
        if around not in self._excerpts:
            self._excerpts[around] = _excerpt(self.name, self.lines[first:end])
        excerpt = self._excerpts[around]
        if excerpt is None:
            return None
        place = excerpt.place(within, key=key)
        return Place(place.line + first, place.column)

    def allows(self, line: int, code: str) -> bool:
        """Whether a comment in that line, or alone in the one before, says `# lint: allow CODE`."""
        here, before = self.line(line - 1), self.line(line - 2)
        allowed = [here, before] if before.lstrip().startswith("#") else [here]
        return any(
            code in re.split(r"[\s,]+", found[1])
            for found in (ALLOWED.search(text) for text in allowed)
            if found
        )

    def problem(
        self, path: Sequence[str | int], code: str, what: str, cure: str, *, key: bool = False
    ) -> Problem:
        """A problem with what stands at *path*."""
        place = self.place(path, key=key)
        return Problem(
            file=self.name, line=place.line, column=place.column, code=code, what=what, cure=cure
        )


def read_document(text: bytes, name: str) -> Document:
    """The document in *text*; what is wrong with it is in `problems`.

    It has a value all the same where the rest of it can be read, with stand-ins for what is wrong.
    """
    document = Document(name)
    if len(text) > LARGEST_BYTES:
        what, cure = f"the file has {len(text):,} bytes", f"keep it under {LARGEST_BYTES:,}"
        document.problems.append(_of_file(name, "yaml-size", what, cure))
        return document
    try:
        document.text = decoded = text.decode("utf-8")
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


def lines_of(text: str) -> list[str]:
    """The lines of a document, as YAML's parser counts them."""
    return NEWLINE.split(text)


def section_lines(lines: Sequence[str], section: str) -> tuple[int, int]:
    """Where a section of the outermost mapping begins, and where it ends; nowhere, if that is unusual."""
    for first, line in enumerate(lines):
        if line.startswith(f"{section}:"):
            for end in range(first + 1, len(lines)):
                if lines[end] and not lines[end].startswith((" ", "#", "- ")):
                    return first, end
            return first, len(lines)
    return 0, 0


def item_lines(lines: Sequence[str], section: str) -> list[int]:
    """Where each item of a section begins that is a list, and last, where the section ends.

    Of a section that is a mapping, only its end; nothing where there is no such section.
    """
    first, end = section_lines(lines, section)
    if first == end:
        return []
    indent: str | None = None
    starts = []
    for number in range(first + 1, end):
        bare = lines[number].lstrip(" ")
        if not bare or bare.startswith("#"):
            continue
        before = lines[number][: -len(bare)]
        if indent is None:
            indent = before
        if before == indent and bare.startswith("- "):
            starts.append(number)
    return [*starts, end]


def _excerpt(name: str, lines: Sequence[str]) -> Document | None:
    """Some lines of a document that can be read by themselves; None where they cannot."""
    document = Document(name, "\n".join(lines))
    try:
        document.places  # noqa: B018  # all of them, now
    except (yaml.YAMLError, _Stop):
        return None
    return document


def _of_file(name: str, code: str, what: str, cure: str) -> Problem:
    return Problem(file=name, line=0, column=0, code=code, what=what, cure=cure)


LONGEST_SHOWN = 40


class _Stop(Exception):  # ends the reading; the problem has been noted
    """The document cannot be read any further."""


@dataclass(slots=True)
class _Open:
    """A mapping or a sequence whose end has not come yet."""

    value: dict[str, Json] | list[Json]
    path: Path
    key: str | None = None
    """In a mapping: the key whose value comes next; None: a key comes next."""
    lines: dict[str, int] = field(default_factory=dict)
    """In a mapping: where its keys stand."""


class _Composer:
    """Builds plain values out of YAML's events, without recursion."""

    def __init__(self, document: Document, places: Places | None = None) -> None:
        self._document = document
        self._places = places
        """To be filled, where somebody wants to know."""
        self._open: list[_Open] = []
        self._root: Json = None
        self._documents = 0
        self._hides = HIDDEN in document.text

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
                    self._alias(event)
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

    def _alias(self, event: Any) -> None:
        """Note an alias; what it stands for counts as null."""
        cure = self._quoted(event, "write it out")
        if self._awaits_key():
            self._stop(event, "yaml-anchor", "aliases are not read", cure)
        self._note(event, "yaml-anchor", "aliases are not read", cure)
        self._place(event, None)

    def _awaits_key(self) -> bool:
        top = self._open[-1] if self._open else None
        return top is not None and isinstance(top.value, dict) and top.key is None

    def _begin(self, event: Any, value: dict[str, Json] | list[Json]) -> None:
        if len(self._open) >= DEEPEST:
            self._stop(event, "yaml-depth", f"it nests deeper than {DEEPEST}", "flatten it")
        if self._awaits_key():
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
        if event.value == "<<" and event.implicit[0]:
            self._stop(event, "yaml-anchor", "merge keys are not read", "write it out")
        if event.value in top.value:
            self._note(
                event,
                "yaml-duplicate-key",
                f'the key "{event.value}" stands twice (first in line {top.lines[event.value]})',
                "remove one",
            )
        top.lines.setdefault(event.value, event.start_mark.line + 1)
        if self._places is not None:
            self._places.keys.setdefault((*top.path, event.value), _at(event))
        top.key = event.value

    def _check_end(self, event: Any) -> None:
        """Note where an unquoted text has been cut off: it ends within a string, or within `${…}`."""
        text = event.value
        line = self._document.line(event.end_mark.line)
        behind = line[event.end_mark.column :].lstrip()
        condition = bool(self._open) and self._open[-1].key in CONDITIONS
        if behind.startswith("#${") or (
            behind.startswith(("#", ",", "]", "}")) and is_cut(text, expression=condition)
        ):
            trap = trap_in(line)
            what = f"YAML ends this text before the `{behind[0]}`"
            self._note(event, "yaml-cut", what, trap.cure if trap else "put all of it in quotes")

    def _quoted(self, event: Any, otherwise: str) -> str:
        """The cure for what is no plain text to YAML: the line as it works, where it was meant as text."""
        trap = trap_in(self._document.line(event.start_mark.line))
        return otherwise if trap is None else trap.cure

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
        if self._places is not None:
            self._places.values.setdefault(path, _at(event))
        return path

    def _resolved(self, event: Any) -> Json:
        """A scalar's value by the YAML 1.2 core schema: only what is plain can be other than text."""
        text = event.value
        if not event.implicit[0]:
            return text
        if self._places is None and (self._hides or OPENS.search(text)):
            self._check_end(event)
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
                event,
                "yaml-number",
                f"{text[:LONGEST_SHOWN]} is too large a number",
                "quote it if it is text",
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
            self._note(
                event,
                "yaml-anchor",
                f"the anchor &{event.anchor} is not read",
                "write it out where it is used",
            )
        if event.tag is not None and event.tag != "!":
            cure = self._quoted(event, "quote text; leave out tags")
            self._note(event, "yaml-tag", f"the tag {event.tag} is not read", cure)

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
    trap = None
    for each in (error.problem_mark, error.context_mark):
        if trap is None and each is not None:
            trap = trap_in("".join(lines_of(text)[each.line : each.line + 1]))
    if trap is not None:
        what, cure = trap.what, trap.cure
    return Problem(
        file=name,
        line=mark.line + 1 if mark else 0,
        column=mark.column + 1 if mark else 0,
        code="yaml-syntax",
        what=what,
        cure=cure,
    )
