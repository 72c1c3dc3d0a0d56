"""Detached JWS, by RFC 7797's example (among the vectors), and by attacks on it."""

import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.core.schemes.encodings import encode
from tests.kit.senders import codes, inbound, signed, verifier

SHARED = {"preset": "jws-detached-hs256"}
SECRET = encode(b"s" * 32, "base64url")


def pem(key) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def raw(signature: bytes) -> bytes:
    return b"".join(part.to_bytes(32, "big") for part in decode_dss_signature(signature))


EDWARDS = Ed25519PrivateKey.generate()
CURVE = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
SIGNERS = {
    "EdDSA": (EDWARDS, EDWARDS.sign),
    "ES256": (CURVE, lambda content: raw(CURVE.sign(content, ec.ECDSA(hashes.SHA256())))),
    "RS256": (RSA, lambda content: RSA.sign(content, padding.PKCS1v15(), hashes.SHA256())),
    "PS256": (
        RSA,
        lambda content: RSA.sign(
            content, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()
        ),
    ),
}


def header(fields: dict, body: bytes, sign) -> str:
    protected = encode(json.dumps(fields).encode(), "base64url")
    content = body if fields.get("b64") is False else encode(body, "base64url").encode()
    return f"{protected}..{encode(sign(protected.encode() + b'.' + content), 'base64url')}"


@pytest.mark.parametrize("name", SIGNERS)
@pytest.mark.parametrize("extra", [{}, {"b64": False, "crit": ["b64"]}])
def test_each_kind_of_key_verifies_and_notices_a_changed_body(name, extra):
    key, sign = SIGNERS[name]
    scheme = verifier({"scheme": "jws-detached", "header": "X-Jws", "algs": [name]}, pem(key))
    headers = {"X-Jws": header({"alg": name, **extra}, b'{"a":1}', sign)}
    assert scheme.verify(inbound(headers, b'{"a":1}')).ok
    assert scheme.verify(inbound(headers, b'{"a":2}')).outcome == "bad_signature"


def test_a_shared_secret_verifies_what_it_signs():
    scheme = verifier(SHARED, SECRET)
    assert scheme.verify(inbound(signed(scheme))).ok
    assert scheme.verify(inbound(signed(scheme), b"[]")).outcome == "bad_signature"


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"alg": "none"}, "unsupported_version"),
        ({"alg": "HS512"}, "unsupported_version"),
        ({"alg": ["HS256"]}, "unsupported_version"),
        ({}, "unsupported_version"),
        ({"alg": "HS256", "crit": ["exp"], "exp": 1}, "unsupported_version"),
        ({"alg": "HS256", "b64": False}, "unsupported_version"),
        ({"alg": "HS256", "crit": "b64"}, "unsupported_version"),
        ({"alg": "HS256", "crit": []}, "unsupported_version"),
    ],
)
def test_what_is_not_understood_is_not_taken(fields, outcome):
    headers = {"X-JWS-Signature": header(fields, b"{}", lambda _content: b"x")}
    assert verifier(SHARED, SECRET).verify(inbound(headers)).outcome == outcome


@pytest.mark.parametrize("text", ["", "..", "a.b.c", "e30..", "!!..AA", "e30", "W10..AA", "e30.e30.AA"])  # fmt: skip
def test_what_is_malformed_is_more_than_wrong(text):
    outcome = verifier(SHARED, SECRET).verify(inbound({"X-JWS-Signature": text})).outcome
    assert outcome in {"malformed_header", "unsupported_version"}


def test_a_public_key_is_not_taken_for_a_shared_secret():
    scheme = verifier({"scheme": "jws-detached", "header": "X-Jws", "algs": ["RS256"]}, pem(RSA))
    headers = {"X-Jws": header({"alg": "HS256"}, b"{}", lambda _content: b"x")}
    assert scheme.verify(inbound(headers)).outcome == "unsupported_version"
    mixed = {"scheme": "jws-detached", "header": "X-Jws", "algs": ["RS256", "HS256"]}
    assert "algorithms" in codes({"verify": mixed}, pem(RSA))
