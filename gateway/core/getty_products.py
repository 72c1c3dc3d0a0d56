"""Getty's agreements: which end soon, and of which little is left. It is the only end that Getty itself tells of."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gateway.core.errors import PollFailed
from gateway.core.model import SECOND, Json, Micros, rfc3339, rfc3339_moment
from gateway.core.spelling import identity, is_number, spelled, utc

DAY = 86_400 * SECOND


class Notice(NamedTuple):
    """Something to be told of a product, once."""

    event: dict[str, Json]
    until: Micros
    """When it is no longer true."""


def notices_of(
    answer: Json, now: Micros, thresholds: Sequence[int], quota_percent: int
) -> list[Notice]:
    """What there is to tell of the products in force. Raises PollFailed where none are listed."""
    products = spelled(answer, "products")
    if not isinstance(products, list):
        raise PollFailed("it lists no products", cure="see whether Getty has changed the form")
    return [
        notice
        for product in products
        if str(spelled(product, "status")).lower() != "inactive"
        for notice in (
            *_expiring(product, now, thresholds), *_quota_low(product, now, quota_percent),
        )
    ]  # fmt: skip


def _expiring(product: Json, now: Micros, thresholds: Sequence[int]) -> Iterator[Notice]:
    """That it ends, where it is nearer to its end than one of *thresholds* (days); of several, the least."""
    name, ends = identity(spelled(product, "id")), _moment(product, "expiration_utc_date")
    if name is None or ends is None or ends <= now:
        return
    reached = [days for days in thresholds if ends - now <= days * DAY]
    if not reached:
        return
    threshold = min(reached)
    data = {"days_left": (ends - now) // DAY, "threshold_days": threshold}
    event = _event(
        product,
        f"gpr-{name}-{rfc3339(ends)}-T{threshold}",
        "agreement.expiring",
        ends - threshold * DAY,
        data,
    )
    yield Notice(event, ends)


def _quota_low(product: Json, now: Micros, quota_percent: int) -> Iterator[Notice]:
    """That few of its downloads are left; once until they are counted anew, or it ends."""
    name = identity(spelled(product, "id"))
    limit, left = spelled(product, "download_limit"), spelled(product, "downloads_remaining")
    if name is None or not is_number(limit) or not is_number(left) or limit <= 0:
        return
    reset_at, ends = (
        _moment(product, "download_limit_reset_utc_date"),
        _moment(product, "expiration_utc_date"),
    )
    if left * 100 >= limit * quota_percent or (ends is not None and ends <= now):
        return
    until = reset_at or ends
    data = {
        "downloads_remaining": left,
        "download_limit": limit,
        "reset_at": None if reset_at is None else rfc3339(reset_at),
    }
    period = "always" if until is None else rfc3339(until)
    event = _event(product, f"gpq-{name}-{period}", "agreement.quota_low", now, data)
    yield Notice(event, now if until is None else until)


def _event(
    product: Json, name: str, kind: str, at: Micros, more: dict[str, Json]
) -> dict[str, Json]:
    ends = _moment(product, "expiration_utc_date")
    told = {
        "id": spelled(product, "id"),
        "name": spelled(product, "name"),
        "type": spelled(product, "type"),
        "agreement_name": spelled(product, "agreement_name"),
        "expiration_utc_date": None if ends is None else rfc3339(ends),
    }
    return {
        "specversion": "1.0",
        "id": name,
        "source": "/getty/products",
        "type": kind,
        "subject": f"agreement/{told['id']}",
        "time": rfc3339(at),
        "datacontenttype": "application/json",
        "data": {"product": told, **more},
    }


def _moment(product: Json, field: str) -> Micros | None:
    text = utc(spelled(product, field))
    return None if text is None else rfc3339_moment(text)
