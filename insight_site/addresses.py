"""Where a call comes from."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The caller's address; behind a proxy the last one that our own proxy wrote, since callers can write the rest."""
    if settings.BEHIND_PROXY and (forwarded := request.headers.get("X-Forwarded-For")):
        return _without_port(forwarded.split(",")[-1].strip())
    return str(request.META.get("REMOTE_ADDR", ""))


def _without_port(address: str) -> str:
    """Some proxies write `203.0.113.7:4711` or `[2001:db8::1]:4711`: the port is another for each connection."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def visitor_of(request: HttpRequest) -> str:
    """What limits count as one visitor: an IPv4 address, or the network of 64 bits that an IPv6 line has to itself."""
    address = client_address(request)
    return network_of(address.partition("%")[0]) or address[:45]


def plain(address: str) -> str:
    """An address as it is written once: IPv4 in IPv6, which a socket for both has, as IPv4; "" for what is none."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return str(getattr(found, "ipv4_mapped", None) or found)


def network_of(address: str) -> str:
    """What counts as one place: the address, of IPv6 its /64; "" for what is none."""
    one = plain(address)
    return str(ipaddress.ip_network((one, 64), strict=False)) if ":" in one else one
