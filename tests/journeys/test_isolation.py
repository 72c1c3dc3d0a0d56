"""One bad endpoint harms only itself."""

from gateway.testing import Gateway


async def test_an_endpoint_that_fails_hangs_resets_and_recovers_gets_each_event_once(routes_file):
    text = routes_file.read_text().replace("retry: {schedule: [5s, 1m]}", "timeout: 300ms")
    routes_file.write_text(text)
    async with Gateway(routes_file) as gateway:
        cms = gateway.endpoint("cms")
        for _ in range(3):
            cms.reply(500)
        for _ in range(3):
            cms.hang()
        for _ in range(3):
            cms.reset()
        for _ in range(10):
            await gateway.send("getty", {"type": "license.expired"})
        await gateway.endpoint("pager").calls(10)
        await gateway.settled()
        taken = [call.headers["webhook-id"] for call in cms.received]
        assert len(cms.received) == 19
        rows = await gateway.service._store.deliveries({"endpoint": "cms"})
        assert {row["state"] for row in rows} == {"delivered"}
        assert sorted(set(taken)) == sorted(row["id"] for row in rows)
        assert len(gateway.endpoint("pager").received) == 10
        for row in rows:
            attempts = await gateway.service._store.attempts(row["event_id"], 0)
            assert [a["outcome"] for a in attempts].count("accepted") == 1
            assert attempts[-1]["outcome"] == "accepted"
