"""How an API says no: what is final, what may pass, and when to come back.

Each vendor's module has an `Api`, a table of it. What its answers lack is the gateway's to do: the
retry schedule, `Retry-After`, and the breaker of an endpoint that fails.

Credentials that are refused (401, 403) are no final answer unless an `Api` says so: an operator who
mends them within the days of the schedule has nothing to send again.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Literal

from gateway import Response, Undeliverable, Unsuccessful
from handlers.lookup import at

FINAL = frozenset({400, 404, 405, 410, 413, 415, 422})
"""The request itself is wrong, and will be."""

LONGEST_MESSAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """What the answers of a vendor's API mean."""

    vendor: str
    final: Collection[int] = FINAL
    final_codes: Collection[str] = ()
    """Codes of the vendor's own that are final, whatever the status."""
    code: str = "code"
    """Where in the body the code stands."""
    message: str = "message"
    """Where the reason for people stands; where there is none, they read the body."""
    reset: str = ""
    """A header that says when to come back, where there is no `Retry-After`."""
    reset_form: Literal["seconds", "unix", "iso"] = "seconds"
    """As seconds from now, as seconds of the Unix epoch, or as ISO 8601."""
    rest_seconds: int = 0
    """After 429 without such a header."""

    def expect(self, answer: Response, *others: int) -> Response:
        """*answer*, where it is a success or has one of the *others* as its status.

        Raises Undeliverable where it is final, with the vendor's own words, and Unsuccessful else.
        """
        if answer.ok or answer.status in others:
            return answer
        code = self.code_of(answer)
        if answer.status in self.final or code in self.final_codes:
            raise Undeliverable(self.told(answer))
        raise Unsuccessful(self._with_hint(answer))

    def code_of(self, answer: Response) -> str:
        """The vendor's code for what went wrong; empty where there is none."""
        return str(at(_decoded(answer), self.code) or "")

    def told(self, answer: Response) -> str:
        """What the vendor said, for an operator."""
        message = at(_decoded(answer), self.message) or answer.text.strip() or "nothing"
        words = [self.vendor, "answers", str(answer.status), self.code_of(answer)]
        return f"{' '.join(filter(None, words))}: {str(message)[:LONGEST_MESSAGE]}"

    def _with_hint(self, answer: Response) -> Response:
        """The answer with what it asks for as `Retry-After`, which the gateway heeds."""
        if answer.status not in (429, 503) or "retry-after" in answer.headers:
            return answer
        hint = _retry_after(answer.headers.get(self.reset, ""), self.reset_form)
        if not hint and answer.status == 429 and self.rest_seconds:
            hint = str(self.rest_seconds)
        return replace(answer, headers={**answer.headers, "retry-after": hint}) if hint else answer


def _decoded(answer: Response) -> object:
    try:
        return answer.json()
    except ValueError:
        return None


def _retry_after(text: str, form: str) -> str:
    """A header's text in the form of `Retry-After`: seconds, or a date; empty where it is neither."""
    try:
        if form == "iso":
            return format_datetime(datetime.fromisoformat(text).astimezone(UTC), usegmt=True)
        number = float(text)
        if form == "unix":
            return format_datetime(datetime.fromtimestamp(number, UTC), usegmt=True)
        return str(max(0, -int(-number // 1)))
    except (ValueError, OverflowError, OSError):
        return ""
