"""The threshold epsilon of a comparison: one number, that a report folder keeps.

More draws would move -ln(zeta)/n, and with it labels that are decided already. So the number is
recorded in summary.json, and a later comparison of the same runs into the same folder takes it from
there.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from rlvr_fast.report.options import CompareOptions
from rlvr_fast.report.problems import Problems
from rlvr_fast.report.sides import Side, curve_depth
from rlvr_fast.safe_files import JSON_BYTES, read_bytes
from rlvr_fast.store.info import adapter_digest
from rlvr_fast.store.json_files import parse_json

__all__ = ["EpsilonOrigin", "Threshold", "epsilon_sentence", "refusal_sentence", "threshold_of"]

EpsilonOrigin = Literal["option", "kept", "draws"]


class Threshold(NamedTuple):
    """The threshold of the rule "epsilon".

    Attributes:
        value: a probability; 1 where the draws are too few for any decision.
        origin: "option", "kept" (the report that the folder held), or "draws": -ln(zeta)/n, n the
            depth of the curves.
        least: the smallest -ln(zeta)/n over the problems, n the draws that both models have; nan
            where no problem was drawn by both.
        most: the largest.
        study: names the runs and zeta, for a later comparison.
        refused: why the threshold that the folder held was not taken; empty where there was none.
    """

    value: float
    origin: EpsilonOrigin
    least: float
    most: float
    study: str
    refused: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The object under "epsilon" in summary.json."""
        return {
            "value": self.value,
            "from": self.origin,
            "least": self.least,
            "most": self.most,
            "study": self.study,
            "sha256": _mark(self.value, self.study),
        }


def threshold_of(
    problems: Problems, base: Side, rl: Side, options: CompareOptions, keep: str | Path | None
) -> Threshold:
    """The threshold of a comparison: of the options, else of the report in a folder, else by n.

    Args:
        problems: the shared problems.
        base: the run of the base model.
        rl: the run of the RL model.
        options: epsilon, where given, and zeta.
        keep: a folder that may hold a report of the same runs, problems and zeta. Whatever else
            lies there is ignored.
    """
    study = _study(problems, base, rl, options.zeta)
    fewest = np.minimum(base.num_samples, rl.num_samples)
    drawn = fewest[fewest > 0]
    scale = -math.log(options.zeta)
    least, most = (
        (scale / int(n) for n in (drawn.max(), drawn.min()))
        if drawn.size
        else (
            math.nan,
            math.nan,
        )
    )
    origin: EpsilonOrigin = "option"
    value, refused = options.epsilon, ""
    if value is None and keep is not None:
        origin = "kept"
        value, refused = _recorded(Path(keep), study)
    if value is None:
        # A probability: above 1 it would say the same, that so few draws decide nothing.
        origin, value = "draws", min(scale / max(curve_depth(base, rl), 1), 1.0)
    return Threshold(value, origin, least, most, study, refused)


def epsilon_sentence(threshold: Threshold, zeta: float) -> str:
    """The threshold in words: its value, where it comes from, and the range of -ln(zeta)/n."""
    value = f"ε = {threshold.value:.3g}"
    if threshold.origin == "draws":
        depth = round(-math.log(zeta) / threshold.value)
        text = value
        if threshold.value < 1:
            text += f", which is −ln({zeta:g})/n for the n = {depth:,} draws of the curves"
    elif threshold.origin == "kept":
        text = f"{value}, kept from the report that this folder held"
    else:
        text = f"{value}, as given"
    if threshold.least < threshold.most:
        text += (
            f"; by the draws of each problem, −ln({zeta:g})/n is {threshold.least:.3g} to "
            f"{threshold.most:.3g}"
        )
    if threshold.value >= 1:
        text += "; so few draws decide no label"
    return f"{text}."


def refusal_sentence(threshold: Threshold) -> str:
    """That the threshold of the report in the folder was not kept; empty where it was."""
    if not threshold.refused:
        return ""
    return (
        f"The threshold ε of the report that this folder held was not kept: {threshold.refused}. "
        "The option --epsilon sets it again."
    )


def _study(problems: Problems, base: Side, rl: Side, zeta: float) -> str:
    """A hash of what has to agree for two comparisons to have one threshold."""
    sides = [
        [
            side.model,
            side.revision,
            dict(sorted(side.sampling.items())),
            # Nothing is added without an adapter: the hash is that of earlier reports.
            *([digest] if (digest := adapter_digest(side.run.info.model)) else []),
        ]
        for side in (base, rl)
    ]
    text = json.dumps([zeta, sides, sorted(problems.ids)], default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _recorded(folder: Path, study: str) -> tuple[float | None, str]:
    """The threshold in summary.json of a folder, and why there is none although a file is there.

    A file of another study is no fault.
    """
    file = folder / "summary.json"
    try:
        found = parse_json(read_bytes(file, at_most=JSON_BYTES))
    except OSError:  # none, or a folder
        return None, ""
    except ValueError as error:
        return None, f"{file.name} is damaged ({str(error)[:200]})"
    recorded = found.get("epsilon") if isinstance(found, dict) else None
    if not isinstance(recorded, dict) or recorded.get("study") != study:
        return None, ""
    value = recorded.get("value")
    if not isinstance(value, float) or recorded.get("sha256") != _mark(value, study):
        return None, f"{file.name} was changed after it was written"
    return (value, "") if 0 < value < 1 else (None, "")


def _mark(value: float, study: str) -> str:
    """A digest of a threshold and its study, which tells a number that was changed."""
    return hashlib.sha256(f"{value!r} {study}".encode()).hexdigest()
