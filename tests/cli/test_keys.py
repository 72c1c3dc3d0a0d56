"""keys new, keys public, keys rotate."""

import json
import stat
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from typer.testing import CliRunner

from gateway.cli.main import code_of
from gateway.core.ed25519 import PrivateKey, format_private, format_public, json_web_key, parse_seed
from gateway.core.errors import GatewayError
from gateway.core.signing import format_key, parse_key
from tests.kit.cli import app

ROUTES = """\
version: 1
include: [teams/*.yaml]
endpoints:
  cms:
    url: https://cms.example.com/
    sign:
      secrets:
        - {file: secrets/cms}
        - {file: secrets/cms-older, until: 2020-01-01T00:00:00Z}
        - {file: secrets/cms-old, until: 2099-01-01T00:00:00Z}
  search: {url: "https://search.example.com/", sign: none}
  chat: {url: "https://chat.example.com/", sign: {preset: slack, secrets: [{env: CHAT}]}}
  own:
    url: https://own.example.com/
    sign:
      signature: {header: X-Sig, prefix: "sha256="}
      secret_encoding: hex
      secrets: [{file: secrets/own}]
routes: [{name: all, match: {}, to: [cms, chat, own]}]
"""
TEAM = "version: 1\nendpoints: {team: {url: 'https://x.example.com/', sign: {secrets: [{env: TEAM}]}}}\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command in a folder with these routes, most of whose secrets are not there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "routes.yaml").write_text(ROUTES)
    (tmp_path / "teams").mkdir()
    (tmp_path / "teams" / "team.yaml").write_text(TEAM)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "cms").write_text(format_key(b"s" * 32))
    monkeypatch.setenv("TEAM", format_key(b"s" * 32))
    return lambda *arguments, **more: CliRunner().invoke(app, list(arguments), **more)


@pytest.fixture
def rotated(run):
    def rotated(*arguments: str) -> dict:
        result = run("keys", "rotate", *arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.output)

    return rotated


def failed(run, *arguments) -> tuple[int, str]:
    result = run(*arguments)
    if isinstance(result.exception, GatewayError):
        return code_of(result.exception), str(result.exception)
    return result.exit_code, result.output


# -- new, public -----------------------------------------------------------------------------------


def test_new_makes_a_key_that_can_be_used(run, tmp_path):
    assert len(parse_key(run("keys", "new").output)) == 32
    result = run("keys", "new", "--out", "secrets/new")
    assert "{file: secrets/new}" in result.output
    assert stat.S_IMODE((tmp_path / "secrets" / "new").stat().st_mode) == 0o600
    assert run("keys", "new", "--out", "secrets/new").exit_code == 2


def test_new_ed25519_tells_the_public_key_beside_the_private_one(run, tmp_path):
    result = run("keys", "new", "--ed25519", "--out", "secrets/new")
    key = PrivateKey(parse_seed((tmp_path / "secrets" / "new").read_text()))
    assert format_public(key.public) in result.output
    assert "whsk_" not in result.output


def test_new_ed25519_puts_nothing_but_the_key_into_a_pipe(run):
    result = run("keys", "new", "--ed25519")
    key = PrivateKey(parse_seed(result.stdout))
    assert format_public(key.public) in result.stderr


def test_public_tells_the_public_part(run, tmp_path):
    (tmp_path / "k").write_text(format_private(b"s" * 32) + "\n")
    key = PrivateKey(b"s" * 32).public
    assert run("keys", "public", "k").output == format_public(key) + "\n"
    told = json.loads(run("keys", "public", "k", "--json").output)
    assert told == {"public_key": format_public(key), "jwk": json_web_key(key)}


def test_public_of_another_kind_of_key_is_an_error_that_does_not_show_it(run, tmp_path):
    (tmp_path / "k").write_text(format_key(b"s" * 48))
    result = run("keys", "public", "k")
    assert result.exit_code == 2
    assert format_key(b"s" * 48)[6:20] not in result.output


