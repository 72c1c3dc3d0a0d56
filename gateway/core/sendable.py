"""Whether a request can be sent as it was computed.

Asked at check about the URLs in a routes file, and again just before a call is made: what came from
an event may hold anything. What is found here is never mended silently. A URL that two programs read
differently, and a header that two programs split differently, are how a call is made to go astray.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import SplitResult, urlsplit

LONGEST_URL = 2048

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""RFC 9110 §5.6.2."""
_NO_FIELD_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
"""What no header's value may hold (RFC 9110 §5.5); the last range cannot even be encoded."""
UNFIT_FOR_URLS = re.compile(r"[\s\x00-\x1f\x7f]")
"""What some who read URLs drop silently."""
_HOST_NAME = re.compile(r"(?!.{254})([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*"
                        r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.?", re.IGNORECASE)  # fmt: skip
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)
_FRAMING = frozenset(
    {"connection", "content-length", "expect", "keep-alive", "te", "trailer", "transfer-encoding",
     "upgrade"}
)  # fmt: skip
"""Headers that say where a message ends, when its body is sent, or what the connection is: the sender's
own affair. A body that waits for 100 (Continue) waits for ever where the endpoint knows no such thing."""


def request_fault(method: str, url: str, headers: Mapping[str, str]) -> str:
    """Why a request cannot be sent as it is; empty where it can."""
    fault = url_fault(url)
    if fault:
        return f"the URL cannot be called: {fault}"
    # All at once, and by the quickest question that has no false yes: this is asked before each call.
    if not "".join(headers.values()).isprintable():
        for name, value in headers.items():
            if fault := value_fault(value):
                return f"the value of the header {name!r} has {fault}"
    return _form_fault(method, tuple(headers))


def value_fault(value: str) -> str:
    """What a text has in it that no header's value may have; empty where it is fit."""
    found = _NO_FIELD_VALUE.search(value)
    return "a line break or another control character" if found else ""


def name_fault(name: str) -> str:
    """Why no call can have a header of that name; empty where it can."""
    if not _TOKEN.fullmatch(name):
        return f"{name!r} is no name of a header"
    return f"the header {name!r} is not for a call to set" if name in _FRAMING else ""


@lru_cache(maxsize=1024)
def _form_fault(method: str, names: tuple[str, ...]) -> str:
    """What is wrong with the method, or with the names of the headers: few are ever used."""
    for name in names:
        if fault := name_fault(name):
            return fault
    return "" if _TOKEN.fullmatch(method) else f"{method!r} is no method"


@lru_cache(maxsize=1024)
def url_fault(url: str) -> str:
    """Why the gateway does not call *url*, whoever it leads to; empty where it may."""
    parts = split(url)
    if parts is None:
        return "it is no URL"
    if parts.scheme not in ("https", "http"):
        return "only https and http are spoken"
    if not parts.hostname:
        return "it names no host"
    if "@" in parts.netloc:
        return "it holds a user name or a password, which belong under `auth`"
    if "#" in url:
        return "it has a fragment, which is never sent"
    if len(url) > LONGEST_URL or UNFIT_FOR_URLS.search(url):
        return "it is too long, or has spaces or control characters in it"
    if "\\" in url:
        return "it has a backslash, which some read as a slash"
    if not url.isascii():
        return "it has letters beyond ASCII, which were to be encoded"
    return _host_fault(parts.hostname, bracketed="[" in parts.netloc)


def split(url: str) -> SplitResult | None:
    """The parts of a URL; None where it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port  # raises ValueError where it is none
    except ValueError:
        return None
    return None if port == 0 else parts


def _host_fault(host: str, *, bracketed: bool) -> str:
    if "%" in host:
        return "its host has a zone, or something encoded, in it"
    if bracketed:
        return "" if _is_address(host, IPv6Address) else "there is no address between its brackets"
    if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        # As browsers read hosts (https://url.spec.whatwg.org/#ends-in-a-number-checker).
        if _is_address(host, IPv4Address):
            return ""
        return "its host is an address written in a way that not all read alike"
    return "" if _HOST_NAME.fullmatch(host) else "its host is no name"


def _is_address(text: str, kind: type[IPv4Address | IPv6Address]) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True
