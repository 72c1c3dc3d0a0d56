"""The watchdog names who blocks the loop."""

import asyncio
import sys
import threading

from gateway.telemetry import Telemetry
from gateway.watchdog import Watchdog, blamed

CODE = """
def block(until):
    until.wait()
"""


async def test_a_handler_that_blocks_the_loop_is_named(tmp_path):
    file = tmp_path / "slow.py"
    file.write_text(CODE)
    names: dict = {}
    exec(compile(CODE, str(file), "exec"), names)
    reports, telemetry = [], Telemetry()
    telemetry.listen(lambda name, fields: (reports.append((name, fields)), told.set()))
    told, until = asyncio.Event(), threading.Event()
    watchdog = Watchdog(telemetry, lambda: [tmp_path], patience=0.05)
    watchdog._report, original = lambda *a: (until.set(), original(*a)), watchdog._report
    watchdog.start()
    names["block"](until)
    await told.wait()
    watchdog.stop()
    ((name, fields),) = reports
    assert (name, fields["handler"]) == ("handler.blocking", "block")
    assert fields["place"] == f"{file}:3"
    await asyncio.to_thread(watchdog._thread.join)
    assert watchdog.lag.total >= 0.05


def test_without_a_handler_on_the_stack_the_innermost_line_is_named(tmp_path):
    name, fields = blamed(sys._getframe(), [tmp_path])
    assert name == "loop.blocked"
    assert "test_watchdog.py" in fields["place"]


def test_an_empty_stack_is_no_crash(tmp_path):
    assert blamed(None, [tmp_path]) == ("loop.blocked", {"place": ""})