# -- rotate ----------------------------------------------------------------------------------------


def test_rotate_writes_a_new_file_beside_the_present_one(rotated, tmp_path):
    file = tmp_path / rotated("cms")["file"]
    assert file.parent == tmp_path / "secrets"
    assert file.name.startswith("cms-20")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(parse_key(file.read_text())) == 32


def test_rotate_tells_the_new_secret_first_and_the_old_ones_until_they_end(rotated):
    told = rotated("cms", "--overlap", "2h")
    first, present, earlier = yaml.safe_load(told["yaml"])["sign"]["secrets"]
    assert first == {"file": told["file"]}
    assert present["file"] == "secrets/cms"
    lasts = present["until"] - datetime.now(UTC)  # noqa: TID251  # commands have the real clock
    assert timedelta(hours=1, minutes=59) < lasts <= timedelta(hours=2, seconds=1)
    assert earlier == {"file": "secrets/cms-old", "until": present["until"]}


def test_an_old_secret_that_ends_earlier_still_does(rotated):
    secrets = yaml.safe_load(rotated("cms", "--overlap", "99999d")["yaml"])["sign"]["secrets"]
    assert secrets[2]["until"] == datetime(2099, 1, 1, tzinfo=UTC)


def test_what_rotate_tells_can_be_written_into_the_file(run, rotated, tmp_path):
    for name in ("cms", "cms-old", "own"):
        (tmp_path / "secrets" / name).write_text(format_key(b"s" * 32))
    (tmp_path / "secrets" / "own").write_text("0f" * 32)
    text = yaml.safe_load(ROUTES)
    for endpoint in ("cms", "chat", "own"):
        text["endpoints"][endpoint] |= yaml.safe_load(rotated(endpoint)["yaml"])
    (tmp_path / "routes.yaml").write_text(yaml.safe_dump(text))
    result = run("check")
    assert "error" not in result.output


def test_the_routes_file_is_left_as_it_is(rotated, tmp_path):
    rotated("cms")
    assert (tmp_path / "routes.yaml").read_text() == ROUTES


def test_a_new_secret_is_of_the_same_kind(rotated, tmp_path):
    (tmp_path / "secrets" / "cms").write_text(format_private(b"s" * 32))
    told = rotated("cms")
    key = PrivateKey(parse_seed((tmp_path / told["file"]).read_text()))
    assert told["public_key"] == format_public(key.public)
    assert len(bytes.fromhex((tmp_path / rotated("own")["file"]).read_text())) == 32
    assert "whsec_" not in (tmp_path / rotated("chat")["file"]).read_text()


def test_the_form_is_told_with_the_secrets(rotated):
    assert yaml.safe_load(rotated("chat")["yaml"])["sign"]["preset"] == "slack"
    own = yaml.safe_load(rotated("own")["yaml"])["sign"]
    assert own["signature"] == {"header": "X-Sig", "prefix": "sha256="}


def test_the_file_of_an_included_file_stands_beside_it(rotated, tmp_path):
    told = rotated("team")
    assert (tmp_path / told["file"]).parent == tmp_path / "teams" / "secrets"
    assert told["routes_file"] == "teams/team.yaml"
    assert yaml.safe_load(told["yaml"])["sign"]["secrets"][0]["file"].startswith("secrets/team-")


def test_a_person_is_told_what_to_do_next(run):
    output = run("keys", "rotate", "cms").output
    assert "1. Give it to the receiver" in output
    assert "2. Write this under cms, routes.yaml:4" in output
    assert "3. When the old secret has ended" in output


def test_an_unknown_endpoint_has_its_nearest_name_told(run):
    assert failed(run, "keys", "rotate", "cmss") == (
        1,
        'there is no endpoint cmss; did you mean "cms"?',
    )


