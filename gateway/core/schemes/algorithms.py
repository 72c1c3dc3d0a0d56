"""What makes a proof out of content and a key: keyed hashes, and signatures with public keys."""

import hashlib
import hmac
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from gateway.core.errors import CannotSign
from gateway.core.mac import mac

PublicKey: TypeAlias = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey


class Algorithm(Protocol):
    """Makes proofs, and tells whether one holds."""

    def proven(
        self, candidates: Sequence[bytes], contents: Sequence[bytes], keys: Sequence[bytes]
    ) -> bool:
        """Whether any candidate proves any content under any key: all are tried, whatever is found."""

    def sign(self, content: bytes, key: bytes) -> bytes:
        """The proof of *content*. Raises CannotSign where *key* is a public one."""


@dataclass(frozen=True, slots=True)
class Hmac:
    """RFC 2104."""

    hash: str = "sha256"

    def proven(
        self, candidates: Sequence[bytes], contents: Sequence[bytes], keys: Sequence[bytes]
    ) -> bool:
        """Whether a candidate is the MAC of a content."""
        macs = [mac(key, content, self.hash) for key in keys for content in contents]
        return any_equal(candidates, macs)

    def sign(self, content: bytes, key: bytes) -> bytes:
        """The MAC."""
        return mac(key, content, self.hash)


@dataclass(frozen=True, slots=True)
class SecretDigest:
    """A plain hash over the content with the secret before or behind it.

    Only for senders that know nothing better: whoever holds one proof can append to the content where
    the secret comes first (length extension), so that form is not offered.
    """

    hash: str = "sha1"

    def proven(
        self, candidates: Sequence[bytes], contents: Sequence[bytes], keys: Sequence[bytes]
    ) -> bool:
        """Whether a candidate is the hash of a content followed by a secret."""
        digests = [self.sign(content, key) for key in keys for content in contents]
        return any_equal(candidates, digests)

    def sign(self, content: bytes, key: bytes) -> bytes:
        """The hash."""
        return hashlib.new(self.hash, content + key, usedforsecurity=True).digest()


class _PublicKeyAlgorithm(ABC):
    """What signatures with public keys have in common."""

    __slots__ = ()

    def proven(
        self, candidates: Sequence[bytes], contents: Sequence[bytes], keys: Sequence[bytes]
    ) -> bool:
        """Whether a candidate is a signature of a content."""
        found = False
        for key in keys:
            parsed = public_key(key)
            for content in contents:
                for candidate in candidates:
                    found |= self._holds(candidate, content, parsed)
        return found

    def _holds(self, signature: bytes, content: bytes, key: PublicKey) -> bool:
        try:
            self.check(signature, content, key)
        except (InvalidSignature, ValueError):
            return False
        return True

    @abstractmethod
    def check(self, signature: bytes, content: bytes, key: PublicKey) -> None:
        """Raises InvalidSignature, or ValueError where it cannot be one."""

    def sign(self, content: bytes, key: bytes) -> bytes:  # noqa: ARG002
        """Nothing can be signed with a public key."""
        raise CannotSign


class Ed25519(_PublicKeyAlgorithm):
    """RFC 8032."""

    def check(self, signature: bytes, content: bytes, key: PublicKey) -> None:
        """Raises InvalidSignature, ValueError."""
        if not isinstance(key, Ed25519PublicKey):
            raise _wrong_kind("ed25519")
        key.verify(signature, content)


@dataclass(frozen=True, slots=True)
class Ecdsa(_PublicKeyAlgorithm):
    """ECDSA on P-256 with SHA-256; signatures in DER, or as the two numbers one after the other."""

    der: bool = True

    def check(self, signature: bytes, content: bytes, key: PublicKey) -> None:
        """Raises InvalidSignature, ValueError."""
        if not isinstance(key, EllipticCurvePublicKey):
            raise _wrong_kind("ECDSA")
        if not self.der:
            signature = _der(signature)
        key.verify(signature, content, ec.ECDSA(hashes.SHA256()))


