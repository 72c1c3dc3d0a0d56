"""Headers as they may be kept and shown: by a list of names whose values give nothing away.

What is not on the list may be a signature, a token, a cookie or a password under any name. Of those
it is said how long they were: that is often enough to see what a proxy or a sender did to them.
"""

import re
from collections.abc import Mapping, Sequence

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


TELLING = re.compile(
    r"(.+-)?(id|uuid|delivery|event|topic|type|time|timestamp|date|version|domain)"
)
"""How names end that say who, what and when, whoever made them up …"""
CONFIDENTIAL = re.compile(r"auth|cookie|key|pass|secret|session|sign|token|hmac|digest")
"""… unless they have one of these in them."""


def telling(headers: Mapping[bytes, bytes]) -> list[tuple[str, str]]:
    """Of a request that was verified, the headers by which it may be read once more; all others are not there."""
    named = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
    return [(name, named[name]) for name in list(named)[:MOST_HEADERS] if _tells(name)]


def _tells(name: str) -> bool:
    if name in SHOWN:
        return True
    return TELLING.fullmatch(name) is not None and CONFIDENTIAL.search(name) is None


def redacted(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Headers to be kept: in the order in which they came, repetitions included, bounded in size."""
    return [_redacted(name, value) for name, value in headers[:MOST_HEADERS]]


def _redacted(name: bytes, value: bytes) -> tuple[str, str]:
    shown = name.decode("latin-1").lower()
    if shown not in SHOWN:
        return shown[:LONGEST_NAME], f"<redacted, {len(value)} bytes>"
    text = value.decode("utf-8", "replace")
    return shown, text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…"
