"""HTTP message signatures, by the examples of RFC 9421, appendix B.2, and by attacks on them."""

import base64
import hashlib
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import CannotSign
from gateway.core.verifying import OUTCOMES
from gateway.testing import verify
from tests.kit.senders import NOW, codes, inbound, signed, verifier

RSA_PSS = """rsa-pss-sha512:-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2
+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+
oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq
gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W
Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4
aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI
2wIDAQAB
-----END PUBLIC KEY-----"""
BODY = b'{"hello": "world"}'
DIGEST = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"
REQUEST = {
    "Host": "example.com", "Date": "Tue, 20 Apr 2021 02:07:55 GMT", "Content-Type": "application/json",
    "Content-Digest": DIGEST, "Content-Length": "18",
}  # fmt: skip
CREATED = 1618884473
URL = "https://example.com/foo?param=Value&Pet=dog"
PUBLISHED = {
    "b21": (
        '();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"',
        "d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==",
    ),
    "b22": (
        '("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example"',
        "LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==",
    ),
    "b23": (
        '("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss"',
        "bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==",
    ),
}


def judged(name, *, covers=None, body=BODY, url=URL, changes=None, now=CREATED):
    written, proof = PUBLISHED[name]
    headers = {**REQUEST, "Signature-Input": f"sig={written}", "Signature": f"sig=:{proof}:"}
    config = {"preset": "rfc9421"}
    if covers is not None:
        config["covers"] = covers
    return verify(
        config,
        secrets=[RSA_PSS],
        headers={**headers, **(changes or {})},
        body=body,
        now=now,
        url=url,
    )


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_examples_of_the_rfc_verify(name):
    assert judged(name) == "ok"


@pytest.mark.parametrize(("name", "outcome"), [("b22", "digest_mismatch"), ("b23", "digest_mismatch"), ("b21", "ok")])  # fmt: skip
def test_a_changed_body_is_noticed_where_the_digest_is_covered(name, outcome):
    assert judged(name, body=b'{"hello": "evil!"}') == outcome


def test_what_has_to_be_covered_is_not_left_to_the_sender():
    assert judged("b21", covers=["content-digest"]) == "unsupported_version"
    assert judged("b23", covers=["content-digest", "@method"]) == "ok"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/foo?param=Value&Pet=cat",
        "https://example.org/foo?param=Value&Pet=dog",
        "https://example.com/bar?param=Value&Pet=dog",
    ],
)
def test_another_url_is_noticed(url):
    assert judged("b23", url=url) == "bad_signature"


def test_the_default_port_is_no_part_of_the_authority():
    assert judged("b23", url=URL.replace("example.com", "EXAMPLE.com:443")) == "ok"


def test_host_of_the_request_does_not_count():
    assert judged("b23", changes={"Host": "evil.example"}) == "ok"


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"Signature": "sig=:!!!:"}, "malformed_signature"),
        ({"Signature": "sig=::"}, "malformed_signature"),
        ({"Signature": "sig=AAAA"}, "malformed_signature"),
        ({"Signature": "other=:AAAA:"}, "missing_header"),
        ({"Signature": ""}, "malformed_header"),
        ({"Signature-Input": 'sig=("@method"'}, "malformed_header"),
        ({"Signature-Input": "sig=(@method);created=1618884473"}, "malformed_header"),
        ({"Signature-Input": 'sig=("@method" "@method");created=1618884473'}, "malformed_header"),
        ({"Signature-Input": 'sig=("@method")'}, "malformed_timestamp"),
        ({"Signature-Input": 'sig=("@method");created="x"'}, "malformed_timestamp"),
        ({"Signature-Input": 'sig=("@method");created=1618884473;expires=1618884472'}, "stale_timestamp"),
        ({"Signature-Input": 'sig=("@status");created=1618884473'}, "unsupported_version"),
        ({"Signature-Input": 'sig=("x-absent");created=1618884473'}, "missing_header"),
        ({"Signature-Input": 'sig=("@method");created=1618884473;alg="none"'}, "unsupported_version"),
        ({"Signature-Input": 'sig=("@method");created=1618884473;alg="hmac-sha256"'}, "unsupported_version"),
    ],
)  # fmt: skip
def test_what_is_malformed_has_its_own_outcome(changes, outcome):
    assert judged("b23", changes=changes) == outcome


@pytest.mark.parametrize(("age", "outcome"), [(300, "ok"), (301, "stale_timestamp"), (-301, "future_timestamp")])  # fmt: skip
def test_created_has_to_be_near(age, outcome):
    assert judged("b23", now=CREATED + age) == outcome


SHARED = "hmac-sha256:" + base64.b64encode(b"s" * 32).decode()
COVERED = {"scheme": "httpsig", "covers": ["content-digest", "@method"]}


