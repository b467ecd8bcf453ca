"""verl's v1 trainer: dumps whose `uid` numbers the session and its outputs.

Source: `_validate` in verl/trainer/ppo/v1/trainer_base.py (verl 0.9): uid is
"{prompt uid}_{session}_{output}", and rows are sorted by its three parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rlvr_fast.store.readers.reader import Reader, Sample
from rlvr_fast.store.readers.verl import FIELDS, about, is_dump

__all__ = ["READER"]

_UID = re.compile(r"(.+_\d+)_(\d+)", re.DOTALL)


def _matches(sample: Sample) -> bool:
    return is_dump(sample) and bool(_UID.fullmatch(str(sample.first("uid"))))


def _gather(rows: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, Any, str]]:
    """The last output of each session, with the prompt of the first one.

    The session's score stands beside every output. A later prompt holds the outputs before it.
    The prompt's part of `uid` is drawn anew in each run, so it identifies no problem.
    """
    held: tuple[int, Any] | None = None
    session = ""
    for number, row in rows:
        uid = _UID.fullmatch(str(row.get("uid"))) if isinstance(row, Mapping) else None
        if held is not None and uid and uid.group(1) == session:
            yield *held, "not the last output of its session"
            row = {**row, "input": held[1].get("input")}
        elif held is not None:
            yield *held, ""
        held, session = (number, row), uid.group(1) if uid else ""
    if held is not None:
        yield *held, ""


READER = Reader(
    name="verl-v1",
    help="the same dumps of verl's v1 trainer, with the uid of each output",
    matches=_matches,
    fields=FIELDS,
    gather=_gather,
    about=about,
)
