"""Sources of routes.yaml: how each is verified and read."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Literal

from gateway.config.conformance import conformance
from gateway.config.event_types import Types
from gateway.config.expressions import Expressions
from gateway.config.handshakes import build_handshakes, described, is_oracle, secret_file
from gateway.config.part import Part
from gateway.config.polls import build_poll
from gateway.config.shapes import EventShape, SourceShape
from gateway.config.verifiers import (
    VerifierBuilder,
    carries_id,
    combined,
    is_sns,
    networks,
    presets,
    window_of,
)
from gateway.config.verify_shapes import (
    AddressAllow,
    MessageSignatureVerify,
    PresetVerify,
)
from gateway.core.computed import Compute
from gateway.core.conformance import Conformance
from gateway.core.egress import Network
from gateway.core.handshake import NoChallenge
from gateway.core.model import SECOND
from gateway.core.routes import EventCase, Source
from gateway.core.schemes.credentials import TokenVerifier
from gateway.core.schemes.sns import subscribe_url
from gateway.core.verifying import Verifier

SIGNED_CONTENT = "signed-content"
POLLED_WINDOW = 15 * 24 * 3600 * SECOND
"""What was kept, and not acknowledged before a crash, is told again for as long as its service keeps it: Getty's, 14 days."""


@cache
def source_expressions() -> Expressions:
    """What `${…}` sees in a source."""
    return Expressions(["body", "headers"])


@cache
def each_expressions() -> Expressions:
    """What it sees where there are items."""
    return Expressions(["body", "headers", "item"])


def build_source(name: str, shape: SourceShape, part: Part, types: Types) -> Source | None:
    """The source that *shape* describes; None where it cannot be built, which is noted."""
    if shape.poll is not None:
        return _polled(name, shape, part, types)
    shaken = described(shape, part.at("handshake"))
    file = secret_file(shape, [each for each, _ in shaken], part.base)
    verifier, allowed = _verifier(name, shape, part, awaited=file)
    cases = _cases(shape, part.at("event"))
    key = shape.dedupe.key
    dedupe_key = None
    if key is not None and key != SIGNED_CONTENT:
        expressions = each_expressions() if _has_items(shape) else source_expressions()
        dedupe_key = part.at("dedupe", "key").compute(key, expressions)
    if verifier is None:
        return None
    _check_replays(verifier, shape, cases, part)
    handshakes = build_handshakes(shaken, verifier, file)
    if any(is_oracle(each) for each, _ in shaken):
        verifier = combined(verifier, [NoChallenge()])
    return Source(
        name=name,
        verifier=verifier,
        proof=_proof(shape),
        verified=shape.verify != "none"
        or any(not isinstance(each, AddressAllow) for each in shape.also),
        networks=allowed,
        handshakes=handshakes,
        confirmation=subscribe_url if is_sns(verifier) else None,
        secret_file=None if file is None else str(file),
        cases=cases,
        dedupe_key=dedupe_key,
        dedupe_window=shape.dedupe.window,
        signed_content_key=key == SIGNED_CONTENT,
        ack=shape.ack,
        body_bytes=shape.max_body,
        conformance=_conformance(shape, types),
        rate=shape.rate,
        silent_after=shape.silent_after,
        content_types=_content_types(shape, verifier),
        gzip=shape.content_encoding == "gzip",
        strict_json=shape.verify == "none" if shape.strict_json is None else shape.strict_json,
        reject_unreadable=shape.on_unreadable == "reject",
    )


def _conformance(shape: SourceShape, types: Types) -> Conformance | None:
    return None if shape.validate_ is None else conformance(shape.validate_, types.schema)


def _polled(name: str, shape: SourceShape, part: Part, types: Types) -> Source | None:
    """A source that is asked."""
    assert shape.poll is not None  # noqa: S101  # the caller saw to it
    poll = build_poll(name, shape.poll, part.at("poll"), source_expressions())
    cases = _cases(shape, part.at("event"))
    key = shape.dedupe.key
    if key is not None and key != SIGNED_CONTENT:
        expressions = each_expressions() if _has_items(shape) else source_expressions()
        dedupe_key = part.at("dedupe", "key").compute(key, expressions)
    else:
        dedupe_key = None
    if poll is None:
        return None
    if poll.preset == "http" and key is None and any(c.type and c.id is None for c in cases):
        part.at("event").warning(
            "no-idempotency-key",
            "nothing tells what is there at each poll from what is new: it makes events each time",
            "map `id: ${…}`, or set `dedupe: {key: ${…}}`",
        )
    spelled_out = "window" in shape.dedupe.model_fields_set
    return Source(
        name=name,
        verifier=TokenVerifier(()),  # no request comes in by it
        proof=poll.preset,
        poll=poll,
        cases=cases,
        dedupe_key=dedupe_key,
        dedupe_window=shape.dedupe.window if spelled_out else POLLED_WINDOW,
        signed_content_key=key == SIGNED_CONTENT,
        conformance=_conformance(shape, types),
        silent_after=shape.silent_after,
        content_types=frozenset(each.strip().lower() for each in shape.content_types),
        strict_json=bool(shape.strict_json),
    )


def _content_types(shape: SourceShape, verifier: Verifier) -> frozenset[str]:
    """Media types read as JSON; Amazon SNS says of its JSON that it is plain text."""
    said = {"text/plain"} if is_sns(verifier) else set()
    return frozenset(said | {each.strip().lower() for each in shape.content_types})


