"""The composition root: start, reload, stop."""

import asyncio
import os
import resource
import stat
import threading

import aiohttp
import pytest

from gateway.config.settings import Settings
from gateway.core.errors import ConfigError, StoreInUse
from gateway.service import Service, _connections
from gateway.store.lock import read_note
from gateway.testing import Gateway, ScriptedServer
from gateway.web.server import listen

ANYWHERE = ("127.0.0.1", 0)


def settings_for(routes_file, tmp_path, **more) -> Settings:
    fields = {"listen": ANYWHERE, "admin": ANYWHERE, "grace": "0s", **more}
    return Settings(routes=routes_file, database=tmp_path / "data" / "gateway.db", **fields)


async def post_to_open(service, event: dict[str, str]) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "/s", **event}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{service.public_url}/in/open", json=event) as answer,
    ):
        assert answer.status == 200


async def test_a_bad_routes_file_keeps_it_from_starting_and_leaves_nothing(routes_file, tmp_path):
    routes_file.write_text("version: 1\nrotues: []\n")
    with pytest.raises(ConfigError):
        await Service.open(settings_for(routes_file, tmp_path))
    assert not (tmp_path / "data" / "gateway.db").exists()


async def test_an_address_in_use_is_named_with_the_flag_and_the_database_let_go(
    routes_file, tmp_path
):
    taken = listen(ANYWHERE, "test")
    settings = settings_for(routes_file, tmp_path, admin=("127.0.0.1", taken.getsockname()[1]))
    service = await Service.open(settings)
    with pytest.raises(ConfigError, match="--admin"):
        await service.start()
    assert read_note(settings.database) is None
    taken.close()


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff", None])
async def test_a_token_file_that_holds_no_token_keeps_it_from_starting(
    routes_file, tmp_path, content
):
    file = tmp_path / "token"
    file.mkdir() if content is None else file.write_bytes(content)
    service = await Service.open(settings_for(routes_file, tmp_path, admin_token_file=file))
    with pytest.raises(ConfigError, match="--admin-token-file: admin-token"):
        await service.start()


async def test_two_gateways_cannot_share_a_database(routes_file, tmp_path):
    settings = settings_for(routes_file, tmp_path)
    first = await Service.open(settings)
    await first.start()
    with pytest.raises(StoreInUse):
        await Service.open(settings)
    await first.stop()


async def test_how_to_reach_it_stands_beside_the_database(routes_file, tmp_path):
    settings = settings_for(routes_file, tmp_path)
    service = await Service.open(settings)
    await service.start()
    note = read_note(settings.database)
    assert (note["pid"], note["public"], note["admin"]) == (
        os.getpid(), service.public_url, service.admin_url,
    )  # fmt: skip
    await service.stop()
    assert read_note(settings.database) is None


async def test_an_admin_api_that_others_can_reach_needs_a_token(routes_file, tmp_path):
    service = await Service.open(settings_for(routes_file, tmp_path, admin=("0.0.0.0", 0)))
    with pytest.raises(ConfigError, match="--admin-token-file"):
        await service.start()


async def test_the_token_is_made_once_kept_private_and_wanted(routes_file, tmp_path):
    token_file = tmp_path / "token"
    settings = settings_for(
        routes_file, tmp_path, admin=("0.0.0.0", 0), admin_token_file=token_file
    )
    service = await Service.open(settings)
    await service.start()
    assert service.new_token not in token_file.read_text()
    assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
    async with aiohttp.ClientSession(service.admin_url) as session:
        for headers, status in (
            ({}, 401),
            ({"authorization": "Bearer wrong"}, 401),
            ({"authorization": f"Basic {service.new_token}"}, 401),
            ({"authorization": f"Bearer {service.new_token}"}, 200),
        ):
            for path in ("/api/v1/status", "/metrics"):
                async with session.get(path, headers=headers) as answer:
                    assert answer.status == status
    await service.stop()
    again = await Service.open(settings)
    await again.start()
    assert again.new_token is None
    await again.stop()


async def test_a_reload_puts_new_routes_in_force(gateway, routes_file):
    text = routes_file.read_text().replace(
        "license.expired}, to: [pager]", "asset.updated}, to: [pager]"
    )
    routes_file.write_text(text)
    assert (await gateway.service.reload()).routes is not None
    await gateway.send("getty", {"type": "asset.updated"})
    await gateway.endpoint("pager").calls(1)


