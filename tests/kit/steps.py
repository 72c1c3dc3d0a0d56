"""Steps that a scripted server takes on a connection, one after the other; each is a `Say` itself.

    raw_server(script(hear, say(b"HTTP/1.1 200 OK\\r\\n"), reset))

When the last step is taken the server closes the connection.
"""

import asyncio
import socket
import struct

from tests.kit.raw import Say


def script(*steps: Say) -> Say:
    """These steps, in turn."""

    async def take(reader, writer):
        for step in steps:
            await step(reader, writer)

    return take


def by_connection(*says: Say) -> Say:
    """The first connection is treated as the first of these says, and so on; the last stays."""

    async def take(reader, writer):
        await says[min(reader.number, len(says)) - 1](reader, writer)

    return take


async def hear(reader, _writer):
    """Read a whole request."""
    await reader.request()


async def hear_head(reader, _writer):
    """Read a request's head, and nothing of its body."""
    await reader.head()


async def hear_some(reader, _writer):
    """Read what comes first: of a long request a part, of a TLS client its hello."""
    await reader.some()


async def hear_out(reader, _writer):
    """Read on until the client closes."""
    while await reader.some():
        pass


def say(*parts: bytes) -> Say:
    """Write each of these in a segment of its own, as far as the network keeps them apart."""

    async def take(_reader, writer):
        for at, part in enumerate(parts):
            if at:
                await moment()
            writer.write(part)
            await writer.drain()

    return take


def drip(data: bytes) -> Say:
    """Write it byte by byte, slowly."""
    return say(*(data[at : at + 1] for at in range(len(data))))


def endlessly(data: bytes) -> Say:
    """Write it again and again, as fast as it is taken."""
    many = data * (65536 // len(data) + 1)

    async def take(_reader, writer):
        while True:
            writer.write(many)
            await writer.drain()

    return take


async def half_close(_reader, writer):
    """Say that nothing more will be said, and go on listening."""
    writer.write_eof()


async def reset(_reader, writer):
    """Break the connection off: the client gets a RST instead of an end."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def close(_reader, writer):
    """Close the connection."""
    writer.close()


async def cut(_reader, writer):
    """End the stream below TLS, without the alert that says that it is the end."""
    with writer.get_extra_info("socket").dup() as sock:
        sock.shutdown(socket.SHUT_WR)


def say_below(data: bytes) -> Say:
    """Write it below TLS, as it is, behind whatever was said before."""

    async def take(_reader, writer):
        await moment()
        with writer.get_extra_info("socket").dup() as sock:
            sock.send(data)

    return take


async def hang(_reader, _writer):
    """Do nothing, until the server is closed."""
    await asyncio.Event().wait()


def linger(seconds: float) -> Say:
    """Do nothing for so long."""

    async def take(_reader, _writer):
        await moment(seconds)

    return take


async def moment(seconds: float = 0.01) -> None:
    """The time that a slow server takes: by default, between two bytes."""
    try:
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()
    except TimeoutError:
        pass
