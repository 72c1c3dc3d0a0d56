"""Sources of routes.yaml: how each is verified and read."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from gateway.config.document import Document, read_document
from gateway.config.expressions import Expressions
from gateway.config.faults import nearest
from gateway.config.part import Part, Surroundings
from gateway.config.secrets import SecretBook
from gateway.config.shapes import (
    EventShape,
    HmacVerify,
    PresetVerify,
    SecretReference,
    SignatureShape,
    SourceShape,
    TimestampShape,
    TokenVerify,
)
from gateway.core.egress import EgressPolicy
from gateway.core.model import Json, Micros
from gateway.core.routing import Compute, EventCase, Source
from gateway.core.secret import Key
from gateway.core.signing import SECRET_PREFIX, parse_key
from gateway.core.verifying import (
    PLACEHOLDERS,
    HmacVerifier,
    NoVerifier,
    Signature,
    Timestamp,
    TokenVerifier,
    Verifier,
    split_template,
    unknown_placeholder,
)

SIGNED_CONTENT = "signed-content"


@cache
def presets() -> dict[str, dict[str, Json]]:
    """How known senders sign: the content of presets.yaml."""
    text = (files(__package__) / "presets.yaml").read_bytes()
    document = read_document(text, "presets.yaml")
    known: dict[str, dict[str, Json]] = document.value
    return known


@cache
def source_expressions() -> Expressions:
    """What `${…}` sees in a source."""
    return Expressions(["body", "headers"])


@cache
def each_expressions() -> Expressions:
    """What it sees where there are items."""
    return Expressions(["body", "headers", "item"])


def build_source(name: str, shape: SourceShape, part: Part) -> Source | None:
    """The source that *shape* describes; None where it cannot be built, which is noted."""
    verifier = _verifier(shape, part.at("verify"))
    cases = _cases(shape, part.at("event"))
    key = shape.dedupe.key
    dedupe_key = None
    if key is not None and key != SIGNED_CONTENT:
        expressions = each_expressions() if _has_items(shape) else source_expressions()
        dedupe_key = part.at("dedupe", "key").compute(key, expressions)
    if verifier is None:
        return None
    return Source(
        name=name,
        verifier=verifier,
        verified=shape.verify != "none",
        cases=cases,
        dedupe_key=dedupe_key,
        dedupe_window=shape.dedupe.window,
        signed_content_key=key == SIGNED_CONTENT,
        ack=shape.ack,
        body_bytes=shape.max_body,
        rate=shape.rate,
        gzip=shape.content_encoding == "gzip",
        strict_json=shape.verify == "none" if shape.strict_json is None else shape.strict_json,
        reject_unreadable=shape.on_unreadable == "reject",
    )


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


def _verifier(shape: SourceShape, part: Part) -> Verifier | None:
    match shape.verify:
        case "none":
            part.warning(
                "unverified",
                "anyone who reaches the gateway can post to this source",
                "verify it unless something before the gateway does",
            )
            return NoVerifier()
        case TokenVerify():
            return _token(shape.verify, part)
        case PresetVerify():
            return _preset(shape.verify, part)
        case HmacVerify():
            return _hmac(shape.verify, part)


def _token(shape: TokenVerify, part: Part) -> Verifier | None:
    keys = part.at("secrets").keys(shape.secrets, "text", str.encode, "text")
    header = shape.header.lower()
    prefix = (
        shape.prefix if shape.prefix is not None else "Bearer " if header == "authorization" else ""
    )
    return TokenVerifier(keys, header.encode(), prefix.encode()) if keys else None


def _preset(shape: PresetVerify, part: Part) -> Verifier | None:
    known = presets().get(shape.preset)
    if known is None:
        cure = nearest(shape.preset, list(presets()))
        part.at("preset").fault("unknown-preset", f'there is no preset "{shape.preset}"', cure)
        return None
    whole = HmacVerify.model_validate({**known, "secrets": shape.secrets})
    return _hmac(whole, part, tolerance=shape.tolerance)


def standard_webhooks(keys: tuple[Key, ...]) -> Verifier:
    """The verifier of Standard Webhooks with these keys."""
    nowhere = Part(
        Document("presets.yaml"),
        Path(),
        Surroundings(SecretBook({}), EgressPolicy(), lambda _name, _arguments: ""),
    )
    shape = HmacVerify.model_validate(
        {**presets()["standard-webhooks"], "secrets": [SecretReference(env="GIVEN")]}
    )
    verifier = _described(shape, nowhere, None)
    assert verifier is not None  # noqa: S101  # the preset is our own
    return replace(verifier, keys=keys)


def _hmac(shape: HmacVerify, part: Part, tolerance: Micros | None = None) -> Verifier | None:
    whsec = shape.secret_encoding == "base64" and shape.secret_prefix == SECRET_PREFIX
    keys = part.at("secrets").keys(
        shape.secrets,
        "signing-key" if whsec else "text",
        parse_key if whsec else lambda text: _decoded(text, shape),
        "whsec_… key" if whsec else f"{shape.secret_encoding} secret",
    )
    verifier = _described(shape, part, tolerance)
    return replace(verifier, keys=keys) if verifier is not None and keys else None


def _described(shape: HmacVerify, part: Part, tolerance: Micros | None) -> HmacVerifier | None:
    """The verifier that a shape describes, without keys."""
    signature = _signature(shape.signature, part.at("signature"))
    timestamp = _timestamp(shape.timestamp, part.at("timestamp"), tolerance)
    signed = split_template(shape.signed)
    _check_signed(shape, signed, part.at("signed"))
    if signature is None:
        return None
    return HmacVerifier(
        keys=(),
        signature=signature,
        signed=signed,
        hash=shape.hash,
        timestamp=timestamp,
        id_header=None if shape.id is None else shape.id.header.lower().encode(),
        require={name.lower().encode(): value.encode() for name, value in shape.require.items()},
    )


def _decoded(text: str, shape: HmacVerify) -> bytes:
    text = text.removeprefix(shape.secret_prefix)
    match shape.secret_encoding:
        case "utf8":
            return text.encode()
        case "hex":
            return bytes.fromhex(text)
        case "base64":
            try:
                return base64.b64decode(text, validate=True)
            except binascii.Error as error:
                raise ValueError(str(error)) from None


def _signature(shape: SignatureShape, part: Part) -> Signature | None:
    headers = shape.headers or ([shape.header] if shape.header else [])
    if not headers or (shape.headers and shape.header):
        part.fault(
            "signature-header", "it names no one place", "write `header: NAME`, or `headers: […]`"
        )
        return None
    label = {"list": shape.version, "pairs": shape.key, "plain": ""}[shape.style]
    if label is None:
        wanted = "version" if shape.style == "list" else "key"
        part.fault("missing-key", f"style {shape.style} needs a {wanted}", f"add `{wanted}: v1`")
        return None
    return Signature(
        headers=tuple(header.lower().encode() for header in headers),
        encoding=shape.encoding,
        prefix=shape.prefix.encode(),
        style=shape.style,
        separator=shape.sep.encode(),
        equals=shape.kv.encode(),
        label=label.encode(),
    )


def _timestamp(
    shape: TimestampShape | None, part: Part, tolerance: Micros | None
) -> Timestamp | None:
    if shape is None:
        return None
    if (shape.header is None) == (shape.pair_key is None):
        part.fault(
            "timestamp-place", "it names no one place", "write `header: NAME` or `pair_key: t`"
        )
        return None
    return Timestamp(
        header=None if shape.header is None else shape.header.lower().encode(),
        pair=None if shape.pair_key is None else shape.pair_key.encode(),
        format=shape.format,
        past=shape.tolerance if tolerance is None else tolerance,
        future=shape.future if tolerance is None else tolerance,
    )


def _check_signed(shape: HmacVerify, pieces: tuple[str, ...], part: Part) -> None:
    """What is signed must be known, and must cover the body and a timestamp that is checked."""
    unknown = unknown_placeholder(pieces)
    if unknown is not None:
        cure = f"use {', '.join(PLACEHOLDERS)}"
        part.fault("signed-placeholder", f"{unknown} stands for nothing", cure)
    if not {"{body}", "{body_sha256_hex}"} & set(pieces):
        part.fault("signed-body", "the body is not signed", "add {body}: else anyone can change it")
    if shape.timestamp is not None and "{timestamp}" not in pieces:
        part.fault(
            "signed-timestamp",
            "the timestamp is not signed",
            "add {timestamp}, or drop `timestamp:`",
        )
    if "{timestamp}" in pieces and shape.timestamp is None:
        part.fault("signed-timestamp", "no timestamp is read", "add `timestamp: {header: NAME}`")
    if "{id}" in pieces and shape.id is None:
        part.fault("signed-id", "no id is read", "add `id: {header: NAME}`")
