"""From `verify:` and `also:` of a source to the verifier that they describe."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from ipaddress import ip_network
from pathlib import Path
from typing import Literal, cast

from pydantic import ValidationError

from gateway.config.document import Document, read_document
from gateway.config.endpoint_shapes import SignedHeaderShape
from gateway.config.nearest import nearest
from gateway.config.part import Part, Surroundings
from gateway.config.secret_forms import decoded_secret, shared_secret
from gateway.config.secrets import Kind, SecretBook
from gateway.config.shape import SecretReference
from gateway.config.verify_shapes import (
    SCHEMES,
    AddressAllow,
    BasicVerify,
    CertificateShape,
    JwsVerify,
    MessageSignatureVerify,
    PresetVerify,
    ProxyHeaderVerify,
    SignatureShape,
    SignedVerify,
    SnsVerify,
    TimestampShape,
    TokenVerify,
)
from gateway.core.egress import EgressPolicy, Network
from gateway.core.model import SECOND, Json, Micros
from gateway.core.schemes import httpsig
from gateway.core.schemes.algorithms import (
    Algorithm,
    Ecdsa,
    Ed25519,
    Hmac,
    Rsa,
    SecretDigest,
    kind_of_key,
    parse_public_key,
)
from gateway.core.schemes.certificates import CertificateRule
from gateway.core.schemes.credentials import (
    BasicVerifier,
    ProxyHeaderVerifier,
    QueryTokenVerifier,
    TokenVerifier,
)
from gateway.core.schemes.encodings import Encoding, decode
from gateway.core.schemes.httpsig import MessageSignatureVerifier, PinnedKey
from gateway.core.schemes.jws import DetachedJwsVerifier
from gateway.core.schemes.signed import AS_CONFIGURED, BodyHashInQuery, Signature, SignatureVerifier
from gateway.core.schemes.sns import SnsVerifier
from gateway.core.schemes.template import PLACEHOLDERS, Template, TemplateInvalid
from gateway.core.schemes.timestamp import Timestamp, Window
from gateway.core.secret import Key
from gateway.core.verifying import AllOf, NoVerifier, Verifier

Described = (
    PresetVerify
    | SignedVerify
    | MessageSignatureVerify
    | JwsVerify
    | SnsVerify
    | TokenVerify
    | BasicVerify
    | ProxyHeaderVerify
)

KEY_KINDS: Mapping[str, str] = {
    "ed25519": "ed25519",
    "ecdsa-p256-sha256": "ecdsa-p256",
    "rsa-pkcs1-sha256": "rsa",
    "rsa-v1_5-sha256": "rsa",
    "rsa-pss-sha512": "rsa",
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "rsa"),
    "ES256": "ecdsa-p256",
    "EdDSA": "ed25519",
}
"""The kind of public key that each algorithm wants; those that are not here want a shared secret."""


@cache
def presets() -> dict[str, dict[str, Json]]:
    """How known senders sign: the content of presets.yaml."""
    text = (files(__package__) / "presets.yaml").read_bytes()
    document = read_document(text, "presets.yaml")
    known: dict[str, dict[str, Json]] = document.value
    return known


@dataclass(frozen=True, slots=True)
class VerifierBuilder:
    """Builds verifiers for one source; *public_url* is the URL that its sender was given, if known."""

    public_url: str

    def build(self, shape: Literal["none"] | Described, part: Part) -> Verifier | None:
        """The verifier that *shape* describes; None where it cannot be built, which is noted."""
        match shape:
            case "none":
                return NoVerifier()
            case PresetVerify():
                return self._preset(shape, part)
            case SignedVerify():
                return self._signed(shape, part)
            case MessageSignatureVerify():
                return self._message_signature(shape, part)
            case JwsVerify():
                return _jws(shape, part)
            case SnsVerify():
                return _sns(shape, part)
            case TokenVerify():
                return _token(shape, part)
            case BasicVerify():
                keys = part.at("secrets").keys(shape.secrets, "basic", _user_and_password, "pair")
                return BasicVerifier(keys) if keys else None
            case ProxyHeaderVerify():
                if not part.around.trusts_proxies:
                    what = "no proxy is trusted, so that this header never counts"
                    part.warning(
                        "no-trusted-proxy", what, "set --trusted-proxy to the proxy's address"
                    )
                values = shape.value if isinstance(shape.value, list) else [shape.value]
                return ProxyHeaderVerifier(
                    header_name(shape.header), tuple(map(str.encode, values))
                )

    def _preset(self, shape: PresetVerify, part: Part) -> Verifier | None:
        known = presets().get(shape.preset)
        if known is None:
            cure = nearest(shape.preset, list(presets()))
            part.at("preset").fault("unknown-preset", f'there is no preset "{shape.preset}"', cure)
            return None
        described = _described(known, shape, part)
        return None if described is None else self.build(described, part)

    def _signed(self, shape: SignedVerify, part: Part) -> Verifier | None:
        verifier = self.keyless(shape, part)
        if shape.secrets is None:
            if shape.certificate is None:
                _fault_missing("secrets", part)
                return None
            return verifier
        keys = _keys(shape, shape.secrets, part.at("secrets"))
        return replace(verifier, keys=keys) if verifier is not None and keys else None

    def keyless(self, shape: SignedVerify, part: Part) -> SignatureVerifier | None:
        """The verifier that a shape describes, without keys."""
        signature = _signature(shape.signature, part.at("signature"))
        signed = _template(shape, part.at("signed"))
        if signed is not None and signed.speaks_of_url:
            self._check_public_url(part)
        if signature is None or signed is None:
            return None
        hashed = shape.body_hash_query
        return SignatureVerifier(
            keys=(),
            signature=signature,
            signed=signed,
            algorithm=_algorithm(shape),
            timestamp=_timestamp(shape.timestamp, part.at("timestamp")),
            id_header=None if shape.id is None else header_name(shape.id.header),
            require={header_name(name): value.encode() for name, value in shape.require.items()},
            public_url=self.public_url,
            url_forms=tuple(shape.url_variants or (AS_CONFIGURED,)),
            body_hash=None if hashed is None else BodyHashInQuery(hashed.param, hashed.hash),
            certificate=None if shape.certificate is None else _certificate(shape.certificate),
        )

    def _message_signature(self, shape: MessageSignatureVerify, part: Part) -> Verifier | None:
        self._check_public_url(part)
        pinned = []
        for i, reference in enumerate(shape.secrets):
            at = part.at("secrets", i)
            text = at.secret(reference, "given")
            if text is None:
                continue
            try:
                name, material = _pinned(text)
            except ValueError as error:
                cure = f"write ALGORITHM:KEY; algorithms are {', '.join(httpsig.ALGORITHMS)}"
                at.fault("secret-form", f"the secret is no key of an algorithm: {error}", cure)
                continue
            pinned.append(PinnedKey(name, Key(material, reference.until)))
        if not pinned:
            return None
        return MessageSignatureVerifier(
            keys=tuple(pinned),
            covers=tuple(shape.covers or ()),
            window=_window(shape.tolerance, shape.future),
            public_url=self.public_url,
        )

    def _check_public_url(self, part: Part) -> None:
        if not self.public_url:
            part.fault(
                "public-url-missing",
                "this sender signs the URL that it was given, and that is not known here",
                "add `public_url: https://…` to the source, or set --public-url",
            )


def combined(first: Verifier, others: list[Verifier]) -> Verifier:
    """What holds where all of them do."""
    return AllOf((first, *others)) if others else first


def window_of(verifier: Verifier) -> Window | None:
    """How far a request's timestamp may be from now; None where none is checked."""
    match verifier:
        case SignatureVerifier(timestamp=Timestamp(window=window)):
            return window
        case MessageSignatureVerifier(window=window) | SnsVerifier(window=window):
            return window
        case AllOf(verifiers=verifiers):
            return next(filter(None, map(window_of, verifiers)), None)
        case _:
            return None


