"""Times of day and dates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.parts.wording import plain, spoken_number
from rlvr_fast.tasks.schemes.math.terms.nodes import Number
from rlvr_fast.tasks.schemes.math.values import Read, Same, Value

__all__ = ["Clock", "Date", "compare", "read"]


@dataclass(frozen=True, slots=True)
class Clock(Value):
    """A time of day.

    Attributes:
        seconds: since midnight; of a time without a.m. or p.m., of the hour as it is written.
        half: "said" by a.m. or p.m., "hour" where an hour of 0 or 13 and more tells it, or "".
        hour: the hour alone where no minutes are written ("5 p.m.").
    """

    seconds: int
    half: str
    hour: int | None = None


@dataclass(frozen=True, slots=True)
class Date(Value):
    """A date; what is not written is None."""

    year: int | None
    month: int
    day: int | None


@dataclass(frozen=True, slots=True)
class SlashedDate(Value):
    """A date such as 01/02/2020, of which the order of day and month is not known."""

    parts: tuple[int, int, int]


_HALF = r"(?P<half>[aApP]\.?\s?[mM]\.?|noon|midnight|in the (?:morning|afternoon|evening)|at night)"
_TIME = re.compile(
    rf"(?:at\s+)?(?P<hour>\d{{1,2}})\s*:\s*(?P<minute>\d\d)(?:\s*:\s*(?P<second>\d\d))?"
    rf"\s*(?:o'?clock)?\s*(?:\(?{_HALF}\)?)?"
)
_DOTTED = re.compile(rf"(?:at\s+)?(?P<hour>\d{{1,2}})\.(?P<minute>\d\d)\s*{_HALF}")
_HOUR = re.compile(
    rf"(?:at\s+)?(?P<hour>\d{{1,2}}|[a-zA-Z]{{3,6}})\s*(?P<clock>o'?clock)?\s*(?:{_HALF})?"
)
_PAST = re.compile(
    rf"(?:at\s+)?(?:(?P<half_past>half past)|(?:a\s+)?quarter (?P<quarter>past|to)) "
    rf"(?P<hour>\d{{1,2}}|[a-z]{{3,6}})\s*(?:{_HALF})?"
)
_NOON = {"noon": 12, "midday": 12, "midnight": 0}
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_MONTH = rf"(?P<month>{'|'.join(f'{name[:3]}(?:{name[3:]})?' for name in _MONTHS)}|sept)\.?"
_DAY = r"(?P<day>\d{1,2})(?:\s*\^?\{?(?:st|nd|rd|th)\}?)?"
_YEAR = r"(?P<year>\d{4})"
_WEEKDAY = r"(?:on\s+)?(?:(?:sun|mon|tues|wednes|thurs|fri|satur)day,?\s+)?(?:the\s+)?"
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_WEEKDAY}{_MONTH}\s+(?:the\s+)?{_DAY}(?:\s*,?\s*{_YEAR})?",
        rf"{_WEEKDAY}{_DAY}(?:\s+of)?\s+{_MONTH}(?:\s*,?\s*{_YEAR})?",
        rf"{_MONTH}\s*,?\s*{_YEAR}",
        r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)",
        r"(?P<year>\d{4})/(?P<month>\d\d)/(?P<day>\d\d)",
    )
)
_SLASHED = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})")
_LONGEST = 60


def read(text: str, read: Read) -> Value | None:
    """The value of a time of day or a date; see `kinds`."""
    text = plain(text)
    if len(text) > _LONGEST:
        return None
    if text.casefold() in _NOON:
        hour = _NOON[text.casefold()]
        return Clock(hour * 3600, "said", 12)
    match = _TIME.fullmatch(text) or _DOTTED.fullmatch(text)
    if match is not None:
        return _clock(match, int(match["minute"]), match.groupdict().get("second"))
    if match := _PAST.fullmatch(text):
        return _past(match)
    match = _HOUR.fullmatch(text)
    if match is not None and (match["clock"] or match["half"]):
        return _clock(match, None, None)
    return _date(text)


def _clock(match: re.Match[str], minute: int | None, second: str | None) -> Value | None:
    written = match["hour"]
    if written.isdigit():
        hour = int(written)
    else:
        spoken = spoken_number((written,))
        if spoken is None or spoken.denominator != 1:
            return None
        hour = int(spoken)
    half = match["half"]
    seconds = int(second or 0)
    if hour > 24 or (minute or 0) > 59 or seconds > 59 or (hour == 24 and (minute or seconds)):
        return None
    alone = hour if minute is None else None
    if half is None:
        known = "hour" if hour == 0 or hour > 12 else ""
        hour %= 24
    else:
        if hour > 12:
            # "16:30 p.m." says twice what it says
            if _is_morning(half, hour) or hour == 24:
                return None
        elif not hour:
            return None
        else:
            hour = hour % 12 + (0 if _is_morning(half, hour) else 12)
        known = "said"
    return Clock(hour * 3600 + (minute or 0) * 60 + seconds, known, alone)


def _past(match: re.Match[str]) -> Value | None:
    """`half past 3`, `quarter to five p.m.`."""
    spoken = spoken_number((match["hour"],))
    hour = Fraction(match["hour"]) if match["hour"].isdigit() else spoken
    if hour is None or hour.denominator != 1 or not 1 <= hour <= 12:
        return None
    minute = 30 if match["half_past"] else 15 if match["quarter"] == "past" else 45
    whole = int(hour) if minute < 45 else (int(hour) + 10) % 12 + 1
    time = _TIME.fullmatch(f"{whole}:{minute} {match['half'] or ''}".strip())
    return None if time is None else _clock(time, minute, None)


def _is_morning(half: str, hour: int) -> bool:
    low = half.casefold()
    if low == "at night":
        return hour == 12 or hour < 5
    return low[0] == "a" or low in ("midnight", "in the morning")


def _date(text: str) -> Value | None:
    for pattern in _DATES:
        match = pattern.fullmatch(text)
        if match is None:
            continue
        groups = match.groupdict()
        name = groups["month"].casefold()
        month = (
            int(name)
            if name.isdigit()
            else next(i for i, full in enumerate(_MONTHS, 1) if full.startswith(name[:3]))
        )
        day = int(groups["day"]) if groups.get("day") else None
        year = int(groups["year"]) if groups.get("year") else None
        if not 1 <= month <= 12 or (day is not None and not 1 <= day <= 31):
            return None
        return Date(year, month, day)
    slashed = _SLASHED.fullmatch(text)
    if slashed is None or slashed[2] != "/":
        return None
    return SlashedDate((int(slashed[1]), int(slashed[3]), int(slashed[4])))


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """Whether two times or dates agree; see `kinds`."""
    if isinstance(gold, Clock) and isinstance(answer, Clock):
        if gold.half and answer.half:
            return gold.seconds == answer.seconds
        if "hour" in (gold.half, answer.half):
            return False
        # A time without a half of the day agrees with both.
        return gold.seconds % 43200 == answer.seconds % 43200
    if isinstance(gold, Date) and isinstance(answer, Date):
        if gold.year is not None and answer.year is not None and gold.year != answer.year:
            return False
        return (gold.month, gold.day) == (answer.month, answer.day) and (
            gold.year is None or gold.year == answer.year
        )
    if isinstance(gold, SlashedDate) and isinstance(answer, SlashedDate):
        return gold.parts == answer.parts
    for clock, other, first in ((gold, answer, True), (answer, gold, False)):
        if isinstance(clock, Clock) and clock.hour is not None and isinstance(other, Expression):
            hour = Expression(Number(Fraction(clock.hour)))
            return same(hour, other) if first else same(other, hour)
    return None
