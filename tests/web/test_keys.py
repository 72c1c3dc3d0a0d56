"""The public keys at /.well-known/webhook-keys.json."""

import base64

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.core.ed25519 import PrivateKey, format_private, json_web_key
from gateway.core.model import rfc3339
from gateway.core.signing import format_key
from gateway.testing import Gateway

OLD, NEW, OTHER = (PrivateKey(letter * 32) for letter in (b"o", b"n", b"x"))
HEAD = "version: 1\nsources: {getty: {verify: none}}\nroutes: [{name: all, match: {}, to: [cms]}]\n"


@pytest.fixture
def run(tmp_path):
    """A gateway with two endpoints, whose secrets these are."""
    for name, key in {"old": OLD, "new": NEW, "other": OTHER}.items():
        (tmp_path / name).write_text(format_private(key.seed))
    (tmp_path / "hmac").write_text(format_key(b"h" * 32))

    def run(cms: str, pager: str = "") -> Gateway:
        endpoints = "".join(
            f"  {name}: {{url: 'https://{name}.example.com/', sign: {{secrets: [{secrets}]}}}}\n"
            for name, secrets in {"cms": cms, "pager": pager}.items()
            if secrets
        )
        (tmp_path / "routes.yaml").write_text(f"{HEAD}endpoints:\n{endpoints}")
        return Gateway(tmp_path / "routes.yaml")

    return run


async def asked(gateway: Gateway, method: str = "GET") -> aiohttp.ClientResponse:
    url = f"{gateway.service.public_url}/.well-known/webhook-keys.json"
    async with gateway._session.request(method, url) as answer:
        await answer.read()
        return answer


async def keys(gateway: Gateway) -> list[dict]:
    return (await (await asked(gateway)).json(content_type="application/jwk-set+json"))["keys"]


async def test_every_ed25519_key_of_every_endpoint_is_published_once(run):
    async with run("{file: new}, {file: hmac}", "{file: other}, {file: new}") as gateway:
        answer = await asked(gateway)
        assert (answer.status, answer.headers["cache-control"]) == (200, "public, max-age=300")
        assert await keys(gateway) == [json_web_key(key.public) for key in (NEW, OTHER)]


async def test_the_set_is_empty_where_no_endpoint_has_such_a_key(run):
    async with run("{file: hmac}") as gateway:
        assert await keys(gateway) == []


async def test_a_key_is_published_as_long_as_it_signs(run, tmp_path):
    async with run("{file: new}") as gateway:
        until = rfc3339(gateway.clock.now() + 60_000_000)
        text = (tmp_path / "routes.yaml").read_text()
        text = text.replace("{file: new}", f"{{file: new}}, {{file: old, until: {until}}}")
        (tmp_path / "routes.yaml").write_text(text)
        await gateway.service.reload()
        assert len(await keys(gateway)) == 2
        gateway.clock.advance(61)
        assert await keys(gateway) == [json_web_key(NEW.public)]


async def test_a_delivery_is_verified_by_what_is_published(run):
    async with run("{file: new}") as gateway:
        await gateway.send("getty", {"type": "license.expiring"})
        (call,) = await gateway.endpoint("cms").calls(1)
        (key,) = await keys(gateway)
        public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "="))
        signature = base64.b64decode(call.headers["webhook-signature"].removeprefix("v1a,"))
        head = f"{call.headers['webhook-id']}.{call.headers['webhook-timestamp']}."
        public.verify(signature, head.encode() + call.body)


async def test_keys_are_only_read(run):
    async with run("{file: new}") as gateway:
        answer = await asked(gateway, "POST")
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
