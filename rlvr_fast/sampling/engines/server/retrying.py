"""How long a client waits before it asks again."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["backoff", "may_pass", "retry_after"]

_PASSING = frozenset({408, 409, 425, 429})
# The server, or the network before it, does not know the method, the version or the user.
_LASTING = frozenset({501, 505, 511})

FIRST_SECONDS = 0.5
MOST_SECONDS = 60.0
# A server that asks for more is asked again all the same.
_MOST_ASKED = 300.0
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def may_pass(status: int) -> bool:
    """Whether a request that got a status of HTTP may get another one when it is sent again."""
    return status in _PASSING or (status >= 500 and status not in _LASTING)


def backoff(failures: int, random_share: float | None = None) -> float:
    """Seconds to wait after some failures in a row: exponential, with full jitter.

    "Full jitter" is a uniform share of the whole wait: clients that failed together come back
    apart (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

    Args:
        failures: how many, from 1 on.
        random_share: in 0..1; by default random.
    """
    share = random.random() if random_share is None else random_share
    return share * min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 30))


def retry_after(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a header Retry-After asks for, at most 300; None where it says nothing.

    Args:
        header: a number of seconds, or a date of HTTP.
        now: the time of the reply.
    """
    text = (header or "").strip()
    if not text or len(text) > 64:
        return None
    if _SECONDS.fullmatch(text):
        return min(float(text), _MOST_ASKED)
    try:
        date = parsedate_to_datetime(text)
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        seconds = (date - (now or datetime.now(UTC))).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(seconds, 0.0), _MOST_ASKED)
