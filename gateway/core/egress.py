"""Which addresses the gateway may dial.

The policy is a table of our own. `ipaddress.is_global` is not one: it is true for NAT64, 6to4 and
IPv4-compatible forms of loopback addresses, for Azure's wire server and for multicast. IPv6 is
allowed only where addresses are handed out to the public (2000::/3), less the exceptions below.

Whatever is asked, it is asked about the address that is really dialled, at the socket: a name may
resolve to something else a moment later (DNS rebinding), and address literals never meet a resolver.
"""

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

NEVER: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/32",  # unspecified: Linux dials loopback
            "169.254.0.0/16",  # link-local, and with it the metadata services of most clouds
            "168.63.129.16/32",  # Azure's wire server
            "::/128",  # unspecified
            "fe80::/10",  # link-local
            "fd00:ec2::/32",  # the metadata service of EC2 over IPv6
            "fd20:ce::254/128",  # the metadata service of Google's cloud over IPv6
        ),
    )
)
"""Denied even where the operator allows a range around them."""

DENIED: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",  # "this network" (RFC 791): Linux takes it for local
            "10.0.0.0/8",  # private (RFC 1918)
            "100.64.0.0/10",  # shared by a carrier's customers (RFC 6598); Alibaba's metadata
            "127.0.0.0/8",  # loopback
            "172.16.0.0/12",  # private (RFC 1918)
            "192.0.0.0/24",  # protocol assignments (RFC 6890); Oracle's metadata
            "192.0.2.0/24",  # documentation (RFC 5737)
            "192.88.99.0/24",  # anycast relays of 6to4 (RFC 7526): whoever runs the nearest
            "192.168.0.0/16",  # private (RFC 1918)
            "198.18.0.0/15",  # benchmarks (RFC 2544), used as private addresses
            "198.51.100.0/24",  # documentation (RFC 5737)
            "203.0.113.0/24",  # documentation (RFC 5737)
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved (RFC 1112), and the broadcast address
            "2001::/23",  # protocol assignments (RFC 2928), Teredo among them
            "2001:db8::/32",  # documentation (RFC 3849)
            "2002::/16",  # 6to4 (RFC 3056): leads to an IPv4 address
            "3fff::/20",  # documentation (RFC 9637)
        ),
    )
)
"""Denied unless the operator allows them."""

PUBLIC_V6 = IPv6Network("2000::/3")
"""All that is handed out to the public. What this leaves out: loopback, unique local and site-local
addresses, multicast, NAT64 in both forms, IPv4-compatible ones, the discard prefix 100::/64, and
segment routing's 5f00::/16."""

LOOPBACK: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
MAPPED = IPv6Network("::ffff:0:0/96")

_ALL_32 = 0xFFFF_FFFF
_ISATAP = 0x0000_5EFE
_ISATAP_BITS = 0xFDFF_FFFF
"""An ISATAP interface id begins with 0000:5efe, or with 0200:5efe where the address is unique."""

METADATA_OR_UNSPECIFIED = "metadata-or-unspecified"
OWN_ADDRESS = "own-address"
"""The gateway listens there itself. What it derives from an event takes another way than a request."""


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """Where calls may go: public addresses over https on `ports`; into `allow`, http and any port."""

    allow: tuple[Network, ...] = ()
    ports: frozenset[int] = frozenset({443})

    def refusal(self, address: str, port: int, *, secure: bool) -> str:
        """Why a connection to *address* and *port* is denied; empty when it is allowed."""
        found = classify(address, self.allow)
        if found.denied:
            return found.reason
        if found.allowed_by_operator:
            return ""
        if not secure:
            return "plain-http"
        return "" if port in self.ports else f"port {port}"

    def cure(self, address: str, port: int, *, secure: bool) -> str:
        """The flag that would allow what `refusal` denies; empty when none can."""
        found = classify(address, ())
        if found.reason == METADATA_OR_UNSPECIFIED:
            return ""
        if not found.denied and secure:
            return f"--egress-port {port}"
        ip = canonical(address)
        if ip is None:
            return ""
        around = next((net for net in LOOPBACK if ip in net), None)
        return f"--egress-allow {around or ip_network(ip)}"


@dataclass(frozen=True, slots=True)
class Classified:
    """What the policy says of an address alone."""

    reason: str
    allowed_by_operator: bool = False

    @property
    def denied(self) -> bool:
        """Whether it may not be dialled at all."""
        return bool(self.reason)


