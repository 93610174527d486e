"""The client's network address."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The caller's address; behind a proxy, the last one in the header, since callers can forge the others."""
    if settings.BEHIND_PROXY and (forwarded := request.headers.get("X-Forwarded-For")):
        return _without_port(forwarded.split(",")[-1].strip())
    return str(request.META.get("REMOTE_ADDR", ""))


def _without_port(address: str) -> str:
    """Strip the port that some proxies add, another per connection: `203.0.113.7:4711`, `[2001:db8::1]:4711`."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def visitor_of(request: HttpRequest) -> str:
    """What rate limits count as one visitor: an IPv4 address, or the IPv6 /64 that one line has to itself."""
    address = client_address(request)
    return network_of(address.partition("%")[0]) or address[:45]


def plain(address: str) -> str:
    """An address in canonical form: IPv4-mapped IPv6 (dual-stack sockets) becomes IPv4; "" if not an address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return str(getattr(found, "ipv4_mapped", None) or found)


def network_of(address: str) -> str:
    """The network counted as one place: the IPv4 address, or the /64 of an IPv6 one; "" if it isn't an address."""
    one = plain(address)
    return str(ipaddress.ip_network((one, 64), strict=False)) if ":" in one else one
