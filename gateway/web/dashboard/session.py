"""Who is at the browser: sessions that the server keeps, and the cookie that names one.

The cookie is `__Host-gateway` with `Secure` where the browser came by https, which its `Origin` tells when it logs
in; else a plain `gateway`, for browsers differ in whether they keep a `Secure` one of http://127.0.0.1. In both
cases it is HttpOnly and SameSite=Strict, and lasts as long as the browser runs
(https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis, sections 4.1.3.2 and 5.2).
"""

import hmac
import secrets
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from gateway.core.access import Access, Caller, digest_of
from gateway.core.errors import CrossOrigin
from gateway.core.model import SECOND, Micros
from gateway.ports import Clock
from gateway.web.access import address_of

SECURE_NAME, PLAIN_NAME = "__Host-gateway", "gateway"
LIVE = "x-live"
"""A header of requests that static/dashboard.js makes by itself: nobody is there for that."""
IDLE: Micros = 3600 * SECOND
"""A session ends when it was not used for so long,"""
LONGEST: Micros = 12 * 3600 * SECOND
"""and after this in any case."""
MOST = 1000
"""So many there are at most; then the one that was used longest ago ends."""


@dataclass(slots=True)
class Session:
    """One browser's visit."""

    digest: bytes | None
    """Of the token that was shown; None: none was needed."""
    begun_at: Micros
    seen_at: Micros
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    """What a form of a page of this session carries."""
    notices: list[str] = field(default_factory=list)
    """What is to be said on the next page: what an action came to."""

    def check_form(self, given: str) -> None:
        """Raises CrossOrigin where a form is none of this session's pages."""
        if not hmac.compare_digest(given.encode(), self.csrf.encode()):
            raise CrossOrigin(
                "the form is from a session that has ended",
                cure="go back, load the page again, and send it once more",
            )

    def take_notices(self) -> list[str]:
        """What is to be said, once."""
        taken, self.notices = self.notices, []
        return taken


class Sessions:
    """Those that last."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self._access = access
        self._clock = clock
        self._by_digest: dict[bytes, Session] = {}
        """By the digest of what the cookie holds, in the order in which they were used."""

    def of(self, request: Request) -> tuple[Session, Caller] | None:
        """The session that a request belongs to, and who it is now; None: it has to log in first.

        A token that is no longer listed ends the sessions that it began.
        """
        now = self._clock.monotonic()
        for name in (SECURE_NAME, PLAIN_NAME):
            key = digest_of(request.cookies.get(name, ""))
            session = self._by_digest.pop(key, None)
            if session is None:
                continue
            caller = self.caller(session, request)
            if caller is None or now > min(session.seen_at + IDLE, session.begun_at + LONGEST):
                continue
            if LIVE not in request.headers:
                session.seen_at = now
            self._by_digest[key] = session
            return session, caller
        return None

    def begin(self, token: str | None) -> tuple[Session, str] | None:
        """A session for whoever shows *token*, and what its cookie holds; None: nobody has that token."""
        digest = None if token is None else digest_of(token)
        if self._access.recognise_digest(digest) is None:
            return None
        now, value = self._clock.monotonic(), secrets.token_urlsafe(32)
        session = Session(digest, begun_at=now, seen_at=now)
        self._by_digest[digest_of(value)] = session
        if len(self._by_digest) > MOST:
            del self._by_digest[next(iter(self._by_digest))]
        return session, value

    def caller(self, session: Session, request: Request) -> Caller | None:
        """Who that is now."""
        caller = self._access.recognise_digest(session.digest)
        return None if caller is None else caller.at(address_of(request))

    def end(self, request: Request, answer: Response) -> None:
        """End the session of a request, on both sides."""
        for name in (SECURE_NAME, PLAIN_NAME):
            value = request.cookies.get(name)
            if value is not None:
                self._by_digest.pop(digest_of(value), None)
                answer.delete_cookie(
                    name, path="/", secure=name == SECURE_NAME, httponly=True, samesite="strict"
                )


def set_cookie(request: Request, answer: Response, value: str) -> None:
    """Have the browser show *value* from now on."""
    by_https = request.headers.get("origin", "").startswith("https://")
    answer.set_cookie(
        SECURE_NAME if by_https else PLAIN_NAME,
        value,
        path="/",
        secure=by_https,
        httponly=True,
        samesite="strict",
    )
