"""Where a server is, and the key that it asks for."""

from __future__ import annotations

import ipaddress
import itertools
import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from rlvr_fast.errors import InvalidInputError, shown
from rlvr_fast.sampling.engines.server.options import ServerOptions

__all__ = ["Address", "Key", "find_address", "find_key"]

# So many characters of a key are taken for the key.
_TELLTALE = 8
_KEY = re.compile(r"[\x21-\x7e]{1,4096}")


class Key:
    """A key whose value shows in no representation, and so in no message and no traceback."""

    __slots__ = ("_begins", "_forms")

    def __init__(self, value: str) -> None:
        self._forms = (value, repr(value)[1:-1])  # as it is, and as a message would show it
        self._begins = min(len(value), _TELLTALE)

    def header(self) -> str:
        """The value of the header Authorization."""
        return f"Bearer {self._forms[0]}"

    def hidden(self, text: str) -> str:
        """A text of the server without the key, or the beginning of it that a cut left over.

        In any case of its letters, as the name of a host has small ones.
        """
        for form in self._forms:
            begins = re.compile(re.escape(form[: self._begins]), re.IGNORECASE | re.ASCII)
            kept, done = [], 0
            while (found := begins.search(text, done)) is not None:
                at, end = found.span()
                pairs = zip(text[end : at + len(form)], form[end - at :], strict=False)
                same = itertools.takewhile(lambda pair: pair[0].lower() == pair[1].lower(), pairs)
                kept += [text[done:at], "[...]"]
                done = end + sum(1 for _ in same)
            text = "".join([*kept, text[done:]])
        return text


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
    name = f"[{host}]" if ":" in host else host
    place = name if port is None else f"{name}:{port}"
    base = f"{parts.scheme}://{place}{parts.path.rstrip('/')}"
    return Address(base, host, _is_loopback(host), parts.scheme == "https")


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def find_key(options: ServerOptions, address: Address) -> Key | None:
    """The key in the environment; None where there is none and the server may ask for none.

    Raises:
        InvalidInputError: the variable is not set, though another one than the default was named
            or the server is on another machine; or it holds no key.
    """
    name = options.api_key_env
    if name is None:
        return None
    value = os.environ.get(name, "").strip()
    if not value:
        default = name == ServerOptions.__dataclass_fields__["api_key_env"].default
        if default and address.loopback:
            return None
        raise InvalidInputError(
            f"the environment variable {shown(name)} holds no key for {address.host}; set it, or "
            "give --engine-arg api_key_env=null where the server asks for no key"
        )
    if not _KEY.fullmatch(value):
        raise InvalidInputError(
            f"the environment variable {shown(name)} holds blanks or characters that no key has"
        )
    return Key(value)
