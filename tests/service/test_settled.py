"""`gateway.testing` comes to rest also where deliveries end without an attempt."""

import asyncio

import pytest

from gateway.service import Service
from gateway.testing import Gateway

ROUTES = """\
version: 1
sources: {{dam: {{verify: none}}}}
endpoints: {{cms: {{url: "http://127.0.0.1/cms", sign: none}}}}
routes:
  - {{name: updates, match: {{}}, to: [{{endpoint: cms, {}}}]}}
"""


async def test_where_the_disk_is_slow_an_outcome_is_waited_for_and_no_day_goes_by(
    tmp_path, monkeypatch
):
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES.format("expires_after: 10s"))
    async with Gateway(path) as gateway:
        begun, record, looked = gateway.clock.now(), gateway.service._store.record, asyncio.Event()
        at_rest = Service.at_rest.fget

        async def late(*outcome):
            looked.clear()
            await looked.wait()
            await record(*outcome)

        monkeypatch.setattr(Service, "at_rest", property(lambda s: (looked.set(), at_rest(s))[1]))
        monkeypatch.setattr(gateway.service._store, "record", late)
        await gateway.send("dam", {"type": "asset.updated", "data": {}})
        await gateway.settled()
        assert gateway.clock.now() == begun


@pytest.mark.parametrize(
    ("timing", "statuses", "states"),
    [
        ('key: "${event.data.asset}", coalesce: {settle: 5s, max: 60s}', (), ["delivered", "superseded"]),
        ("expires_after: 10s", (500,) * 9, ["cancelled", "cancelled"]),
    ],
)  # fmt: skip
async def test_what_ends_without_an_attempt_is_not_waited_for(tmp_path, timing, statuses, states):
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES.format(timing))
    async with Gateway(path) as gateway:
        for status in statuses:
            gateway.endpoint("cms").reply(status)
        for n in range(2):
            await gateway.send("dam", {"type": "asset.updated", "data": {"asset": "7", "n": n}})
        await gateway.settled()
        rows = await gateway.service._store.deliveries({})
    assert [row["state"] for row in rows] == states
