"""Handshakes and what else a source asks before it takes events, over real sockets."""

import hashlib
import hmac
import json

import aiohttp
import pytest

from gateway.config.handshakes import handshake_presets
from gateway.config.verifiers import presets
from gateway.testing import Gateway
from tests.core.schemes.test_sns import CERTIFICATE_URL, TOPIC, message
from tests.kit.senders import codes, signed, verifier

SECRETS = {
    "SLACK": "slack-key", "ZOOM": "zoom-key", "META": "meta-key", "META_TOKEN": "verify-me",
    "OKTA": "okta-token", "X": "x-key", "GRID": "grid-token", "OPEN": "open-token",
    "DISCORD": "815f6ab74879eb667a101802f0320817478e41ee171157e779204b12761bae7c",
}  # fmt: skip
ROUTES = f"""\
version: 1
sources:
  slack: {{verify: {{preset: slack, secrets: [{{env: SLACK}}]}}, handshake: {{preset: slack}}}}
  zoom: {{verify: {{preset: zoom, secrets: [{{env: ZOOM}}]}}, handshake: {{preset: zoom}}}}
  meta:
    verify: {{preset: meta, secrets: [{{env: META}}]}}
    handshake: {{preset: meta, secrets: [{{env: META_TOKEN}}]}}
  okta: {{verify: {{preset: okta, secrets: [{{env: OKTA}}]}}, handshake: {{preset: okta}}}}
  x: {{verify: {{preset: x-twitter, secrets: [{{env: X}}]}}, handshake: {{preset: x-twitter}}}}
  dropbox: {{verify: {{preset: dropbox, secrets: [{{env: X}}]}}, handshake: {{preset: dropbox}}}}
  graph: {{verify: {{scheme: token, query: t, secrets: [{{env: OPEN}}]}}, handshake: {{preset: microsoft-graph}}}}
  grid: {{verify: {{scheme: token, query: t, secrets: [{{env: GRID}}]}}, handshake: {{preset: event-grid}}}}
  events:
    verify: {{scheme: token, secrets: [{{env: OPEN}}]}}
    handshake: [{{preset: cloudevents}}, {{preset: discord-interactions}}]
  asana:
    verify: {{preset: asana, secrets: [{{file: secrets/asana}}]}}
    handshake: {{preset: asana}}
    event: {{type: asana.event, id: "${{body.id}}"}}
  hex:
    verify:
      {{scheme: hmac, secret_encoding: hex, signature: {{header: X-S}}, secrets: [{{file: secrets/hex}}]}}
    handshake: {{preset: asana}}
    event: {{type: t, id: "${{body.id}}"}}
  own:
    verify: {{scheme: hmac, signature: {{header: X-S}}, secrets: [{{env: X}}]}}
    handshake: {{method: GET, verify: none, hmac: {{of: "${{query.of}}"}}, respond: {{text: "${{hmac}}"}}}}
  near: {{verify: none, also: [{{scheme: ip_allow, cidrs: [127.0.0.0/8]}}], event: {{type: t}}}}
  far: {{verify: none, also: [{{scheme: ip_allow, cidrs: [192.0.2.0/24]}}], event: {{type: t}}}}
  sns: {{verify: {{preset: aws-sns, topics: ["{TOPIC}"]}}, event: {{type: t}}}}
endpoints: {{}}
routes: []
"""


@pytest.fixture
async def started(tmp_path, monkeypatch):
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES)
    async with Gateway(path) as gateway:
        yield gateway


