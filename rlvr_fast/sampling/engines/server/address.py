"""Where a server is, and the proxy that leads to it."""

from __future__ import annotations

import base64
import ipaddress
import re
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from rlvr_fast.errors import InvalidInputError, shown

__all__ = ["Address", "Proxy", "find_address", "find_proxy"]

# Letters of any alphabet, digits, points, and the colons and zones of IPv6.
_HOST = re.compile(r"[\w.-]+|[0-9A-Fa-f:.]+(%[\w.~-]+)?")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is.

    Attributes:
        base: scheme, host, port and path, without a slash at the end.
        host: its host.
        loopback: whether the host is this machine.
        encrypted: whether the scheme is https.
    """

    base: str
    host: str
    loopback: bool
    encrypted: bool

    @property
    def root(self) -> str:
        """The address without the version of the interface."""
        return self.base.removesuffix("/v1")


def find_address(url: str) -> Address:
    """The address that a URL names.

    Raises:
        InvalidInputError: no URL of HTTP, or one with a user name, a password, a query or a
            fragment, any of which may be a secret: the message does not show it.
    """
    expected = "expected a URL such as http://127.0.0.1:8000/v1"
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise InvalidInputError(f"url: {expected}; its host or port cannot be read") from None
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise InvalidInputError(
            f"url: {expected}, without a user name or a password: a key is given by the environment"
            " variable that api_key_env names"
        )
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise InvalidInputError(f"url: {expected}, without a query (?) or a fragment (#)")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInputError(f"url is {shown(url)}, {expected}")
    host = parts.hostname
    if not _HOST.fullmatch(host) or not parts.path.isprintable() or " " in parts.path:
        raise InvalidInputError(
            f"url is {shown(url)}, {expected}; its host or path holds characters that none has"
        )
    name = f"[{host}]" if ":" in host else host
    place = name if port is None else f"{name}:{port}"
    base = f"{parts.scheme}://{place}{parts.path.rstrip('/')}"
    return Address(base, host, _is_loopback(host), parts.scheme == "https")


def _is_loopback(host: str) -> bool:
    host = host.removesuffix(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    # 0.0.0.0 is what servers print that listen on all addresses; it leads to this machine.
    return address.is_loopback or address.is_unspecified


class Proxy(NamedTuple):
    """A proxy of HTTP.

    Attributes:
        url: without a user name and a password.
        headers: what it asks for: `Proxy-Authorization`, where the environment names a user.
    """

    url: str
    headers: dict[str, str]


def find_proxy(address: Address) -> Proxy | None:
    """The proxy of the environment (http_proxy, https_proxy, no_proxy) that leads to a server.

    None leads to this machine.

    Raises:
        InvalidInputError: one that is not spoken to in HTTP; the message shows no password.
    """
    if address.loopback or proxy_bypass(address.host):
        return None
    scheme = "https" if address.encrypted else "http"
    given = getproxies().get(scheme, "").strip()
    if not given:
        return None
    try:
        parts = urlsplit(given if "://" in given else f"http://{given}")
        place = parts.netloc.rpartition("@")[2]
        usable = parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InvalidInputError(
            f"the environment variable {scheme}_proxy names a proxy that is not known here, "
            "expected http://HOST:PORT; where none is to be used, name the host in no_proxy"
        )
    headers = {}
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
    return Proxy(f"http://{place}", headers)
