"""What the Dockerfile sets up, as far as that shows without a container: its environment and command."""

import json
import re
import urllib.error
import urllib.request

import pytest

from bench.processes import free_port
from tests.journeys.conftest import ROOT
from tests.kit.process import GatewayProcess

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def _environment(folder) -> dict[str, str]:
    """The image's variables, with its folders below *folder*."""
    found = dict(re.findall(r"((?:RIGHTS_)?GATEWAY_\w+)=(\S+)", DOCKERFILE))
    places = {"/config/": f"{folder}/", "/data/": f"{folder}/data/"}
    for name, value in found.items():
        for place, here in places.items():
            if value.startswith(place):
                found[name] = here + value.removeprefix(place)
    return found


@pytest.fixture
def image(example):
    environment = _environment(example)
    port = free_port()
    command = json.loads(DOCKERFILE.rpartition("CMD ")[2])
    assert command == ["serve", "--sample-receiver", "127.0.0.1:8090"]
    routes = example / "routes.yaml"
    routes.write_text(routes.read_text().replace("127.0.0.1:8090", f"127.0.0.1:{port}"))
    gateway = GatewayProcess(
        example, "--sample-receiver", f"127.0.0.1:{port}", environment=environment
    )
    # As the image says, but for the ports, which other tests may have.
    gateway.public = environment["GATEWAY_LISTEN"].replace("8080", "0")
    gateway.admin = environment["GATEWAY_ADMIN"].replace("8081", "0")
    yield gateway
    gateway.stop()


def test_it_reaches_a_first_delivery_and_shows_the_token_once(image):
    image.start()
    assert any(re.search(r"docker exec \S+ gateway send", line) for line in image.lines)
    (token,) = {found for line in image.lines for found in re.findall(r"rgw_\S+", line)}
    assert token not in (image.folder / "data" / "admin-token").read_text()
    assert sum(token in line for line in image.lines) == 1
    assert "delivered" in image.run("send", "--wait").stdout
    assert image.run("status").returncode == 0
    image.terminate()
    image.start()
    assert sum(token in line for line in image.lines) == 1


def test_the_admin_api_wants_the_token_and_health_does_not(image):
    image.start()
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"http://{image.admin}/api/v1/status")
    with urllib.request.urlopen(f"http://{image.public}/readyz") as answer:
        assert answer.status == 200