def is_sns(verifier: Verifier) -> bool:
    """Whether requests are messages of Amazon SNS."""
    match verifier:
        case AllOf(verifiers=verifiers):
            return any(map(is_sns, verifiers))
        case _:
            return isinstance(verifier, SnsVerifier)


def carries_id(verifier: Verifier) -> bool:
    """Whether the scheme itself carries an id of the request."""
    match verifier:
        case SignatureVerifier(id_header=header):
            return header is not None
        case AllOf(verifiers=verifiers):
            return carries_id(verifiers[0])
        case _:
            return isinstance(verifier, SnsVerifier)


def networks(shape: AddressAllow, part: Part) -> tuple[Network, ...]:
    """The ranges of an `ip_allow`; what is wrong with one is noted."""
    found = []
    for i, text in enumerate(shape.cidrs):
        try:
            found.append(ip_network(text, strict=False))
        except ValueError:
            what = f'"{text}" is no address range'
            part.at("cidrs", i).fault("address-range", what, "write it as 192.30.252.0/22")
    return tuple(found)


def standard_webhooks(keys: tuple[Key, ...]) -> Verifier:
    """The verifier of Standard Webhooks with these keys."""
    nowhere = Part(
        Document("presets.yaml"),
        Path(),
        Surroundings(SecretBook({}), EgressPolicy(), lambda _name, _arguments: ""),
    )
    shape = SignedVerify.model_validate(presets()["standard-webhooks"])
    verifier = VerifierBuilder("").keyless(shape, nowhere)
    assert verifier is not None  # noqa: S101  # the preset is our own
    return replace(verifier, keys=keys)


