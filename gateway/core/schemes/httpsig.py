"""HTTP Message Signatures (RFC 9421), with the digest of the body (RFC 9530) recomputed.

A signature covers the components that its sender chose, and not the body unless `content-digest` is
one of them: `covers` says which have to be. What stands in `Signature-Input` is a structured field
(RFC 8941); the part of that grammar which signatures use is read here, strictly. A signature that
uses more of it (component parameters but `name`, trailers, requests within responses) is skipped.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlsplit

from gateway.core.errors import CannotSign
from gateway.core.model import SECOND, Micros
from gateway.core.schemes.algorithms import Algorithm, Ecdsa, Ed25519, Hmac, Rsa
from gateway.core.schemes.encodings import decode, encode
from gateway.core.schemes.timestamp import Window
from gateway.core.secret import Key
from gateway.core.verifying import MOST_CANDIDATES, Inbound, Sending, Verdict

ALGORITHMS: Mapping[str, Algorithm] = {
    "hmac-sha256": Hmac("sha256"),
    "ed25519": Ed25519(),
    "ecdsa-p256-sha256": Ecdsa(der=False),
    "rsa-pss-sha512": Rsa("sha512", pss=True),
    "rsa-v1_5-sha256": Rsa("sha256"),
}
"""§3.3, but for ECDSA on P-384."""

DIGESTS: Mapping[bytes, str] = {b"sha-256": "sha256", b"sha-512": "sha512"}
"""RFC 9530 §5: those that are not deprecated."""

MOST_COMPONENTS = 32
"""That one signature covers."""

SIGNATURE, INPUT, DIGEST = b"signature", b"signature-input", b"content-digest"


class PinnedKey(NamedTuple):
    """A key and the one algorithm that it is for: what a request says of its `alg` cannot change it."""

    algorithm: str
    key: Key


@dataclass(frozen=True, slots=True)
class MessageSignatureVerifier:
    """Verifies the signatures of a request until one holds."""

    keys: tuple[PinnedKey, ...]
    covers: tuple[str, ...] = ()
    """Components that a signature has to cover."""
    window: Window = field(default_factory=Window)
    public_url: str = ""
    """What `@authority`, `@scheme`, `@path` and `@target-uri` go by: never the Host header."""

    def verify(self, request: Inbound) -> Verdict:
        """Whether a signature that covers enough is right, and so is the digest that it covers."""
        headers = request.headers
        if INPUT not in headers or SIGNATURE not in headers:
            return Verdict("missing_header")
        if not request.repeated.isdisjoint({INPUT, SIGNATURE}):
            return Verdict("duplicate_header")
        inputs = _members(headers[INPUT])
        proofs = _members(headers[SIGNATURE])
        if inputs is None or proofs is None:
            return Verdict("malformed_header")
        outcomes = [
            self._judge(request, covered, proofs[label])
            for label, covered in list(inputs.items())[:MOST_CANDIDATES]
            if label in proofs
        ]
        if not outcomes:
            return Verdict("missing_header")
        return Verdict("ok" if "ok" in outcomes else outcomes[0])

    def _judge(self, request: Inbound, written: bytes, proof: bytes) -> str:
        """What one signature comes to."""
        parsed = _parse_input(written)
        if parsed is None:
            return "malformed_header"
        names = [name for name, _ in parsed.components]
        if not set(self.covers) <= set(names):
            return "unsupported_version"
        outcome = self._judge_time(parsed.parameters, request.received_at)
        if outcome != "ok":
            return outcome
        signature = _byte_sequence(proof)
        if signature is None:
            return "malformed_signature"
        base, outcome = self._base(request, parsed)
        if outcome != "ok":
            return outcome
        stated = parsed.parameters.get("alg")
        fitting = [pinned for pinned in self.keys if stated in (None, pinned.algorithm)]
        if not fitting:
            return "unsupported_version"
        found = False
        for pinned in fitting:
            if pinned.key.valid(request.received_at):
                algorithm = ALGORITHMS[pinned.algorithm]
                found |= algorithm.proven([signature], [base], [pinned.key.material])
        if not found:
            return "bad_signature"
        if "content-digest" in names and not digest_holds(request):
            return "digest_mismatch"
        return "ok"

    def _judge_time(self, parameters: Mapping[str, str | int], now: Micros) -> str:
        created, expires = parameters.get("created"), parameters.get("expires")
        if not isinstance(created, int) or not isinstance(expires, (int, type(None))):
            return "malformed_timestamp"
        if expires is not None and expires * SECOND < now // SECOND * SECOND:
            return "stale_timestamp"
        return self.window.judge(created * SECOND, now)

    def _base(self, request: Inbound, parsed: "_Input") -> tuple[bytes, str]:
        """The signature base (§2.5), and whether it can be made."""
        lines = []
        for name, parameter in parsed.components:
            value = self._component(request, name, parameter)
            if value is None:
                known = name in _DERIVED or not name.startswith("@")
                return b"", "missing_header" if known else "unsupported_version"
            if name.encode() in request.repeated:
                return b"", "duplicate_header"
            suffix = b"" if parameter is None else b';name="%b"' % parameter.encode()
            lines.append(b'"%b"%b: %b' % (name.encode(), suffix, value))
        lines.append(b'"@signature-params": ' + parsed.written)
        return b"\n".join(lines), "ok"

    def _component(self, request: Inbound, name: str, parameter: str | None) -> bytes | None:
        """The value of a component; None where the request has none."""
        if not name.startswith("@"):
            value = request.headers.get(name.encode())
            return None if value is None else value.strip()  # folded ones are refused before
        url, query = urlsplit(self.public_url), request.query
        if name != "@method" and name in _DERIVED and not self.public_url:
            return None
        path = url.path or "/"
        match name:
            case "@method":
                return request.method.encode()
            case "@authority":
                return _authority(self.public_url).encode()
            case "@scheme":
                return url.scheme.lower().encode()
            case "@path":
                return path.encode()
            case "@query":
                return b"?" + query
            case "@target-uri":
                return self.public_url.encode() + (b"?" + query if query else b"")
            case "@request-target":
                return path.encode() + (b"?" + query if query else b"")
            case "@query-param":
                return _query_parameter(query, parameter)
        return None

    def sign(self, sending: Sending) -> dict[str, str]:
        """A signature over method, URL and digest, with the first key, if that is a shared one.

        Raises CannotSign where it is not.
        """
        name, key = self.keys[0]
        algorithm = ALGORITHMS[name]
        if not isinstance(algorithm, Hmac):
            raise CannotSign
        digest = f"sha-256=:{encode(hashlib.sha256(sending.body).digest(), 'base64')}:"
        covered = dict.fromkeys(["@method", "@target-uri", "content-digest", *self.covers])
        written = " ".join(f'"{each}"' for each in covered)
        parsed = _parse_input(f'({written});created={sending.now // SECOND};alg="{name}"'.encode())
        assert parsed is not None  # noqa: S101  # it is our own
        request = Inbound(
            sending.method,
            {DIGEST: digest.encode()},
            frozenset(),
            sending.body,
            sending.now,
            sending.target,
        )
        base, outcome = self._base(request, parsed)
        if outcome != "ok":
            raise CannotSign
        proof = encode(algorithm.sign(base, key.material), "base64")
        return {
            "content-digest": digest,
            "signature-input": f"sig1={parsed.written.decode()}",
            "signature": f"sig1=:{proof}:",
        }


_DERIVED = frozenset(
    {
        "@method",
        "@authority",
        "@scheme",
        "@path",
        "@query",
        "@target-uri",
        "@request-target",
        "@query-param",
    }
)


def digest_holds(request: Inbound) -> bool:
    """Whether the Content-Digest is there, and every digest in it that is known is the body's."""
    digests = _members(request.headers.get(DIGEST, b"")) or {}
    known = [(name, value) for name, value in digests.items() if name.encode() in DIGESTS]
    held = bool(known)
    for name, value in known:
        wanted = hashlib.new(DIGESTS[name.encode()], request.body).digest()
        held &= hmac.compare_digest(_byte_sequence(value) or b"", wanted)
    return held