def test_what_is_signed_with_a_shared_key_verifies_and_covers_the_body():
    scheme = verifier(COVERED, SHARED)
    headers = signed(scheme)
    assert scheme.verify(inbound(headers)).ok
    assert scheme.verify(inbound(headers, b"[]")).outcome == "digest_mismatch"
    assert scheme.verify(inbound(headers, method="PUT")).outcome == "bad_signature"
    assert scheme.verify(inbound(headers, target="/in/test?a")).outcome == "bad_signature"
    repeated = inbound(headers, repeated=frozenset({b"content-digest"}))
    assert scheme.verify(repeated).outcome == "duplicate_header"


def test_every_known_digest_has_to_be_right():
    scheme = verifier(COVERED, SHARED)
    right = base64.b64encode(hashlib.sha256(b"{}").digest()).decode()
    for digest in (f"sha-256=:{right}:, sha-512=:AAAA:", "md5=:AAAA:", "garbage"):
        headers = {**signed(scheme), "content-digest": digest}
        assert scheme.verify(inbound(headers)).outcome in {"bad_signature", "digest_mismatch"}


def test_one_right_signature_among_others_is_enough():
    scheme = verifier(COVERED, SHARED)
    headers = signed(scheme)
    more = {
        "signature-input": f'a=("@method");created={NOW}, {headers["signature-input"]}',
        "signature": f"a=:AAAA:, {headers['signature']}",
    }
    assert scheme.verify(inbound({**headers, **more})).ok


def test_a_public_key_is_not_taken_for_a_shared_secret():
    """An attacker knows the public key, and would sign with it as if it were an HMAC key."""
    key = Ed25519PrivateKey.generate().public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    scheme = verifier(COVERED, f"ed25519:{pem}")
    forged = signed(verifier(COVERED, "hmac-sha256:" + base64.b64encode(pem.encode()).decode()))
    assert scheme.verify(inbound(forged)).outcome == "unsupported_version"
    with pytest.raises(CannotSign):
        signed(scheme)


@pytest.mark.parametrize("secret", ["", "abc", "md5:abc", "ed25519:abc", "hmac-sha256:***",
                                    RSA_PSS.replace("rsa-pss-sha512", "ed25519")])  # fmt: skip
def test_a_key_without_its_algorithm_is_an_error_of_the_file(secret):
    assert codes({"verify": COVERED}, secret, public_url="https://x.example") & {
        "secret-form",
        "secret-missing",
    }


def test_whether_the_body_is_covered_has_to_be_spelled_out():
    spelled = {"public_url": "https://x.example"}
    assert codes({"verify": {"preset": "rfc9421"}}, SHARED, **spelled) == {"covers-missing"}
    assert codes({"verify": {"preset": "rfc9421", "covers": []}}, SHARED, **spelled) == set()


@given(
    st.text(st.characters(max_codepoint=255), max_size=60),
    st.text(st.characters(max_codepoint=255), max_size=60),
)
def test_no_header_whatever_it_holds_is_more_than_an_outcome(given_input, given_signature):
    headers = {"signature-input": given_input, "signature": given_signature}
    assert verifier(COVERED, SHARED).verify(inbound(headers)).outcome in set(OUTCOMES) - {"ok"}


@pytest.mark.parametrize(
    "header",
    [
        "a=" + ":" * 20_000 + '"',
        "a=(" + " " * 20_000 + '"',
        "a=" + '"x"' * 5_000 + "'",
        'a=("x"' + ' "y"' * 5_000,
        "a=()" + ";b=1" * 5_000 + ";",
        "a=1," * 5_000,
    ],
)
def test_no_header_takes_longer_than_it_is_long(header):
    """With a pattern that tries things in two ways, each of these would take from seconds to years."""
    scheme = verifier(COVERED, SHARED)
    request = inbound({"signature-input": header, "signature": header})
    began = time.process_time()
    scheme.verify(request)
    assert time.process_time() - began < 1


def test_spaces_within_a_header_take_no_time_either():
    scheme = verifier({**COVERED, "covers": ["content-digest", "x-long"]}, SHARED)
    headers = {
        "signature-input": f'a=("x-long" "content-digest");created={NOW}',
        "signature": "a=:AAAA:",
    }
    began = time.process_time()
    scheme.verify(inbound({**headers, "x-long": "a" + " " * 30_000 + "b", "content-digest": "x"}))
    assert time.process_time() - began < 1


def test_a_signature_covers_no_more_components_than_it_may():
    many = " ".join(f'"@query-param";name="{i}"' for i in range(40))
    headers = {"signature-input": f"a=({many});created={NOW}", "signature": "a=:AAAA:"}
    assert verifier(COVERED, SHARED).verify(inbound(headers)).outcome == "malformed_header"
