"""What a sender's own service is asked: certificates, and confirmations of subscriptions."""

import asyncio

import pytest

from gateway.core.errors import CertificateUnavailable, ConfirmationFailed, VerificationFailed
from gateway.core.model import SECOND, Accepted, Refused, Response, Unreachable
from gateway.core.routes import Source
from gateway.core.schemes.sns import SnsVerifier, subscribe_url
from gateway.flows.certificates import MOST_AT_ONCE, MOST_KEPT, Certificates
from gateway.flows.verify import Verify
from gateway.telemetry import Telemetry
from gateway.testing import ManualClock
from tests.core.schemes.test_sns import CERTIFICATE_URL, TOPIC, certificate, message
from tests.kit.senders import NOW, inbound

SOURCE = Source(name="sns", verifier=SnsVerifier((TOPIC,)), confirmation=subscribe_url)
SUBSCRIBE = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"
CONFIRMATION = {"Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": SUBSCRIBE}


class Web:
    """A sender to which every URL answers alike, once it may."""

    def __init__(self, outcome=None) -> None:
        self.outcome = outcome or Accepted(Response(status=200, body=certificate()))
        self.asked: list[str] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def send(self, call):
        self.asked.append(call.url)
        await self.may_answer.wait()
        return self.outcome

    async def close(self) -> None:
        pass


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW * SECOND)


async def test_a_certificate_is_fetched_once_and_kept(clock):
    web = Web()
    verify = Verify(web, clock, Telemetry())
    for _ in range(3):
        assert (await verify.prove(SOURCE, inbound({}, message()))).ok
    assert web.asked == [CERTIFICATE_URL]


async def test_those_who_wait_for_the_same_certificate_share_one_request(clock):
    web = Web()
    web.may_answer.clear()
    certificates = Certificates(web, clock)
    waiting = [asyncio.create_task(certificates.get("sns", CERTIFICATE_URL)) for _ in range(20)]
    while not web.asked:
        await asyncio.wait(waiting, timeout=0.01)
    waiting[0].cancel()  # its sender went away: the others are served all the same
    web.may_answer.set()
    found = await asyncio.gather(*waiting[1:])
    assert set(found) == {certificate()}
    assert len(web.asked) == 1


async def test_a_certificate_that_cannot_be_had_is_not_asked_for_at_once_again(clock):
    web = Web(Unreachable("timeout", ""))
    certificates = Certificates(web, clock)
    for _ in range(3):
        with pytest.raises(CertificateUnavailable):
            await certificates.get("sns", CERTIFICATE_URL)
    assert len(web.asked) == 1
    clock.advance(31)
    with pytest.raises(CertificateUnavailable):
        await certificates.get("sns", CERTIFICATE_URL)
    assert len(web.asked) == 2


async def test_strangers_cannot_have_many_certificates_fetched_at_once(clock):
    web = Web()
    web.may_answer.clear()
    certificates = Certificates(web, clock)
    tasks = [asyncio.create_task(certificates.get("sns", f"https://a/{i}.pem")) for i in range(20)]
    done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    assert len(waiting) == MOST_AT_ONCE
    assert all(isinstance(each.exception(), CertificateUnavailable) for each in done)
    web.may_answer.set()
    await asyncio.gather(*waiting)


async def test_no_more_certificates_are_kept_than_senders_have(clock):
    web = Web()
    certificates = Certificates(web, clock)
    for i in range(MOST_KEPT + 10):
        await certificates.get("sns", f"https://a/{i}.pem")
    assert len(certificates._kept) == MOST_KEPT


async def test_urls_that_strangers_make_up_push_out_nothing(clock):
    web = Web()
    certificates = Certificates(web, clock)
    await certificates.get("sns", CERTIFICATE_URL)
    web.outcome = Refused(Response(status=404))
    for i in range(3 * MOST_KEPT):
        with pytest.raises(CertificateUnavailable, match="answers 404"):
            await certificates.get("sns", f"https://a/{i}.pem")
    assert certificates.known(CERTIFICATE_URL) == certificate()


async def test_one_source_does_not_take_the_slots_of_another(clock):
    web = Web()
    web.may_answer.clear()
    certificates = Certificates(web, clock)
    tasks = [asyncio.create_task(certificates.get("a", f"https://a/{i}.pem")) for i in range(9)]
    other = asyncio.create_task(certificates.get("b", CERTIFICATE_URL))
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    web.may_answer.set()
    assert await other == certificate()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_closing_breaks_off_what_is_fetched(clock):
    web = Web()
    web.may_answer.clear()
    certificates = Certificates(web, clock)
    waiting = asyncio.create_task(certificates.get("sns", CERTIFICATE_URL))
    while not web.asked:
        await asyncio.wait([waiting], timeout=0.01)
    await certificates.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_cached_certificate_is_found_at_the_first_look(clock):
    verify, looks = Verify(Web(), clock, Telemetry()), []

    class Counting:
        def verify(self, request):
            looks.append(request)
            return SOURCE.verifier.verify(request)

    source = Source(name="sns", verifier=Counting())
    for _ in range(3):
        await verify.prove(source, inbound({}, message()))
    assert len(looks) == 4


async def test_a_forged_message_with_a_real_certificate_is_refused(clock):
    verify = Verify(Web(), clock, Telemetry())
    with pytest.raises(VerificationFailed):
        await verify.prove(SOURCE, inbound({}, message(Signature="AAAA")))


async def test_a_subscription_is_confirmed(clock):
    web = Web()
    verify = Verify(web, clock, Telemetry())
    assert await verify.confirm(SOURCE, inbound({}, message(**CONFIRMATION)))
    assert web.asked == [SUBSCRIBE]
    assert not await verify.confirm(SOURCE, inbound({}, message()))


async def test_a_confirmation_that_fails_is_to_be_announced_again(clock):
    verify = Verify(Web(Unreachable("timeout", "")), clock, Telemetry())
    with pytest.raises(ConfirmationFailed, match="timeout"):
        await verify.confirm(SOURCE, inbound({}, message(**CONFIRMATION)))
