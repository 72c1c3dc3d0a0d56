"""The data keys of a database that several nodes write to, each with a key of its own.

A node learns the others' when it meets a row that was sealed with one of them.
"""

from collections.abc import Iterable, Sequence

from gateway.store.postgres.database import Work
from gateway.store.vault import Vault


class Keys:
    """A vault, and how it learns the keys that it lacks."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self.vault = Vault(keys)

    async def open(self, work: Work) -> None:
        """Learn the keys that are there, and begin one of our own; in the transaction that migrates.

        Raises ConfigError where they do not open.
        """
        wrapped = [(number, text) for number, text in await work.do("read_data_keys")]
        anew = self.vault.unlock(wrapped)
        if self.vault.has_keys:
            following = max((number for number, _ in wrapped), default=0) + 1
            await work.insert("keep_data_key", [*anew, self.vault.begin(following)])

    async def learn(self, work: Work, numbers: Iterable[int | None]) -> None:
        """Have the vault know these."""
        if any(number is not None and number not in self.vault for number in numbers):
            wrapped = [(number, text) for number, text in await work.do("read_data_keys")]
            self.vault.unlock(wrapped)
