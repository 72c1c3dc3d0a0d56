"""`await:` of a route: what it waits for, core/awaits.py."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gateway.config.endpoints import event_expressions
from gateway.config.expressions import Expressions
from gateway.config.nearest import nearest
from gateway.config.part import Part
from gateway.config.plan_shapes import AwaitShape, DecideShape, EmitShape
from gateway.config.schedules import build_emit
from gateway.config.shapes import RouteShape, TargetShape
from gateway.config.syntax import Call, Constant, Node, parsed
from gateway.core.awaits import Await, Hears
from gateway.core.pattern import Pattern
from gateway.core.plans import Emit

SENT = re.compile(r"\$\{[^}]*(?<![\w.])callback\b")
"""Where any link is sent, or all of them."""
LINK = re.compile(r"(?<![\w.])callback\.(\w+)")
Patterns = Callable[[Mapping[str, Any], Part], Pattern | None]


def build_await(route: RouteShape, part: Part, pattern: Patterns) -> Await | None:
    """What a route waits for; what is wrong with it is noted. None: nothing, or that cannot be built."""
    shape = route.await_
    if shape is None:
        return None
    below = part.at("await")
    knows = route.remember is not None or bool(route.known)
    expressions = event_expressions(knows=knows)
    with_links = event_expressions(knows=knows, asks=True)
    key = below.at("key").compute(shape.key, expressions)
    answers = {
        name: _event(each, expressions, below.at("answers", name))
        for name, each in shape.answers.items()
    }
    otherwise = _event(shape.else_, expressions, below.at("else"))
    escalations = [
        (each.after, _event(each.emit, with_links, below.at("escalate", i, "emit")))
        for i, each in enumerate(shape.escalate)
    ]
    hears = None if shape.decide is None else _hears(shape.decide, below.at("decide"), pattern)
    if hears is not None and shape.decide is not None:
        _check_told(shape.decide.answer, list(shape.answers), below.at("decide", "answer"))
    _check_answerable(route.to, shape, below)
    _check_later(shape, below)
    if key is None or otherwise is None:
        return None
    return Await(
        route=route.name,
        key=key,
        answers={name: emit for name, emit in answers.items() if emit is not None},
        within=shape.within,
        otherwise=otherwise,
        escalations=tuple((after, emit) for after, emit in escalations if emit is not None),
        hears=hears,
    )


def _event(shape: str | EmitShape, expressions: Expressions, part: Part) -> Emit | None:
    if isinstance(shape, EmitShape):
        if shape.when is not None:
            cure = "remove it: what is answered comes; a route that hears it may have a `when`"
            part.at("when").fault("await-when", "nothing of a question comes on a condition", cure)
        return build_emit(shape, expressions, part)
    kind = part.compute(shape, expressions)
    return None if kind is None else Emit(type=kind)


def _hears(shape: DecideShape, part: Part, pattern: Patterns) -> Hears | None:
    given, seen = shape.model_fields_set, event_expressions()
    matched = pattern(shape.match, part.at("match"))
    key = part.at("key").compute(shape.key, seen)
    answer = part.at("answer").compute(shape.answer, seen)
    by = part.at("by").compute(shape.by, seen) if "by" in given else None
    reason = part.at("reason").compute(shape.reason, seen) if "reason" in given else None
    if matched is None or key is None or answer is None:
        return None
    return Hears(pattern=matched, key=key, answer=answer, by=by, reason=reason)


def _check_told(text: str, answers: Sequence[str], part: Part) -> None:
    """What an event tells has to be an answer, as far as that stands there."""
    for name in _told_by(text):
        if name and name not in answers:
            part.fault("unknown-answer", f'there is no answer "{name}"', nearest(name, answers))


def _check_later(shape: AwaitShape, part: Part) -> None:
    """What comes where nobody answers is a type of event, and no answer."""
    later = [(each.emit, part.at("escalate", i, "emit")) for i, each in enumerate(shape.escalate)]
    for kind, place in [(shape.else_, part.at("else")), *later]:
        if isinstance(kind, str) and kind in shape.answers:
            what = f'"{kind}" is an answer, and here stands what comes of none: a type of event'
            place.warning("await-type", what, f"write `{_type_of(shape.answers[kind])}`, say")


def _type_of(answer: str | EmitShape) -> str:
    return answer if isinstance(answer, str) else answer.type


def _told_by(text: str) -> list[str]:
    """The names of answers that an expression may come to, as far as they stand there."""
    pieces = event_expressions().sources(text)
    whole = len(pieces) == 1 and not event_expressions().literals(text)
    return list(_results(parsed(pieces[0]))) if whole else []


def _results(node: Node) -> Iterator[str]:
    match node:
        case Constant(value) if isinstance(value, str):
            yield value
        case Call("_?_:_", None, (_, *branches)):
            for branch in branches:
                yield from _results(branch)


def _check_answerable(to: Sequence[str | TargetShape], shape: AwaitShape, part: Part) -> None:
    """Somebody has to be sent a link, or an event has to tell the answer."""
    linked = SENT.search(str(to)) is not None
    if not linked and shape.decide is None:
        cure = 'send a link, `call: {json: {approve: "${callback.approve}"}}` say, or add `decide:`'
        part.warning("await-unanswered", "nobody learns how to answer", cure)
    for name in dict.fromkeys(LINK.findall(f"{to} {shape.escalate}")):
        if name not in (*shape.answers, "url"):
            what = f'there is no answer "{name}", and so no link `callback.{name}`'
            part.fault("unknown-answer", what, nearest(name, list(shape.answers)))
    if linked and not part.around.public_url:
        what = "its links lead to where the gateway listens, which others may not reach"
        part.warning("await-public-url", what, "set --public-url")
