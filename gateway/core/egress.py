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
            "0.0.0.0/32",
            "169.254.0.0/16",  # link-local, and with it the metadata services of most clouds
            "168.63.129.16/32",  # Azure's wire server
            "::/128",
            "fe80::/10",
            "fd00:ec2::/32",  # the metadata service of EC2 over IPv6
        ),
    )
)
"""Denied even where the operator allows a range around them."""

DENIED: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "2001::/23",  # protocol assignments, Teredo among them
            "2001:db8::/32",
            "2002::/16",  # 6to4
            "3fff::/20",
        ),
    )
)
"""Denied unless the operator allows them."""

PUBLIC_V6 = IPv6Network("2000::/3")
NAT64 = IPv6Network("64:ff9b::/96")
SIX_TO_FOUR = IPv6Network("2002::/16")
LOOPBACK: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))

METADATA_OR_UNSPECIFIED = "metadata-or-unspecified"


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
    if any(ip in net for net in NEVER) or _embeds_never(ip):
        return Classified(METADATA_OR_UNSPECIFIED)
    if any(ip in net for net in allow):
        return Classified("", allowed_by_operator=True)
    for net in DENIED:
        if ip in net:
            return Classified(f"denied-range {net}")
    if isinstance(ip, IPv6Address) and ip not in PUBLIC_V6:
        return Classified("not-global-unicast-v6")
    return Classified("")


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


def _embeds_never(ip: Address) -> bool:
    """Whether a NAT64 or 6to4 address leads to an IPv4 address of NEVER."""
    if isinstance(ip, IPv4Address):
        return False
    if ip in NAT64:
        inner = IPv4Address(int(ip) & 0xFFFF_FFFF)
    elif ip in SIX_TO_FOUR:
        inner = IPv4Address((int(ip) >> 80) & 0xFFFF_FFFF)
    else:
        return False
    return any(inner in net for net in NEVER)
