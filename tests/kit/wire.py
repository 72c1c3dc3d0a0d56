"""Bytes to a gateway's public listener, and the answers that come back."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True)
class Answer:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """Of a problem, whose form is checked as well."""
        assert self.headers["content-type"] == "application/problem+json", self
        fields = orjson.loads(self.body)
        assert set(fields) == {"type", "title", "status", "detail", "instance", "code"}
        assert fields["status"] == self.status
        return fields["code"]

    @property
    def closes(self) -> bool:
        return self.headers.get("connection") == "close"


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self, *, bodiless: bool = False) -> Answer:
        """The next answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        line, *lines = head.strip().split("\r\n")
        headers = {n.lower(): v.strip() for n, _, v in (each.partition(":") for each in lines)}
        length = 0 if bodiless else int(headers.get("content-length", "0"))
        return Answer(int(line.split(" ")[1]), headers, await self.reader.readexactly(length))

    async def closed(self) -> bytes:
        """Wait until the gateway has ended its side; what it sent until then."""
        return await self.reader.read()


@asynccontextmanager
async def wire(gateway: Any) -> Any:
    """A connection to the public listener."""
    host, port = gateway.service.public_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()


async def answers(gateway: Any, data: bytes, count: int = 1) -> list[Answer]:
    """So many answers to these bytes, after which the connection has to end if the last one says so."""
    async with wire(gateway) as line:
        line.send(data)
        found = [await line.answer() for _ in range(count)]
        if found[-1].closes:
            assert await line.closed() == b""
        return found


def a_request(
    path: str = "/in/open", body: bytes = b'{"type":"x"}', *headers: str, method: str = "POST",
    host: str | None = "x", length: bool = True,
) -> bytes:  # fmt: skip
    """A request; what is not said is as it should be."""
    lines = [f"{method} {path} HTTP/1.1"]
    lines += [] if host is None else [f"host: {host}"]
    lines += [f"content-length: {len(body)}"] if length else []
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + body
