"""What some of the page's tables say, in plain words."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlvr_fast.report.chances import importance_refusal
from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.table import Table

__all__ = ["completion_sentence", "importance_view", "tilt_sentence"]


def _about(value: float) -> str:
    """Two digits are all that a typical value is worth."""
    return (
        f"{value:.1e}" if value >= 1e7 else f"{float(f'{value:.1e}'):,.{1 if value < 10 else 0}f}"
    )


def completion_sentence(row: dict[str, Any]) -> str:
    """One row of the completion level in plain words."""
    own, other = ("RL", "base") if row["completions"] == "rl" else ("base", "RL")
    parts = []
    cut = row["distribution"] == "as sampled"
    if row["problems_outside"] is not None:
        problems = row["problems"]
        parts.append(
            f"{row['outside']:.1%} of {own}’s {row['number']:,} correct completions hold a token "
            f"that {other} never draws under these sampling parameters; on "
            f"{row['problems_outside']} of {problems} "
            f"problem{'s' if problems != 1 else ''} all of them do"
        )
    ratio = row["log_ratio"]
    if np.isfinite(ratio):
        times = _about(float(np.exp(min(abs(ratio), 700.0))))
        direction = "less" if ratio < 0 else "more"
        which = "one of the others" if cut and row["outside"] else "one"
        if not cut:
            which = f"a correct completion of {own}"
        where = "" if cut else f"at {row['distribution']}, with nothing cut off, "
        parts.append(
            f"{where}{which} is typically about {times} times {direction} likely from {other}"
        )
    text = ". ".join(part[0].upper() + part[1:] for part in parts)
    return f"{text}." if text else ""


def tilt_sentence(c: Comparison) -> str:
    """What the best tilt of all problems explains, in plain words; empty where nothing was fit."""
    r = c.reweighting[0]
    if not np.isfinite([r.beta, r.before, r.after, r.noise, r.new_mass, r.new_correct_mass]).all():
        return ""
    return (
        f"Over all problems the best tilt takes the distance from {r.before:.3f} to {r.after:.3f}; "
        f"the luck of sampling alone would leave {r.noise:.3f}. {r.new_mass:.1%} of RL’s draws "
        f"give an answer that the base model never gave, and {r.new_correct_mass:.1%} of its draws "
        "give a new answer that is right."
    )


def ceiling_sentence(c: Comparison) -> str:
    """The ceiling that reweighting puts on pass@k (Leash, corollaries C.2 and C.5)."""
    ceiling = c.reweighting[0].ceiling
    if not ceiling.problems:
        return ""
    text = (
        "A tilt gives nothing to what the base model never writes, and at most certainty to what "
        f"it does: however strong, and at any k, it can solve the {ceiling.seen:.1%} of problems "
        "that base was seen to solve"
    )
    if ceiling.unseen:
        text += (
            f"; the other {ceiling.unseen:.1%} only if base can solve them, but too rarely to be "
            f"seen (each with a chance below {ceiling.threshold:.2g} a draw, 95% confidence)"
        )
    return f"{text}."


_IMPORTANCE_ROWS = 12


def _why_not(reason: str) -> str:
    words = {"Pareto": "heavy", "too few": "few", "any probability": "impossible"}
    return next((kind for word, kind in words.items() if word in reason), "other")


def importance_view(c: Comparison, table: Table) -> dict[str, Any]:
    """Counts for the sentence, and the rows worth showing: those to be trusted, found ones first"""
    trusted = [row for row in table.rows if not row["reason"]]
    reasons = dict.fromkeys(("heavy", "few", "impossible", "other"), 0)
    for row in table.rows:
        if row["reason"]:
            reasons[_why_not(row["reason"])] += 1
    shown = Table(table.name, table.caption, table.columns, trusted[:_IMPORTANCE_ROWS])
    return {
        "refusal": importance_refusal(c),
        "problems": len(table.rows),
        "trusted": len(trusted),
        "reasons": reasons,
        "unseen": sum(row["label"] == "expanded" for row in trusted),
        "table": shown,
    }