@pytest.mark.parametrize("text", ["version: 1\nrotues: []\n", "version: [", None])
async def test_a_bad_or_absent_file_leaves_the_former_in_force_and_says_so(
    gateway, routes_file, text
):
    reports = []
    gateway.service.telemetry.listen(lambda name, fields: reports.append((name, fields)))
    before = gateway.service.routes
    if text is None:
        routes_file.unlink()
    else:
        routes_file.write_text(text)
    await gateway.service.reload()
    assert gateway.service.routes is before
    ((name, fields),) = [r for r in reports if r[0].startswith("routes.")]
    assert (name, bool(fields["problems"]), fields["in_force"]) == (
        "routes.rejected", True, before.fingerprint,
    )  # fmt: skip
    await gateway.send("getty", {"type": "license.expiring"})
    await gateway.endpoint("cms").calls(1)


async def test_work_for_an_endpoint_that_was_not_there_at_start_goes_on_when_it_is_back(
    routes_file, tmp_path
):
    settings, text = settings_for(routes_file, tmp_path), routes_file.read_text()
    without = text.replace("to: [pager]", "to: [cms]").replace("  pager:", "  other:")
    server = ScriptedServer()
    await server.start()
    server.endpoint("pager").hang()
    for routes in (text, without):
        routes_file.write_text(routes)
        service = await Service.open(settings, stand_in=lambda name: f"{server.url}/{name}")
        await service.start()
        if routes == text:
            await post_to_open(service, {"type": "license.expired"})
            await server.endpoint("pager").calls(1)
            await service.stop()
    routes_file.write_text(text)
    assert (await service.reload()).routes is not None
    await server.endpoint("pager").calls(2)
    await service.stop()
    await server.stop()


async def test_work_for_an_endpoint_that_left_the_file_waits_visibly(gateway, routes_file):
    await gateway.service._operate.pause("pager")
    await gateway.send("getty", {"type": "license.expired"})
    await gateway.endpoint("cms").calls(1)
    text = routes_file.read_text()
    routes_file.write_text(text.replace("to-pager, match: {type: license.expired}, to: [pager]",
                                        "to-cms-too, match: {type: other}, to: [cms]")
                           .replace("  pager:\n    url: https://pager.example.com/\n    sign: none\n    retry: {schedule: []}\n", ""))  # fmt: skip
    assert (await gateway.service.reload()).routes is not None
    lanes = {lane["name"]: lane["state"] for lane in gateway.service._operate.endpoints()}
    assert lanes == {"cms": "open", "pager": "gone"}
    (waiting,) = await gateway.service._store.deliveries({"endpoint": "pager"})
    assert waiting["state"] == "scheduled"
    routes_file.write_text(text)
    await gateway.service.reload()
    assert not gateway.service.takes("pager")  # it is paused, as it was left
    await gateway.service._operate.resume("pager")
    await gateway.endpoint("pager").calls(1)


async def test_an_edited_file_is_taken_over_without_being_told(gateway, routes_file, seen):
    text = routes_file.read_text().replace(
        "license.expired}, to: [pager]", "asset.updated}, to: [pager]"
    )
    waiting = seen(gateway, "routes.reloaded")
    task = asyncio.create_task(waiting)
    await asyncio.to_thread(lambda: None)
    routes_file.write_text(text)
    await task
    await gateway.send("getty", {"type": "asset.updated"})
    await gateway.endpoint("pager").calls(1)


HANDLER = """\
from gateway import Endpoint, Event, Response

async def act(event: Event, endpoint: Endpoint) -> Response:
    return await endpoint.post("/{word}")
"""


async def test_an_edited_handler_is_taken_over_and_a_broken_one_is_not(routes_file, seen):
    folder = routes_file.parent / "handlers"
    folder.mkdir()
    (folder / "mine.py").write_text(HANDLER.format(word="first"))
    routes_file.write_text(
        routes_file.read_text().replace(
            "url: https://cms.example.com/hook",
            "url: https://cms.example.com/\n    handler: handlers.mine:act",
        )
    )
    async with Gateway(routes_file) as gateway:
        await gateway.send("getty", {"type": "license.expiring"})
        assert (await gateway.endpoint("cms").calls(1))[0].path == "/first"
        (folder / "mine.py").write_text("def broken(:\n")
        assert (await gateway.service.reload()).routes is None
        await gateway.send("getty", {"type": "license.expiring"})
        assert (await gateway.endpoint("cms").calls(2))[1].path == "/first"
        (folder / "mine.py").write_text(HANDLER.format(word="second"))
        await gateway.service.reload()
        await gateway.send("getty", {"type": "license.expiring"})
        assert (await gateway.endpoint("cms").calls(3))[2].path == "/second"


