"""Which addresses may be dialled."""

import json
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.egress import (
    LOOPBACK,
    EgressPolicy,
    allowed_network,
    classify,
    never_opened,
)
from gateway.testing import may_dial

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


# -- every way into IPv4 -------------------------------------------------------------------------------

WAYS = {
    "compatible": lambda v4: v4,
    "mapped": lambda v4: 0xFFFF << 32 | v4,
    "translated": lambda v4: 0xFFFF << 48 | v4,
    "nat64": lambda v4: 0x0064_FF9B << 96 | v4,
    "local nat64 /96": lambda v4: 0x0064_FF9B_0001 << 80 | v4,
    "local nat64 /64": lambda v4: 0x0064_FF9B_0001 << 80 | v4 << 24,
    "local nat64 /56": lambda v4: 0x0064_FF9B_0001 << 80 | v4 >> 24 << 64 | (v4 & 0xFFFFFF) << 32,
    "local nat64 /48": lambda v4: 0x0064_FF9B_0001 << 80 | v4 >> 16 << 64 | (v4 & 0xFFFF) << 40,
    "6to4": lambda v4: 0x2002 << 112 | v4 << 80 | 1,
    "teredo client": lambda v4: 0x2001_0000_4136_E378 << 64 | v4 ^ 0xFFFF_FFFF,
    "teredo server": lambda v4: 0x2001_0000 << 96 | v4 << 64 | 0xFFF7_FFFF,
    "isatap": lambda v4: 0x2606_4700 << 96 | 0x5EFE << 32 | v4,
    "isatap, unique": lambda v4: 0x2606_4700 << 96 | 0x0200_5EFE << 32 | v4,
}
EVERYTHING = ("0.0.0.0/0", "::/0")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("inner", ["169.254.169.254", "168.63.129.16", "169.254.0.1"])
def test_metadata_behind_a_way_into_ipv4_stays_denied_whatever_is_allowed(way, inner):
    address = str(IPv6Address(WAYS[way](int(IPv4Address(inner)))))
    assert may_dial(address, EVERYTHING) == "metadata-or-unspecified"


@given(st.sampled_from(sorted(WAYS)), st.integers(0, 2**32 - 1))
def test_no_way_into_ipv4_leads_to_a_denied_address(way, inner):
    if may_dial(str(IPv4Address(inner))):
        assert may_dial(str(IPv6Address(WAYS[way](inner))))


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("::127.0.0.1", "not-global-unicast-v6"),
        ("64:ff9b:1::7f00:1", "not-global-unicast-v6"),
        ("5f00::1", "not-global-unicast-v6"),
        ("100::1", "not-global-unicast-v6"),
        ("fd12::1", "not-global-unicast-v6"),
        ("3fff::1", "denied-range 3fff::/20"),
        ("192.88.99.1", "denied-range 192.88.99.0/24"),
        ("2001:20::1", "denied-range 2001::/23"),
        ("2606:4700::5efe:a00:1", "denied-range 10.0.0.0/8"),
        ("2606:4700::5efe:808:808", ""),
        ("fd20:ce::254", "metadata-or-unspecified"),
        ("::ffff:168.63.129.16", "metadata-or-unspecified"),
    ],
)
def test_an_address_is_denied_for_what_it_is(address, reason):
    assert may_dial(address) == reason


@pytest.mark.parametrize(
    "text",
    ["", " ", "127.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "127.0.0.1 ", "localhost",
     "[::1]", "::1%lo", "fe80::1%25eth0", "1.2.3.4/32", "1.2.3.4:80", "\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021",
     "1.2.3.4\n", "\x00", "::ffff:127.1", "1.2.3.256", "12345::"],
)  # fmt: skip
def test_what_is_not_written_as_an_address_is_none(text):
    assert may_dial(text, EVERYTHING) == "not-an-address"


def test_a_range_of_ipv4_covers_its_mapped_form_and_the_other_way_round():
    assert may_dial("::ffff:10.1.2.3", ["10.0.0.0/8"]) == ""
    assert may_dial("10.1.2.3", ["::ffff:10.0.0.0/104"]) == ""
    assert may_dial("64:ff9b::a01:203", ["10.0.0.0/8"]) == "not-global-unicast-v6"


