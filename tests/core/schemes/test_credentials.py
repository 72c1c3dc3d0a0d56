"""Secrets that are shown as they are, and several ways at once."""

import pytest

from gateway.core.errors import CannotSign
from gateway.core.schemes.credentials import TokenVerifier
from gateway.core.secret import Key
from gateway.core.verifying import NoVerifier
from tests.kit.senders import NOW, built, codes, inbound, signed, verifier

TOKEN = TokenVerifier((Key(b"t0ken"),))


@pytest.mark.parametrize(
    ("headers", "outcome"),
    [
        ({"Authorization": "Bearer t0ken"}, "ok"),
        ({"Authorization": "bearer t0ken"}, "ok"),
        ({"Authorization": "Bearer t0ke"}, "bad_signature"),
        ({"Authorization": "Bearer t0ken\xe9"}, "bad_signature"),
        ({"Authorization": "Bearer"}, "malformed_header"),
        ({"Authorization": "Basic t0ken"}, "malformed_header"),
        ({}, "missing_header"),
    ],
)
def test_a_token_is_compared_whole(headers, outcome):
    assert TOKEN.verify(inbound(headers)).outcome == outcome


def test_a_token_that_comes_twice_is_refused():
    request = inbound({"Authorization": "Bearer t0ken"}, repeated=frozenset({b"authorization"}))
    assert TOKEN.verify(request).outcome == "duplicate_header"


@pytest.mark.parametrize("preset", ["gitlab-token", "okta", "alertmanager"])
def test_presets_with_a_token_verify_what_they_send(preset):
    scheme = verifier({"preset": preset}, "t0ken")
    assert scheme.verify(inbound(signed(scheme))).ok
    assert not verifier({"preset": preset}, "other").verify(inbound(signed(scheme))).ok


def test_okta_sends_its_secret_without_a_word_before_it():
    assert signed(verifier({"preset": "okta"}, "t0ken")) == {"authorization": "t0ken"}


@pytest.mark.parametrize(
    ("target", "outcome"),
    [
        ("/in/test?token=t0ken", "ok"),
        ("/in/test?a=1&token=t0ken", "ok"),
        ("/in/test?token=t0k%65n", "ok"),
        ("/in/test?token=other", "bad_signature"),
        ("/in/test?token=t0ken&token=t0ken", "duplicate_header"),
        ("/in/test", "missing_header"),
        ("/in/test?" + "a&" * 200, "malformed_header"),
    ],
)
def test_a_token_may_stand_in_the_url(target, outcome):
    scheme = verifier({"scheme": "token", "query": "token"}, "t0ken")
    assert scheme.verify(inbound({}, target=target)).outcome == outcome
    with pytest.raises(CannotSign):
        signed(scheme)


def test_basic_authentication_verifies_what_it_sends():
    scheme = verifier({"preset": "basic"}, "getty:pass:word")
    assert scheme.verify(inbound(signed(scheme))).ok
    assert not verifier({"preset": "basic"}, "getty:other").verify(inbound(signed(scheme))).ok
    assert codes({"verify": {"preset": "basic"}}, "no-colon") == {"secret-form"}


MTLS = {
    "scheme": "mtls_header",
    "header": "X-Client-Cert-Subject",
    "value": ["CN=acme", "CN=acme2"],
}


def test_a_proxys_word_counts_only_from_a_trusted_proxy():
    scheme, headers = verifier(MTLS), {"X-Client-Cert-Subject": "CN=acme2"}
    assert scheme.verify(inbound(headers, proxied=True)).ok
    assert scheme.verify(inbound(headers)).outcome == "missing_header"
    other = inbound({"X-Client-Cert-Subject": "CN=evil"}, proxied=True)
    assert scheme.verify(other).outcome == "bad_signature"


def test_all_ways_together_have_to_hold():
    source, _ = built({"verify": {"preset": "github"}, "also": [MTLS]}, "key")
    scheme = source.verifier
    headers = signed(scheme)
    assert scheme.verify(inbound(headers, proxied=True)).outcome == "ok"
    assert scheme.verify(inbound(headers, proxied=True)).id == "msg_1"
    assert scheme.verify(inbound(headers)).outcome == "missing_header"
    assert scheme.verify(inbound(headers, b"x", proxied=True)).outcome == "bad_signature"


def test_an_address_alone_proves_nobody():
    ranges = {"scheme": "ip_allow", "cidrs": ["192.0.2.0/24"]}
    assert codes({"verify": ranges}) == {"address-alone"}
    source, problems = built({"verify": "none", "also": [ranges]})
    assert source.verified is False
    assert {problem.code for problem in problems} == {"unverified"}
    assert [str(each) for each in source.networks] == ["192.0.2.0/24"]
    wrong = {"verify": "none", "also": [{"scheme": "ip_allow", "cidrs": ["300.1.1.1"]}]}
    assert "address-range" in codes(wrong)


def test_no_verification_takes_everything_and_is_told_of():
    assert NoVerifier().verify(inbound({}, now=NOW)).ok
    assert codes({"verify": "none"}) == {"unverified"}


def test_a_proxys_word_that_can_never_count_is_warned_of():
    assert codes({"verify": MTLS}) == {"no-trusted-proxy"}