# -- presets -------------------------------------------------------------------------------------------


def _described(known: Mapping[str, Json], shape: PresetVerify, part: Part) -> Described | None:
    """What a preset spells out, with what the file adds to it."""
    kind = SCHEMES[known["scheme"]]
    added: dict[str, Json] = {
        name: value for name, value in shape if name not in ("preset", "tolerance") and value
    }
    if shape.covers is not None:
        added["covers"] = shape.covers
    for name in added.keys() - kind.model_fields.keys():
        what = f'the preset "{shape.preset}" has no use for "{name}"'
        part.at(name).fault("unknown-key", what, "remove it", key=True)
        del added[name]
    try:
        described = kind.model_validate({**known, **added})
    except ValidationError as error:  # what is missing: the rest of a preset is our own
        for fault in error.errors():
            _fault_missing(str(fault["loc"][-1]), part)
        return None
    return cast("Described", _with_tolerance(described, shape.tolerance, shape, part))


def _with_tolerance(
    described: object, tolerance: Micros | None, shape: PresetVerify, part: Part
) -> object:
    if tolerance is None:
        return described
    match described:
        case SignedVerify(timestamp=TimestampShape() as timestamp):
            future = tolerance if timestamp.future is None else min(tolerance, timestamp.future)
            update = {"tolerance": tolerance, "future": future}
            stamp = timestamp.model_copy(update=update)
            return described.model_copy(update={"timestamp": stamp})
        case MessageSignatureVerify() | SnsVerify():
            return described.model_copy(update={"tolerance": tolerance})
        case _:
            what = f'"{shape.preset}" sends no timestamp, so there is no tolerance'
            part.at("tolerance").fault("unknown-key", what, "remove it", key=True)
            return described


def _fault_missing(name: str, part: Part) -> None:
    cures = {"secrets": "add `secrets: [{env: NAME}]`", "topics": "add `topics: [arn:aws:sns:…]`"}
    part.fault("missing-key", f'the key "{name}" is missing', cures.get(name, f"add `{name}: …`"))


# -- keys ----------------------------------------------------------------------------------------------


