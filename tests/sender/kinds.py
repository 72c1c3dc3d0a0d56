"""The senders that the contract is for, and how each of them is made."""

import socket
from collections.abc import Callable

from aiohttp.abc import AbstractResolver

from gateway.core.egress import LOOPBACK, EgressPolicy
from gateway.ports import Sender
from gateway.sender.aiohttp import AiohttpSender
from gateway.sender.dial import resolve
from gateway.sender.lean import LeanSender

Names = Callable[[str], list[str]]
"""The addresses of a name; none where there is no such name."""


def aiohttp(policy: EgressPolicy, names: Names | None, connect_seconds: float) -> Sender:
    return AiohttpSender(
        policy,
        user_agent="gateway-tests",
        resolver=None if names is None else Resolver(names),
        name_seconds=0,
        connect_seconds=connect_seconds,
    )


def lean(policy: EgressPolicy, names: Names | None, connect_seconds: float) -> Sender:
    async def resolve_as_told(host: str, _port: int) -> list[str]:
        return names(host)

    return LeanSender(
        policy,
        user_agent="gateway-tests",
        names=resolve if names is None else resolve_as_told,
        name_seconds=0,
        connect_seconds=connect_seconds,
    )


KINDS = {"aiohttp": aiohttp, "lean": lean}


class Resolver(AbstractResolver):
    """Names, as aiohttp asks for them."""

    def __init__(self, names: Names) -> None:
        self._names = names

    async def resolve(self, host, port=0, family=socket.AF_INET):
        addresses = self._names(host)
        if not addresses:
            raise OSError("no such name")
        return [
            {"hostname": host, "host": each, "port": port, "proto": 0, "flags": 0,
             "family": socket.AF_INET6 if ":" in each else socket.AF_INET}
            for each in addresses
        ]  # fmt: skip

    async def close(self):
        pass


LOOPBACK_ONLY = EgressPolicy(allow=LOOPBACK)
