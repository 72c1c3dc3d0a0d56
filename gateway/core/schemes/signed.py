"""A signature over a template of the request: what most senders do, and where they differ is data."""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, parse_qs, urlsplit, urlunsplit

from gateway.core.errors import CannotSign
from gateway.core.schemes.algorithms import Algorithm, Hmac
from gateway.core.schemes.certificates import CertificateRule
from gateway.core.schemes.encodings import Encoding, decode, encode
from gateway.core.schemes.template import Facts, Template, listed
from gateway.core.schemes.timestamp import Timestamp, read_moment, write_moment
from gateway.core.secret import Key
from gateway.core.verifying import MOST_CANDIDATES, Inbound, Sending, Verdict, valid_keys

_DEFAULT_PORTS = {"https": 443, "http": 80}
AS_CONFIGURED = "as_configured"


def _with_default_port(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    return urlunsplit(parts._replace(netloc=f"{_host(parts)}:{port}"))


def _without_port(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=_host(parts)))


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    return f"[{host}]" if ":" in host else host


URL_FORMS: Mapping[str, Callable[[str], str]] = {
    AS_CONFIGURED: lambda url: url,
    "with_default_port": _with_default_port,
    "without_port": _without_port,
}
"""The forms in which senders sign the URL that they were given."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Where signatures stand in a request, and how they are written."""

    headers: tuple[bytes, ...]
    encoding: Encoding = "hex"
    prefix: bytes = b""
    style: Literal["plain", "list", "pairs"] = "plain"
    """One value; a list of `version kv value`; or pairs `key kv value`."""
    separator: bytes = b","
    equals: bytes = b"="
    label: bytes = b""
    """The version, or the key, under which this scheme's signatures stand."""

    def labelled(self, raw: Sequence[bytes]) -> list[bytes]:
        """The texts of the signatures to try: those of this scheme's version, without its prefix."""
        if self.style == "plain":
            texts = list(raw)
        else:
            pairs = [pair for value in raw for pair in self.pairs(value)]
            texts = [value for key, value in pairs if key == self.label]
        if self.prefix:
            texts = [text[len(self.prefix) :] for text in texts if text.startswith(self.prefix)]
        return texts[:MOST_CANDIDATES]

    def pairs(self, value: bytes) -> list[tuple[bytes, bytes]]:
        """The readable entries of a list or of pairs."""
        entries = (entry.strip().partition(self.equals) for entry in value.split(self.separator))
        return [(key, text) for key, found, text in entries if found]

    def write(self, proofs: Sequence[bytes], stamp: tuple[bytes, str] | None) -> str:
        """The header's value for *proofs*; *stamp* is the pair with the timestamp, if it has one.

        A plain header has room for the first alone.
        """
        texts = [self.prefix.decode() + encode(proof, self.encoding) for proof in proofs]
        if self.style == "plain":
            return "".join(texts[:1])
        equals, label = self.equals.decode(), self.label.decode()
        entries = [f"{label}{equals}{text}" for text in texts]
        if stamp is not None:
            entries.insert(0, f"{stamp[0].decode()}{equals}{stamp[1]}")
        return self.separator.decode().join(entries)