def _keys(shape: SignedVerify, references: list[SecretReference], part: Part) -> tuple[Key, ...]:
    wanted = KEY_KINDS.get(shape.scheme)
    if wanted is not None:
        return part.keys(
            references, "given", lambda text: _public(text, shape, wanted), f"{wanted} public key"
        )
    kind, decoded, form = shared_secret(shape.secret_encoding or "utf8", shape.secret_prefix)
    return part.keys(references, kind, decoded, form)


def _public(text: str, shape: SignedVerify, wanted: str) -> bytes:
    encoding = {"spki_base64": "base64", "utf8": "base64", "pem": "", None: ""}.get(
        shape.secret_encoding, shape.secret_encoding
    )
    stripped = text.removeprefix(shape.secret_prefix)
    encoded = decode(stripped.encode(), cast("Encoding", encoding)) if encoding else None
    return _of_kind(parse_public_key(stripped, encoded), wanted)


def _of_kind(der: bytes, wanted: str) -> bytes:
    if kind_of_key(der) != wanted:
        raise ValueError(f"it is a key of {kind_of_key(der)}, not of {wanted}")
    return der


def _pinned(text: str) -> tuple[str, bytes]:
    """A key of HTTP message signatures, and the algorithm it is for. Raises ValueError."""
    name, separator, key = text.partition(":")
    if not separator or name not in httpsig.ALGORITHMS:
        raise ValueError("it names none")
    if name == "hmac-sha256":
        return name, decoded_secret(key.strip(), "base64")
    encoded = decode(key.strip().encode(), "base64")
    return name, _of_kind(parse_public_key(key, encoded), KEY_KINDS[name])


def _user_and_password(text: str) -> bytes:
    if ":" not in text:
        raise ValueError("it has no colon between user and password")
    return text.encode()


# -- the schemes ---------------------------------------------------------------------------------------


def header_name(name: str) -> bytes:
    """A header's name as requests have it: in lower case."""
    return name.lower().encode()


def _token(shape: TokenVerify, part: Part) -> Verifier | None:
    keys = part.at("secrets").keys(shape.secrets, "text", str.encode, "text")
    if not keys:
        return None
    if shape.query is not None:
        return QueryTokenVerifier(keys, shape.query.encode())
    header = shape.header.lower()
    usual = "Bearer " if header == "authorization" else ""
    prefix = usual if shape.prefix is None else shape.prefix
    return TokenVerifier(keys, header.encode(), prefix.encode())


def _jws(shape: JwsVerify, part: Part) -> Verifier | None:
    wanted = {KEY_KINDS.get(name) for name in shape.algs}
    if len(wanted) > 1:
        what = "these algorithms want keys of different kinds"
        part.at("algs").fault(
            "algorithms", what, "name those of one kind: a key is for one of them"
        )
        return None
    (kind,) = wanted
    secret_kind: Kind = "text" if kind is None else "given"

    def material(text: str) -> bytes:
        if kind is None:
            return decoded_secret(text, shape.secret_encoding)
        return _of_kind(parse_public_key(text, decode(text.encode(), "base64")), kind)

    form = f"{shape.secret_encoding} secret" if kind is None else f"{kind} public key"
    keys = part.at("secrets").keys(shape.secrets, secret_kind, material, form)
    return DetachedJwsVerifier(keys, header_name(shape.header), tuple(shape.algs)) if keys else None


def _sns(shape: SnsVerify, part: Part) -> Verifier | None:
    if shape.topics is None:
        _fault_missing("topics", part)
        return None
    keys: tuple[Key, ...] = ()
    if shape.secrets is not None:
        decoded = part.at("secrets")
        keys = decoded.keys(
            shape.secrets,
            "given",
            lambda text: _of_kind(parse_public_key(text, None), "rsa"),
            "key",
        )
        if not keys:
            return None
    return SnsVerifier(tuple(shape.topics), keys, _window(shape.tolerance, shape.future))


def _algorithm(shape: SignedVerify) -> Algorithm:
    make: Mapping[str, Callable[[], Algorithm]] = {
        "hmac": lambda: Hmac(shape.hash),
        "digest": lambda: SecretDigest(shape.hash),
        "ed25519": Ed25519,
        "ecdsa-p256-sha256": Ecdsa,
        "rsa-pkcs1-sha256": Rsa,
    }
    return make[shape.scheme]()