def classify(address: str, allow: Collection[Network]) -> Classified:
    """Whether *address* is public, allowed by the operator, or denied and why."""
    ip = canonical(address)
    if ip is None:
        return Classified("not-an-address")
    inner = embedded(ip) if isinstance(ip, IPv6Address) else ()
    if _within(ip, NEVER) or any(_within(each, NEVER) for each in inner):
        return Classified(METADATA_OR_UNSPECIFIED)
    if any(ip in net for net in allow):
        return Classified("", allowed_by_operator=True)
    net = _within(ip, DENIED)
    if net is None and isinstance(ip, IPv6Address):
        if ip not in PUBLIC_V6:
            return Classified("not-global-unicast-v6")
        net = next((net for each in inner if (net := _within(each, DENIED))), None)
    return Classified(f"denied-range {net}" if net else "")


def within(address: str, networks: Collection[Network]) -> bool:
    """Whether *address* is in one of the ranges."""
    ip = canonical(address)
    return ip is not None and any(ip in network for network in networks)


def canonical(address: str) -> Address | None:
    """The address as the kernel will dial it: IPv4-mapped IPv6 is IPv4; None for what is none.

    A zone id is refused: it names an interface of this machine, so the address is link-local.
    """
    if "%" in address:
        return None
    try:
        ip = ip_address(address)
    except ValueError:
        return None
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


def allowed_network(text: str) -> Network:
    """The range that an operator names. Raises ValueError where it is none.

    Addresses are compared in their canonical form, so a range of IPv4-mapped ones becomes IPv4.
    """
    net = ip_network(text, strict=False)
    if isinstance(net, IPv6Network) and net.subnet_of(MAPPED):
        return IPv4Network((int(net.network_address) & _ALL_32, net.prefixlen - 96))
    return net


def never_opened(net: Network) -> bool:
    """Whether a range has nothing in it that an operator could allow."""
    if net.num_addresses == 1:
        return classify(str(net.network_address), (net,)).denied
    same = [each for each in NEVER if each.version == net.version]
    return any(net.subnet_of(each) for each in same)  # type: ignore[arg-type]  # of one version


def embedded(ip: IPv6Address) -> list[IPv4Address]:
    """The IPv4 addresses that a packet to *ip* may be carried on to by a way out of IPv6.

    Where a form may be read in several ways, the unspecified address is left out: it is what the
    padding of the others looks like.
    """
    bits = int(ip)
    low, found, doubtful = bits & _ALL_32, [], []
    if bits >> 32 in _ENDS_IN_IPV4:
        found.append(low)
    elif bits >> 80 == _LOCAL_NAT64:
        doubtful += [low, *_by_rfc_6052(bits)]
    elif bits >> 112 == 0x2002:  # 6to4 (RFC 3056 §2)
        found.append((bits >> 80) & _ALL_32)
    elif bits >> 96 == 0x2001_0000:  # Teredo (RFC 4380 §4): the server, and the client inverted
        doubtful += [(bits >> 64) & _ALL_32, low ^ _ALL_32]
    if (bits >> 32) & _ISATAP_BITS == _ISATAP:  # RFC 5214 §6.1
        found.append(low)
    return [IPv4Address(each) for each in (*found, *filter(None, doubtful))]


_ENDS_IN_IPV4 = frozenset(
    int(IPv6Address(prefix)) >> 32
    for prefix in (
        "::",  # IPv4-compatible (RFC 4291 §2.5.5.1)
        "::ffff:0:0:0",  # IPv4-translated (RFC 2765 §2.1)
        "64:ff9b::",  # NAT64 (RFC 6052 §2.1)
    )
)
_LOCAL_NAT64 = int(IPv6Address("64:ff9b:1::")) >> 80
"""NAT64 within a network (RFC 8215): the network chooses how long its prefix is."""


def _by_rfc_6052(bits: int) -> list[int]:
    """What prefixes of 48, 56 and 64 bits make of an address: bits 64 to 71 are skipped (§2.2)."""
    packed = (bits >> 64 << 56) | (bits & ((1 << 56) - 1))
    return [(packed >> (120 - length - 32)) & _ALL_32 for length in (48, 56, 64)]


def _within(ip: Address, nets: Collection[Network]) -> Network | None:
    return next((net for net in nets if ip in net), None)
