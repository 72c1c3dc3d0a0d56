"""`sign` of an endpoint: which keys sign what is sent there, and in which form."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib.resources import files

from gateway.config.document import read_document
from gateway.config.faults import nearest
from gateway.config.part import Part
from gateway.config.secrets import Kind
from gateway.config.shapes import SentTimestampShape, SignShape
from gateway.core.model import Json
from gateway.core.signing import (
    PLACEHOLDERS,
    SECRET_PREFIX,
    HeaderForm,
    SigningKey,
    parse_key,
    parse_signing_key,
    pieces_of,
)

STANDARD = "standard-webhooks"
TAKEN = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "authorization", "content-type",
     "user-agent", "webhook-id", "idempotency-key", "ce-id", "ce-type"}
)  # fmt: skip
"""Headers that say something else."""


@cache
def sign_presets() -> dict[str, dict[str, Json]]:
    """The forms of known senders: the content of sign_presets.yaml."""
    text = (files(__package__) / "sign_presets.yaml").read_bytes()
    known: dict[str, dict[str, Json]] = read_document(text, "sign_presets.yaml").value
    return known


def spelled_out(shape: SignShape) -> SignShape | None:
    """The shape with its preset spelled out; None where there is no such preset."""
    if shape.preset in (None, STANDARD):
        return shape
    known = sign_presets().get(shape.preset)
    return None if known is None else SignShape.model_validate({**known, "secrets": shape.secrets})


def build_signature(
    shape: SignShape, part: Part
) -> tuple[tuple[SigningKey, ...], HeaderForm | None]:
    """The keys that *shape* refers to, and the form if it is not Standard Webhooks'."""
    whole = spelled_out(shape)
    if whole is None:
        cure = nearest(shape.preset or "", [STANDARD, *sign_presets()])
        part.at("preset").fault("unknown-preset", f'there is no preset "{shape.preset}"', cure)
        return (), None
    secrets = part.at("secrets")
    if whole.signature is None:
        form = "whsec_… or whsk_… key"
        found = secrets.decoded(shape.secrets, "signing-key", parse_signing_key, form)
        return tuple(replace(key, until=until) for key, until in found), None
    kind, decode, form = secret_form(whole)
    keys = secrets.keys(shape.secrets, kind, decode, form)
    return keys, _header_form(whole, part)


def secret_form(shape: SignShape) -> tuple[Kind, Callable[[str], bytes], str]:
    """How a secret of a form spelled out is written: its kind, how to decode it, and its name."""
    if shape.secret_encoding == "base64" and shape.secret_prefix == SECRET_PREFIX:
        return "signing-key", parse_key, "whsec_… key"

    def decode(text: str) -> bytes:
        text = text.removeprefix(shape.secret_prefix)
        match shape.secret_encoding:
            case "utf8":
                return text.encode()
            case "hex":
                return bytes.fromhex(text)
            case "base64":
                try:
                    return base64.b64decode(text, validate=True)
                except binascii.Error:
                    raise ValueError("it is not base64") from None

    return "text", decode, f"{shape.secret_encoding} secret"


def _header_form(shape: SignShape, part: Part) -> HeaderForm | None:
    signature, timestamp = shape.signature, shape.timestamp or SentTimestampShape()
    assert signature is not None  # noqa: S101  # the caller saw to it
    label = {"list": signature.version, "pairs": signature.key, "plain": ""}[signature.style]
    if label is None:
        wanted = "version" if signature.style == "list" else "key"
        what = f"style {signature.style} needs a {wanted}"
        part.at("signature").fault("missing-key", what, f"add `{wanted}: v1`")
        return None
    if shape.timestamp is not None and (
        (timestamp.header is None) == (timestamp.pair_key is None)
        or (timestamp.pair_key is not None and signature.style != "pairs")
    ):
        cure = "write `header: NAME`; or, with style pairs, `pair_key: t`"
        part.at("timestamp").fault("timestamp-place", "it names no one place", cure)
    for place, named in {"signature": signature, "timestamp": timestamp, "id": shape.id}.items():
        if named is not None and named.header is not None and named.header.lower() in TAKEN:
            what = f"the gateway writes something else into {named.header}"
            part.at(place, "header").fault("sign-header", what, "name a header of its own")
    signed = pieces_of(shape.signed)
    _check_signed(shape, signed, part.at("signed"))
    return HeaderForm(
        header=signature.header.lower(),
        signed=signed,
        hash=shape.hash,
        encoding=signature.encoding,
        prefix=signature.prefix,
        style=signature.style,
        separator=signature.sep,
        equals=signature.kv,
        label=label,
        timestamp_header=None if timestamp.header is None else timestamp.header.lower(),
        timestamp_pair=timestamp.pair_key,
        timestamp_format=timestamp.format,
        id_header=None if shape.id is None else shape.id.header.lower(),
    )


def _check_signed(shape: SignShape, pieces: tuple[str, ...], part: Part) -> None:
    """What is signed must be known, and must cover the body and a timestamp that is sent."""
    for piece in pieces:
        if piece.startswith("{") and piece.endswith("}") and piece not in PLACEHOLDERS:
            cure = f"use {', '.join(PLACEHOLDERS)}"
            part.fault("signed-placeholder", f"{piece} stands for nothing", cure)
    if not {"{body}", "{body_sha256_hex}"} & set(pieces):
        part.fault("signed-body", "the body is not signed", "add {body}: else anyone can change it")
    if shape.timestamp is not None and "{timestamp}" not in pieces:
        cure = "add {timestamp}, or drop `timestamp:`"
        part.fault("signed-timestamp", "the timestamp is not signed", cure)
    if shape.timestamp is None and "{timestamp}" in pieces:
        cure = "add `timestamp: {header: NAME}`"
        part.fault("signed-timestamp", "no timestamp is sent", cure)