def test_an_endpoint_that_is_not_signed_to_has_nothing_to_rotate(run):
    code, told = failed(run, "keys", "rotate", "search")
    assert code == 1
    assert "nothing is signed for search (routes.yaml:11)" in told


def test_rotate_overwrites_nothing(run, rotated, tmp_path):
    file = tmp_path / rotated("cms")["file"]
    before = file.read_text()
    code, told = failed(run, "keys", "rotate", "cms")
    assert (code, "is there already" in told) == (2, True)
    assert file.read_text() == before
    assert rotated("cms", "--out", "secrets/another")["file"] == "secrets/another"


def test_an_overlap_that_is_none_is_an_error(run):
    code, told = failed(run, "keys", "rotate", "cms", "--overlap", "soon")
    assert (code, "no duration" in told) == (2, True)


def test_where_the_present_secret_is_not_at_hand_its_kind_has_to_be_said(
    run, tmp_path, monkeypatch
):
    monkeypatch.delenv("TEAM")
    code, told = failed(run, "keys", "rotate", "team")
    assert (code, "TEAM is not set" in told, "--hmac" in told, "--ed25519" in told) == (
        1, True, True, True,
    )  # fmt: skip
    assert not (tmp_path / "teams" / "secrets").exists()
    (tmp_path / "secrets" / "cms").unlink()
    assert failed(run, "keys", "rotate", "cms")[0] == 1
    assert not list((tmp_path / "secrets").iterdir())


def test_the_kind_that_is_asked_for_is_made(rotated, tmp_path, monkeypatch):
    monkeypatch.delenv("TEAM")
    told = rotated("team", "--ed25519")
    key = PrivateKey(parse_seed((tmp_path / told["file"]).read_text()))
    assert told["public_key"] == format_public(key.public)
    other = rotated("team", "--hmac", "--out", "teams/secrets/other")
    assert len(parse_key((tmp_path / other["file"]).read_text())) == 32


def test_a_secret_that_was_made_up_in_development_is_the_present_one(
    rotated, tmp_path, monkeypatch
):
    monkeypatch.delenv("TEAM")
    (tmp_path / "data").mkdir()
    made = json.dumps({"TEAM": format_private(b"s" * 32)})
    (tmp_path / "data" / "development-secrets.json").write_text(made)
    assert "public_key" in rotated("team")


def test_a_form_without_key_pairs_gets_none(run):
    code, told = failed(run, "keys", "rotate", "chat", "--ed25519")
    assert (code, "no key pairs" in told) == (2, True)


@pytest.mark.parametrize("endpoint", ["chat", "own"])
def test_where_there_is_room_for_one_signature_the_receiver_comes_first(run, endpoint):
    output = run("keys", "rotate", endpoint).output
    assert "has to accept both before step 2" in output
    assert "until: 20" in output


def test_without_overlap_the_receiver_comes_first_and_no_old_secret_is_told(run):
    output = run("keys", "rotate", "cms", "--overlap", "0s").output
    assert "let it take effect there before step 2" in output
    assert "until" not in output
    assert "3. The old secret signs no more" in output


def test_a_file_in_the_way_is_got_around_by_a_flag(run):
    run("keys", "rotate", "cms")
    assert "name another with --out FILE" in run("keys", "rotate", "cms").output


def test_rotate_leaves_keys_of_the_other_kind_as_they_are(run, rotated, tmp_path):
    for name, flags in {"cms": (), "pair": ("--ed25519",)}.items():
        if not (tmp_path / name).exists():
            run("keys", "new", *flags, "--out", str(tmp_path / name))
    (tmp_path / "routes.yaml").write_text(
        "version: 1\nendpoints:\n  both:\n    url: https://a.example/\n"
        "    sign: {secrets: [{file: pair}, {file: cms}]}\n"
    )
    answer = rotated("both", "--routes", str(tmp_path / "routes.yaml"))
    text = str(answer)
    assert "{file: pair, until:" in text
    assert "{file: cms}" in text
    assert "{file: cms, until:" not in text
