"""Which addresses may be dialled."""

import json
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.core.egress import LOOPBACK, EgressPolicy, classify

VECTORS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data/egress_vectors.jsonl").read_text().splitlines()
]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v['addr']} {v['source']}")
def test_addresses_are_classified_as_the_vectors_say(vector):
    found = classify(vector["addr"], ())
    assert (not found.denied, found.reason) == (vector["allowed"], vector["reason"])


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "fe80::1", "0.0.0.0",
                "168.63.129.16", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::"],
)  # fmt: skip
def test_metadata_and_unspecified_addresses_stay_denied_whatever_is_allowed(address):
    everything = (ip_network("0.0.0.0/0"), ip_network("::/0"))
    assert classify(address, everything).reason == "metadata-or-unspecified"


@pytest.mark.parametrize("address", ["fe80::1%eth0", "example.com", "127.1", "0x7f000001", ""])
def test_what_is_no_plain_address_is_denied(address):
    assert classify(address, ()).reason == "not-an-address"


def test_an_allowed_range_is_open_to_http_and_any_port():
    policy = EgressPolicy(allow=(ip_network("10.1.0.0/16"),))
    assert policy.refusal("10.1.2.3", 8080, secure=False) == ""
    assert policy.refusal("10.2.2.3", 8080, secure=False) == "denied-range 10.0.0.0/8"


def test_public_addresses_are_called_over_https_on_allowed_ports_only():
    policy = EgressPolicy()
    assert policy.refusal("8.8.8.8", 443, secure=True) == ""
    assert policy.refusal("8.8.8.8", 80, secure=False) == "plain-http"
    assert policy.refusal("8.8.8.8", 8443, secure=True) == "port 8443"


@pytest.mark.parametrize(
    ("address", "port", "secure", "flag"),
    [
        ("10.1.2.3", 443, True, "--egress-allow 10.1.2.3/32"),
        ("127.0.0.1", 80, False, "--egress-allow 127.0.0.0/8"),
        ("::1", 80, False, "--egress-allow ::1/128"),
        ("8.8.8.8", 8443, True, "--egress-port 8443"),
        ("8.8.8.8", 80, False, "--egress-allow 8.8.8.8/32"),
        ("169.254.169.254", 80, False, ""),
    ],
)
def test_the_cure_names_the_flag_that_allows_it(address, port, secure, flag):
    policy = EgressPolicy()
    assert policy.refusal(address, port, secure=secure)
    assert policy.cure(address, port, secure=secure) == flag


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_development_opens_loopback(address):
    assert EgressPolicy(allow=LOOPBACK).refusal(address, 8090, secure=False) == ""
