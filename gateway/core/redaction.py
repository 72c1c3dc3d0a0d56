"""What must not be shown, taken out of what is kept and logged: the one place that does it.

Secrets do not print where they are kept (`secret.py`). But a handler may put one into an exception,
and an endpoint may answer with the header that it was sent. So every secret that is looked up is noted
here, and its text taken out of tracebacks, reasons, excerpts, the URLs of calls, and lines of the log.
What looks like a credential in the query of a URL is taken out of them too, whether or not it is known:
CloudEvents senders may put one there (https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md).
"""

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import quote, quote_plus

from gateway.core.model import (
    Attempt,
    Hopeless,
    Outcome,
    Postponed,
    Raised,
    Refused,
    Skipped,
    Unreachable,
)

HIDDEN = "<secret>"
SHORTEST = 6
"""A shorter text is in too many words to be taken out of them all."""

CREDENTIAL = re.compile(
    r"([?&][\w.~%-]*(?:token|secret|passw|signature|sig|key|auth|code|credential)[\w.~%-]*=)[^&#\s\"'<>]+",
    re.IGNORECASE,
)
"""A parameter of a query whose name says that it proves something."""
QUERY = re.compile(r"(https?://[^\s\"'<>?]+\?)[^\s\"'<>]+")
"""The whole query of a URL."""


class Redaction:
    """The secrets that are known, and texts without them."""

    def __init__(self) -> None:
        self._known: list[str] = []
        """It only grows, so that one thread may add to it while another goes through it."""
        self._seen: set[str] = set()
        self._by_start: dict[str, list[str]] = {}
        """By the first characters of theirs that are always there: the way to find one among thousands."""

    def __repr__(self) -> str:
        return f"Redaction({len(self._known)} texts)"

    def know(self, secrets: Iterable[str]) -> None:
        """Take these out from now on, however they are escaped."""
        for secret in secrets:
            if secret not in self._seen:
                forms = {form for form in _forms(secret) if len(form) >= SHORTEST} - self._seen
                self._seen |= {secret, *forms}
                for form in forms:
                    self._by_start.setdefault(form[:SHORTEST], []).append(form)
                self._known.extend(forms)

    def redact(self, text: str) -> str:
        """*text* without secrets, and without credentials in queries."""
        return self._without_known(without_credentials(text))

    def redact_line(self, text: str) -> str:
        """A line of the log: as `redact`, and without any query of a URL."""
        if "?" in text:
            text = QUERY.sub(rf"\1{HIDDEN}", text)
        return self._without_known(text)

    def _without_known(self, text: str) -> str:
        """Looks for each secret in the text, or at each place of the text for secrets: what is less."""
        if len(self._known) < len(text):
            return without(text, self._known)
        starts = {text[i : i + SHORTEST] for i in range(len(text) - SHORTEST + 1)}
        return without(text, [each for s in starts for each in self._by_start.get(s, ())])

    def of_outcome(self, outcome: Outcome) -> Outcome:
        """What an attempt learned, its reason and detail without secrets; answers are `clean`'s."""
        match outcome:
            case Raised(reason, detail) | Unreachable(reason, detail):
                redacted = self.redact(detail)
                return replace(outcome, reason=self.redact(reason), detail=redacted)
            case Skipped(reason) | Hopeless(reason) | Postponed(reason):
                return replace(outcome, reason=self.redact(reason))
            case Refused(_, reason) if reason:
                return replace(outcome, reason=self.redact(reason))
            case _:
                return outcome

    def clean(self, attempt: Attempt, sent: Iterable[str]) -> None:
        """Take secrets out of the answer and the calls that are kept of an attempt.

        The answer is searched for *sent* alone, the secrets that its endpoint got: there are many
        answers, and one can hold no others.
        """
        if attempt.excerpt and attempt.outcome in {"accepted", "refused"}:
            attempt.excerpt = without(attempt.excerpt, sent)
        for call in attempt.calls:
            call.url = self.redact(call.url)


def without_credentials(text: str) -> str:
    """*text* without what looks like a credential in the query of a URL."""
    return CREDENTIAL.sub(rf"\1{HIDDEN}", text) if "=" in text else text


def without(text: str, secrets: Iterable[str]) -> str:
    """*text* without any of the secrets, longer ones first: one may be a part of another."""
    found = [secret for secret in secrets if secret in text]
    for secret in sorted(found, key=len, reverse=True):
        if len(secret) >= SHORTEST:
            text = text.replace(secret, HIDDEN)
    return text


def bytes_without(content: bytes, secrets: Iterable[str]) -> bytes:
    """*content* without any of the secrets, however they are escaped."""
    forms = {
        form.encode() for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST
    }
    for form in sorted(forms, key=len, reverse=True):
        content = content.replace(form, HIDDEN.encode())
    return content


def _forms(secret: str) -> set[str]:
    """A secret as it is written, and as JSON, Python and URLs write it."""
    escaped = {json.dumps(secret, ensure_ascii=False)[1:-1], json.dumps(secret)[1:-1]}
    urls = {quote(secret, safe=""), quote_plus(secret)}
    words = {secret.rpartition(" ")[2], secret.removeprefix("whsec_")}
    return {secret, repr(secret)[1:-1], *escaped, *urls, *words}
