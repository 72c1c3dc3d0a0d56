"""`gateway send` to a gateway that knows its own name, and what it says of an event that is ignored."""

import pytest

from tests.kit.process import GatewayProcess

ROUTES = """\
version: 1
sources:
  acme:
    verify: none
    event: [{when: 'body.kind == "noise"', ignore: true}, {type: acme.note}]
"""


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """A gateway that takes requests for one host alone."""
    home = tmp_path_factory.mktemp("named")
    (home / "routes.yaml").write_text(ROUTES)
    environment = {"GATEWAY_ALLOWED_HOST": "hooks.example.com"}
    gateway = GatewayProcess(home, environment=environment).start()
    yield gateway
    gateway.stop()


def send(gateway, *arguments: str, **environment: str):
    other = GatewayProcess(gateway.folder, environment=environment)
    return other.call("send", "-", *arguments, stdin=b'{"kind": "note"}')


def test_the_host_is_one_that_the_gateway_takes(named):
    assert "202 kept as" in send(named, GATEWAY_ALLOWED_HOST="hooks.example.com").stdout
    assert "202 kept as" in send(named, GATEWAY_PUBLIC_URL="https://hooks.example.com:444").stdout
    assert "421" in send(named).stdout


def test_another_host_can_be_sent_and_a_url_that_is_named_has_its_own(named):
    of_the_gateway = {"GATEWAY_ALLOWED_HOST": "hooks.example.com"}
    assert "421" in send(named, "-H", "Host: other.example.com", **of_the_gateway).stdout
    assert "421" in send(named, "--url", named.url, **of_the_gateway).stdout
    assert "202" in send(named, "--url", named.url, "-H", "host: hooks.example.com").stdout


def test_an_event_that_is_ignored_is_said_to_be(named):
    result = named.run("send", "-", stdin=b'{"kind": "noise"}')
    assert result.stdout.startswith("202 ignored: the `event:` of acme says so")
    assert result.returncode == 0
