"""Encryption at rest: what senders sent and endpoints answered, sealed before it is stored.

Two layers, so that a key can be changed without touching the data. Rows are sealed with *data keys*,
by AES-256-GCM; a data key lies in the database, wrapped by an operator's key, which does not. To change
that one is to wrap the data keys anew.

A data key is made at each start and used by that process alone, so that a counter can be its nonce
(RFC 5116 §3.2): it never repeats, and unlike a random one it has no birthday after 2^32 rows. Each
ciphertext is bound to its place, the table, column and row: moved to another one, it does not open.

A sealed row has the number of its data key, a plain one has none; a database may hold both. What opens
is what was stored, so sealed rows keep no digest: one of the plain bytes would tell which are equal.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import TYPE_CHECKING

from gateway.core.errors import ConfigError, Problem
from gateway.store.rows import DeliveryRow, EventRow, digest_of

if TYPE_CHECKING:
    from gateway.store.seal import SealingKey

KEY_BYTES = 32
NO_DIGEST = b""

Wrapped = tuple[int, bytes]
"""The number of a data key, and the key as it lies in the database."""


class Vault:
    """Seals and opens; without keys it does neither, and rows are stored as they are.

    Used by one writer; whoever reads may open at the same time.
    """

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        self._keys = [_key(key) for key in keys]
        """The operator's: the first wraps, all unwrap."""
        self._data_keys: dict[int, SealingKey] = {}
        self._sealing: SealingKey | None = None
        self._next: Callable[[], int] = count().__next__
        self.current: int | None = None
        """The number of the data key that seals; None: nothing is sealed."""

    def __contains__(self, data_key: int) -> bool:
        return data_key in self._data_keys

    def knows(self, *data_keys: int | None) -> bool:
        """Whether what was sealed with all of these can be opened."""
        return all(each is None or each in self._data_keys for each in data_keys)

    @property
    def has_keys(self) -> bool:
        """Whether an operator's key was given."""
        return bool(self._keys)

    # -- data keys ---------------------------------------------------------------------------------

    def unlock(self, wrapped: Iterable[Wrapped]) -> list[Wrapped]:
        """Unwrap a database's data keys; those that its first key did not wrap, wrapped by it anew.

        Raises ConfigError where one opens with no key, or none was given.
        """
        anew = []
        for number, text in wrapped:
            for i, key in enumerate(self._keys):
                material = key.open(text, _of(number))
                if material is None:
                    continue
                self._data_keys[number] = _key(material)
                if i > 0:
                    anew.append((number, self._wrap(number, material)))
                break
            else:
                raise _locked(with_keys=self.has_keys)
        return anew

    def begin(self, number: int) -> Wrapped:
        """Seal with a data key that never was, from now on: how it is to be stored, and that first."""
        material = secrets.token_bytes(KEY_BYTES)
        self._sealing = self._data_keys[number] = _key(material)
        self._next = count().__next__
        self.current = number
        return number, self._wrap(number, material)

    def _wrap(self, number: int, material: bytes) -> bytes:
        return self._keys[0].seal(material, _of(number))

    # -- rows --------------------------------------------------------------------------------------

    def seal(self, place: str, plain: bytes) -> bytes:
        """The bytes to store at *place*: `table.column:row`."""
        assert self._sealing is not None  # noqa: S101  # `current` told the caller
        return self._sealing.seal(plain, place, self._next())

    def open(self, data_key: int | None, place: str, stored: bytes) -> bytes | None:
        """The bytes that were sealed; None where they are not those that were stored there."""
        if data_key is None:
            return stored
        key = self._data_keys.get(data_key)
        if key is None:
            raise _locked(with_keys=self.has_keys)
        return key.open(stored, place)

    def seal_event(
        self, name: str, body: bytes, head: bytes, data: bytes | None
    ) -> tuple[bytes, bytes, bytes | None]:
        """What is stored of an event's bytes."""
        return (
            self.seal(f"events.body:{name}", body),
            self.seal(f"events.head:{name}", head),
            None if data is None else self.seal(f"events.data:{name}", data),
        )

    def open_event(self, row: EventRow, data_key: int | None) -> EventRow:
        """The row as it would be without encryption; its digest fits only bytes that are intact."""
        if data_key is None:
            return row
        body = self.open(data_key, f"events.body:{row.id}", row.body)
        head = self.open(data_key, f"events.head:{row.id}", row.head)
        data = None if row.data is None else self.open(data_key, f"events.data:{row.id}", row.data)
        if body is None or head is None or (row.data is not None and data is None):
            return row._replace(sha256=NO_DIGEST)
        return row._replace(body=body, head=head, data=data, sha256=digest_of(body, head, data))

    def open_delivery(self, event: str, row: DeliveryRow, data_key: int | None) -> DeliveryRow:
        """Likewise for a delivery with a body of its own."""
        if data_key is None or row.body is None:
            return row
        body = self.open(data_key, f"deliveries.body:{event}/{row.n}", row.body)
        if body is None:
            return row._replace(sha256=NO_DIGEST)
        return row._replace(body=body, sha256=digest_of(body, b"", None))


OPEN = Vault()
"""For a database without encryption."""


def _of(number: int) -> str:
    """To what a wrapped data key is bound."""
    return f"data_keys:{number}"


def _key(material: bytes) -> "SealingKey":
    from gateway.store.seal import SealingKey  # noqa: PLC0415  # megabytes, for those who encrypt

    return SealingKey(material)


def _locked(*, with_keys: bool) -> ConfigError:
    what = "the database is encrypted, and no key is given"
    if with_keys:
        what = "the database is encrypted with another key than those that are given"
    cure = "name the file of its key with --encryption-key; without it nobody can read the database"
    problem = Problem(
        file="--encryption-key", line=0, column=0, code="encryption-key", what=what, cure=cure
    )
    return ConfigError([problem])
