"""A certificate authority for tests: certificates for servers and clients, as files."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

START = datetime(2020, 1, 1, tzinfo=UTC)
END = START + timedelta(days=36500)
PEM = serialization.Encoding.PEM


class CertificateAuthority:
    """Vouches for whom it is asked to; its own certificate is in `path`."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        certificate = _certificate(self._name, self._name, self._key).add_extension(
            constraints, critical=True
        )
        self.path = folder / f"{name}.pem"
        signed = certificate.sign(self._key, hashes.SHA256())
        self.path.write_bytes(signed.public_bytes(PEM))

    def issue(
        self, name: str, *, password: bytes | None = None, until: datetime = END
    ) -> tuple[Path, Path]:
        """A certificate and its key, for `127.0.0.1` and *name*."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName(name)]
        signed = (
            _certificate(_named(name), self._name, key, until)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        certificate, private = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(signed.public_bytes(PEM))
        encryption = (
            serialization.NoEncryption()
            if password is None
            else serialization.BestAvailableEncryption(password)
        )
        form = serialization.PrivateFormat.PKCS8
        private.write_bytes(key.private_bytes(PEM, form, encryption))
        return certificate, private

    def key_file(self) -> Path:
        """The authority's own key, written down beside its certificate."""
        private = self.path.with_suffix(".key")
        form = serialization.PrivateFormat.PKCS8
        private.write_bytes(self._key.private_bytes(PEM, form, serialization.NoEncryption()))
        return private

    def server(self, *, wants_certificates: bool = False, until: datetime = END) -> ssl.SSLContext:
        """A server's context, which demands of its clients a certificate of this authority or not."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue("server", until=until))
        if wants_certificates:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.path)
        return context


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, until: datetime = END
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START)
        .not_valid_after(until)
    )
