"""Handshakes: requests by which a sender makes sure that someone who expects it is there.

What each asks and wants to hear is data (config/handshakes.yaml, or a source's own `handshake:`). The
answer echoes what a stranger may have sent, so it is bounded, and never anything that a browser runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.core.computed import Compute
from gateway.core.errors import ExpressionFailed, HandshakeFailed
from gateway.core.model import Json
from gateway.core.schemes.algorithms import Hmac
from gateway.core.schemes.encodings import Encoding, encode
from gateway.core.secret import Key
from gateway.core.verifying import Inbound, Sending, Verdict, Verifier, valid_keys

LONGEST_ANSWER = 4096
"""Bytes of an answer's body: challenges are shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A keyed hash of something in the request, which `hmac` stands for in the answer."""

    of: Compute
    keys: tuple[Key, ...]
    algorithm: Hmac = field(default_factory=Hmac)
    encoding: Encoding = "hex"

    def made(self, scope: Mapping[str, Json], request: Inbound) -> str:
        """The proof, with the first key that is still valid."""
        content = self.of(scope)
        keys = valid_keys(self.keys, request)
        if not isinstance(content, str) or not keys:
            raise ExpressionFailed("there is nothing to prove, or no key to prove it with")
        if begins_as_json(content.encode()):
            raise ExpressionFailed("what is to be proven could be the body of an event")
        return encode(self.algorithm.sign(content.encode(), keys[0].material), self.encoding)


def begins_as_json(body: bytes) -> bool:
    """Whether a body begins as an object or an array does: what no challenge may."""
    return body.lstrip(b" \t\r\n")[:1] in (b"{", b"[")


@dataclass(frozen=True, slots=True)
class NoChallenge:
    """Takes only bodies that are no challenge, where challenges are signed with the key of events.

    Such a sender (X) has anything hashed for anyone who asks. Who asks must not get the signature of
    what would be taken for an event.
    """

    def verify(self, request: Inbound) -> Verdict:
        """Whether the body begins as JSON objects and arrays do."""
        return Verdict("ok" if begins_as_json(request.body) else "bad_signature")

    def sign(self, sending: Sending) -> dict[str, str]:  # noqa: ARG002
        """No headers."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """One kind of request that is answered at once, and makes no event."""

    method: str
    verifier: Verifier
    """What proves this request: the source's own, unless its protocol has nothing of the kind."""
    when: Compute | None = None
    """Whether a request is this one; None: any with the method."""
    status: int = 200
    headers: Mapping[str, Compute] = field(default_factory=dict)
    text: Compute | None = None
    json: Compute | None = None
    proof: Proof | None = None
    keeps: bytes | None = None
    """The header that carries a new secret, which is kept before it is echoed."""

    def concerns(self, scope: Mapping[str, Json]) -> bool:
        """Whether a request is this handshake. An expression without a value says that it is not."""
        try:
            return self.when is None or self.when(scope) is True
        except ExpressionFailed:
            return False


@dataclass(slots=True)
class Answered:
    """What the sender hears."""

    status: int
    headers: list[tuple[str, str]]
    content: Json = None
    """Text, or JSON; None: nothing."""
    is_json: bool = False


def answer(handshake: Handshake, scope: dict[str, Json], request: Inbound) -> Answered:
    """The answer to a request that has been verified. Raises HandshakeFailed."""
    try:
        if handshake.proof is not None:
            scope = {**scope, "hmac": handshake.proof.made(scope, request)}
        headers = [(name, _header(value(scope))) for name, value in handshake.headers.items()]
        if handshake.json is not None:
            content = handshake.json(scope)
            return Answered(handshake.status, headers, content, is_json=True)
        text = None if handshake.text is None else _text(handshake.text(scope))
    except ExpressionFailed as error:
        raise HandshakeFailed(
            "the answer cannot be made of this request", cure="send what the handshake is made of"
        ) from error
    return Answered(handshake.status, headers, text)


def _text(value: Json) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ExpressionFailed("it is neither text nor a number")
    return str(value)


def _header(value: Json) -> str:
    text = _text(value)
    if not text.isprintable() or not text.isascii():
        raise ExpressionFailed("it cannot stand in a header")
    return text