def _der(signature: bytes) -> bytes:
    if len(signature) != 64:
        raise ValueError("r and s of P-256 have 32 bytes each")
    return encode_dss_signature(
        int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    )


_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303  # AWS SNS, signature version 1
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


@dataclass(frozen=True, slots=True)
class Rsa(_PublicKeyAlgorithm):
    """RSA signatures of RFC 8017: PKCS #1 v1.5, or PSS with a salt as long as the hash."""

    hash: str = "sha256"
    pss: bool = False

    def check(self, signature: bytes, content: bytes, key: PublicKey) -> None:
        """Raises InvalidSignature, ValueError."""
        if not isinstance(key, RSAPublicKey):
            raise _wrong_kind("RSA")
        algorithm = _HASHES[self.hash]
        scheme = (
            padding.PSS(mgf=padding.MGF1(algorithm), salt_length=algorithm.digest_size)
            if self.pss
            else padding.PKCS1v15()
        )
        key.verify(signature, content, scheme, algorithm)


def _wrong_kind(wanted: str) -> ValueError:
    return ValueError(f"it is no {wanted} key")


def any_equal(candidates: Sequence[bytes], macs: Sequence[bytes]) -> bool:
    """Whether any candidate is any mac, in time that does not tell which or how nearly."""
    found = False
    for candidate in candidates:
        for wanted in macs:
            found |= hmac.compare_digest(candidate, wanted)
    return found


# -- public keys as bytes ------------------------------------------------------------------------------

SHORTEST_RSA_BITS = 2048


@lru_cache(maxsize=256)
def public_key(der: bytes) -> PublicKey:
    """The key that SubjectPublicKeyInfo in DER holds. Raises ValueError."""
    key = load_der_public_key(der)
    if not isinstance(key, (Ed25519PublicKey, EllipticCurvePublicKey, RSAPublicKey)):
        raise ValueError("it is a public key of another kind")  # noqa: TRY004
    return key


def parse_public_key(text: str, encoded: bytes | None) -> bytes:
    """A public key as SubjectPublicKeyInfo in DER.

    *text* may be PEM, of a key or a certificate; else *encoded* are the bytes that it stands for: DER,
    or the 32 bytes of an ed25519 key. Raises ValueError.
    """
    if encoded is None and "-----BEGIN" not in text:
        raise ValueError("it is not PEM, and not written as the encoding says")
    try:
        if "-----BEGIN CERTIFICATE-----" in text:
            return key_of_certificate(x509.load_pem_x509_certificate(text.encode()))
        if "-----BEGIN" in text or encoded is None:
            return _checked(load_pem_public_key(text.encode()))
        if len(encoded) == 32:
            return _checked(Ed25519PublicKey.from_public_bytes(encoded))
        return _checked(load_der_public_key(encoded))
    except UNREADABLE as error:
        raise ValueError(f"it is no public key: {str(error).partition(chr(10))[0][:100]}") from None


def key_of_certificate(certificate: x509.Certificate) -> bytes:
    """A certificate's key, likewise. Raises one of UNREADABLE."""
    return _checked(certificate.public_key())


UNREADABLE = (UnsupportedAlgorithm, x509.InvalidVersion, ValueError, TypeError)
"""What the library raises for keys and certificates that are none, or none that it knows."""


def _checked(key: PublicKeyTypes) -> bytes:
    if isinstance(key, RSAPublicKey) and key.key_size < SHORTEST_RSA_BITS:
        raise ValueError(f"an RSA key of {key.key_size} bits is too short")
    if not isinstance(key, (Ed25519PublicKey, EllipticCurvePublicKey, RSAPublicKey)):
        raise ValueError("it is a public key of another kind")  # noqa: TRY004
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def kind_of_key(der: bytes) -> str:
    """`ed25519`, `ecdsa-p256`, `ecdsa` of another curve, or `rsa`."""
    match public_key(der):
        case Ed25519PublicKey():
            return "ed25519"
        case RSAPublicKey():
            return "rsa"
        case EllipticCurvePublicKey() as key:
            return "ecdsa-p256" if isinstance(key.curve, ec.SECP256R1) else "ecdsa"
