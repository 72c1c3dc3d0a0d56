"""A JWS with detached content in a header (RFC 7515, appendix F; RFC 7797 for the body as it is)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.core.errors import CannotSign
from gateway.core.schemes.algorithms import Algorithm, Ecdsa, Ed25519, Hmac, Rsa
from gateway.core.schemes.encodings import decode, encode
from gateway.core.secret import Key
from gateway.core.verifying import Inbound, Sending, Verdict, valid_keys

ALGORITHMS: Mapping[str, Algorithm] = {
    "HS256": Hmac("sha256"),
    "HS384": Hmac("sha384"),
    "HS512": Hmac("sha512"),
    "RS256": Rsa("sha256"),
    "RS384": Rsa("sha384"),
    "RS512": Rsa("sha512"),
    "PS256": Rsa("sha256", pss=True),
    "PS384": Rsa("sha384", pss=True),
    "PS512": Rsa("sha512", pss=True),
    "ES256": Ecdsa(der=False),
    "EdDSA": Ed25519(),
}
"""RFC 7518 §3.1, but for `none`, which is never taken, and larger curves."""


@dataclass(frozen=True, slots=True)
class DetachedJwsVerifier:
    """`header..signature` in a header; the body is what is signed."""

    keys: tuple[Key, ...]
    header: bytes
    algorithms: tuple[str, ...]
    """Those that are taken: all for keys of one kind."""

    def verify(self, request: Inbound) -> Verdict:
        """Whether the signature is right, by an algorithm that is taken."""
        text = request.headers.get(self.header)
        if text is None:
            return Verdict("missing_header")
        if self.header in request.repeated:
            return Verdict("duplicate_header")
        protected, separator, rest = text.partition(b".")
        payload, more, signed = rest.partition(b".")
        if not (separator and more) or payload or b"." in signed:
            return Verdict("malformed_header")
        fields = _decoded_header(protected)
        if fields is None:
            return Verdict("malformed_header")
        name = fields.get("alg")
        if name not in self.algorithms or not _understood(fields):
            return Verdict("unsupported_version")
        signature = decode(signed, "base64url")
        if signature is None:
            return Verdict("malformed_signature")
        content = _content(protected, fields, request.body)
        keys = [key.material for key in valid_keys(self.keys, request)]
        proven = ALGORITHMS[name].proven([signature], [content], keys)
        return Verdict("ok" if proven else "bad_signature")

    def sign(self, sending: Sending) -> dict[str, str]:
        """The header, signed with the first key, if that is a shared one. Raises CannotSign."""
        name = self.algorithms[0]
        algorithm = ALGORITHMS[name]
        if not isinstance(algorithm, Hmac):
            raise CannotSign
        fields = {"alg": name, "b64": False, "crit": ["b64"]}
        protected = encode(json.dumps(fields, separators=(",", ":")).encode(), "base64url").encode()
        proof = algorithm.sign(_content(protected, fields, sending.body), self.keys[0].material)
        return {self.header.decode(): f"{protected.decode()}..{encode(proof, 'base64url')}"}


LONGEST_HEADER = 4096


def _decoded_header(protected: bytes) -> dict[str, object] | None:
    text = decode(protected[:LONGEST_HEADER], "base64url")
    try:
        fields = json.loads(text or b"")
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _understood(fields: Mapping[str, object]) -> bool:
    """Whether all that the header says is critical is known (RFC 7515 §4.1.11); `b64` has to be (RFC 7797 §6)."""
    critical = fields.get("crit")
    if critical is not None and critical != ["b64"]:
        return False
    return "b64" not in fields or (critical is not None and isinstance(fields["b64"], bool))


def _content(protected: bytes, fields: Mapping[str, object], body: bytes) -> bytes:
    if fields.get("b64", True):
        body = encode(body, "base64url").encode()
    return protected + b"." + body
