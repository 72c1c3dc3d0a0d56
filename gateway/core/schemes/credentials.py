"""A shared secret shown as it is, or the word of a proxy: for senders that sign nothing.

What they send proves who sent it, but not that nobody changed it on the way: that is TLS's work.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core.errors import CannotSign
from gateway.core.schemes.algorithms import any_equal
from gateway.core.schemes.encodings import decode, encode, form_fields
from gateway.core.secret import Key
from gateway.core.verifying import Inbound, Sending, Verdict, valid_keys

AUTHORIZATION = b"authorization"
MOST_PARAMETERS = 100


@dataclass(frozen=True, slots=True)
class TokenVerifier:
    """A shared token in a header, with an optional word before it (`Bearer `)."""

    keys: tuple[Key, ...]
    header: bytes = AUTHORIZATION
    prefix: bytes = b"Bearer "

    def verify(self, request: Inbound) -> Verdict:
        """Whether the header holds one of the tokens."""
        value = request.headers.get(self.header)
        if value is None:
            return Verdict("missing_header")
        if self.header in request.repeated:
            return Verdict("duplicate_header")
        # The word is an authentication scheme, so its case does not matter (RFC 9110 §11.1).
        if value[: len(self.prefix)].lower() != self.prefix.lower():
            return Verdict("malformed_header")
        return _judged(value[len(self.prefix) :].strip(b" \t"), self.keys, request)

    def sign(self, sending: Sending) -> dict[str, str]:  # noqa: ARG002
        """The header with the first token."""
        return {self.header.decode(): (self.prefix + self.keys[0].material).decode("latin-1")}


@dataclass(frozen=True, slots=True)
class QueryTokenVerifier:
    """A shared token in the query: a secret URL, for senders that can do no more.

    CloudEvents allows it as `access_token` (HTTP webhook 1.0, §3.2). URLs are written down in more places
    than headers are.
    """

    keys: tuple[Key, ...]
    parameter: bytes = b"access_token"

    def verify(self, request: Inbound) -> Verdict:
        """Whether the query has the parameter, once, and it is one of the tokens."""
        try:
            fields = form_fields(request.query, MOST_PARAMETERS)
        except ValueError:
            return Verdict("malformed_header")
        values = [value for name, value in fields if name == self.parameter]
        if len(values) != 1:
            return Verdict("duplicate_header" if values else "missing_header")
        return _judged(values[0], self.keys, request)

    def sign(self, sending: Sending) -> dict[str, str]:  # noqa: ARG002
        """It stands in the URL, not in a header."""
        raise CannotSign


@dataclass(frozen=True, slots=True)
class BasicVerifier:
    """HTTP basic authentication (RFC 7617); a secret is `user:password`."""

    keys: tuple[Key, ...]

    def verify(self, request: Inbound) -> Verdict:
        """Whether the header holds one of the pairs."""
        value = request.headers.get(AUTHORIZATION)
        if value is None:
            return Verdict("missing_header")
        if AUTHORIZATION in request.repeated:
            return Verdict("duplicate_header")
        scheme, _, encoded = value.partition(b" ")
        given = decode(encoded.strip(b" "), "base64")
        if scheme.lower() != b"basic" or given is None or b":" not in given:
            return Verdict("malformed_header")
        return _judged(given, self.keys, request)

    def sign(self, sending: Sending) -> dict[str, str]:  # noqa: ARG002
        """The header with the first pair."""
        return {"authorization": f"Basic {encode(self.keys[0].material, 'base64')}"}


@dataclass(frozen=True, slots=True)
class ProxyHeaderVerifier:
    """What a trusted proxy says of the client certificate that it has checked (mutual TLS).

    From anyone but a trusted proxy the header counts as if it were not there.
    """

    header: bytes
    values: tuple[bytes, ...]

    def verify(self, request: Inbound) -> Verdict:
        """Whether a trusted proxy names one of the values."""
        value = request.headers.get(self.header)
        if value is None or not request.proxied:
            return Verdict("missing_header")
        if self.header in request.repeated:
            return Verdict("duplicate_header")
        return Verdict("ok" if any_equal([value], self.values) else "bad_signature")

    def sign(self, sending: Sending) -> dict[str, str]:  # noqa: ARG002
        """The header, as the proxy would set it."""
        return {self.header.decode(): self.values[0].decode("latin-1")}


def _judged(given: bytes, keys: Sequence[Key], request: Inbound) -> Verdict:
    held = [key.material for key in valid_keys(keys, request)]
    return Verdict("ok" if any_equal([given], held) else "bad_signature")
