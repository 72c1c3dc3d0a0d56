"""`retry` and `success` in a whole gateway against a scripted server."""

import pytest

from gateway.testing import Gateway

ROUTES = """\
version: 1
sources: {{getty: {{verify: none}}}}
endpoints:
  cms:
    url: https://cms.example.com/
    sign: none
    {}
routes: [{{name: all, match: {{}}, to: [cms]}}]
"""


@pytest.fixture
def run(tmp_path):
    """A gateway whose one endpoint says this besides."""

    def run(line: str) -> Gateway:
        path = tmp_path / "routes.yaml"
        path.write_text(ROUTES.format(line))
        return Gateway(path)

    return run


async def ended(gateway: Gateway) -> tuple[str, int, str | None]:
    """How the one delivery ended, after how many attempts, and why."""
    await gateway.send("getty", {"type": "a"})
    await gateway.settled()
    (row,) = await gateway.service._store.deliveries({})
    return row["state"], row["attempts"], row["reason"]


async def test_retry_never_is_one_attempt(run):
    async with run("retry: never") as gateway:
        gateway.endpoint("cms").reply(503)
        assert await ended(gateway) == ("dead", 1, "http-503 (after 1 attempt)")


async def test_only_what_is_named_is_attempted_again(run):
    async with run("retry: {first: 5s, attempts: 9, on: [5xx, connection-lost]}") as gateway:
        gateway.endpoint("cms").reply(503).reset().reset().reply(404)
        state, attempts, reason = await ended(gateway)
    assert (state, attempts) == ("dead", 3)
    assert reason == "http-404 (after 3 attempts: `retry` says that there is no other)"


async def test_growing_delays_end_with_the_last_attempt(run):
    async with run("retry: {first: 5s, factor: 10, longest: 1h, attempts: 4}") as gateway:
        for _ in range(9):
            gateway.endpoint("cms").reply(500)
        assert await ended(gateway) == ("dead", 4, "http-500 (after 4 attempts)")


async def test_no_attempt_is_made_past_the_time_that_there_is(run):
    async with run("retry: {first: 1h, factor: 1, within: 4h}") as gateway:
        for _ in range(9):
            gateway.endpoint("cms").reply(500)
        state, attempts, reason = await ended(gateway)
    assert (state, attempts) == ("dead", 5)
    assert reason == "http-500 (after 5 attempts: no time is left for another)"


async def test_a_success_is_what_the_endpoint_says_it_is(run):
    async with run("success: response.status == 409 || response.body.applied") as gateway:
        cms = gateway.endpoint("cms")
        cms.reply(200, {"applied": False}).reply(200, body=b"what?").reply(409)
        assert await ended(gateway) == ("delivered", 3, None)
        (row,) = await gateway.service._store.deliveries({})
        attempts = await gateway.service._store.attempts(row["event_id"], 0)
    assert attempts[0]["reason"] == "not-successful"
    assert attempts[1]["reason"].startswith("not-successful: `response.status == 409")
    assert attempts[1]["excerpt"] == "what?"
