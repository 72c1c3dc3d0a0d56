"""What happens to the listening socket."""

import asyncio
import contextlib
import socket

import uvloop

from gateway.testing import Gateway
from gateway.web.protocol import Connection


def test_a_listener_that_is_lost_for_lack_of_memory_ends_the_gateway(routes_file, monkeypatch):
    def short_of_memory(*_arguments, **_options):
        raise MemoryError

    async def scenario() -> list[str]:
        reports: list[str] = []
        async with Gateway(routes_file) as gateway:
            gateway.service.telemetry.listen(lambda name, _fields: reports.append(name))
            asyncio.get_running_loop().set_exception_handler(gateway.service.loop_failed)
            host, port = gateway.service.public_url.removeprefix("http://").split(":")
            with monkeypatch.context() as patch:
                patch.setattr(Connection, "__init__", short_of_memory)
                with contextlib.suppress(ConnectionError), socket.create_connection((host, port)):
                    async with asyncio.timeout(10):
                        await gateway.service.broken.wait()
        return reports

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert "listener.lost" in runner.run(scenario())
