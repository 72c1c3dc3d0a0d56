"""OAuth 2.0 client credentials (RFC 6749 §4.4): the request for a token, and what is made of its answer.

Neither the secret nor a token stands in any representation, nor in a reason: of a refusal, only the
status and the error code of RFC 6749 §5.2 are told.
"""

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote_plus, urlencode

from gateway.core.model import (
    SECOND,
    Accepted,
    Call,
    Json,
    Micros,
    Outcome,
    Refused,
    Tls,
    Unreachable,
)

ASSUMED_LIFETIME = 300 * SECOND
"""Of a token whose answer does not tell it (RFC 6749 §5.1 only recommends that)."""
LONGEST_MARGIN = 60 * SECOND
"""So long before its end a token is no longer used; earlier only for those that live briefly."""
LONGEST_REQUEST = 8 * SECOND
"""The time that a request for a token may take: less than a lease outlasts its attempt."""

_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")
_ERROR = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """Who asks for tokens, where, and for what."""

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str | None = None
    audience: str | None = None
    style: Literal["basic", "body"] = "basic"
    tls: Tls | None = None
    early: Micros | None = None
    """So long before its end a token is renewed, but for those that live briefly; None: as is usual."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, and how long it may be used."""

    value: str = field(repr=False)
    lifetime: Micros


@dataclass(frozen=True, slots=True)
class NoToken:
    """Why there is none: `reason` in a word or two, `detail` for the operator."""

    reason: str
    detail: str


def token_request(credentials: ClientCredentials, timeout: Micros) -> Call:
    """The request for a token."""
    form = {"grant_type": "client_credentials"}
    if credentials.scope is not None:
        form["scope"] = credentials.scope
    if credentials.audience is not None:
        form["audience"] = credentials.audience
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    if credentials.style == "basic":
        # RFC 6749 §2.3.1: both are form-encoded before they are joined.
        pair = f"{quote_plus(credentials.client_id)}:{quote_plus(credentials.client_secret)}"
        headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
    else:
        form["client_id"] = credentials.client_id
        form["client_secret"] = credentials.client_secret
    return Call(
        method="POST",
        url=credentials.token_url,
        headers=headers,
        body=urlencode(form).encode(),
        timeout=min(timeout, LONGEST_REQUEST),
        tls=credentials.tls,
    )


def token_of(outcome: Outcome, early: Micros | None = None) -> Token | NoToken:
    """The token that a request for one was answered with, or why it was not; *early*: see ClientCredentials."""
    match outcome:
        case Accepted(response):
            return _token_in(_decoded(response.body), early)
        case Refused(response):
            error = _decoded(response.body).get("error")
            told = f" {error}" if isinstance(error, str) and _ERROR.fullmatch(error) else ""
            reason = f"http-{response.status}{told}"
            return NoToken(reason, "the authorization server gave no token")
        case Unreachable(reason, detail):
            return NoToken(reason, detail)
        case _:  # pragma: no cover
            raise AssertionError(outcome)


def _token_in(answer: dict[str, Json], early: Micros | None) -> Token | NoToken:
    value, kind = answer.get("access_token"), answer.get("token_type")
    if not (isinstance(value, str) and _TOKEN.fullmatch(value)):
        return NoToken("no token in the answer", "its JSON has no access_token that can be used")
    # RFC 6749 §7.1: a token of a type that is not known must not be used; case does not matter.
    if not (isinstance(kind, str) and kind.lower() == "bearer"):
        return NoToken("not a bearer token", "its token_type is not Bearer")
    lifetime = _seconds(answer.get("expires_in"))
    whole = ASSUMED_LIFETIME if lifetime is None else lifetime * SECOND
    margin = min(LONGEST_MARGIN, whole // 10) if early is None else min(early, whole // 2)
    return Token(value, whole - margin)


def _seconds(value: Json) -> int | None:
    """A number of seconds; some servers write it as text."""
    text = str(value)
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) else None


def _decoded(body: bytes) -> dict[str, Json]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
