"""The routes file and those that it includes, read and taken apart into their sections."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from gateway.config.document import read_document
from gateway.config.faults import shaped
from gateway.config.part import Part, Surroundings
from gateway.config.shapes import RoutesFile
from gateway.core.errors import Problem
from gateway.core.model import Json

WILD = "*?["
TESTS = ".routes-test.yaml"
"""How the names of files of tests end: they include nothing, and no pattern includes them."""
NAMED: Mapping[str, type] = {
    "lists": dict,
    "types": dict,
    "sources": dict,
    "endpoints": dict,
    "schedules": dict,
    "queries": dict,
}
SECTIONS: Mapping[str, type] = {"include": list, **NAMED, "routes": list, "tests": list}


@dataclass(slots=True)
class File:
    """One file: its sections, empty where they are missing or no such thing."""

    part: Part
    sections: dict[str, Json]


@dataclass(slots=True)
class Files:
    """The routes file and those that it includes; what is wrong with them as files."""

    files: list[File] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    """All that were to be read."""
    patterns: list[tuple[Path, str]] = field(default_factory=list)
    """What includes others: the folder, and the path or pattern below it."""
    problems: list[Problem] = field(default_factory=list)
    """Shared by the parts of all files."""
    complete: bool = True
    """Whether all of them could be read; else what others refer to may be in one that could not."""
    texts: list[bytes] = field(default_factory=list)
    schemas: list[Path] = field(default_factory=list)
    """The files that `types:` names."""

    @property
    def fingerprint(self) -> str:
        """The start of the sha256 of all that was read."""
        return sha256(b"".join(self.texts)).hexdigest()[:12]

    def in_order(self, problems: Iterable[Problem]) -> list[Problem]:
        """Problems in the order of the files and of what stands in them; those of other files last."""
        order = {str(path): number for number, path in enumerate(self.paths)}
        return sorted(
            problems, key=lambda p: (order.get(p.file, len(order)), p.file, p.line, p.column)
        )

    def named_texts(self) -> list[tuple[str, bytes]]:
        """What was read, each under its path from the folder of the first."""
        home = self.paths[0].parent
        names = [os.path.relpath(path, home) for path in self.paths]
        return list(zip(names, self.texts, strict=True))

    def problem(self, path: Path, what: str, cure: str) -> None:
        """Note that a file cannot be read at all."""
        file = str(path)
        self.problems.append(
            Problem(file=file, line=0, column=0, code="no-file", what=what, cure=cure)
        )


def read_files(path: Path, around: Surroundings) -> Files:
    """Read the routes file at *path*, and those that it includes."""
    found = Files()
    cure = "name one that is there, or make one with `gateway init`"
    first = _read(path, around, found, cure)
    if first is not None:
        for i, pattern in enumerate(first.sections["include"]):
            if isinstance(pattern, str):
                _include(pattern, first.part.at("include", i), around, found)
    return found


def given_files(texts: Sequence[tuple[str, bytes]], around: Surroundings) -> Files:
    """Files whose texts are at hand: those that the first includes are among them."""
    found = Files()
    for name, text in texts:
        found.paths.append(Path(name))
        _take(Path(name), text, around, found)
    return found


def _include(pattern: str, part: Part, around: Surroundings, found: Files) -> None:
    found.patterns.append((part.base, pattern))
    paths = included(part.base, pattern)
    if not paths and any(char in pattern for char in WILD):
        part.warning("include", f"no file is called {pattern}", "add one, or remove the pattern")
    elif not paths:
        part.fault(
            "no-file", f"there is no file {pattern}", "mend the path: it starts from this file"
        )
    for i, path in enumerate(paths):
        around.progress("reading files", i, len(paths))
        if path.resolve() == found.paths[0].resolve():
            if not any(char in pattern for char in WILD):
                part.warning("include", "the file includes itself", "remove it")
            continue  # a pattern may well fit the file that it stands in
        if path in found.paths:
            part.fault("include", f"{path} is included twice", "include it once")
            continue
        file = _read(path, around, found, "make it readable")
        if file is not None and file.sections["include"]:
            again = file.part.at("include")
            again.fault(
                "include", "an included file includes others", "include them in the first file"
            )


def included(base: Path, pattern: str) -> list[Path]:
    """The files that a path or pattern below *base* leads to, in the order of their names."""
    if any(char in pattern for char in WILD):
        relative = Path(pattern)
        if relative.is_absolute():
            base, pattern = Path(relative.anchor), str(relative.relative_to(relative.anchor))
        found = (path for path in base.glob(pattern) if not path.name.endswith(TESTS))
        return sorted(path for path in found if not path.is_dir())  # a broken link is to be told
    return [base / pattern] if (base / pattern).is_file() else []


def _read(path: Path, around: Surroundings, found: Files, cure: str) -> File | None:
    found.paths.append(path)
    try:
        text = path.read_bytes()
    except OSError as error:
        found.problem(path, f"the file cannot be read: {error.strerror}", cure)
        found.complete = False
        return None
    return _take(path, text, around, found)


def _take(path: Path, text: bytes, around: Surroundings, found: Files) -> File | None:
    found.texts.append(text)
    document = read_document(text, str(path))
    found.problems.extend(document.problems)
    if document.problems and document.value is None:
        found.complete = False
        return None
    part = Part(document, path.parent, around, problems=found.problems)
    file = File(part, _sections(document.value, part))
    found.files.append(file)
    return file


def _sections(value: Json, part: Part) -> dict[str, Json]:
    """The sections, empty where they are missing or no such thing, which is noted.

    They are checked part by part afterwards, so that a fault in one hides none in another.
    """
    frame = value
    if isinstance(value, dict):
        frame = {
            key: SECTIONS[key]() if isinstance(section, SECTIONS.get(key, type(None))) else section
            for key, section in value.items()
        }
        if isinstance(value.get("include"), list):
            frame["include"] = value["include"]
        if isinstance(value.get("lists"), dict):
            frame["lists"] = value["lists"]
    _, problems = shaped(RoutesFile, {} if frame is None else frame, part.document, ())
    part.problems.extend(problems)
    whole = value if isinstance(value, dict) else {}
    return {
        key: whole[key] if isinstance(whole.get(key), kind) else kind()
        for key, kind in SECTIONS.items()
    }