def _authority(url: str) -> str:
    """Host and port, in lower case, without the scheme's default port (§2.2.3)."""
    parts = urlsplit(url)
    default = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
    return parts.netloc.lower().removesuffix(default) if default else parts.netloc.lower()


def _query_parameter(query: bytes, name: str | None) -> bytes | None:
    """A parameter's value, decoded and encoded again (§2.2.8); None unless it is there once."""
    values = [value for key, value in _fields(query) if key == name]
    return values[0].encode() if len(values) == 1 else None


@lru_cache(maxsize=4)
def _fields(query: bytes) -> list[tuple[str, str]]:
    """The parameters of a query, encoded anew: looked through once for all that ask."""
    try:
        fields = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return []
    return [(quote(key, safe=_UNQUOTED), quote(value, safe=_UNQUOTED)) for key, value in fields]


_UNQUOTED = "*-._"
"""https://url.spec.whatwg.org/#application-x-www-form-urlencoded-percent-encode-set"""


# -- structured fields ---------------------------------------------------------------------------------


class _Input(NamedTuple):
    """A member of Signature-Input."""

    components: list[tuple[str, str | None]]
    """Each with its `name` parameter, if it has one."""
    parameters: dict[str, str | int]
    written: bytes
    """As received: this is what is signed."""