async def test_what_was_under_way_when_it_stopped_is_delivered_after_the_next_start(
    routes_file, tmp_path
):
    settings = settings_for(routes_file, tmp_path)
    server = ScriptedServer()
    await server.start()
    server.endpoint("cms").hang()
    for round_ in (1, 2):
        service = await Service.open(settings, stand_in=lambda name: f"{server.url}/{name}")
        await service.start()
        if round_ == 1:
            await post_to_open(service, {"type": "license.expiring"})
        await server.endpoint("cms").calls(round_)
        if round_ == 2:
            while (await service._store.deliveries({}))[0]["state"] != "delivered":
                await asyncio.to_thread(lambda: None)
        await service.stop()
    first, second = server.endpoint("cms").received
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    await server.stop()


async def test_a_second_signal_hurries_the_end(routes_file, tmp_path):
    settings = settings_for(routes_file, tmp_path, grace="60s", drain="60s")
    service = await Service.open(settings)
    await service.start()
    stopping = asyncio.create_task(service.stop(moment=settings.drain))
    await asyncio.to_thread(lambda: None)
    assert not stopping.done()
    service.hurry()
    await stopping


# -- many files ----------------------------------------------------------------------------------------


async def test_a_new_included_file_is_taken_over_and_reload_is_all_or_nothing(
    tmp_path, routes_file, seen
):
    routes_file.write_text(routes_file.read_text() + "include: [routes.d/*.yaml]\n")
    (tmp_path / "routes.d").mkdir()
    async with Gateway(routes_file) as gateway:
        reloaded, rejected = seen(gateway, "routes.reloaded"), seen(gateway, "routes.rejected")
        more = "version: 1\nroutes: [{name: team-a, match: {type: new}, to: [cms]}]\n"
        (tmp_path / "routes.d" / "a.yaml").write_text(more)
        await reloaded
        await gateway.send("getty", {"type": "new"})
        assert len(await gateway.endpoint("cms").calls(1)) == 1
        in_force = gateway.service.routes.fingerprint
        (tmp_path / "routes.d" / "b.yaml").write_text("version: 1\nrotues: []\n")
        (report,) = await rejected
        assert "b.yaml:2:1: unknown-key" in report["problems"][-1]
        assert gateway.service.routes.fingerprint == in_force


async def test_events_are_taken_while_routes_are_loaded(gateway, routes_file, monkeypatch):
    loading, go_on = threading.Event(), threading.Event()

    def slow_import(*_arguments):
        loading.set()
        assert go_on.wait(10)
        return ""

    monkeypatch.setattr("gateway.plugins.Handlers.find", slow_import)
    text = routes_file.read_text().replace("    sign: none\n", "    handler: handlers.slow:act\n")
    routes_file.write_text(text)
    reload = asyncio.ensure_future(gateway.service.reload())
    await asyncio.to_thread(loading.wait, 10)
    answer = await gateway.send("getty", {"type": "license.expired"})
    assert (answer["status"], reload.done()) == (202, False)
    go_on.set()
    await reload


async def test_what_is_not_verified_is_told_of(gateway):
    assert gateway.service.status()["routes"]["unverified"] == ["open", "quiet", "slow"]


async def test_a_gateway_does_not_call_itself(routes_file, tmp_path):
    with listen(ANYWHERE, "test") as free:
        port = free.getsockname()[1]
    routes_file.write_text(
        "version: 1\nsources:\n  open: {verify: none, ack: 200}\n"
        f"endpoints:\n  self: {{url: 'http://127.0.0.1:{port}/in/open', sign: none}}\n"
        "routes:\n  - {name: round, match: {type: [{exists: true}]}, to: [self]}\n"
    )
    service = await Service.open(settings_for(routes_file, tmp_path, listen=("127.0.0.1", port)))
    closed: asyncio.Future[dict] = asyncio.get_running_loop().create_future()
    service.telemetry.listen(
        lambda name, fields: closed.set_result(fields) if name == "endpoint.closed" else None
    )
    await service.start()
    await post_to_open(service, {"type": "t"})
    assert await closed == {
        "endpoint": "self",
        "state": "blocked",
        "reason": f"egress-denied: 127.0.0.1 port {port} (own-address); no flag allows this address",
    }
    await service.stop()


@pytest.mark.parametrize(
    ("files", "wanted", "taken"),
    [(65_536, 1000, (1000, 100)), (1024, 1000, (860, 100)), (128, 1000, (48, 16)), (128, 10, (10, 16))],
)  # fmt: skip
def test_where_descriptors_are_few_connections_are_fewer(monkeypatch, files, wanted, taken):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert _connections(wanted) == taken