@pytest.fixture
async def ask(started):
    """One request to the public listener: status, headers and body of the answer."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def ask(method: str, path: str, body: bytes = b"", **headers: str):
            url = started.service.public_url + path
            named = {"content-type": "application/json"} if body else {}
            named |= {name.replace("_", "-"): value for name, value in headers.items()}
            async with session.request(method, url, data=body, headers=named) as answer:
                return answer.status, answer.headers, await answer.read()

        yield ask


def now(started) -> int:
    return started.clock.now() // 1_000_000


def by_slack(started, body: bytes, key: str = "slack-key") -> dict[str, str]:
    return signed(verifier({"preset": "slack"}, key), body, now(started))


async def test_slack_hears_its_challenge_if_it_is_slack(started, ask):
    body = json.dumps({"type": "url_verification", "challenge": "c<b>1</b>"}).encode()
    status, headers, answer = await ask("POST", "/in/slack", body, **by_slack(started, body))
    assert (status, answer) == (200, b"c<b>1</b>")
    assert headers["content-type"].startswith("text/plain")
    assert headers["x-content-type-options"] == "nosniff"
    status, *_ = await ask("POST", "/in/slack", body, **by_slack(started, body, "other"))
    assert status == 401
    assert (await ask("POST", "/in/slack", body))[0] == 401


async def test_other_requests_of_a_source_with_a_handshake_are_events(started, ask):
    body = b'{"type":"event_callback"}'
    status, _, answer = await ask("POST", "/in/slack", body, **by_slack(started, body))
    assert (status, b"evt_" in answer) == (202, True)


async def test_zoom_hears_a_proof_that_the_secret_is_known(started, ask):
    body = b'{"event":"endpoint.url_validation","payload":{"plainToken":"q9ibPhGeRZ6ayx5WTrXjRw"}}'
    headers = signed(verifier({"preset": "zoom"}, "zoom-key"), body, now(started))
    status, _, answer = await ask("POST", "/in/zoom", body, **headers)
    proof = hmac.new(b"zoom-key", b"q9ibPhGeRZ6ayx5WTrXjRw", "sha256").hexdigest()
    assert status == 200
    assert json.loads(answer) == {"plainToken": "q9ibPhGeRZ6ayx5WTrXjRw", "encryptedToken": proof}
    assert (await ask("POST", "/in/zoom", body))[0] == 401


async def test_nobody_gets_an_event_hashed_with_the_key_of_its_signature(ask):
    """X signs events as it signs challenges: whoever gets a body hashed can forge that event."""
    status, _, answer = await ask("GET", "/in/x?crc_token=9b4507b3-9040-4669-9ca3-6b94edb50553")
    assert status == 200
    assert json.loads(answer)["response_token"].startswith("sha256=")
    for body in ('{"a":1}', "[]", "1.5", ""):
        assert (await ask("GET", f"/in/x?crc_token={body}"))[0] == 400


@pytest.mark.parametrize(
    ("token", "headers"),
    [
        ("true", {}),
        ("type=boom", {"content_type": "application/x-www-form-urlencoded"}),
        ("abc", {"ce_specversion": "1.0", "ce_id": "f", "ce_type": "t", "ce_source": "/e"}),
    ],
)
async def test_the_answer_to_a_challenge_is_no_signature_of_an_event(ask, token, headers):
    _, _, answer = await ask("GET", f"/in/x?crc_token={token}")
    signature = json.loads(answer)["response_token"]
    forged = {**headers, "X_Twitter_Webhooks_Signature": signature}
    status, _, answer = await ask("POST", "/in/x", token.encode(), **forged)
    assert (status, json.loads(answer)["code"]) == (401, "verification-failed")


async def test_a_challenge_of_ones_own_cannot_be_the_body_of_an_event_either(ask):
    assert (await ask("GET", "/in/own?of=abc"))[2] == hmac.new(
        b"x-key", b"abc", "sha256"
    ).hexdigest().encode()
    for body in ('{"a":1}', "%20[]"):
        assert (await ask("GET", f"/in/own?of={body}"))[0] == 400


async def test_meta_hears_its_challenge_for_the_verify_token(ask):
    asked = "/in/meta?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
    assert (await ask("GET", asked + "verify-me"))[::2] == (200, b"1158201444")
    assert (await ask("GET", asked + "other"))[0] == 401


async def test_okta_dropbox_and_graph_hear_an_echo(ask):
    challenge = {"x_okta_verification_challenge": "c-1"}
    own = {**challenge, "Authorization": "okta-token"}
    assert (await ask("GET", "/in/okta", **own))[2] == b'{"verification":"c-1"}'
    assert (await ask("GET", "/in/okta", **challenge))[0] == 401
    assert (await ask("GET", "/in/dropbox?challenge=c-2"))[2] == b"c-2"
    status, headers, body = await ask("POST", "/in/graph?validationToken=c%203%3Cb%3E")
    assert (status, body) == (200, b"c 3<b>")
    assert headers["content-type"].startswith("text/plain")


async def test_event_grid_hears_its_code_if_it_has_the_token(ask):
    body = b'[{"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":"c"}}]'
    kind = {"aeg_event_type": "SubscriptionValidation"}
    assert (await ask("POST", "/in/grid?t=grid-token", body, **kind))[
        2
    ] == b'{"validationResponse":"c"}'
    assert (await ask("POST", "/in/grid?t=other", body, **kind))[0] == 401


async def test_cloudevents_senders_hear_that_they_are_welcome(ask):
    status, headers, _ = await ask("OPTIONS", "/in/events", WebHook_Request_Origin="e.example")
    assert status == 200
    assert headers["webhook-allowed-origin"] == "e.example"
    assert headers["webhook-allowed-rate"] == "*"
    assert headers["allow"] == "POST"
    rated = {"WebHook_Request_Origin": "e.example", "WebHook_Request_Rate": "120"}
    assert (await ask("OPTIONS", "/in/events", **rated))[1]["webhook-allowed-rate"] == "120"
    assert (await ask("OPTIONS", "/in/events"))[0] == 400
    assert (await ask("GET", "/in/events"))[0] == 405


async def test_methods_of_a_handshake_are_allowed_where_there_is_one(ask):
    status, headers, _ = await ask("PUT", "/in/meta")
    assert (status, headers["allow"]) == (405, "POST, GET")
    status, headers, _ = await ask("OPTIONS", "/in/slack")
    assert (status, headers["allow"]) == (405, "POST")


async def test_a_challenge_is_not_echoed_at_any_length(ask):
    assert (await ask("GET", "/in/dropbox?challenge=" + "a" * 4100))[0] == 400


async def test_a_secret_comes_with_a_handshake_once(started, ask, tmp_path):
    body = b'{"id":"1"}'
    proof = hmac.new(b"s3cret-of-asana!", body, hashlib.sha256).hexdigest()
    assert (await ask("POST", "/in/asana", body, X_Hook_Signature=proof))[0] == 401
    status, headers, _ = await ask("POST", "/in/asana", X_Hook_Secret="s3cret-of-asana!")
    assert (status, headers["x-hook-secret"]) == (200, "s3cret-of-asana!")
    assert (tmp_path / "secrets" / "asana").stat().st_mode & 0o777 == 0o600
    assert (await ask("POST", "/in/asana", body, X_Hook_Signature=proof))[0] == 202
    assert (await ask("POST", "/in/asana", X_Hook_Secret="evil"))[0] == 400
    assert (await ask("POST", "/in/asana", X_Hook_Secret="s3cret-of-asana!"))[0] == 200
    assert (tmp_path / "secrets" / "asana").read_text() == "s3cret-of-asana!\n"


async def test_a_secret_that_its_source_cannot_use_is_not_kept(started, ask, tmp_path):
    for secret in ("zz, which is no hex", "ab\xe9" * 8, "6b6b"):
        assert (await ask("POST", "/in/hex", X_Hook_Secret=secret))[0] == 400
    assert not (tmp_path / "secrets" / "hex").exists()
    assert started.service.status()["routes"]["rejected"] == []
    assert (await ask("POST", "/in/hex", X_Hook_Secret="6b" * 16))[0] == 200


async def test_where_a_secret_cannot_be_kept_the_handshake_fails(ask, tmp_path):
    (tmp_path / "secrets" / "asana").mkdir(parents=True)
    assert (await ask("POST", "/in/asana", X_Hook_Secret="s3cret-of-asana!"))[0] == 400


async def test_a_long_body_is_not_looked_into_before_it_is_proven(started, ask):
    long = {"type": "url_verification", "challenge": "c", "more": "x" * 20_000}
    body = json.dumps(long).encode()
    status, _, answer = await ask("POST", "/in/slack", body, **by_slack(started, body))
    assert (status, b"evt_" in answer) == (202, True)


async def test_a_source_takes_nothing_from_other_addresses(started, ask):
    assert (await ask("POST", "/in/near", b"{}"))[0] == 202
    told = []
    started.service.telemetry.listen(lambda name, fields: told.append((name, fields)))
    status, _, answer = await ask("POST", "/in/far", b"{}")
    assert (status, json.loads(answer)["code"]) == (403, "ip-not-allowed")
    refused = {"source": "far", "code": "ip-not-allowed", "outcome": "ip_not_allowed"}
    assert any(
        name == "event.refused" and refused.items() <= fields.items() for name, fields in told
    )


async def test_amazon_calls_its_json_plain_text(started):
    assert started.service.routes.sources["sns"].content_types == {"text/plain"}


async def test_what_cannot_be_told_now_is_to_be_sent_again(started, ask):
    """The certificate's host is Amazon's, and no address of this machine."""
    told = []
    started.service.telemetry.listen(lambda name, fields: told.append(fields))
    stamp = {"Timestamp": "2026-11-25T00:00:00.000Z"}
    started.clock.advance(1_795_564_800 - now(started))
    status, headers, answer = await ask("POST", "/in/sns", message(**stamp))
    assert (status, json.loads(answer)["code"]) == (503, "certificate-unavailable")
    assert headers["retry-after"]
    assert any(CERTIFICATE_URL in fields.get("detail", "") for fields in told)
    assert CERTIFICATE_URL.encode() not in answer
    evil = message(**stamp, SigningCertURL="https://127.0.0.1/a.pem")
    assert (await ask("POST", "/in/sns", evil))[0] == 401


def test_every_handshake_preset_can_be_used():
    for name, preset in handshake_presets().items():
        verify = {"preset": "github", "secrets": [{"env": "X"}]}
        handshake = {"preset": name}
        if isinstance(preset.get("verify"), dict):
            handshake["secrets"] = [{"env": "SECRET_0"}]
        if "keep" in preset:
            continue
        assert codes({"verify": {"preset": verify["preset"]}, "handshake": handshake}, "k") <= {
            "unverified"
        }
    assert set(presets()) & set(handshake_presets()) >= {"slack", "zoom", "okta", "meta", "asana"}


@pytest.mark.parametrize(
    ("handshake", "code"),
    [
        ({"preset": "slak"}, "unknown-preset"),
        ({"preset": "meta"}, "missing-key"),
        ({"preset": "asana"}, "handshake-file"),
        ({"respond": {"text": "a", "json": {}}}, "two-bodies"),
        ({"when": "nonsense ==", "respond": {"text": "a"}}, "expression"),
        ({"respond": {"text": "${nonsense}"}}, "expression"),
        ({"preset": "slack", "secrets": [{"env": "SECRET_0"}]}, "unknown-key"),
    ],
)  # fmt: skip
def test_a_handshake_that_cannot_work_is_an_error_of_the_file(handshake, code):
    assert code in codes({"verify": {"preset": "github"}, "handshake": handshake}, "k")


def test_what_is_signed_beside_the_body_is_not_hashed_for_anyone():
    handshake = {"verify": "none", "hmac": {"of": "${query.a}"}, "respond": {"text": "${hmac}"}}
    slack = {"verify": {"preset": "slack"}, "handshake": handshake}
    assert "signing-oracle" in codes(slack, "k")


def test_a_proof_needs_a_shared_secret():
    handshake = {"hmac": {"of": "${body.a}"}, "respond": {"text": "${hmac}"}}
    discord = {"verify": {"preset": "discord"}, "handshake": handshake}
    assert "handshake-key" in codes(discord, SECRETS["DISCORD"])
