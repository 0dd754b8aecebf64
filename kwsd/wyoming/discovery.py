"""Announces the service on the local network, so that Home Assistant finds it (zeroconf, mDNS)."""

import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kwsd.errors import KwsdError, one_line
from kwsd.wyoming.address import is_public

SERVICE = "_wyoming._tcp.local."


@asynccontextmanager
async def announced(name: str, listeners: list[socket.socket]) -> AsyncIterator[str]:
    """Announce these TCP sockets under this name for the length of the block. Raises KwsdError.

    Gives the name that is announced, which has a number at its end if another service has the name already.
    """
    from zeroconf import Error
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

    port = listeners[0].getsockname()[1]
    info = AsyncServiceInfo(
        SERVICE, f"{name}.{SERVICE}", port=port, parsed_addresses=_addresses(listeners), server=_host()
    )
    try:
        zeroconf = AsyncZeroconf()
    except OSError as error:
        raise KwsdError(f"--zeroconf: no network to announce on: {error.strerror}") from error
    try:
        try:
            await zeroconf.async_register_service(info, allow_name_change=True)
        except (Error, OSError) as error:  # not a name, for example
            reason = str(error) or type(error).__name__
            raise KwsdError(f"--zeroconf: cannot announce {one_line(name)}: {one_line(reason)}") from error
        yield info.name.removesuffix(f".{SERVICE}")
    finally:
        await zeroconf.async_close()


def default_name() -> str:
    """The name under which the service is announced if none is given."""
    return f"kwsd on {socket.gethostname().partition('.')[0]}"


def _host() -> str:
    return f"{socket.gethostname().partition('.')[0]}.local."


def _addresses(listeners: list[socket.socket]) -> list[str]:
    """The addresses at which other machines can reach the sockets."""
    import ifaddr

    given = [
        ipaddress.ip_address(one.getsockname()[0].partition("%")[0]) for one in listeners if is_public(one)
    ]
    if not any(address.is_unspecified for address in given):
        return [str(address) for address in given]
    versions = {address.version for address in given if address.is_unspecified}
    found = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            address = ipaddress.ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0])
            if address.version in versions and not (address.is_loopback or address.is_link_local):
                found.append(str(address))
    return found
