"""Two gateways behind the load balancer of compose.yaml: what senders notice when one is replaced."""

import asyncio
import shutil
import subprocess

import pytest
import yaml

from tests.faults.machine import needs
from tests.journeys.conftest import ROOT
from tests.kit.process import GatewayProcess, free_ports

CONFIGURATION = (ROOT / "deploy/compose/haproxy.cfg").read_text()
SETTINGS = yaml.safe_load((ROOT / "compose.yaml").read_text())["x-gateway"]["environment"]
PORTS = ("127.0.0.1:8404", ":8081\n", ":8080\n")
"""Where it listens: by its health check, for the admin API, for webhooks."""


@pytest.fixture
def gateways(process, tmp_path):
    """Two that go by the same routes, each with a database of its own."""
    folder = tmp_path / "second"
    folder.mkdir()
    shutil.copy(tmp_path / "routes.yaml", folder)
    second = GatewayProcess(folder, "--grace", "5s", environment=process.environment)
    for gateway in (process, second):
        gateway.flags = (*gateway.flags, "--drain", SETTINGS["GATEWAY_DRAIN"])
        gateway.start()
    yield process, second
    second.stop()


@pytest.fixture
def balancer(gateways, tmp_path):
    """The address at which webhooks are taken."""
    needs("haproxy", there=shutil.which("haproxy") is not None)
    text = CONFIGURATION
    for number, gateway in enumerate(gateways, 1):
        admin, checked = gateway.admin, gateway.public.rpartition(":")[2]
        text = text.replace(f"gateway-{number}:8081 port 8080", f"{admin} port {checked}")
        text = text.replace(f"gateway-{number}:8080", gateway.public)
    health, admin, webhooks = (f"127.0.0.1:{port}" for port in free_ports(3))
    for place, here in zip(PORTS, (health, admin, webhooks), strict=True):
        assert text.count(f"bind {place}") == 1
        text = text.replace(f"bind {place}", f"bind {here}" + "\n" * place.endswith("\n"))
    file = tmp_path / "haproxy.cfg"
    file.write_text(text)
    child = subprocess.Popen(["haproxy", "-db", "-q", "-f", str(file)])
    yield f"http://{webhooks}"
    child.terminate()
    child.wait(10)


@pytest.mark.faults
@pytest.mark.timeout(90)
async def test_no_sender_hears_of_a_gateway_that_is_replaced(gateways, balancer, sender, sinks):
    url = f"{balancer}/in/getty"
    await sender.flow(url, ["first"], workers=1)  # until all of it is there
    sender.refused.clear()
    events = [f"e-{i}" for i in range(300)]
    flowing = asyncio.create_task(sender.flow(url, events, workers=4))
    await sender.acked_at_least(50)
    assert await asyncio.to_thread(gateways[0].terminate) == 0
    await asyncio.to_thread(gateways[0].start)
    await flowing
    assert sender.refused == {}
    await sinks.all_took({"first", *events})


def test_the_configuration_is_valid(tmp_path):
    needs("haproxy", there=shutil.which("haproxy") is not None)
    checking = ["haproxy", "-c", "-f", str(ROOT / "deploy/compose/haproxy.cfg")]
    checked = subprocess.run(checking, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    # Its names are those of compose.yaml's network.
    assert "WARNING" not in "\n".join(
        line for line in checked.stderr.splitlines() if "could not resolve" not in line
    )
