"""Keys that a request only names, by the URL of a certificate.

Such a URL is a stranger's: it counts only where it is https and its host is one that the scheme
names. Fetching is not done here: a verifier says which certificate it wants, and is asked again.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from gateway.core.model import SECOND, Micros
from gateway.core.schemes.algorithms import UNREADABLE, key_of_certificate
from gateway.core.verifying import Inbound

LONGEST_URL = 1024


class Found(NamedTuple):
    """The key (SubjectPublicKeyInfo in DER), or the URL that has to be fetched first, or neither."""

    key: bytes | None = None
    wants: str | None = None


@dataclass(frozen=True, slots=True)
class CertificateRule:
    """Which certificates a scheme believes."""

    host: re.Pattern[str]
    """What the whole host must match."""
    suffix: str = ""
    """How the path must end."""
    common_name: str | None = None
    """The subject's: it, or for one that begins with `*`, what ends like it."""

    def allows(self, url: str) -> bool:
        """Whether a certificate may be fetched there: https, the usual port, a known host."""
        if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable():
            return False
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        return (
            parts.scheme == "https"
            and self.host.fullmatch(parts.netloc) is not None
            and parts.path.endswith(self.suffix)
            and not parts.fragment
        )

    def find(self, url: str, request: Inbound) -> Found:
        """The key of the certificate at *url*, as far as it has been fetched, and holds now."""
        if not self.allows(url):
            return Found()
        pem = request.certificate(url)
        if pem is None:
            return Found(wants=url)
        certificate = _parsed(pem)
        if certificate is None or not certificate.holds(request.received_at, self.common_name):
            return Found()
        return Found(key=certificate.key)


class _Certificate(NamedTuple):
    key: bytes
    names: tuple[str, ...]
    not_before: Micros
    not_after: Micros

    def holds(self, now: Micros, name: str | None) -> bool:
        if not self.not_before <= now <= self.not_after:
            return False
        if name is None:
            return True
        if name.startswith("*"):
            return any(each.endswith(name[1:]) for each in self.names)
        return name in self.names


@lru_cache(maxsize=64)
def _parsed(pem: bytes) -> _Certificate | None:
    """The first certificate in *pem*."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        key = key_of_certificate(certificate)
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except UNREADABLE:
        return None
    return _Certificate(
        key,
        tuple(str(name.value) for name in names),
        _micros(certificate.not_valid_before_utc),
        _micros(certificate.not_valid_after_utc),
    )


def _micros(moment: datetime) -> Micros:
    return round(moment.astimezone(UTC).timestamp() * SECOND)
