"""Secrets that the gateway makes for itself: in the database, so that all nodes have the same."""

from gateway.core.errors import BodyCorrupt
from gateway.store.steps import Do, Steps
from gateway.store.vault import Vault


def own_secret(purpose: str, fresh: bytes, vault: Vault) -> Steps[bytes]:
    """The secret for a purpose: *fresh*, where there is none yet. Raises BodyCorrupt where it does not open."""
    found = yield Do("read_own_secret", (purpose,))
    if not found:
        sealed = fresh if vault.current is None else vault.seal(_place_of(purpose), fresh)
        yield Do("keep_own_secret", (purpose, sealed, vault.current))
        found = yield Do("read_own_secret", (purpose,))
    ((secret, data_key),) = found
    if not vault.knows(data_key):
        vault.unlock((yield Do("read_data_keys")))
    opened = vault.open(data_key, _place_of(purpose), bytes(secret))
    if opened is None:
        raise BodyCorrupt(
            f"the secret for {purpose} is not what was written",
            cure="restore the database from a backup, and check the disk",
        )
    return opened


def _place_of(purpose: str) -> str:
    return f"own_secrets.secret:{purpose}"
