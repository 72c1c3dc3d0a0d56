"""The tests beside routes: `tests:` of the routes files, and those in `*.routes-test.yaml` beside them.

What is read here has its shape, and its names are known. gateway/examples.py tries it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.config.document import read_document
from gateway.config.faults import shaped
from gateway.config.files import TESTS, Files
from gateway.config.nearest import nearest
from gateway.config.part import Part
from gateway.config.shapes import ExampleShape, RoutesTestFile
from gateway.core.derived import OWN_SOURCE
from gateway.core.errors import Problem
from gateway.core.model import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An event, or a request that makes some, and where it has to go."""

    name: str
    part: Part
    source: str
    event: Mapping[str, Json] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of a request, where there is no event; its body is `body`."""
    body: Json = None
    routes: tuple[str, ...] = ()
    """The routes that count; none named: all."""
    expect: tuple[str, ...] = ()
    """The endpoints, each as often as there are deliveries to it."""
    known: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    """What the register knows before, by collection and key."""
    plans: tuple[str, ...] | None = None
    """The types of the events that the gateway makes of it; None: any."""


@dataclass(slots=True)
class Examples:
    """The tests of a routes file, and what is wrong with them."""

    found: list[Example] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_examples(files: Files) -> Examples:
    """The tests of these files, and of those for tests in their folders."""
    examples = Examples()
    if not files.files:
        return examples
    sources, endpoints = (
        [name for file in files.files for name in file.sections[section]]
        for section in ("sources", "endpoints")
    )
    for value, part in (*_within(files, examples), *_beside(files, examples)):
        shape, problems = shaped(ExampleShape, value, part.document, part.path)
        part.problems.extend(problems)
        if shape is not None:
            example = _example(shape, part, sources, endpoints)
            _check_routes(shape, files, part)
            if not problems and example is not None:
                examples.found.append(example)
    return examples


def _within(files: Files, examples: Examples) -> Iterator[tuple[Json, Part]]:
    for file in files.files:
        for i, value in enumerate(file.sections["tests"]):
            part = Part(file.part.document, file.part.base, file.part.around)
            yield value, _with(part, examples).at("tests", i)


def _beside(files: Files, examples: Examples) -> Iterator[tuple[Json, Part]]:
    around = files.files[0].part.around
    folders = dict.fromkeys(path.parent for path in files.paths)
    for path in (path for folder in folders for path in sorted(folder.glob(f"*{TESTS}"))):
        try:
            text = path.read_bytes()
        except OSError as error:
            what = f"the file cannot be read: {error.strerror}"
            examples.problems.append(
                Problem(file=str(path), line=0, column=0, code="no-file", what=what, cure="make it readable")
            )  # fmt: skip
            continue
        document = read_document(text, str(path))
        examples.problems.extend(document.problems)
        if document.problems:
            continue
        tests = document.value.get("tests") if isinstance(document.value, dict) else None
        frame = document.value
        if isinstance(tests, list) and tests:  # each by itself, so that a fault in one hides none
            stand_in = {"name": "x", "event": {}, "expect": []}
            frame = {**document.value, "tests": [stand_in]}
        _, problems = shaped(RoutesTestFile, {} if frame is None else frame, document, ())
        examples.problems.extend(problems)
        part = _with(Part(document, path.parent, around), examples)
        for i, value in enumerate(tests if isinstance(tests, list) else []):
            yield value, part.at("tests", i)


def _with(part: Part, examples: Examples) -> Part:
    """A part whose problems are those of the tests: they are none of the routes."""
    return Part(part.document, part.base, part.around, part.path, examples.problems)


def _example(
    shape: ExampleShape, part: Part, sources: Sequence[str], endpoints: Sequence[str]
) -> Example | None:
    """The test that a shape describes; None where its source is not known, which is noted."""
    for i, name in enumerate(shape.expect):
        if name not in endpoints:
            cure = nearest(name, endpoints)
            part.at("expect", i).fault("unknown-endpoint", f'there is no endpoint "{name}"', cure)
    if shape.event is not None:
        _check_event(shape.event, shape.source, sources, part.at("event"))
    source = shape.source or next(iter(sources), "")
    if source not in (*sources, OWN_SOURCE):
        what = (
            f'there is no source "{source}"'
            if source
            else "there is no source that it could come from"
        )
        place = part.at("source") if shape.source else part
        place.fault("unknown-source", what, nearest(source, sources))
        return None
    return Example(
        name=shape.name,
        part=part,
        source=source,
        event=shape.event,
        headers={} if shape.request is None else shape.request.headers,
        body=None if shape.request is None else shape.request.body,
        routes=tuple(shape.routes or ()),
        expect=tuple(shape.expect),
        known=shape.known,
        plans=None if shape.plans is None else tuple(shape.plans),
    )


def _check_routes(shape: ExampleShape, files: Files, part: Part) -> None:
    if shape.routes is None:
        return
    routes = [route for file in files.files for route in file.sections["routes"]]
    known = [str(route.get("name")) for route in routes if isinstance(route, dict)]
    for i, name in enumerate(shape.routes):
        if name not in known:
            cure = nearest(name, known)
            part.at("routes", i).fault("unknown-route", f'there is no route "{name}"', cure)


def _check_event(
    event: Mapping[str, Json], source: str | None, sources: Sequence[str], part: Part
) -> None:
    if "type" not in event:
        part.fault("missing-key", 'the key "type" is missing', "add `type: …`", key=True)
    named = event.get("source")
    if named in (*sources, OWN_SOURCE) and source is None:
        what = f'"{named}" is a source of the gateway; in an event, `source` is what its sender calls itself'
        cure = f"write `source: {named}` beside `event:`"
        part.at("source").fault("test-input", what, cure, key=True)
    if "origin" in event:
        what, cure = "no event has `origin`", "write `source`: patterns see that as `origin`"
        part.at("origin").fault("test-input", what, cure, key=True)
