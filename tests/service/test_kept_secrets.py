"""No secret of an endpoint is kept with an attempt, whatever its handler and its answer do."""

import aiohttp

from gateway.testing import Gateway

ROUTES = """\
version: 1
sources: {open: {verify: none}}
endpoints:
  cms:
    url: {env: CMS_URL}
    sign: none
    auth: {basic: {user: gateway, password: {file: password}}}
    secrets: {routing: {file: routing}}
    handler: leaky:take
    retry: {schedule: []}
  echo:
    url: https://echo.example.com/?access_token=in-the-url
    sign: none
    auth: {bearer: {file: bearer}}
    retry: {schedule: []}
routes:
  - {name: all, match: {}, to: [cms, echo]}
"""

HANDLER = """\
async def take(event, endpoint):
    await endpoint.get("/x", query={"key": endpoint.secret("routing"), "page": "2"})
    raise ValueError("it is " + endpoint.secret("routing") + ", not pass-of-the-cms")
"""


async def test_tracebacks_answers_reasons_and_urls_are_kept_without_them(tmp_path, monkeypatch):
    monkeypatch.setenv("CMS_URL", "https://cms.example.com/")
    for name, secret in (
        ("password", "pass-of-the-cms"), ("routing", "routing-of-the-cms"), ("bearer", "bearer-of-echo"),
    ):  # fmt: skip
        (tmp_path / name).write_text(secret + "\n")
    (tmp_path / "leaky.py").write_text(HANDLER)
    (tmp_path / "routes.yaml").write_text(ROUTES)
    async with Gateway(tmp_path / "routes.yaml") as gateway:
        gateway.endpoint("echo").reply(400, body=b'{"Authorization": "Bearer bearer-of-echo"}')
        sent = {"type": "a", "specversion": "1.0", "id": "1", "source": "/x"}
        name = (await gateway.send("open", sent))["id"]
        await gateway.settled()
        async with (
            aiohttp.ClientSession(gateway.service.admin_url) as session,
            session.get(f"/api/v1/events/{name}") as answer,
            session.get("/api/v1/endpoints") as endpoints,
        ):
            told, shown = await answer.text(), await endpoints.text()
        got = gateway.endpoint("echo").received[0].headers["authorization"]
    assert got == "Bearer bearer-of-echo"
    for secret in ("pass-of-the-cms", "routing-of-the-cms", "bearer-of-echo", "in-the-url"):
        assert secret not in told + shown
    assert "ValueError: it is <secret>, not <secret>" in told
    assert "/x?key=<secret>&page=2" in told
