"""Headers as they may be kept and shown: by a list of names whose values give nothing away.

What is not on the list may be a signature, a token, a cookie or a password under any name. Of those
it is said how long they were: that is often enough to see what a proxy or a sender did to them.
"""

from collections.abc import Sequence

SHOWN = frozenset(
    {
        "accept", "accept-encoding", "ce-datacontenttype", "ce-id", "ce-source", "ce-specversion",
        "ce-subject", "ce-time", "ce-type", "connection", "content-encoding", "content-length",
        "content-type", "date", "expect", "forwarded", "host", "svix-id", "svix-timestamp",
        "transfer-encoding", "user-agent", "via", "webhook-id", "webhook-timestamp", "x-event-key",
        "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-gitea-delivery",
        "x-gitea-event", "x-github-delivery", "x-github-event", "x-github-hook-id", "x-gitlab-event",
        "x-gitlab-event-uuid", "x-real-ip", "x-request-id", "x-shopify-shop-domain",
        "x-shopify-topic", "x-shopify-webhook-id", "x-slack-request-timestamp",
    }
)  # fmt: skip
"""Names of headers that say who, what and when, and prove nothing."""

MOST_HEADERS = 100
LONGEST_NAME, LONGEST_VALUE = 100, 512


def redacted(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Headers to be kept: in the order in which they came, repetitions included, bounded in size."""
    return [_redacted(name, value) for name, value in headers[:MOST_HEADERS]]


def _redacted(name: bytes, value: bytes) -> tuple[str, str]:
    shown = name.decode("latin-1").lower()
    if shown not in SHOWN:
        return shown[:LONGEST_NAME], f"<redacted, {len(value)} bytes>"
    text = value.decode("utf-8", "replace")
    return shown, text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…"