def test_what_is_no_range_allows_nothing():
    with pytest.raises(ValueError, match="internal"):
        may_dial("8.8.8.8", ["internal"])


# -- the table, held to arithmetic ---------------------------------------------------------------------

NEVER_V4 = [(0x0000_0000, 32), (0xA9FE_0000, 16), (0xA83F_8110, 32)]
DENIED_V4 = [
    ("0.0.0.0/8", 0x0000_0000), ("10.0.0.0/8", 0x0A00_0000), ("100.64.0.0/10", 0x6440_0000),
    ("127.0.0.0/8", 0x7F00_0000), ("172.16.0.0/12", 0xAC10_0000), ("192.0.0.0/24", 0xC000_0000),
    ("192.0.2.0/24", 0xC000_0200), ("192.88.99.0/24", 0xC058_6300), ("192.168.0.0/16", 0xC0A8_0000),
    ("198.18.0.0/15", 0xC612_0000), ("198.51.100.0/24", 0xC633_6400), ("203.0.113.0/24", 0xCB00_7100),
    ("224.0.0.0/4", 0xE000_0000), ("240.0.0.0/4", 0xF000_0000),
]  # fmt: skip


def in_words(number: int) -> str:
    """What the policy says of an IPv4 address, by arithmetic alone."""
    if any(number >> (32 - bits) == net >> (32 - bits) for net, bits in NEVER_V4):
        return "metadata-or-unspecified"
    for name, net in DENIED_V4:
        bits = int(name.partition("/")[2])
        if number >> (32 - bits) == net >> (32 - bits):
            return f"denied-range {name}"
    return ""


EDGES = st.sampled_from([net for _, net in DENIED_V4] + [net for net, _ in NEVER_V4])
NUMBERS = st.integers(0, 2**32 - 1) | st.builds(
    lambda net, by: (net + by) % 2**32, EDGES, st.integers(-(2**16), 2**16)
)


@given(NUMBERS)
def test_ipv4_is_judged_as_arithmetic_judges_it(number):
    assert may_dial(str(IPv4Address(number))) == in_words(number)
    assert may_dial(f"::ffff:{IPv4Address(number)}") == in_words(number)


@given(st.integers(0, 2**128 - 1))
def test_no_ipv6_address_outside_of_2000_3_is_public(number):
    address = IPv6Address(number)
    if number >> 125 != 0b001 and address.ipv4_mapped is None:
        assert may_dial(str(address)) in {"not-global-unicast-v6", "metadata-or-unspecified"}
    elif address.ipv4_mapped is None and not address.is_global:
        assert may_dial(str(address))


@given(NUMBERS, st.integers(8, 32), st.integers(0, 2**32 - 1))
def test_a_range_of_which_nothing_is_ever_opened_is_told_from_others(number, bits, within):
    net = ip_network((number, 32)).supernet(new_prefix=bits)
    address = str(net[within % net.num_addresses])
    assert not never_opened(net) or classify(address, (net,)).denied
    opened = [not classify(str(end), (net,)).denied for end in (net[0], net[-1])]
    assert not any(opened) or not never_opened(net)


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("169.254.0.0/16", True), ("169.254.169.254/32", True), ("169.254.0.0/15", False),
        ("0.0.0.0/32", True), ("0.0.0.0/8", False), ("fe80::/64", True), ("fd00:ec2::254/128", True),
        ("fc00::/7", False), ("64:ff9b::a9fe:a9fe/128", True), ("127.0.0.0/8", False),
        ("::ffff:169.254.169.254/128", True),
    ],
)  # fmt: skip
def test_what_no_flag_opens(text, never):
    assert never_opened(allowed_network(text)) is never


@given(NUMBERS, st.integers(8, 32))
def test_an_allowed_range_opens_all_but_what_is_never_open(number, bits):
    allowed = str(ip_network((number, 32)).supernet(new_prefix=bits))
    expected = in_words(number) if in_words(number) == "metadata-or-unspecified" else ""
    assert may_dial(str(IPv4Address(number)), [allowed]) == expected
