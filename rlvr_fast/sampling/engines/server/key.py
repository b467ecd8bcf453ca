"""The key that a server asks for, which nothing but the server may see."""

from __future__ import annotations

import base64
import html
import os
import re

from rlvr_fast.errors import InvalidInputError, shown
from rlvr_fast.sampling.engines.server.address import Address
from rlvr_fast.sampling.engines.server.options import ServerOptions

__all__ = ["Key", "find_key"]

# So many characters of a key in a row are taken for the key.
_TELLTALE = 8
_KEY = re.compile(r"[\x21-\x7e]{1,4096}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
# One character as texts write it: escaped in JSON or Python, once or several times, in a URL, in
# HTML, or as it is.
_WRITTEN = re.compile(
    r"\\+u00([0-9A-Fa-f]{2})|\\+x([0-9A-Fa-f]{2})|%([0-9A-Fa-f]{2})|(&#?[0-9A-Za-z]{1,6};)|\\+(.)",
    re.DOTALL,
)


class Key:
    """A key whose value shows in no representation, and so in no message and no traceback."""

    __slots__ = ("_parts", "_size", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        plain, _ = _read(value)
        self._size = min(len(plain), _TELLTALE)
        forms = [plain]
        for shift in range(3):  # in base64 the same bytes have three forms, by where they begin
            packed = base64.b64encode(bytes(shift) + value.encode("ascii")).decode("ascii")
            forms.append(packed[4 if shift else 0 : -4].lower())
        self._parts = {
            form[at : at + self._size] for form in forms for at in range(len(form) - self._size + 1)
        }

    def header(self) -> str:
        """The value of the header Authorization."""
        return f"Bearer {self._value}"

    def hidden(self, text: str) -> str:
        """A text of the server without the key.

        The key is found in any case of its letters, as the name of a host has small ones; with
        its characters escaped; in base64; and in pieces, where the server or a cut left some.
        """
        plain, ends = _read(text)
        secret = bytearray(len(plain))
        for at in range(len(plain) - self._size + 1):
            if plain[at : at + self._size] in self._parts:
                secret[at : at + self._size] = b"\1" * self._size
        if 1 not in secret:
            return text
        kept: list[str] = []
        begin = 0
        for place, end in enumerate(ends):
            if not secret[place]:
                kept.append(text[begin:end])
            elif place == 0 or not secret[place - 1]:
                kept.append("[...]")
            begin = end
        return "".join(kept)


def _read(text: str) -> tuple[str, list[int]]:
    """The characters that a text writes, in small letters, and where each ends in the text."""
    letters: list[str] = []
    ends: list[int] = []
    done = 0
    for found in _WRITTEN.finditer(text):
        plain = text[done : found.start()]
        letters += plain
        ends += range(done + 1, found.start() + 1)
        *codes, named, escaped = found.groups()
        code = next((each for each in codes if each), None)
        letter = chr(int(code, 16)) if code else escaped or html.unescape(named)
        if letter != "\\":  # it may escape what follows, and is taken as a part of that
            letters.append(letter if len(letter) == 1 else "&")
            ends.append(found.end())
        done = found.end()
    letters += text[done:]
    ends += range(done + 1, len(text) + 1)
    return "".join(each.lower() if each.isascii() else each for each in letters), ends


def find_key(options: ServerOptions, address: Address) -> Key | None:
    """The key in the environment; None where there is none and the server may ask for none.

    Raises:
        InvalidInputError: the name of the variable can be none, and may be the key itself, so that
            it is not shown; the variable is not set, though another one than the default was named
            or the server is on another machine; or it holds no key.
    """
    name = options.api_key_env
    if name is None:
        return None
    if not _VARIABLE.fullmatch(name):
        raise InvalidInputError(
            "api_key_env is no name of an environment variable, expected letters, digits and _, as "
            "OPENAI_API_KEY; the key itself stands in that variable and is given nowhere else"
        )
    value = os.environ.get(name, "").strip()
    if not value:
        default = name == ServerOptions.__dataclass_fields__["api_key_env"].default
        if default and address.loopback:
            return None
        # Small letters and digits: many keys are such a name.
        key_like = any(each.isdigit() for each in name) and not name.isupper()
        variable = "that api_key_env names" if key_like else shown(name)
        raise InvalidInputError(
            f"the environment variable {variable} holds no key for {address.host}; set it, or "
            "give --engine-arg api_key_env=null where the server asks for no key"
        )
    if not _KEY.fullmatch(value):
        raise InvalidInputError(
            f"the environment variable {shown(name)} holds blanks or characters that no key has"
        )
    return Key(value)
