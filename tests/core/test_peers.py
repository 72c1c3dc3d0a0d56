"""Who a request comes from."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.peers import Proxies, customer

PROXIES = Proxies([ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("198.51.100.1", "192.0.2.1", "198.51.100.1"),  # not a proxy: whatever it says
        ("10.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "203.0.113.9, 192.0.2.1", "192.0.2.1"),  # the left is made up by the client
        ("10.0.0.1", "192.0.2.1, 10.0.0.2,10.0.0.3", "192.0.2.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.1, unknown", "10.0.0.1"),  # garbage: the last that is known
        ("10.0.0.1", "192.0.2.1, garbage, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "192.0.2.1,", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.1:4711", "192.0.2.1"),
        ("10.0.0.1", "[2001:dead::1]:80", "2001:dead::1"),
        ("10.0.0.1", "2001:DEAD::0001", "2001:dead::1"),
        ("10.0.0.1", "fe80::1%eth0", "10.0.0.1"),
        ("::ffff:10.0.0.1", "::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "192.0.2.1", "192.0.2.1"),
        ("", "192.0.2.1", ""),
    ],
)
def test_the_client_is_the_last_whom_a_trusted_proxy_names(peer, forwarded, client):
    assert PROXIES.client(peer, forwarded.encode()) == client


@given(made_up=st.binary(max_size=60))
def test_nothing_that_a_client_writes_changes_what_its_proxy_says(made_up):
    assert PROXIES.client("10.0.0.1", made_up + b", 192.0.2.1") == "192.0.2.1"


def test_of_ipv6_a_customer_is_a_network():
    assert customer("2001:db8::1") == customer("2001:db8::ffff:1") != customer("2001:db8:0:1::1")
    assert customer("192.0.2.1") != customer("192.0.2.2")
