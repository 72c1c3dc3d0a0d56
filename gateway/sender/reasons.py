"""Why no answer came, in the words that attempts are recorded with (docs/errors.md), and what helps."""

import ssl

CONNECT_FAILED = "connect-failed"
CONNECT_TIMEOUT = "connect-timeout"
CONNECTION_LOST = "connection-lost"
CONNECTION_REFUSED = "connection-refused"
DNS_FAILED = "dns-failed"
RESPONSE_BROKEN = "response-broken"
RESPONSE_MALFORMED = "response-malformed"
TIMEOUT = "timeout"
TLS_CERTIFICATE = "tls-certificate"
TLS_FAILED = "tls-failed"

_UNTRUSTED = frozenset({2, 7, 18, 19, 20, 21})
"""OpenSSL's codes for a chain that leads to no authority that is trusted (X509_V_ERR_*)."""


def with_cure(told: str, error: BaseException | None) -> str:
    """What was *told* of an error, and what to write under the endpoint's `tls` where that may be missing."""
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_code in _UNTRUSTED:
        return f"{told}; for an authority of your own, add `tls: {{ca: {{file: …}}}}`"
    # The alert comes after the handshake, as an error of a read: only its text tells it.
    if "CERTIFICATE_REQUIRED" in str(error):
        return f"{told}; it wants a client certificate: add `tls.certificate` and `tls.key`"
    return told
