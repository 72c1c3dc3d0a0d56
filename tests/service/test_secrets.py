"""A secret or a certificate that changes is taken over, although no routes file did."""

import ssl

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from gateway.core.signing import format_key
from gateway.testing import Gateway
from tests.kit.authority import CertificateAuthority

ROUTES = """\
version: 1
sources:
  getty: {verify: {scheme: token, secrets: [{file: secrets/getty}]}}
endpoints:
  cms:
    url: https://cms.example.com/
    sign: {secrets: [{file: secrets/cms}]}
    auth: {bearer: {file: secrets/token}}
    tls: {certificate: {file: secrets/client.pem}, key: {file: secrets/client.key}}
routes: [{name: all, match: {}, to: [cms]}]
"""
OLD, NEW = format_key(b"o" * 32), format_key(b"n" * 32)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "routes.yaml").write_text(ROUTES)
    CertificateAuthority(tmp_path / "secrets").issue("client")
    for name, text in {"getty": "first", "cms": OLD, "token": "t1"}.items():
        (tmp_path / "secrets" / name).write_text(text)
    return tmp_path


async def headers_of_the_next_call(gateway, token="first") -> dict[str, str]:
    count = len(gateway.endpoint("cms").received) + 1
    body = b'{"type":"license.expired","data":{}}'
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    answer = await gateway.post("getty", body, headers)
    assert answer["status"] == 202
    call = (await gateway.endpoint("cms").calls(count))[-1]
    return {**call.headers, "body": call.body.decode()}


def signed_with(secret: str, call: dict[str, str]) -> bool:
    try:
        Webhook(secret).verify(call["body"], call, json_parse=False)
    except WebhookVerificationError:
        return False
    return True


async def test_a_reload_reads_the_files_of_secrets_again(folder):
    async with Gateway(folder / "routes.yaml") as gateway:
        assert signed_with(OLD, await headers_of_the_next_call(gateway))
        (folder / "secrets" / "cms").write_text(NEW)
        (folder / "secrets" / "token").write_text("t2")
        (folder / "secrets" / "getty").write_text("second")
        await gateway.service.reload()
        call = await headers_of_the_next_call(gateway, "second")
        assert (signed_with(NEW, call), call["authorization"]) == (True, "Bearer t2")


@pytest.mark.parametrize("name", ["cms", "getty", "token", "client.pem"])
async def test_a_changed_file_of_secrets_is_noticed(folder, seen, name):
    async with Gateway(folder / "routes.yaml") as gateway:
        reloaded = seen(gateway, "routes.reloaded")
        file = folder / "secrets" / name
        file.write_text(file.read_text() + "\n\n")
        await reloaded


async def test_a_secret_that_is_mounted_as_kubernetes_does_is_noticed(folder, seen):
    """The file is a link to a link to a folder, and that one link is replaced."""
    mount = folder / "secrets"
    for version, secret in (("..1", OLD), ("..2", NEW)):
        (mount / version).mkdir()
        (mount / version / "cms").write_text(secret)
    (mount / "..data").symlink_to("..1")
    (mount / "cms").unlink()
    (mount / "cms").symlink_to("..data/cms")
    async with Gateway(folder / "routes.yaml") as gateway:
        reloaded = seen(gateway, "routes.reloaded")
        (mount / "..data_tmp").symlink_to("..2")
        (mount / "..data_tmp").rename(mount / "..data")
        await reloaded
        assert signed_with(NEW, await headers_of_the_next_call(gateway))


async def test_a_secret_that_went_keeps_the_former_in_force_until_it_is_back(folder, seen):
    async with Gateway(folder / "routes.yaml") as gateway:
        rejected = seen(gateway, "routes.rejected")
        (folder / "secrets" / "cms").unlink()
        (report,) = await rejected
        assert "secret-missing" in report["problems"][0]
        assert signed_with(OLD, await headers_of_the_next_call(gateway))
        reloaded = seen(gateway, "routes.reloaded")
        (folder / "secrets" / "cms").write_text(NEW)
        await reloaded
        assert signed_with(NEW, await headers_of_the_next_call(gateway))


async def test_a_changed_certificate_is_shown_after_a_reload(folder):
    async with Gateway(folder / "routes.yaml") as gateway:
        before = gateway.service.routes.endpoints["cms"].tls
        await gateway.service.reload()
        assert gateway.service.routes.endpoints["cms"].tls == before
        CertificateAuthority(folder / "secrets").issue("client")
        await gateway.service.reload()
        after = gateway.service.routes.endpoints["cms"].tls
        assert after != before
        assert isinstance(after.context, ssl.SSLContext)
