"""A running gateway among senders that mean harm, or do not know what they do."""

import contextlib
import socket
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kit.process import GatewayProcess

ROUTES = """\
version: 1
sources:
  open: {verify: none}
  packed: {verify: none, content_encoding: gzip}
  signed: {verify: {scheme: token, secrets: [{env: TOKEN}]}}
"""
ONE = b"POST /in/open HTTP/1.1\r\nhost: x\r\n"
GOOD = b'POST /in/open HTTP/1.1\r\nhost: x\r\ncontent-length: 12\r\n\r\n{"type":"x"}'
SEEDS = (
    GOOD,
    GOOD.replace(b"open", b"packed").replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n"),
    GOOD.replace(b"open", b"signed"),
    ONE
    + b"transfer-encoding: chunked\r\n\r\n"
    + b'5\r\n{"typ\r\n7;x=y\r\ne":"x"}\r\n0\r\nx-a: b\r\n\r\n',
    ONE
    + b"content-type: application/cloudevents-batch+json\r\ncontent-length: 57\r\n\r\n"
    + b'[{"specversion":"1.0","id":"1","source":"/s","type":"x"}]',
    b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n" + GOOD,
)
PIECES = (
    b"\r\n", b"\r\n\r\n", b"\n", b"\x00", b":", b" ", b"content-length: 5\r\n", b"expect: 100-continue\r\n",
    b"transfer-encoding: chunked\r\n", b"host: y\r\n", b"connection: close\r\n", b"content-encoding: gzip\r\n",
    b"HTTP/1.0", b"ffffffff\r\n", b"0\r\n\r\n", b"%00", b"..", b'"', b"[" * 70, b"\xff\xfe", b"x" * 9000,
)  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("hostile")
    (folder / "routes.yaml").write_text(ROUTES)
    process = GatewayProcess(folder, environment={"TOKEN": "t" * 20}).start()
    yield process
    process.stop()


def connect(process: GatewayProcess) -> socket.socket:
    host, port = process.public.split(":")
    return socket.create_connection((host, int(port)), timeout=8)


def exchange(process: GatewayProcess, parts: list[bytes]) -> bytes:
    """Send these parts, end, and read until the gateway ends too."""
    answer = b""
    with connect(process) as line:
        try:
            for part in parts:
                line.sendall(part)
            line.shutdown(socket.SHUT_WR)
            while received := line.recv(65536):
                answer += received
        except TimeoutError:
            raise
        except OSError:
            pass  # refused, and closed while we were still sending
    return answer


@st.composite
def attacks(draw) -> list[bytes]:
    """Random bytes, or requests that were cut, doubled and spiked, in parts split anywhere."""
    if draw(st.integers(0, 9)) == 0:
        data = draw(st.binary(max_size=2000))
    else:
        data = b"".join(draw(st.lists(st.sampled_from(SEEDS), min_size=1, max_size=3)))
        for _ in range(draw(st.integers(0, 4))):
            at, to = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
            piece = draw(st.sampled_from(PIECES) | st.binary(max_size=4))
            change = draw(st.sampled_from(("put", "cut", "double", "swap")))
            if change == "put":
                data = data[:at] + piece + data[at:]
            elif change == "cut":
                data = data[:at] + data[min(to, at + 20) :]
            elif change == "double":
                data = data[:to] + data[at:]
            else:
                data = data[:at] + piece + data[at + len(piece) :]
    cuts = sorted({0, len(data), *draw(st.lists(st.integers(0, len(data)), max_size=4))})
    return [data[a:b] for a, b in pairwise(cuts)]


@pytest.mark.timeout(90)
@settings(max_examples=200)
@given(parts=attacks())
def test_whatever_is_sent_the_gateway_answers_no_fault_of_its_own_and_serves_on(served, parts):
    before = len(served.lines)
    answer = exchange(served, parts)
    if b"HTTP/1.1 5" in answer:
        assert b"HTTP/1.1 503" in answer
        assert answer.count(b"HTTP/1.1 5") == answer.count(b"HTTP/1.1 503")
    assert exchange(served, [GOOD]).startswith(b"HTTP/1.1 202")
    assert [
        line for line in served.lines[before:] if "Traceback" in line or '"level": "error"' in line
    ] == []


# -- memory --------------------------------------------------------------------------------------------

SENDERS = 200
MIB = 1024 * 1024


def resident(process: GatewayProcess) -> int:
    """The memory of its process, in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


def post(length: int | str, *headers: str) -> bytes:
    lines = ["POST /in/signed HTTP/1.1", "host: x", f"content-length: {length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


CHUNKED = (
    b"POST /in/signed HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    + (b"100000\r\n" + b"x" * MIB + b"\r\n") * 3
)
# What each horde may cost: some buffers; where bodies are held, `max_in_flight` (64 MiB) and what
# a growing piece of memory takes in advance.
HORDES = {
    "a head without an end": (b"POST /in/signed HTTP/1.1\r\nx-a: " + b"x" * MIB, 8 * MIB),
    "a body that is announced far too large": (post(10**9) + b"x" * MIB, 8 * MIB),
    "chunks without an end": (CHUNKED, 16 * MIB),
    "a body that stops before its end": (post(MIB) + b"x" * (MIB - 1000), 96 * MIB),
    "many requests at once": (b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n" * 20_000, 48 * MIB),
}


@pytest.mark.faults
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
@pytest.mark.parametrize(("data", "growth"), HORDES.values(), ids=HORDES)
def test_two_hundred_senders_of_what_never_ends_do_not_fill_memory(tmp_path, data, growth):
    (tmp_path / "routes.yaml").write_text(ROUTES)
    process = GatewayProcess(tmp_path, environment={"TOKEN": "t" * 20}).start()
    lines = []
    try:
        assert exchange(process, [GOOD]).startswith(b"HTTP/1.1 202")
        before = resident(process)
        for _ in range(SENDERS):
            line = connect(process)
            lines.append(line)
            line.settimeout(0.3)
            with contextlib.suppress(TimeoutError, ConnectionError):  # it is not read to its end
                line.sendall(data)
        assert exchange(process, [GOOD])[:12] in (b"HTTP/1.1 202", b"HTTP/1.1 503")
        assert resident(process) - before < growth
    finally:
        for line in lines:
            line.close()
        process.stop()
