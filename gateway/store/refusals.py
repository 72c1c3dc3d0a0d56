"""Requests that were refused: kept, and the oldest let go."""

from collections.abc import Sequence

from gateway.core.model import Refusal
from gateway.store.keeping import sealed_headers
from gateway.store.steps import Do, Insert, Row, Steps
from gateway.store.vault import Vault


def keep_refusals(
    refusals: Sequence[Refusal], most: int, most_bytes: int, vault: Vault
) -> Steps[None]:
    """Add them, and delete the oldest until no more than *most* are left, of *most_bytes*."""
    yield Insert("keep_refusal", [_row(refusal, vault) for refusal in refusals])
    yield Do("prune_refusals", (most, most_bytes))


def _row(refusal: Refusal, vault: Vault) -> Row:
    body, digest = refusal.body, refusal.sha256
    headers = sealed_headers(refusal.id, refusal.headers, vault)
    if vault.current is not None:
        body = vault.seal(f"inbox.body:{refusal.id}", body)
        digest = None if digest is None else vault.seal(f"inbox.sha256:{refusal.id}", digest)
    return (
        refusal.id,
        refusal.source,
        refusal.code,
        refusal.outcome,
        refusal.detail,
        refusal.received_at,
        refusal.peer,
        refusal.method,
        headers,
        refusal.content_type,
        body,
        refusal.body_bytes,
        digest,
        len(headers) + len(body),
        vault.current,
    )