def _signature(shape: SignatureShape, part: Part) -> Signature | None:
    headers = shape.headers or ([shape.header] if shape.header else [])
    if not headers or (shape.headers and shape.header):
        part.fault(
            "signature-header", "it names no one place", "write `header: NAME`, or `headers: […]`"
        )
        return None
    return signature_in(headers, shape, part)


def signature_in(
    headers: Sequence[str], shape: SignatureShape | SignedHeaderShape, part: Part
) -> Signature | None:
    """Signatures in these headers, written as *shape* says; None where it does not say under what."""
    label = {"list": shape.version, "pairs": shape.key, "plain": ""}[shape.style]
    if label is None:
        wanted = "version" if shape.style == "list" else "key"
        part.fault("missing-key", f"style {shape.style} needs a {wanted}", f"add `{wanted}: v1`")
        return None
    return Signature(
        headers=tuple(map(header_name, headers)),
        encoding=shape.encoding,
        prefix=shape.prefix.encode(),
        style=shape.style,
        separator=shape.sep.encode(),
        equals=shape.kv.encode(),
        label=label.encode(),
    )


def _timestamp(shape: TimestampShape | None, part: Part) -> Timestamp | None:
    if shape is None:
        return None
    if (shape.header is None) == (shape.pair_key is None):
        part.fault(
            "timestamp-place", "it names no one place", "write `header: NAME` or `pair_key: t`"
        )
        return None
    return Timestamp(
        header=None if shape.header is None else header_name(shape.header),
        pair=None if shape.pair_key is None else shape.pair_key.encode(),
        format=shape.format,
        window=_window(shape.tolerance, shape.future),
    )


MOST_AHEAD: Micros = 300 * SECOND


def _window(past: Micros, future: Micros | None) -> Window:
    return Window(past, min(past, MOST_AHEAD) if future is None else future)


def _certificate(shape: CertificateShape) -> tuple[bytes, CertificateRule]:
    host = re.compile("|".join(re.escape(each.lower()) for each in shape.hosts))
    return header_name(shape.header), CertificateRule(host, common_name=shape.common_name)


def _template(shape: SignedVerify, part: Part) -> Template | None:
    """What is signed: it must be known, and cover the body and a timestamp that is checked."""
    try:
        signed = Template(shape.signed, shape.params)
    except TemplateInvalid as error:
        placeholder = str(error)
        cure = f"use {', '.join(PLACEHOLDERS)}"
        if placeholder.startswith("{param:"):
            cure = f"add `params: {{{placeholder[7:-1]}: …}}`"
        part.fault("signed-placeholder", f"{placeholder} stands for nothing", cure)
        return None
    if shape.body_hash_query is None or not signed.speaks_of_url:
        check_body_is_signed(signed, part)
    if signed.lists_headers is None:
        check_timestamp_is_signed(signed, part, stamped=shape.timestamp is not None)
    if "{id}" in signed.placeholders and shape.id is None:
        part.fault("signed-id", "no id is read", "add `id: {header: NAME}`")
    return signed


def check_body_is_signed(signed: Template, part: Part) -> None:
    """Note it where anyone could change the body."""
    if not signed.covers_body:
        part.fault("signed-body", "the body is not signed", "add {body}: else anyone can change it")


def check_timestamp_is_signed(signed: Template, part: Part, *, stamped: bool) -> None:
    """Note it where a timestamp is not signed, or one is signed that there is not."""
    named = "{timestamp}" in signed.placeholders
    if stamped and not named:
        cure = "add {timestamp}, or drop `timestamp:`"
        part.fault("signed-timestamp", "the timestamp is not signed", cure)
    if named and not stamped:
        cure = "add `timestamp: {header: NAME}`"
        part.fault("signed-timestamp", "there is no timestamp", cure)
