"""The acknowledgement leaves after the sync, as the kernel sees it."""

import os
import re
import shutil

import pytest


@pytest.mark.timeout(60)
async def test_fdatasync_returns_before_202_is_written(process, sender, tmp_path):
    if shutil.which("strace") is None:
        if os.environ.get("TEST_TOOLS") == "required":
            pytest.fail("strace is not installed")
        pytest.skip("strace is not installed")
    routes = (
        tmp_path / "routes.yaml"
    )  # no attempts: their outcomes would be written beside the events
    routes.write_text(routes.read_text().replace("to: [cms", "mode: shadow, to: [cms"))
    trace = tmp_path / "trace"
    process.before = (
        "strace", "-f", "-o", str(trace), "-s", "64",
        "-e", "trace=fdatasync,fsync,write,writev,sendto,sendmsg,pwrite64",
    )  # fmt: skip
    process.start()
    for i in range(5):
        await sender.flow(f"{process.url}/in/getty", [f"e-{i}"], workers=1)
    process.terminate()
    order = _acks_and_syncs(trace.read_text(errors="replace"))
    assert order.count("ack") == 5
    for i, what in enumerate(order):
        if what == "ack":
            assert "sync" in order[:i], order
            since = order[:i][::-1].index("sync")
            assert "written" not in order[i - since : i], order


def _acks_and_syncs(trace: str) -> list[str]:
    """What happened, in the order in which each call ended: log written, log synced, 202 sent."""
    log = re.compile(r"pwrite64\(\d+, .*\) += \d+|<\.\.\. pwrite64 resumed.*= \d+")
    happened = []
    for line in trace.splitlines():
        if "unfinished" in line:
            continue
        if "HTTP/1.1 202" in line:
            happened.append("ack")
        elif re.search(r"fdatasync.* = 0", line):
            happened.append("sync")
        elif log.search(line):
            happened.append("written")
    return happened


TRACE = """
1 pwrite64(7, "x", 4096, 32) = 4096
1 fdatasync(7 <unfinished ...>
2 write(9, "GET", 3) = 3
1 <... fdatasync resumed>) = 0
2 writev(9, [{iov_base="HTTP/1.1 202 Accepted"}], 1) = 99
"""


def test_the_order_is_read_out_of_a_trace():
    assert _acks_and_syncs(TRACE) == ["written", "sync", "ack"]
