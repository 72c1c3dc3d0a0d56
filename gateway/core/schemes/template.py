"""The content that is signed, as a template over the request.

`{timestamp}.{body}` and the like: a template is split once, when the routes are read, into functions
that each give a piece; per request they are called and joined.
"""

import base64
import hashlib
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

from gateway.core.schemes.encodings import form_fields
from gateway.core.verifying import Inbound

PLACEHOLDERS = (
    "{body}",
    "{timestamp}",
    "{id}",
    "{method}",
    "{url}",
    "{path_query}",
    "{body_sha256_hex}",
    "{body_crc32}",
    "{form_sorted}",
    "{signed_headers:NAME}",
    "{header:NAME}",
    "{param:NAME}",
)

MOST_FORM_FIELDS = 1_000
"""A form with more is not signed by anyone, and sorting it for a stranger costs."""


@dataclass(slots=True)
class Facts:
    """What a template may speak of beside the request itself."""

    id: bytes = b""
    timestamp: bytes = b""
    url: bytes = b""
    """The URL that the sender was given, with the query as received."""


Piece: TypeAlias = Callable[[Inbound, Facts], bytes]

_SIMPLE: dict[str, Piece] = {
    "{body}": lambda request, _: request.body,
    "{timestamp}": lambda _, facts: facts.timestamp,
    "{id}": lambda _, facts: facts.id,
    "{method}": lambda request, _: request.method.encode(),
    "{url}": lambda _, facts: facts.url,
    "{path_query}": lambda _, facts: _path_and_query(facts.url),
    "{body_crc32}": lambda request, _: b"%d" % zlib.crc32(request.body),
    "{form_sorted}": lambda request, _: _sorted_form(request.body),
}
_DIGEST = re.compile(r"\{body_(sha1|sha256|sha384|sha512)_(hex|base64)\}\Z")
_NAMED = re.compile(r"\{(header|signed_headers|param):([A-Za-z0-9_.-]+)\}\Z")
_OF_BODY = ("{body}", "{form_sorted}", "{body_crc32}")


class TemplateInvalid(Exception):  # becomes a Problem of the file that it stands in
    """A placeholder stands for nothing."""


class Template:
    """A compiled `signed:`. Raises TemplateInvalid, with the placeholder, where one is unknown.

    *params* are what the operator gives to the sender's description, such as PayPal's webhook id.
    """

    __slots__ = ("_pieces", "placeholders", "speaks_of_url", "text")

    def __init__(self, text: str, params: Mapping[str, str] | None = None) -> None:
        self.text = text
        parts = [part for part in re.split(r"(\{[^{}]*\})", text) if part]
        self.placeholders = frozenset(part for part in parts if part.startswith("{"))
        self.speaks_of_url = not self.placeholders.isdisjoint({"{url}", "{path_query}"})
        self._pieces: tuple[Piece, ...] = tuple(_piece(part, params or {}) for part in parts)

    def fill(self, request: Inbound, facts: Facts) -> bytes:
        """The content that *request* has to be signed over."""
        return b"".join([piece(request, facts) for piece in self._pieces])

    @property
    def covers_body(self) -> bool:
        """Whether a change of the body changes the content."""
        return any(name in _OF_BODY or _DIGEST.match(name) for name in self.placeholders)

    @property
    def lists_headers(self) -> bytes | None:
        """The header that names the headers that are signed, if the template has one."""
        for name in self.placeholders:
            if (found := _NAMED.match(name)) and found[1] == "signed_headers":
                return found[2].lower().encode()
        return None


def _piece(part: str, params: Mapping[str, str]) -> Piece:
    if not part.startswith("{"):
        literal = part.encode()
        return lambda _request, _facts: literal
    if part in _SIMPLE:
        return _SIMPLE[part]
    if digest := _DIGEST.match(part):
        return _digest_of_body(digest[1], digest[2])
    named = _NAMED.match(part)
    if named is None:
        raise TemplateInvalid(part)
    name = named[2].lower().encode()
    match named[1]:
        case "header":
            return lambda request, _facts: request.headers.get(name, b"")
        case "signed_headers":
            return lambda request, _facts: _listed_headers(request, name)
        case _:
            if named[2] not in params:
                raise TemplateInvalid(part)
            value = params[named[2]].encode()
            return lambda _request, _facts: value


def _digest_of_body(function: str, encoding: str) -> Piece:
    def digest(request: Inbound, _facts: Facts) -> bytes:
        digested = hashlib.new(function, request.body)
        if encoding == "hex":
            return digested.hexdigest().encode()
        return base64.b64encode(digested.digest())

    return digest


def _path_and_query(url: bytes) -> bytes:
    parts = urlsplit(url)
    return parts.path + (b"?" + parts.query if parts.query else b"")


def _sorted_form(body: bytes) -> bytes:
    """A form's names and values, one after the other, sorted, each pair once.

    https://www.twilio.com/docs/usage/security: as Twilio signs; a form that cannot be read is empty.
    """
    try:
        fields = form_fields(body, MOST_FORM_FIELDS)
    except ValueError:
        return b""
    return b"".join(name + value for name, value in sorted(set(fields)))


def listed(request: Inbound, name: bytes) -> list[bytes]:
    """The names of headers that the header *name* lists, in lower case."""
    return [each.strip().lower() for each in request.headers.get(name, b"").split(b",")]


def _listed_headers(request: Inbound, name: bytes) -> bytes:
    """`name:value;name:value` of the listed headers, by name; those that are not there are left out."""
    names = sorted(set(listed(request, name)))
    return b";".join(
        each + b":" + request.headers[each].strip() for each in names if each in request.headers
    )
