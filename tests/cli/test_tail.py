"""`gateway tail`."""

import json
import queue
import signal
import subprocess
import sys
import threading

import pytest


class Tail:
    """The command, and the lines that it prints."""

    def __init__(self, running, *flags):
        self.running = running
        self.child = subprocess.Popen(
            [sys.executable, "-m", "gateway", "tail", *flags], cwd=running.folder,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.child.stdout:
            self.lines.put(line.rstrip("\n"))

    def end(self):
        self.child.kill()
        self._reader.join()
        self.child.communicate()

    def first(self) -> str:
        """The first line; events are sent until there is one."""
        while self.lines.empty():
            assert self.running.call("send", "--wait").returncode == 0
        return self.lines.get()


@pytest.fixture
def tailing(running):
    begun = []

    def start(*flags):
        begun.append(Tail(running, *flags))
        return begun[-1]

    yield start
    for each in begun:
        each.end()


def test_what_happens_is_shown_in_a_line_until_ctrl_c(tailing):
    tail = tailing("--endpoint", "cms")
    line = tail.first()
    assert "attempt accepted 200  cms  license.expiring" in " ".join(
        line.split(" ", 1)[1].split("\x1b")
    )
    assert "delivered" in line
    tail.child.send_signal(signal.SIGINT)
    assert tail.child.wait(10) == 130
    assert tail.child.stderr.read() == ""


def test_only_attempts_by_a_route_are_shown_where_that_is_wanted(tailing):
    item = json.loads(tailing("--json", "--route", "licence-expiring").first())
    assert (item["what"], item["route"]) == ("attempt", "licence-expiring")


def test_for_programs_each_is_a_line_of_json(tailing):
    item = json.loads(tailing("--json", "--what", "event").first())
    assert (item["what"], item["source"], item["outcome"]) == ("event", "getty", "accepted")


def test_a_word_that_is_none_is_refused(running):
    result = running.run("tail", "--what", "events")
    assert (result.returncode, "'event', 'request', 'attempt'" in result.stderr) == (2, True)


def test_without_a_gateway_it_says_so(running, tmp_path):
    result = running.run("tail", "--gateway", "http://127.0.0.1:1")
    assert (result.returncode, "does not answer" in result.stderr) == (75, True)
