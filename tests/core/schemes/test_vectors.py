"""Published signatures, and ones derived from them, of every sender that has a preset."""

import base64
import json
from pathlib import Path

import pytest
import yaml

from gateway.config.verifiers import presets
from gateway.core.errors import ConfigError
from gateway.testing import verify
from tests.kit.cases import check_each
from tests.kit.senders import codes

DATA = Path(__file__).parents[2] / "data"
VECTORS = [json.loads(line) for line in (DATA / "signature_vectors.jsonl").read_text().splitlines()]
SENDERS = yaml.safe_load((DATA / "presets.yaml").read_text())


def outcome_by(described, vector) -> str:
    """What verification by that description says of a vector's request."""
    secret, request = vector["secret"], vector.get("request", {})
    return verify(
        described,
        secrets=secret if isinstance(secret, list) else [secret],
        headers=vector["headers"],
        body=base64.b64decode(vector["body_b64"]),
        now=vector["now"],
        method=request.get("method", "POST"),
        url=request.get("url", ""),
    )


def verifies_as_published(vector):
    described = {"preset": vector["scheme"]}
    if "params" in vector.get("request", {}):
        described["params"] = vector["request"]["params"]
    outcome = outcome_by(described, vector)
    assert (outcome == "ok") is vector["valid"]
    if "reject" in vector:
        assert outcome == vector["reject"]


def test_published_vectors_verify_as_published():
    check_each(((vector["id"], vector) for vector in VECTORS), verifies_as_published)


def test_the_vectors_are_many_and_of_both_kinds():
    assert len(VECTORS) > 100
    assert {v["valid"] for v in VECTORS} == {True, False}


@pytest.mark.parametrize("name", SENDERS)
def test_every_known_sender_has_its_preset(name):
    published, own = SENDERS[name], presets()[name]
    for key in ("scheme", "hash", "signature", "signed", "require", "header", "algs"):
        assert own.get(key) == published.get(key), key
    for key in ("header", "pair_key", "format"):
        assert own.get("timestamp", {}).get(key) == published.get("timestamp", {}).get(key), key


@pytest.mark.parametrize("name", ["contentful", "cloudinary", "frontify", "bynder", "alertmanager"])
def test_so_do_the_systems_around_images(name):
    assert name in presets()


def test_a_header_that_comes_twice_in_other_case_is_repeated():
    outcome = verify(
        {"preset": "github"}, secrets=["k"], headers={"X-Hub-Signature-256": "a", "x-hub-signature-256": "b"},
        body=b"", now=0,
    )  # fmt: skip
    assert outcome == "duplicate_header"


def test_a_faulty_description_is_told_as_such():
    with pytest.raises(ConfigError, match="stripe"):
        verify({"preset": "strype"}, secrets=["k"], headers={}, body=b"", now=0)


@pytest.mark.parametrize(
    ("described", "secrets"),
    [
        ({"scheme": "hmac", "signature": {"header": "X"}, "signed": "{timestamp}"}, ["k"]),
        ({"preset": "adyen-payload"}, ["44782D", "no hex"]),
    ],
)
def test_a_description_with_a_fault_in_it_is_not_tried(described, secrets):
    with pytest.raises(ConfigError):
        verify(described, secrets=secrets, headers={}, body=b"", now=0)


def test_published_descriptions_spelled_out_say_the_same():
    def says_the_same(vector):
        outcome = outcome_by(SENDERS[vector["scheme"]], vector)
        assert (outcome == "ok") is vector["valid"]

    check_each(((v["id"], v) for v in VECTORS if v["scheme"] != "paypal"), says_the_same)


@pytest.mark.parametrize(
    "url", ["http://[", "https://h:abc/", "https://h:99999/x", "https://\u00fc.de/", "x"]
)
def test_a_url_that_is_none_is_told_as_such(url):
    with pytest.raises(ConfigError):
        verify({"preset": "square"}, secrets=["k"], headers={}, body=b"", now=0, url=url)
    assert "public-url" in codes({"verify": {"preset": "square"}, "public_url": url}, "k")
