"""`gateway ping`: where it does not go, and what it says then."""

import asyncio

from tests.kit.process import GatewayProcess
from tests.kit.raw import answers, raw_server

ROUTES = """\
version: 1
endpoints: {{it: {{url: "{}", sign: none}}}}
"""


def ping(folder, url: str, **environment: str) -> tuple[int, str]:
    (folder / "ping.yaml").write_text(ROUTES.format(url))
    result = GatewayProcess(folder, environment=environment).call(
        "ping", "it", "--routes", "ping.yaml"
    )
    return result.returncode, result.stdout + result.stderr


def test_the_listeners_of_a_gateway_that_runs_are_not_called(running):
    for place in (running.public, running.admin, running.admin.replace("127.0.0.1", "localhost")):
        code, told = ping(running.folder, f"http://{place}/")
        assert (code, "(own-address)" in told) == (75, True)


def test_the_listeners_that_the_settings_name_are_not_called_either(tmp_path):
    assert "(own-address)" in ping(tmp_path, "http://127.0.0.1:8081/")[1]
    listen = {"GATEWAY_LISTEN": "0.0.0.0:9", "GATEWAY_ADMIN": "localhost:7"}
    assert "(own-address)" in ping(tmp_path, "http://127.0.0.2:9/", **listen)[1]
    assert "(own-address)" in ping(tmp_path, "http://127.0.0.1:7/", **listen)[1]
    assert "connection-refused" in ping(tmp_path, "http://127.0.0.1:8/", **listen)[1]


def test_what_is_denied_is_said_with_the_settings_that_would_allow_it(tmp_path):
    code, told = ping(tmp_path, "http://10.1.2.3:9/")
    assert (code, "allow it with --egress-allow 10.1.2.3/32" in told) == (75, True)
    assert "one of `gateway serve`" in told
    assert "GATEWAY_EGRESS_ALLOW" in told
    assert "GATEWAY_EGRESS" not in ping(tmp_path, "http://169.254.169.254/")[1]


async def test_an_answer_that_the_endpoint_calls_no_success_is_a_no(tmp_path):
    content = b'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"ok": 0}'
    async with raw_server(answers(content)) as server:
        url = f'{server.url()}", success: "response.body.ok == 1'
        code, told = await asyncio.to_thread(ping, tmp_path, url)
    assert (code, "<-- 200: not-successful" in told) == (1, True)


def test_the_help_has_both_exit_codes(tmp_path):
    told = GatewayProcess(tmp_path).run("ping", "--help").stdout
    assert ("Exit 1 when it is refused" in told, "Exit 75 when no answer comes" in told) == (
        True,
        True,
    )
