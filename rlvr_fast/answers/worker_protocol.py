"""What grading and a worker say to each other: framed requests, and replies of known form."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from rlvr_fast.vocabulary import Verdict

__all__ = [
    "MAX_FATAL",
    "MAX_REPLY",
    "BrokenProtocolError",
    "Reply",
    "framed",
    "parse_reply",
    "plain_text",
    "read_frame",
]

MAX_REPLY = 16384  # bytes of one reply
MAX_DETAIL = 200
MAX_FATAL = 4000
_VERDICTS = frozenset(get_args(Verdict))
_KINDS = ("ready", "verdict", "ended", "fatal")
_FOLDERS = re.compile(r"(?<![\w.)])/(?=[A-Za-z_.])(?:[^\s/'\":,;()]+/)+")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\u00a1-\u02af\u0370-\u1fff\u2190-\u22ff]")


class BrokenProtocolError(Exception):
    """A worker wrote what no worker writes."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply.

    Attributes:
        kind: "ready" once after the start; "verdict"; "ended" where the process of this answer
            ended without a verdict; "fatal" where the task itself cannot be verified.
        verdict: the verdict, with kind "verdict".
        detail: the cause of a `timeout` or `error`, of an end, or of "fatal".
        timeout: whether the process of the answer ended because its processor seconds were over.
    """

    kind: Literal["ready", "verdict", "ended", "fatal"]
    verdict: Verdict = "error"
    detail: str = ""
    timeout: bool = False


def framed(message: Mapping[str, Any]) -> bytes:
    """A request: its length in 4 bytes, then JSON."""
    data = json.dumps(message).encode()
    return len(data).to_bytes(4, "big") + data


def read_frame(descriptor: int) -> dict[str, Any] | None:
    """The next request; None where the other side closed the pipe.

    Reads no byte of the request after it, which an answer verified now must not see.
    """
    head = _exactly(descriptor, 4)
    data = None if head is None else _exactly(descriptor, int.from_bytes(head, "big"))
    return None if data is None else json.loads(data)


def parse_reply(line: bytes, nonce: str) -> Reply:
    """A line of a worker as a reply.

    Args:
        line: the line, without its end.
        nonce: the nonce of the request whose reply is due.

    Raises:
        BrokenProtocolError: the line is no reply, or one to another request.
    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BrokenProtocolError("a line that is no JSON") from error
    if not isinstance(found, dict) or set(found) - {
        "nonce", "kind", "verdict", "detail", "timeout",
    }:  # fmt: skip
        raise BrokenProtocolError("a line that is no reply")
    kind, detail = found.get("kind"), found.get("detail", "")
    verdict, timeout = found.get("verdict", "error"), found.get("timeout", False)
    if found.get("nonce") != nonce:
        raise BrokenProtocolError("a reply to another request")
    known = isinstance(kind, str) and kind in _KINDS
    decided = isinstance(verdict, str) and verdict in _VERDICTS
    most = MAX_FATAL if kind == "fatal" else MAX_DETAIL
    if not (known and decided and isinstance(timeout, bool)):
        raise BrokenProtocolError("a reply outside the vocabulary")
    if not isinstance(detail, str) or len(detail) > most:
        raise BrokenProtocolError("a reply of the wrong length")
    text = detail if kind == "fatal" else plain_text(detail)
    return Reply(kind, verdict, text, timeout)  # type: ignore[arg-type]


def plain_text(text: str) -> str:
    """The text with at most `MAX_DETAIL` characters, all of them printable letters and signs.

    Absolute paths become names: details are written into the run, which others may get.
    """
    return _UNPRINTABLE.sub("?", _FOLDERS.sub("", text[: 20 * MAX_DETAIL])[:MAX_DETAIL])


def _exactly(descriptor: int, count: int) -> bytes | None:
    parts = []
    while count:
        data = os.read(descriptor, min(count, 1 << 20))
        if not data:
            return None
        parts.append(data)
        count -= len(data)
    return b"".join(parts)
