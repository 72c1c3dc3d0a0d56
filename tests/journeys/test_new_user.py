"""What somebody does in the first five minutes."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
from standardwebhooks.webhooks import Webhook

from bench.processes import free_port
from tests.kit.process import GatewayProcess


@pytest.mark.timeout(60)
def test_init_serve_send_and_see_it_arrive(tmp_path):
    home = GatewayProcess(tmp_path)
    assert home.run("init", "mine").returncode == 0
    port = free_port()
    routes = tmp_path / "mine" / "routes.yaml"
    routes.write_text(routes.read_text().replace("127.0.0.1:8090", f"127.0.0.1:{port}"))
    gateway = GatewayProcess(tmp_path / "mine", "--sample-receiver", f"127.0.0.1:{port}").start()
    try:
        result = gateway.run("send", "--wait")
        assert re.search(r"cms +licence-expiring +delivered", result.stdout)
        assert any("signature ok" in line for line in gateway.lines)
        assert not any("made up for development" in line for line in gateway.lines)
    finally:
        assert gateway.terminate() == 0


def test_an_edit_is_taken_over_and_a_faulty_one_refused_loudly(example):
    gateway = GatewayProcess(example).start()
    try:
        routes = example / "routes.yaml"
        text = routes.read_text()
        for change, word in (
            (text.replace("to: [cms, workflow, alerting]", "to: [cms]"), "new routes are in force"),
            (
                text.replace("to: [cms, workflow, alerting]", "to: [cmz]"),
                "the routes file is faulty",
            ),
        ):
            before = len(gateway.lines)
            routes.write_text(change)
            gateway.said(word, before)
        assert any('did you mean \\"cms\\"?' in line for line in gateway.lines)
        routes.write_text(text)
        before = len(gateway.lines)
        os.kill(gateway.pid, signal.SIGHUP)
        gateway.said("new routes are in force", before)
    finally:
        assert gateway.terminate() == 0


@pytest.mark.timeout(60)
def test_the_demonstration_delivers_everything_and_leaves_nothing(tmp_path):
    demo = [sys.executable, "-m", "gateway", "demo", "--seconds", "3", "--rate", "20", "--json"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    result = subprocess.run(
        demo, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    numbers = json.loads(result.stdout)
    assert numbers["events_kept"] == numbers["events_sent"] == 60
    assert numbers["delivered"] == numbers["deliveries"] > 60
    assert numbers["attempts_refused"] > 0  # one receiver failed for a while
    assert numbers["signatures_wrong"] == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(60)
def test_ctrl_c_ends_the_demonstration_and_leaves_nothing(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    demo = subprocess.Popen(
        [sys.executable, "-m", "gateway", "demo", "--seconds", "60"],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert demo.stdout is not None
    assert " kept, " in demo.stdout.readline()
    assert list(tmp_path.iterdir()) != []
    demo.send_signal(signal.SIGINT)
    rest, _ = demo.communicate(timeout=30)
    assert demo.returncode == 130
    assert "nothing is left behind" in rest
    assert list(tmp_path.iterdir()) == []


def test_the_demonstration_ends_with_a_delivery_to_the_users_own_url(tmp_path):
    port = free_port()
    listen = subprocess.Popen(
        [sys.executable, "-m", "gateway", "listen", "--listen", f"127.0.0.1:{port}", "--json"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert listen.stderr is not None
    assert "listening at" in listen.stderr.readline()
    demo = [
        sys.executable, "-m", "gateway", "demo", "--seconds", "1",
        "--to", f"http://127.0.0.1:{port}/mine", "--json",
    ]  # fmt: skip
    result = subprocess.run(demo, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    yours = json.loads(result.stdout)["yours"]
    assert (yours["delivered"], yours["status"]) == (True, 200)
    assert listen.stdout is not None
    arrived = json.loads(listen.stdout.readline())
    listen.send_signal(signal.SIGINT)
    listen.communicate(timeout=10)
    assert (arrived["path"], json.loads(arrived["body"])["type"]) == ("/mine", "demo.finished")
    Webhook(yours["secret"]).verify(arrived["body"].encode(), arrived["headers"])