def _has_items(shape: SourceShape) -> bool:
    """Whether every event of this source is an item of an `each`, so that its key may speak of it."""
    cases = shape.event if isinstance(shape.event, list) else [shape.event]
    return all(case is not None and (case.ignore or case.each is not None) for case in cases)


def _cases(shape: SourceShape, part: Part) -> tuple[EventCase, ...]:
    """The cases of `event:`; those that cannot be reached are noted."""
    if shape.event is None:
        return ()
    if isinstance(shape.event, EventShape):
        return (_case(shape.event, part),)
    for i, case in enumerate(shape.event[:-1]):
        if case.when is None:
            what = "no case after this one is ever reached"
            part.at(i).fault("unreachable-case", what, "add `when:`, or move it to the end")
    return tuple(_case(case, part.at(i)) for i, case in enumerate(shape.event))


def _case(shape: EventShape, part: Part) -> EventCase:
    expressions = source_expressions() if shape.each is None else each_expressions()

    def compute(name: str) -> Compute | None:
        template = getattr(shape, name)
        return None if template is None else part.at(name).compute(template, expressions)

    when, each = shape.when, shape.each
    return EventCase(
        when=None if when is None else part.at("when").condition(when, source_expressions()),
        each=None if each is None else part.at("each").compute(each, source_expressions()),
        type=compute("type"),
        id=compute("id"),
        subject=compute("subject"),
        time=compute("time"),
        data=_data(shape, compute),
    )


def _data(
    shape: EventShape, compute: Callable[[str], Compute | None]
) -> Compute | Literal["body", "item"] | None:
    """What computes the data: spliced from the body where it is all of it, or one item."""
    if shape.each is None and shape.data in (None, "${body}"):
        return "body"
    if shape.each is not None and shape.data in (None, "${item}"):
        return "item"
    return compute("data")


def _proof(shape: SourceShape) -> str:
    """How requests are verified, in words: `github`, or `hmac and ip`."""
    words = [
        each if isinstance(each, str)
        else each.preset if isinstance(each, PresetVerify) else each.scheme
        for each in (shape.verify, *shape.also)
    ]  # fmt: skip
    return " and ".join(word for word in words if word != "none") or "none"


def _verifier(
    name: str, shape: SourceShape, part: Part, *, awaited: Path | None
) -> tuple[Verifier | None, tuple[Network, ...]]:
    """What proves this sender, and the addresses that it may come from (none: any)."""
    around = part.around.public_url
    builder = VerifierBuilder(shape.public_url or (f"{around}/in/{name}" if around else ""))
    if awaited is not None and not os.path.exists(awaited):  # noqa: PTH110  # a name may be too long
        what = f"its secret has not come yet: until a handshake brings it, {awaited} is not there"
        part.at("verify").warning("secret-awaited", what, "create the webhook at the sender now")
        verifier: Verifier | None = TokenVerifier(())  # which nobody has
    else:
        verifier = builder.build(shape.verify, part.at("verify"))
    others: list[Verifier] = []
    allowed: list[Network] = []
    for i, each in enumerate(shape.also):
        if isinstance(each, AddressAllow):
            allowed += networks(each, part.at("also", i))
        elif (other := builder.build(each, part.at("also", i))) is None:
            verifier = None
        else:
            others.append(other)
    if shape.verify == "none" and not others:
        part.at("verify").warning(
            "unverified",
            "anyone at these addresses can post to this source"
            if allowed
            else "anyone who reaches the gateway can post to this source",
            "verify it unless something before the gateway does",
        )
    _check_covers(shape, part.at("verify"))
    return None if verifier is None else combined(verifier, others), tuple(allowed)


def _check_covers(shape: SourceShape, part: Part) -> None:
    """A message signature leaves the body unproven unless it is made to cover its digest."""
    match shape.verify:
        case MessageSignatureVerify(covers=None):
            pass
        case PresetVerify(preset=name, covers=None) if _is_message_signature(name):
            pass
        case _:
            return
    what = "nothing here says that the signature has to cover the body"
    part.fault("covers-missing", what, "add `covers: [content-digest]`, or spell out `covers: []`")


def _is_message_signature(preset: str) -> bool:
    return presets().get(preset, {}).get("scheme") == "httpsig"


def _check_replays(
    verifier: Verifier, shape: SourceShape, cases: tuple[EventCase, ...], part: Part
) -> None:
    """A request that is sent twice must be known again for as long as it is taken."""
    window = window_of(verifier)
    least = 0 if window is None else 2 * max(window.past, window.future)
    if shape.dedupe.window < least:
        part.at("dedupe", "window").fault(
            "dedupe-window",
            "a request could be sent again after this, and still be taken",
            f"write at least {-(-least // SECOND)}s, twice the tolerance of its timestamp",
        )
    nameless = [i for i, case in enumerate(cases) if case.type is not None and case.id is None]
    if (
        nameless
        and shape.verify != "none"
        and shape.dedupe.key is None
        and not carries_id(verifier)
    ):
        at = part.at("event", nameless[0]) if isinstance(shape.event, list) else part.at("event")
        at.warning(
            "no-idempotency-key",
            "nothing tells a request that is sent twice from two: it makes two events",
            "map `id: ${…}` to the sender's own id, or set `dedupe: {key: ${…}}`",
        )
