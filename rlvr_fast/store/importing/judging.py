"""Verdicts that came with finished completions: which field, and what its values mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.errors import InvalidInputError, shown
from rlvr_fast.store.importing.columns import Column, take, to_list
from rlvr_fast.store.importing.detection import Recognised
from rlvr_fast.store.importing.roles import RoleBatch
from rlvr_fast.store.readers.reader import MISSING
from rlvr_fast.store.rollouts.values import read_rewards
from rlvr_fast.store.rollouts.verdicts import VerdictRule, choose_rule

__all__ = ["Judge"]

# So many distinct rewards are told apart in the summary.
_DISTINCT = 50
_WORDS = pa.array(["incorrect", "correct"], pa.string())


class Judge:
    """Reads verdicts and rewards; one rule holds for a whole import.

    Attributes:
        path: the field outside the layout that the user names, None without one.
    """

    def __init__(self, given: str | None, files: Sequence[Recognised]) -> None:
        self._given = None if given is None else VerdictRule.parse(given)
        told = next((k.about.verdict for k in files if k.about.verdict), None)
        default = told or files[0].reader.verdict
        self._rule = self._given or (None if default is None else VerdictRule.parse(default))
        self._decided = self._given is not None
        self._why = ""
        self.path = None if self._given is None else self._given.field
        self._verdicts: Counter[str] = Counter()
        self._least, self._most = np.inf, -np.inf
        self._rewards: set[float] = set()
        self._first = ""

    def read(
        self, roles: RoleBatch, keep: npt.NDArray[np.bool_]
    ) -> tuple[pa.Array | None, npt.NDArray[np.float64] | None]:
        """(verdict of each kept draw, reward of each kept draw); None where no draw has one."""
        rows = np.flatnonzero(keep)
        rewards = None
        if "reward" in roles.of_draws:
            rewards = np.asarray(read_rewards(take(roles.of_draws["reward"], rows)), np.float64)
            rewards = np.where(np.isfinite(rewards), rewards, np.nan)
            if np.isnan(rewards).all():
                rewards = None
        if not self._decided:
            self._decide(roles, rewards)
        column = self._column(roles)
        if self._rule is None or column is None:
            return None, rewards
        chosen = take(column, rows)
        if not self._first:
            said = (v for v in to_list(chosen) if v is not None and v is not MISSING)
            self._first = next(map(shown, said), "")
        codes = np.asarray(self._rule.verdicts(chosen), np.int64)
        return _WORDS.take(pa.array(codes, pa.int64(), mask=codes < 0)), rewards

    def _column(self, roles: RoleBatch) -> Column | None:
        if self._rule is None:
            return None
        name = "judged" if self._given is not None else self._rule.field
        return roles.of_draws.get(name)

    def _decide(self, roles: RoleBatch, rewards: npt.NDArray[np.float64] | None) -> None:
        """Takes the obvious rule where the layout names none."""
        if self._rule is not None and self._rule.field in roles.of_draws:
            self._decided = True
            return
        if "verdict" in roles.of_draws:
            self._rule = VerdictRule.parse("verdict")
        elif rewards is not None:
            self._rule, self._why = choose_rule(np.unique(rewards[~np.isnan(rewards)]).tolist())
        else:
            return
        self._decided = True

    def count(self, verdicts: pa.Array | None, rewards: pa.Array | None) -> None:
        """Counts the verdicts and rewards of a batch."""
        if verdicts is not None:
            for entry in pc.value_counts(verdicts).to_pylist():
                self._verdicts[entry["values"] or "unknown"] += entry["counts"]
        if rewards is not None and rewards.null_count < len(rewards):
            seen = pc.min_max(rewards).as_py()
            self._least = min(self._least, seen["min"])
            self._most = max(self._most, seen["max"])
            if len(self._rewards) <= _DISTINCT:
                self._rewards.update(v for v in pc.unique(rewards).to_pylist() if v is not None)

    def check(self, name: str) -> None:
        """Refuses a verdict that the user names and that no value is.

        Raises:
            InvalidInputError: the message shows the first value.
        """
        if self._given is None or self._verdicts["correct"] + self._verdicts["incorrect"]:
            return
        held = f", which begins with {self._first}" if self._first else ""
        raise InvalidInputError(
            f"{name}: --verdict {self._given.text}: no value of {self._given.field!r}{held} says "
            "correct or incorrect. Expected true or false, 1 or 0, words such as correct, or a "
            f"comparison of a number: --verdict '{self._given.field}>=X'"
        )

    def result(
        self, fields: dict[str, str]
    ) -> tuple[dict[str, Any] | None, dict[str, Any] | None, list[str]]:
        """(the verdict of import.json, the rewards of import.json, notes).

        Args:
            fields: role to the path that was read.
        """
        rewards = None
        if self._rewards:
            rewards = {
                "least": self._least,
                "most": self._most,
                "distinct": min(len(self._rewards), _DISTINCT),
            }
        if self._rule is None or not (self._verdicts["correct"] + self._verdicts["incorrect"]):
            notes = []
            if rewards is not None:
                field = fields.get("reward", "reward")
                # Rows that a reader makes have no field of that name: the role is the name.
                field = "reward" if " " in field else field
                notes.append(
                    f"the rewards in {field!r} ({rewards['least']:g} to {rewards['most']:g}) give "
                    f"no verdict; name the threshold from which a completion is correct: "
                    f"--verdict '{field}>=X'"
                )
            return None, rewards, notes
        rule = self._rule.text
        name = self._rule.field
        if self._given is None and " " not in fields.get(name, name):
            rule = fields.get(name, name) + rule.removeprefix(name)
        counts = {word: self._verdicts[word] for word in ("correct", "incorrect", "unknown")}
        notes = []
        if self._why and rewards is not None and rewards["distinct"] > 2:
            # The first rows decided; the others may lie elsewhere.
            notes.append(
                f"the rewards go from {rewards['least']:g} to {rewards['most']:g}, and {rule} is "
                f"taken as correct; another threshold: --verdict '{fields.get(name, name)}>=X'"
            )
        return {"rule": rule, **counts}, rewards, notes