@dataclass(frozen=True, slots=True)
class BodyHashInQuery:
    """A hash of the body in the URL: what then protects the body is that the URL is signed."""

    parameter: str
    hash: str = "sha256"

    def holds(self, request: Inbound) -> bool:
        """Whether the query has the body's hash, once, in hex."""
        given = parse_qs(request.query.decode("latin-1")).get(self.parameter, [])
        wanted = hashlib.new(self.hash, request.body).hexdigest()
        return len(given) == 1 and hmac.compare_digest(given[0].lower().encode(), wanted.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureVerifier:
    """Signatures, a timestamp and an id in headers; the signed content is a template."""

    keys: tuple[Key, ...]
    signature: Signature
    signed: Template = field(default_factory=lambda: Template("{body}"))
    algorithm: Algorithm = field(default_factory=Hmac)
    timestamp: Timestamp | None = None
    id_header: bytes | None = None
    require: Mapping[bytes, bytes] = field(default_factory=dict)
    """Headers that must have exactly these values."""
    public_url: str = ""
    """The URL that the sender was given, without a query: never what its Host header says."""
    url_forms: tuple[str, ...] = (AS_CONFIGURED,)
    """Forms of that URL that the sender may have signed: keys of URL_FORMS."""
    body_hash: BodyHashInQuery | None = None
    certificate: tuple[bytes, CertificateRule] | None = None
    """The header that names the key's certificate, and which are believed; without `keys` it counts."""
    _single: frozenset[bytes] = field(init=False, repr=False, compare=False)
    """Headers that may not be repeated."""
    _urls: tuple[bytes, ...] = field(init=False, repr=False, compare=False)
    _lists: bytes | None = field(init=False, repr=False, compare=False)
    """The header that lists the signed ones."""

    def __post_init__(self) -> None:
        names = [*self.signature.headers, self.id_header, self.signed.lists_headers]
        if self.timestamp is not None:
            names.append(self.timestamp.header)
        single = frozenset(name for name in names if name is not None)
        object.__setattr__(self, "_single", single)
        urls = dict.fromkeys(URL_FORMS[form](self.public_url) for form in self.url_forms)
        object.__setattr__(self, "_urls", tuple(url.encode() for url in urls))
        object.__setattr__(self, "_lists", self.signed.lists_headers)

    def verify(self, request: Inbound) -> Verdict:
        """Whether one of the request's signatures is right under one of the keys still valid."""
        headers, repeated = request.headers, request.repeated
        if repeated and not self._single.isdisjoint(repeated):
            return Verdict("duplicate_header")
        if self.require and (outcome := self._judge_required(headers)) != "ok":
            return Verdict(outcome)
        request_id = b""
        if self.id_header is not None:
            request_id = headers.get(self.id_header, b"")
            if not request_id and "{id}" in self.signed.placeholders:
                return Verdict("missing_header")
        raw = [headers[name] for name in self.signature.headers if name in headers]
        if not raw:
            return Verdict("missing_header")
        if self._lists is not None and not self._lists_enough(request, self._lists):
            return Verdict("malformed_header")
        texts = self.signature.labelled(raw)
        if not texts:
            return Verdict("unsupported_version")
        timestamp, outcome = self._read_timestamp(request, raw)
        if outcome != "ok":
            return Verdict(outcome)
        encoding = self.signature.encoding
        candidates = [proof for text in texts if (proof := decode(text, encoding))]
        if not candidates:
            return Verdict("malformed_signature")
        contents = self._contents(request, request_id, timestamp)
        keys, wants = self._keys_for(request)
        if not self.algorithm.proven(candidates, contents, keys):
            return Verdict("bad_signature", wants=wants)
        if self.body_hash is not None and not self.body_hash.holds(request):
            return Verdict("bad_signature")
        return Verdict("ok", request_id.decode("latin-1") or None)

    def sign(self, sending: Sending) -> dict[str, str]:
        """The headers with which the sender would send it, signed with the first key.

        Raises CannotSign where that is a public one.
        """
        if not self.keys:
            raise CannotSign  # its key is fetched
        headers: dict[str, str] = {n.decode(): v.decode("latin-1") for n, v in self.require.items()}
        if self.id_header is not None:
            headers[self.id_header.decode()] = sending.request_id
        shape, written = self.timestamp, ""
        if shape is not None:
            written = write_moment(sending.now, shape.format)
            if shape.header is not None:
                headers[shape.header.decode()] = written
        if self._lists is not None:
            headers[self._lists.decode()] = ",".join(sorted([*headers, self._lists.decode()]))
        raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
        request = Inbound(
            sending.method, raw, frozenset(), sending.body, sending.now, sending.target
        )
        content, *_ = self._contents(
            request, sending.request_id.encode("latin-1"), written.encode()
        )
        proof = self.algorithm.sign(content, self.keys[0].material)
        stamp = (shape.pair, written) if shape is not None and shape.pair is not None else None
        headers[self.signature.headers[0].decode()] = self.signature.write([proof], stamp)
        return headers

    def _judge_required(self, headers: Mapping[bytes, bytes]) -> str:
        for name, value in self.require.items():
            if headers.get(name) != value:
                return "missing_header" if name not in headers else "unsupported_version"
        return "ok"

    def _keys_for(self, request: Inbound) -> tuple[list[bytes], str | None]:
        """The keys to try, and the certificate that is wanted first."""
        if self.certificate is None or self.keys:
            return [key.material for key in valid_keys(self.keys, request)], None
        header, rule = self.certificate
        found = rule.find(request.headers.get(header, b"").decode("latin-1"), request)
        return [] if found.key is None else [found.key], found.wants

    def _lists_enough(self, request: Inbound, name: bytes) -> bool:
        """Whether the list of signed headers has itself and the timestamp's in it."""
        names = listed(request, name)
        wanted = {name, self.timestamp.header if self.timestamp is not None else None} - {None}
        return wanted <= set(names) and not request.repeated & set(names)

    def _read_timestamp(self, request: Inbound, raw: Sequence[bytes]) -> tuple[bytes, str]:
        """The timestamp's text as received, and whether it is readable and near enough."""
        shape = self.timestamp
        if shape is None:
            return b"", "ok"
        if shape.pair is not None:
            pairs = self.signature.pairs(raw[0])
            values = [value for key, value in pairs if key == shape.pair]
            if len(values) != 1:
                return b"", "malformed_header" if values else "malformed_timestamp"
            text = values[0]
        else:
            text = request.headers.get(shape.header or b"", b"")
            if not text:
                return b"", "missing_header"
        moment = read_moment(text, shape.format)
        if moment is None:
            return text, "malformed_timestamp"
        return text, shape.window.judge(moment, request.received_at)

    def _contents(self, request: Inbound, request_id: bytes, timestamp: bytes) -> list[bytes]:
        """What may have been signed: one content for each form that the URL may have had."""
        if not self.signed.speaks_of_url:
            return [self.signed.fill(request, Facts(request_id, timestamp))]
        query = request.query
        return [
            self.signed.fill(
                request, Facts(request_id, timestamp, url + b"?" + query if query else url)
            )
            for url in self._urls
        ]