_KEY = rb"[a-z*][a-z0-9_.*-]*+"
_STRING = rb'"(?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*+"'
# Possessive, so that nothing is tried in two ways: these read what strangers wrote.
_MEMBER = re.compile(rb"[ \t]*+(%b)=((?:%b|[^,\"])*+)(?:,|\Z)" % (_KEY, _STRING))
_LIST = re.compile(rb"\(((?:[ \t]*+%b(?:;name=%b)?+)*+)[ \t]*+\)" % (_STRING, _STRING))
_ITEM = re.compile(rb"[ \t]*+(%b)(?:;name=(%b))?+" % (_STRING, _STRING))
_PARAMETER = re.compile(rb";[ \t]*+(%b)=(%b|-?\d{1,15}+)" % (_KEY, _STRING))


def _members(value: bytes) -> dict[str, bytes] | None:
    """The members of a dictionary, as written; None where it is none. Of one label, the last counts."""
    found: dict[str, bytes] = {}
    position = 0
    while position < len(value):
        member = _MEMBER.match(value, position)
        if member is None:
            return None
        found[member[1].decode()] = member[2].strip()
        position = member.end()
    return found or None


def _parse_input(written: bytes) -> _Input | None:
    """The components and parameters of a signature; None where they are not strictly written."""
    inner = _LIST.match(written)
    if inner is None:
        return None
    components = [
        (_unquoted(item[1]), _unquoted(item[2]) if item[2] else None)
        for item in _ITEM.finditer(inner[1])
    ]
    if len(set(components)) < len(components) or len(components) > MOST_COMPONENTS:
        return None
    parameters = dict(_parameters(written, inner.end()))
    if "" in parameters:
        return None
    return _Input(components, parameters, written)


def _parameters(written: bytes, position: int) -> Iterator[tuple[str, str | int]]:
    """Name and value of each; the empty name where there is something else."""
    while position < len(written):
        found = _PARAMETER.match(written, position)
        if found is None:
            yield "", ""
            return
        value = found[2]
        yield found[1].decode(), _unquoted(value) if value[:1] == b'"' else int(value)
        position = found.end()


def _unquoted(text: bytes) -> str:
    return re.sub(rb"\\(.)", rb"\1", text[1:-1]).decode("ascii")


def _byte_sequence(value: bytes) -> bytes | None:
    """What stands between colons, in base64."""
    if len(value) < 3 or value[:1] != b":" or value[-1:] != b":":
        return None
    return decode(value[1:-1], "base64")
