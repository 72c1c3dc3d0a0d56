"""From `handshake:` of a source to the requests that it answers at once."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from gateway.config.document import read_document
from gateway.config.expressions import Expressions
from gateway.config.handshake_shapes import HandshakePreset, HandshakeShape, HmacShape
from gateway.config.nearest import nearest
from gateway.config.part import Part
from gateway.config.shapes import SourceShape
from gateway.config.verifiers import VerifierBuilder
from gateway.config.verify_shapes import TokenVerify
from gateway.core.computed import Compute
from gateway.core.handshake import Handshake, Proof
from gateway.core.model import Json
from gateway.core.schemes.algorithms import Hmac
from gateway.core.schemes.signed import SignatureVerifier
from gateway.core.secret import Key
from gateway.core.verifying import AllOf, NoVerifier, Verifier


@cache
def handshake_presets() -> dict[str, dict[str, Json]]:
    """How known senders shake hands: the content of handshakes.yaml."""
    text = (files(__package__) / "handshakes.yaml").read_bytes()
    known: dict[str, dict[str, Json]] = read_document(text, "handshakes.yaml").value
    return known


@cache
def request_expressions() -> Expressions:
    """What `when` and `hmac.of` see."""
    return Expressions(["headers", "query", "body"])


@cache
def answer_expressions() -> Expressions:
    """What `${…}` of an answer sees."""
    return Expressions(["headers", "query", "body", "hmac"])


def described(shape: SourceShape, part: Part) -> list[tuple[HandshakeShape, Part]]:
    """The handshakes of a source, presets spelled out, each with where it stands."""
    if shape.handshake is None:
        return []
    given = shape.handshake if isinstance(shape.handshake, list) else [shape.handshake]
    found = []
    for i, each in enumerate(given):
        at = part.at(i) if isinstance(shape.handshake, list) else part
        spelled = _spelled_out(each, at) if isinstance(each, HandshakePreset) else each
        if spelled is not None:
            found.append((spelled, at))
    return found


def secret_file(
    shape: SourceShape, handshakes: Sequence[HandshakeShape], base: Path
) -> Path | None:
    """The file that a handshake brings the source's secret for, if one does."""
    if not any(each.keep for each in handshakes):
        return None
    references = getattr(shape.verify, "secrets", None) or []
    file = references[0].file if references else None
    return None if file is None else base / file


def build_handshakes(
    handshakes: Sequence[tuple[HandshakeShape, Part]], verifier: Verifier, file: Path | None
) -> tuple[Handshake, ...]:
    """The handshakes of a source that is verified by *verifier*; what is wrong with one is noted."""
    built = (_handshake(shape, part, verifier, file) for shape, part in handshakes)
    return tuple(each for each in built if each is not None)


def _spelled_out(shape: HandshakePreset, part: Part) -> HandshakeShape | None:
    known = handshake_presets().get(shape.preset)
    if known is None:
        cure = nearest(shape.preset, list(handshake_presets()))
        what = f'there is no handshake "{shape.preset}"'
        part.at("preset").fault("unknown-preset", what, cure)
        return None
    whole = dict(known)
    if isinstance(whole.get("verify"), dict):
        if shape.secrets is None:
            what = 'the key "secrets" is missing'
            part.fault("missing-key", what, "add `secrets: [{env: NAME}]`: its own token")
            return None
        whole["verify"] = {**whole["verify"], "secrets": shape.secrets}
    elif shape.secrets is not None:
        part.at("secrets").fault(
            "unknown-key", f'the handshake "{shape.preset}" has no token of its own', "remove it"
        )
    return HandshakeShape.model_validate(whole)


def _handshake(
    shape: HandshakeShape, part: Part, verifier: Verifier, file: Path | None
) -> Handshake | None:
    own = _own_verifier(shape, part, verifier)
    proof = None if shape.hmac is None else _proof(shape, shape.hmac, part, verifier)
    if shape.keep is not None and file is None:
        what = "there is no file to keep the secret in"
        cure = "write the secret of the source's `verify:` as {file: PATH}"
        part.at("keep").fault("handshake-file", what, cure)
    answer, respond = answer_expressions(), part.at("respond")
    when = shape.when
    if own is None:
        return None
    return Handshake(
        method=shape.method,
        verifier=own,
        when=None if when is None else part.at("when").condition(when, request_expressions()),
        status=shape.respond.status,
        headers=_computed(shape.respond.headers, respond.at("headers"), answer),
        text=None
        if shape.respond.text is None
        else respond.at("text").compute(shape.respond.text, answer),
        json=None
        if shape.respond.json_ is None
        else respond.at("json").compute(shape.respond.json_, answer),
        proof=proof,
        keeps=None if shape.keep is None else shape.keep.lower().encode(),
    )


def _computed(
    headers: Mapping[str, str], part: Part, expressions: Expressions
) -> dict[str, Compute]:
    computed = {name: part.at(name).compute(text, expressions) for name, text in headers.items()}
    return {name: compute for name, compute in computed.items() if compute is not None}


def _own_verifier(shape: HandshakeShape, part: Part, verifier: Verifier) -> Verifier | None:
    match shape.verify:
        case "source":
            return verifier
        case "none":
            return NoVerifier()
        case TokenVerify():
            return VerifierBuilder("").build(shape.verify, part.at("verify"))


def _proof(shape: HandshakeShape, hmac: HmacShape, part: Part, verifier: Verifier) -> Proof | None:
    at = part.at("hmac")
    if hmac.secrets is not None:
        keys = at.at("secrets").keys(hmac.secrets, "text", str.encode, "text")
    else:
        keys = _keys_of(verifier)
        if not keys:
            cure = "add `secrets:` to `hmac:`"
            at.fault("handshake-key", "the source has no shared secret to prove with", cure)
    if is_oracle(shape) and _signs_more_than_body(verifier):
        what = "whoever asks would have anything hashed with this key, and could forge with it"
        at.fault(
            "signing-oracle", what, "add `secrets:` of its own to `hmac:`, or prove the request"
        )
    of = at.at("of").compute(hmac.of, request_expressions())
    if of is None:
        return None
    return Proof(of=of, keys=keys, algorithm=Hmac(hmac.hash), encoding=hmac.encoding)


def is_oracle(shape: HandshakeShape) -> bool:
    """Whether anyone can have something hashed with the key of the source's events."""
    return shape.hmac is not None and shape.hmac.secrets is None and shape.verify == "none"


def _signs_more_than_body(verifier: Verifier) -> bool:
    """Whether what is signed may begin with something else than the body, so that no body tells it apart."""
    match verifier:
        case SignatureVerifier(signed=signed):
            return signed.text != "{body}"
        case AllOf(verifiers=verifiers):
            return _signs_more_than_body(verifiers[0])
        case _:
            return False


def _keys_of(verifier: Verifier) -> tuple[Key, ...]:
    """The source's shared secrets."""
    match verifier:
        case SignatureVerifier(keys=keys, algorithm=Hmac()):
            return keys
        case AllOf(verifiers=verifiers):
            return _keys_of(verifiers[0])
        case _:
            return ()
