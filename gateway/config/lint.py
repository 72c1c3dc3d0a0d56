"""Warnings: what a routes file may say, and yet can hardly mean.

They keep no file from being used. `# lint: allow CODE`, behind a line or alone above it, silences one.

Each route costs about the same, however many there are. That goes for routes that others shadow, too:
for each, the index is asked which routes match the least event that it matches itself, and only those
are compared with it.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from gateway.config.document import ALLOWED, Path
from gateway.config.evidence import Evidence
from gateway.config.known_data import (
    KnownData,
    Made,
    made_by_emits,
    made_by_source,
    types_wanted,
)
from gateway.config.lint_expressions import check_conditions, check_template
from gateway.config.lint_match import (
    Nested,
    check_attributes,
    check_stars,
    uses,
)
from gateway.config.lint_names import check_known, check_plan, collections_of
from gateway.config.lint_rules import RuleChecks
from gateway.config.lint_types import TypeChecks
from gateway.config.nearest import nearest
from gateway.config.operator_words import check_nested
from gateway.config.part import Part
from gateway.config.routes import Loaded
from gateway.config.traps import flow
from gateway.core.covering import covers, example_of
from gateway.core.derived import OWN_SOURCE
from gateway.core.errors import Problem
from gateway.core.grammar import Place
from gateway.core.model import Json
from gateway.core.pattern import Condition, Pattern
from gateway.core.routes import Route, Routes

MOST_ALIKE = 50
"""So many warnings of one kind are told, and the number of the others."""
MOST_LOOKED_UP = 500
MOST_COMPARISONS = 1_000_000
"""Of routes, in search of those that others shadow; identical ones are found in any case."""
CODES = frozenset(
    {"route-unreachable", "alternative-unreachable", "alternative-redundant", "route-duplicate",
     "route-shadowed", "route-scans", "endpoint-unused", "source-unmatched", "list-unused",
     "operator-misspelt", "attribute-unknown", "literal-wildcard", "literal-expression",
     "allow-unknown", "anything-but-array", "number-as-text", "truth-as-text", "unverified", "egress",
     "include", "no-idempotency-key", "no-trusted-proxy", "secret-awaited",
     "tls-unverified", "await-unanswered", "await-public-url", "await-type", "unknown-field", "value-impossible",
     "unknown-type", "unknown-name", "each-no-list"}
)  # fmt: skip
"""All warnings, those that are given elsewhere too: what a comment may silence."""
MOST_PAIRS = 200_000
"""Of what sources send and what routes want of source and type."""


def lint(loaded: Loaded, evidence: Evidence | None = None) -> list[Problem]:
    """The warnings about a file that has no errors, in no order."""
    if loaded.routes is None:
        return []
    linter = _Linter(loaded, loaded.routes, evidence or Evidence())
    return [*linter.run(), *_unknown_codes(loaded)]


def allowed(problem: Problem, loaded: Loaded) -> bool:
    """Whether a comment in the file says not to give that warning."""
    return problem.severity == "warning" and any(
        file.part.document.name == problem.file
        and file.part.document.allows(problem.line, problem.code)
        for file in loaded.files.files
    )


def _unknown_codes(loaded: Loaded) -> Iterator[Problem]:
    """Comments that are to silence what no warning is called."""
    for document in (file.part.document for file in loaded.files.files):
        for number, line in enumerate(document.lines if "lint:" in document.text else []):
            found = ALLOWED.search(line)
            for code in re.split(r"[\s,]+", found[1]) if found else []:
                if code not in CODES:
                    yield Problem(
                        file=document.name, line=number + 1, column=line.index(code) + 1,
                        code="allow-unknown", what=f'no warning has the code "{code}"',
                        cure=nearest(code, list(CODES)), severity="warning",
                    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Found:
    """A warning, with the part that it is about, or its key."""

    part: Part
    key: bool
    what: str
    cure: str

    def problem(self, code: str) -> Problem:
        document = self.part.document
        problem = document.problem(self.part.path, code, self.what, self.cure, key=self.key)
        return replace(problem, severity="warning")


@dataclass(slots=True)
class _Warnings:
    """Those that were found. Where they stand is only looked up for those that are told."""

    found: dict[str, dict[tuple[int, Path, str], _Found]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    """By code: each but once."""

    def warning(self, code: str, what: str, cure: str, part: Part, *, key: bool = False) -> None:
        """Note one with a part, or with its key."""
        self.found[code][id(part.document), part.path, what] = _Found(part, key, what, cure)

    def problems(self) -> Iterator[Problem]:
        """The first of each code, and the number of the others."""
        for code, found in self.found.items():
            told = 0
            for i, each in enumerate(found.values()):
                problem = each.problem(code)
                if each.part.document.allows(problem.line, code):
                    continue
                if told == MOST_ALIKE:
                    what = f"there are {len(found) - i:,} more of these"
                    yield replace(problem, what=what, cure="mend the first, and check again")
                    break
                told += 1
                yield problem


class _Linter:
    """One file being looked at."""

    def __init__(self, loaded: Loaded, routes: Routes, evidence: Evidence) -> None:
        self._loaded = loaded
        self._routes = routes
        self._evidence = evidence
        self._warnings = _Warnings()
        self.warning = self._warnings.warning
        self._written: list[Mapping[str, Json]] = [_at(part) for part in loaded.parts]
        self._used_lists: set[str] = set()
        self._unreachable: set[int] = set()

    def run(self) -> list[Problem]:
        self._note_lists()
        known = [*self._routes.sources, OWN_SOURCE] if self._routes.sources else []
        rules = RuleChecks(known, self._evidence, self.warning)
        types = self._type_checks()
        collections = {name for written in self._written for name in collections_of(written)}
        for number, (route, part, written) in enumerate(
            zip(self._routes.routes, self._loaded.parts, self._written, strict=True)
        ):
            self._check_written(written["match"], part)
            self._check_computed(written, part)
            check_known(written, part, collections, self.warning)
            if not rules.check(route.pattern, written["match"], part.at("match")):
                self._unreachable.add(number)
            types.check_pattern(route.pattern, written["match"], part.at("match"))
            types.check_route(written, route.pattern, part)
            if route.awaits is not None and route.awaits.hears is not None:
                place = part.at("await", "decide")
                rules.check(route.awaits.hears.pattern, _at(place)["match"], place.at("match"))
                types.check_decide(_at(place), route.awaits.hears.pattern, place)
        self._check_schedules(types)
        for section, keys in (("endpoints", ("body",)), ("sources", ("event", "dedupe"))):
            for _, part in self._sections(section):
                for key in keys:
                    template = _at(part).get(key)
                    check_template(template, part.at(key), self._evidence, self.warning)
        self._check_scans()
        self._check_shadows()
        self._check_lists()
        if self._routes.routes:
            self._check_endpoints()
            self._check_sources()
        return list(self._warnings.problems())

    def _type_checks(self) -> TypeChecks:
        emitted = [*self._emitted()]
        made = [each for each, _ in emitted]
        for name, part in self._sections("sources"):
            made += made_by_source(name, _at(part))
        known = KnownData(self._loaded.types, made, list(self._routes.sources))
        types = TypeChecks(known, self._evidence, self.warning)
        wanted = {name for each in _patterns_of(self._routes) for name in types_wanted(each)}
        for each, part in emitted:
            if each.type not in wanted:
                types.check_made(each.type, part)
        return types

    def _emitted(self) -> Iterator[tuple[Made, Part]]:
        """The types of events that the gateway makes by these files, each with its place."""
        for _, part in self._sections("schedules"):
            yield from made_by_emits(_at(part), part)
        for written, part in zip(self._written, self._loaded.parts, strict=True):
            yield from made_by_emits(written, part)
            for i, target in enumerate(written.get("to", ())):
                if isinstance(target, dict):
                    yield from made_by_emits(target, part.at("to", i))

    def _check_schedules(self, types: TypeChecks) -> None:
        written = dict(self._sections("schedules"))
        for schedule in self._routes.schedules.all:
            part = written[schedule.name]
            patterns = {"match": schedule.pattern, "cancel": schedule.cancel}
            for key, pattern in patterns.items():
                if pattern is not None:
                    types.check_pattern(pattern, _at(part)[key], part.at(key))
            known = [pattern for pattern in patterns.values() if pattern is not None]
            types.check_schedule(_at(part), known, part)
            check_plan(_at(part), part, self.warning)

    def _note_lists(self) -> None:
        for written in self._written:
            self._evidence.note_lists(str(written.get("when", "")))
            for target in written.get("to", ()):
                if isinstance(target, dict):
                    self._evidence.note_each(str(target.get("each", "")))
                    self._evidence.note_lists(str(target.get("when", "")))

    def _check_written(self, match: Mapping[str, Json], part: Part) -> None:
        check_attributes(match, part.at("match"), self._evidence, self.warning)
        told: Place | None = None
        for use in uses(match):
            if told is not None and use.place[: len(told)] == told:
                continue
            if isinstance(use, Nested):
                if check_nested(use, part, self._evidence, self.warning):
                    told = use.place
                continue
            if use.operator == "in" and isinstance(use.argument, str):
                self._used_lists.add(use.argument)
            elif use.argument.__class__ is not int:
                check_stars(use, part, self.warning)

    def _check_computed(self, route: Mapping[str, Json], part: Part) -> None:
        check_conditions(route, part, self._evidence, self.warning)
        for i, target in enumerate(route.get("to", ())):
            if isinstance(target, dict):
                check_conditions(target, part.at("to", i), self._evidence, self.warning)

    # -- routes that only scan -----------------------------------------------------------------------

    def _check_scans(self) -> None:
        for number in self._routes.index.scanned:
            route, part = self._routes.routes[number], self._loaded.parts[number]
            everything = any(not rule for rule in route.pattern.rules)
            if number in self._unreachable or (everything and route.when is None):
                continue  # it has been told, or is for all events
            what = "this route is looked at for every event: its match has nothing to find it by"
            cure = "add a value, a prefix or a range of a field, such as type"
            if route.when is not None:
                what = "its `when` is asked for every event: its match has nothing to find it by"
                cure = _for_match(route.written.get("when", "")) or cure
            self.warning("route-scans", what, cure, part.at("match"), key=True)

    # -- routes that say what others say ---------------------------------------------------------------

    def _check_shadows(self) -> None:
        sends = [
            [] if number in self._unreachable else _sends(route, written, self._routes)
            for number, (route, written) in enumerate(
                zip(self._routes.routes, self._written, strict=True)
            )
        ]
        for number, other in _shadows(self._routes, sends):
            route, part = self._routes.routes[number], self._loaded.parts[number]
            wide = self._routes.routes[other]
            names = sorted(
                {send.endpoint for send in sends[number] if _sent_by(send, sends[other])}
            )
            told = f'"{wide.name}"{self._place(other, part)}'
            is_same = set(sends[number]) == set(sends[other]) and _is_equal(route, wide)
            if is_same:
                what = f"{told} is the same route: {_and(names)} would get each event twice"
                self.warning("route-duplicate", what, "remove one of them", part.at("name"))
            else:
                what = f"{told} sends all that it matches to {_and(names)} too, which get it twice"
                cure = f"remove {_and(names)} here, or have one of the two match less"
                self.warning("route-shadowed", what, cure, part.at("name"))

    def _place(self, number: int, beside: Part) -> str:
        """Where another route stands, in brackets; of very many, only the first are looked up."""
        if len(self._warnings.found["route-duplicate"]) > MOST_LOOKED_UP:
            return ""
        part = self._loaded.parts[number]
        line = part.at("name").place().line
        same = part.document is beside.document
        return f" (line {line})" if same else f" ({part.document.name}:{line})"

    # -- what nobody uses --------------------------------------------------------------------------------

    def _check_lists(self) -> None:
        for name, part in self._sections("lists"):
            if name not in self._used_lists:
                what = f'no route uses the list "{name}"'
                cure = f"write `{{in: {name}}}` somewhere, or remove it"
                self.warning("list-unused", what, cure, part, key=True)
            for i, value in enumerate(_at(part)):
                if isinstance(value, str) and "*" in value and value != "*":
                    what = f"the * in {flow(value)} stands for itself"
                    cure = "a list holds values: write a prefix or a wildcard beside `in` in the pattern"
                    self.warning("literal-wildcard", what, cure, part.at(i))

    def _check_endpoints(self) -> None:
        used = {target.endpoint for route in self._routes.routes for target in route.to}
        used |= {query.endpoint for query in self._routes.queries.values()}
        for name, part in self._sections("endpoints"):
            if name not in used:
                what = f'no route sends to "{name}", and no query asks it'
                cure = "add it to the `to` of one, or remove it"
                self.warning("endpoint-unused", what, cure, part, key=True)

    def _check_sources(self) -> None:
        wanted = _wanted_of_sources(_patterns_of(self._routes))
        sources = [(name, part, _types_of(_at(part))) for name, part in self._sections("sources")]
        if len(wanted) * len(sources) > MOST_PAIRS:
            return
        for name, part, types in sources:
            choices = [c for c in wanted if all(each.accepts([name]) for each in c.source)]
            if not choices:
                what = f'no route matches events of "{name}"'
                cure = "add one, or remove the source"
                self.warning("source-unmatched", what, cure, part, key=True)
                continue
            for event_type in types:
                if not any(all(e.accepts([event_type]) for e in c.type) for c in choices):
                    what = f'no route matches the events of "{name}" of type "{event_type}"'
                    cure = "mend the type here or in a route, or add one"
                    self.warning("source-unmatched", what, cure, part.at("event"), key=True)

    def _sections(self, name: str) -> Iterator[tuple[str, Part]]:
        for file in self._loaded.files.files:
            for each in file.sections[name]:
                yield each, file.part.at(name, each)


# -- what a route sends --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Send:
    """Something that a route sends to an endpoint."""

    endpoint: str
    what: str
    """A call, arguments and items, as written; nothing where it is the event."""
    when: str
    """The conditions and `once` of route and target, as written."""


def _sends(route: Route, written: Mapping[str, Json], routes: Routes) -> list[_Send]:
    if route.shadow:
        return []
    conditions = "".join(f"{name}: {text}\n" for name, text in route.written.items())
    found = []
    for each in written.get("to", ()):
        if isinstance(each, str):
            found.append(_Send(each, "", conditions))
            continue
        what = "".join(f"{n}: {each[n]!r}\n" for n in ("call", "with", "each") if n in each)
        when = f"{conditions}target: {each['when']}\n" if "when" in each else conditions
        names = [each["endpoint"]] if "endpoint" in each else _members(each["group"], routes)
        found += [_Send(name, what, when) for name in names]
    return found


def _members(group: str, routes: Routes) -> list[str]:
    return [name for name, endpoint in routes.endpoints.items() if group in endpoint.groups]


def _sent_by(send: _Send, others: Sequence[_Send]) -> bool:
    """Whether others send the same, at least as often."""
    return any(
        each.endpoint == send.endpoint and each.what == send.what and each.when in ("", send.when)
        for each in others
    )


_Identity: TypeAlias = frozenset[frozenset[int]]


def _shadows(routes: Routes, sends: Sequence[Sequence[_Send]]) -> Iterator[tuple[int, int]]:
    """Routes, by number, each with one that sends some of the same for all that it matches."""
    alike: dict[_Identity, list[int]] = defaultdict(list)
    candidates: dict[_Identity, list[int]] = {}
    left = MOST_COMPARISONS
    for number, route in enumerate(routes.routes):
        if not sends[number]:
            continue
        identity = _identity(route.pattern)
        twins = alike[identity]
        twin = next((other for other in twins if _overlap(sends[number], sends[other])), None)
        if twin is not None:
            yield number, twin
            continue
        if len(twins) < MOST_ALIKE:
            twins.append(number)
        if left <= 0:
            continue
        if identity not in candidates:
            candidates[identity] = _candidates(routes, route.pattern)
            left -= len(routes.index.scanned)
        left -= len(candidates[identity]) + 1
        for other in candidates[identity]:
            if other == number or not _overlap(sends[number], sends[other]):
                continue
            wide = routes.routes[other].pattern
            # Of two that match the same, the later one is told.
            if _covers(wide, route.pattern) and (
                other < number or not _covers(route.pattern, wide)
            ):
                yield number, other
                break


def _identity(pattern: Pattern) -> _Identity:
    """What two patterns have in common that are the same but for order: they share their parts."""
    return frozenset(frozenset(map(id, rule)) for rule in pattern.rules)


def _overlap(some: Sequence[_Send], others: Sequence[_Send]) -> bool:
    return any(_sent_by(send, others) for send in some)


def _candidates(routes: Routes, pattern: Pattern) -> list[int]:
    """The routes that match an event that this pattern matches: those that match less are not among them."""
    example = example_of(pattern.rules[0]) if pattern.rules else None
    return [] if example is None else routes.index.match(example)


def _covers(wide: Pattern, narrow: Pattern) -> bool:
    return all(any(covers(one, rule) for one in wide.rules) for rule in narrow.rules)


def _is_equal(route: Route, other: Route) -> bool:
    return _covers(other.pattern, route.pattern) and _covers(route.pattern, other.pattern)


def _and(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


_SIMPLE = re.compile(r"""^\s*event\.(type|source|subject)\s*==\s*(["'])([^"'\\]+)\2\s*(?:$|&&)""")


def _for_match(when: str) -> str:
    """The cure where a condition begins with what a pattern says better."""
    found = _SIMPLE.match(when)
    if found is None:
        return ""
    return f"write `match: {{{found[1]}: {flow(found[3])}}}`, and leave that out of `when`"


# -- what sources send -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a rule wants of the source and of the type."""

    source: tuple[Condition, ...]
    type: tuple[Condition, ...]


def _patterns_of(routes: Routes) -> Iterator[Pattern]:
    """Whatever wants an event: routes, the answers that they wait for, schedules."""
    for route in routes.routes:
        yield route.pattern
        if route.awaits is not None and route.awaits.hears is not None:
            yield route.awaits.hears.pattern
    for schedule in routes.schedules.all:
        yield schedule.pattern
        if schedule.cancel is not None:
            yield schedule.cancel


def _wanted_of_sources(patterns: Iterable[Pattern]) -> list[_Wanted]:
    """All that rules want of the two, each once."""
    found: dict[tuple[int, ...], _Wanted] = {}
    for pattern in patterns:
        for rule in pattern.rules:
            source = tuple(p for p in rule if isinstance(p, Condition) and p.path == ("source",))
            event_type = tuple(p for p in rule if isinstance(p, Condition) and p.path == ("type",))
            key = (*map(id, source), 0, *map(id, event_type))
            if key not in found:
                found[key] = _Wanted(source, event_type)
    return list(found.values())


def _types_of(source: Mapping[str, Json]) -> list[str]:
    """The types that a source's mapping gives its events, where they are fixed."""
    events = source.get("event")
    cases = events if isinstance(events, list) else [events] if events else []
    types = [case["type"] for case in cases if "type" in case]
    return [each for each in Counter(types) if "${" not in each]


def _at(part: Part) -> Json:
    """What stands at a part."""
    value = part.document.value
    for step in part.path:
        value = value[step]
    return value
