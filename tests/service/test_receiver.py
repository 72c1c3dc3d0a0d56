"""What the sample receiver makes of signatures."""

import aiohttp
import pytest

from gateway.core.ed25519 import PrivateKey
from gateway.core.model import SECOND
from gateway.core.routes import EndpointConfig
from gateway.core.schemes.signed import Signature
from gateway.core.secret import Key
from gateway.core.signing import HeaderForm, sign
from gateway.receiver import Arrived, Receiver, keys_of
from gateway.web.server import listen
from tests.kit.build import NOW

PAIR, HMAC = PrivateKey(b"p" * 32), Key(b"h" * 32)


@pytest.fixture
async def verdict():
    """What a receiver that knows both keys makes of these headers."""
    arrived: list[Arrived] = []
    sock = listen(("127.0.0.1", 0), "test")
    receiver = Receiver(sock, [HMAC, PAIR], arrived.append, lambda _arrived: 200, lambda: NOW)
    await receiver.start()

    async def verdict(headers: dict[str, str], body: bytes = b"{}") -> str:
        async with (
            aiohttp.ClientSession() as session,
            session.post(receiver.url, data=body, headers=headers),
        ):
            return arrived[-1].verdict

    yield verdict
    await receiver.stop()


@pytest.mark.parametrize("keys", [[PAIR], [HMAC], [PAIR, HMAC], [Key(b"unknown" * 4), PAIR]])
async def test_either_kind_of_signature_is_right(verdict, keys):
    assert await verdict(sign("dlv_1_0", NOW, b"{}", keys)) == "ok"


@pytest.mark.parametrize(
    ("keys", "moment", "body"),
    [
        ([PrivateKey(b"x" * 32)], NOW, b"{}"),
        ([PAIR], NOW, b"{ }"),
        ([PAIR], NOW - 301 * SECOND, b"{}"),
        ([PAIR], NOW + 301 * SECOND, b"{}"),
    ],
)
async def test_a_signature_of_another_key_body_or_time_is_wrong(verdict, keys, moment, body):
    assert await verdict(sign("dlv_1_0", moment, b"{}", keys), body) not in ("ok", "unsigned")


async def test_a_timestamp_that_is_none_is_wrong(verdict):
    headers = {**sign("dlv_1_0", NOW, b"{}", [PAIR]), "webhook-timestamp": "²"}
    assert await verdict(headers) not in ("ok", "unsigned")


def test_secrets_of_other_forms_are_no_keys_of_standard_webhooks():
    form = HeaderForm(signature=Signature((b"x-signature",)))
    plain = EndpointConfig(name="a", url="https://a/", keys=(PAIR, HMAC))
    other = EndpointConfig(name="b", url="https://b/", keys=(Key(b"text"),), signed_as=form)
    assert keys_of([plain, other]) == [PAIR, HMAC]
