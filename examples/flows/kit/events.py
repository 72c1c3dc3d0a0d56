"""Events of those who post them, in the shapes of the project's catalogue."""

from typing import Any

Event = dict[str, Any]


def license_of(asset: str, ends: str, **more: Any) -> Event:
    """The licence of an asset, until a moment."""
    return {
        "id": f"lic_{asset}", "asset_id": asset, "product_type": "premiumaccess",
        "agreement_name": "Acme 2026", "license_model": "royaltyfree", "expires_at": ends,
        "expires_at_source": "contract", "territories": ["DE", "FR"], "channels": ["web"],
        "status": "active", **more,
    }  # fmt: skip


def acquired(asset: str, ends: str, *, more: Event | None = None, **license_fields: Any) -> Event:
    """That a licence was acquired."""
    data = {"license": license_of(asset, ends, **license_fields), **(more or {})}
    return {"type": "license.acquired", "subject": f"license/lic_{asset}", "data": data}


def renewed(asset: str, ends: str, before: str) -> Event:
    """That it now ends later than *before*."""
    data = {"license": license_of(asset, ends), "previous_expires_at": before}
    return {"type": "license.renewed", "subject": f"license/lic_{asset}", "data": data}


def published(asset: str, page: str, **placement: Any) -> Event:
    """That a page shows an asset."""
    where = {"system": "plone", "ref": page, "channel": "web", **placement}
    data = {"asset_id": asset, "placement": where}
    return {"type": "asset.published", "subject": f"asset/{asset}", "data": data}
