"""`tls` of an endpoint: certificates and authorities out of files, checked when they are read."""

import ssl
from hashlib import sha256
from pathlib import Path

from gateway.config.endpoint_shapes import FileReference, TlsShape
from gateway.config.part import Part
from gateway.core.model import Tls


class _KeyEncrypted(Exception):
    """OpenSSL asks for a passphrase, which nobody is there to type."""


def build_tls(shape: TlsShape, part: Part) -> Tls | None:
    """How TLS is spoken as *shape* says; None where it cannot be, which is noted."""
    if not part.around.secrets.at_hand:
        return None
    paths = {
        name: part.base / reference.file
        for name in ("certificate", "key", "ca")
        if isinstance(reference := getattr(shape, name), FileReference)
    }
    texts = {name: _read(path, part.at(name)) for name, path in paths.items()}
    if None in texts.values():
        return None
    if not shape.verify:
        part.at("verify").warning(
            "tls-unverified",
            "whoever stands in between can read what is sent, and answer",
            "name the endpoint's authority under `ca:` instead",
        )
    context = _context(shape, paths, part)
    if context is None:
        return None
    digest = sha256(repr((shape.verify, sorted(texts.items()))).encode())
    return Tls(digest.hexdigest()[:16], context)


def _read(path: Path, part: Part) -> bytes | None:
    part.around.secrets.files.add(path)
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a name that can be none
        what = f"the file {path} cannot be read: {getattr(error, 'strerror', error)}"
        part.fault("tls-file", what, "put it there, readable for the gateway")
        return None


def _context(shape: TlsShape, paths: dict[str, Path], part: Part) -> ssl.SSLContext | None:
    context = _client_context(paths.get("ca"), part.at("ca"))
    if context is None:
        return None
    context.set_alpn_protocols(["http/1.1"])
    if not shape.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if "certificate" in paths and not _show(context, paths, part):
        return None
    return context


def _client_context(ca: Path | None, part: Part) -> ssl.SSLContext | None:
    try:
        context = ssl.create_default_context(cafile=ca)
    except (ssl.SSLError, OSError):
        context = None
    if context is None or (ca is not None and not context.get_ca_certs()):
        what = f"{ca} holds no certificates of authorities"
        part.fault("tls-invalid", what, "make it a PEM file: -----BEGIN CERTIFICATE-----")
        return None
    return context


def _show(context: ssl.SSLContext, paths: dict[str, Path], part: Part) -> bool:
    """Have *context* show the client certificate; false where it cannot, which is noted."""
    certificate, key = paths["certificate"], paths.get("key")
    try:
        context.load_cert_chain(certificate, key, password=_nobody_knows)
    except _KeyEncrypted:
        where, what = "key", f"the key in {key or certificate} is encrypted"
        cure = "store it decrypted, readable for the gateway alone"
    except ssl.SSLError as error:
        where, what = (
            "certificate",
            f"{certificate} and {key or 'itself'} are no certificate and key",
        )
        cure = "make both PEM files: the certificate with its chain, and its private key"
        if error.reason == "KEY_VALUES_MISMATCH":
            where, what = "key", f"{key or certificate} is not the key of that certificate"
            cure = "name the key that the certificate was issued for"
    else:
        return True
    part.at(where if where in paths else "certificate").fault("tls-invalid", what, cure)
    return False


def _nobody_knows() -> str:
    raise _KeyEncrypted
