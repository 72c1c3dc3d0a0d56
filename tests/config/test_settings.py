"""Settings: flags, environment, file, defaults."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.config.meanings import meanings
from gateway.config.settings import Settings, read_settings
from gateway.core.egress import LOOPBACK
from gateway.core.errors import ConfigError
from gateway.core.model import SECOND


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_defaults_need_nothing():
    settings = read_settings({})
    assert (settings.listen, settings.admin) == (("127.0.0.1", 8080), ("127.0.0.1", 8081))
    assert settings.database == Path("data/gateway.db")
    assert settings.grace == 25 * SECOND


def test_a_flag_beats_the_environment_which_beats_the_file(monkeypatch):
    Path("gateway.toml").write_text('listen = "127.0.0.1:1"\nadmin = "127.0.0.1:2"\ngrace = "3s"\n')
    monkeypatch.setenv("GATEWAY_LISTEN", "127.0.0.1:10")
    monkeypatch.setenv("GATEWAY_ADMIN", "127.0.0.1:20")
    settings = read_settings({"listen": "127.0.0.1:100", "admin": None})
    assert settings.listen == ("127.0.0.1", 100)
    assert settings.admin == ("127.0.0.1", 20)
    assert settings.grace == 3 * SECOND


def test_lists_are_written_with_commas_in_the_environment(monkeypatch):
    monkeypatch.setenv("GATEWAY_EGRESS_ALLOW", "10.0.0.0/8, 192.168.1.1")
    monkeypatch.setenv("GATEWAY_EGRESS_PORT", "443,8443")
    settings = read_settings({})
    assert settings.egress_allow == (ip_network("10.0.0.0/8"), ip_network("192.168.1.1/32"))
    assert settings.egress_port == {443, 8443}


def test_a_flag_may_hold_several_too():
    settings = read_settings({"egress_allow": ["10.0.0.0/8,192.168.1.1", "fd12::/16"]})
    assert len(settings.egress_allow) == 3


def test_further_ports_are_open_besides_443():
    assert read_settings({"egress_port": ["8443"]}).egress.ports == {443, 8443}


def test_an_ipv6_address_is_written_in_brackets():
    assert read_settings({"listen": "[::1]:8080"}).listen == ("::1", 8080)


@pytest.mark.parametrize(
    ("flags", "where", "word"),
    [
        ({"listen": "8080"}, "--listen", "HOST:PORT"),
        ({"listen": "127.0.0.1:99999"}, "--listen", "HOST:PORT"),
        ({"egress_allow": ["10.0.0.0/33"]}, "--egress-allow", "address range"),
        ({"egress_allow": [10]}, "--egress-allow", "address range"),
        ({"egress_allow": ["10.0.0.0/8,169.254.169.254"]}, "--egress-allow", "is never opened"),
        ({"egress_allow": ["fe80::/64"]}, "--egress-allow", "leave it out"),
        ({"egress_port": ["99999"]}, "--egress-port", "more than 65535; write 65535 or less"),
        ({"egress_port": ["x"]}, "--egress-port", '"x" is no whole number'),
        ({"grace": "soon"}, "--grace", "duration"),
        ({"public_url": "hooks.example.com"}, "--public-url", "https://hooks.example.com"),
        ({"public_url": "https://a:b@x"}, "--public-url", "https://hooks.example.com"),
        ({"public_url": "https://x/?a=b"}, "--public-url", "https://hooks.example.com"),
        ({"allowed_host": ["a b"]}, "--allowed-host", "host name"),
        ({"trusted_proxy": ["proxy"]}, "--trusted-proxy", "address range"),
        ({"max_connections": 0}, "--max-connections", '"0" is less than 1; write 1 or more'),
        ({"retention_events": "0"}, "--retention-events", '"0" is less than 1; write 1 or more'),
        ({"retention_events": "1e3"}, "--retention-events", '"1e3" is no whole number'),
        ({"sender": "foo"}, "--sender", '"foo" is no such value; write auto or aiohttp'),
        ({"trusted_proxy": 1.5}, "--trusted-proxy", "1.5 is no address range"),
        ({"routes": 3}, "--routes", '"3" is no path'),
        (
            {"max_in_flight": "64MB"},
            "--max-in-flight",
            "'64MB' is no size; write it as 64KiB or 1MiB",
        ),
        ({"address_rate": "100"}, "--address-rate", "rate"),
        ({"log": "xml"}, "--log", "json"),
        ({"log": "xml"}, "--log", '"xml"'),
        ({"production": "maybe"}, "--production", '"maybe" is neither true nor false'),
    ],
)
def test_a_bad_value_names_the_flag(flags, where, word):
    with pytest.raises(ConfigError) as caught:
        read_settings(flags)
    (problem,) = caught.value.problems
    assert problem.file == where
    assert word in f"{problem.what}; {problem.cure}"
    assert "Input should" not in problem.what


def test_a_bad_value_from_elsewhere_names_both_places(monkeypatch):
    monkeypatch.setenv("GATEWAY_DRAIN", "x")
    monkeypatch.setenv("GATEWAY_LOG_LEVEL", "loud")
    with pytest.raises(ConfigError) as caught:
        read_settings({})
    drain, log_level = map(str, caught.value.problems)
    assert drain == (
        "GATEWAY_DRAIN or gateway.toml: setting: 'x' is no duration; write it as 30s, 5m, 2h or 14d"
    )
    assert log_level == (
        'GATEWAY_LOG_LEVEL or gateway.toml: setting: "loud" is no such value;'
        " write debug, info, warning or error"
    )


def test_an_unknown_key_names_the_nearest():
    Path("gateway.toml").write_text('lisen = "127.0.0.1:1"\n')
    with pytest.raises(ConfigError) as caught:
        read_settings({})
    assert caught.value.problems[0].cure == 'did you mean "listen"?'


def test_a_file_that_is_no_toml_is_a_configuration_error():
    Path("gateway.toml").write_text("listen = \n")
    with pytest.raises(ConfigError, match=r"gateway\.toml"):
        read_settings({})


def test_production_keeps_loopback_closed_and_makes_no_secrets_up():
    development, production = read_settings({}), read_settings({"production": True})
    assert development.egress.allow == LOOPBACK
    assert production.egress.allow == ()
    assert development.development_secrets == Path("data/development-secrets.json")
    assert production.development_secrets is None


def test_every_setting_says_what_it_is():
    said = {name for name, field in Settings.model_fields.items() if field.description}
    assert said | meanings(Settings).keys() == Settings.model_fields.keys()


def test_the_public_url_is_written_without_a_slash_at_its_end():
    assert read_settings({"public_url": "https://hooks.example.com/gw/"}).public_url == (
        "https://hooks.example.com/gw"
    )


def test_where_hosts_are_allowed_that_of_the_public_url_is_too():
    assert read_settings({"public_url": "https://a.example.com"}).hosts == frozenset()
    flags = {"public_url": "https://a.example.com:8443", "allowed_host": ["B.example.com,::1"]}
    assert read_settings(flags).hosts == {"a.example.com", "b.example.com", "::1"}


def test_nothing_is_nothing_in_any_unit():
    settings = read_settings({"ballast": "0", "disk_reserve": 0})
    assert (settings.ballast, settings.disk_reserve) == (0, 0)
    assert read_settings({"ballast": "0MiB"}).ballast == 0
