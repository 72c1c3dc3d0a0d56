"""`gateway.testing` comes to rest also where deliveries end without an attempt."""

import pytest

from gateway.testing import Gateway

ROUTES = """\
version: 1
sources: {{dam: {{verify: none}}}}
endpoints: {{cms: {{url: "http://127.0.0.1/cms", sign: none}}}}
routes:
  - {{name: updates, match: {{}}, to: [{{endpoint: cms, {}}}]}}
"""


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
