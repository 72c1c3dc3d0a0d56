"""`sign` of an endpoint: which keys sign what is sent there, and in which form."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib.resources import files

from gateway.config.document import read_document
from gateway.config.endpoint_shapes import SentTimestampShape, SignedHeaderShape, SignShape
from gateway.config.nearest import nearest
from gateway.config.part import Part
from gateway.config.secret_forms import shared_secret
from gateway.config.secrets import Kind
from gateway.config.verifiers import (
    check_body_is_signed,
    check_timestamp_is_signed,
    header_name,
    signature_in,
)
from gateway.core.model import Json
from gateway.core.schemes.algorithms import Hmac
from gateway.core.schemes.template import Template, TemplateInvalid
from gateway.core.schemes.timestamp import Timestamp
from gateway.core.signing import HeaderForm, SigningKey, parse_signing_key

STANDARD = "standard-webhooks"
PLACEHOLDERS = frozenset({"{body}", "{timestamp}", "{id}", "{method}", "{body_sha256_hex}"})
"""What is known of a request that goes out."""
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
    return shared_secret(shape.secret_encoding, shape.secret_prefix)


def _header_form(shape: SignShape, part: Part) -> HeaderForm | None:
    signature, timestamp = shape.signature, shape.timestamp
    assert signature is not None  # noqa: S101  # the caller saw to it
    written = signature_in([signature.header], signature, part.at("signature"))
    if timestamp is not None and not _one_place(timestamp, signature):
        cure = "write `header: NAME`; or, with style pairs, `pair_key: t`"
        part.at("timestamp").fault("timestamp-place", "it names no one place", cure)
    for place, named in {"signature": signature, "timestamp": timestamp, "id": shape.id}.items():
        if named is not None and named.header is not None and named.header.lower() in TAKEN:
            what = f"the gateway writes something else into {named.header}"
            part.at(place, "header").fault("sign-header", what, "name a header of its own")
    signed = _template(shape, part.at("signed"))
    if written is None or signed is None:
        return None
    return HeaderForm(
        signature=written,
        signed=signed,
        algorithm=Hmac(shape.hash),
        timestamp=None
        if timestamp is None
        else Timestamp(
            header=None if timestamp.header is None else header_name(timestamp.header),
            pair=None if timestamp.pair_key is None else timestamp.pair_key.encode(),
            format=timestamp.format,
        ),
        id_header=None if shape.id is None else header_name(shape.id.header),
    )


def _one_place(timestamp: SentTimestampShape, signature: SignedHeaderShape) -> bool:
    if timestamp.pair_key is not None and signature.style != "pairs":
        return False
    return (timestamp.header is None) != (timestamp.pair_key is None)


def _template(shape: SignShape, part: Part) -> Template | None:
    """What is signed: it must be known, and must cover the body and a timestamp that is sent."""
    try:
        signed = Template(shape.signed)
        unknown = sorted(signed.placeholders - PLACEHOLDERS)
    except TemplateInvalid as error:
        unknown = [str(error)]
    if unknown:
        cure = f"use {', '.join(sorted(PLACEHOLDERS))}"
        part.fault("signed-placeholder", f"{unknown[0]} stands for nothing", cure)
        return None
    check_body_is_signed(signed, part)
    check_timestamp_is_signed(signed, part, stamped=shape.timestamp is not None)
    return signed
