"""What a study would do if it were run now: models to load, draws, tokens, passes of scoring."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rlvr_fast.study.checks import StudyCheck
from rlvr_fast.study.config import StudyConfig
from rlvr_fast.study.models import StudySide
from rlvr_fast.study.stages import scoring_passes

if TYPE_CHECKING:
    from rlvr_fast.store import Run

__all__ = ["ScoringWork", "SideWork", "StudyWork", "study_work", "work_sentences"]

# A longer pause between two parts is an interruption, not the speed of an engine.
_PAUSE_SECONDS = 120.0
_FEWEST_GAPS = 3


@dataclass(frozen=True, slots=True)
class SideWork:
    """The draws of one model.

    Attributes:
        name: "base", "rl", or the name of an arm.
        model: what is loaded for the draws; "" where nothing is left to draw.
        problems: number of problems.
        samples: draws a problem.
        held: draws that the run holds and that count.
        draws: draws to make.
        tokens: tokens of the draws to make.
        at_most: whether `tokens` is an upper bound (max_tokens each), not an expectation by the
            mean length of the draws that are held.
        seconds: time of the draws to make, None where it is not known.
    """

    name: str
    model: str
    problems: int
    samples: int
    held: int
    draws: int
    tokens: int
    at_most: bool
    seconds: float | None


@dataclass(frozen=True, slots=True)
class ScoringWork:
    """One pass of scoring: a run once through a model.

    Attributes:
        name: the run and the model, as progress bars name the pass.
        model: the model that scores.
        completions: completions to score.
    """

    name: str
    model: str
    completions: int


@dataclass(frozen=True, slots=True)
class StudyWork:
    """The work of a study.

    Attributes:
        sides: the draws of each model.
        scoring: the passes of scoring that have work to do.
        loads: how many times a model is loaded, for draws and for scoring.
    """

    sides: Sequence[SideWork]
    scoring: Sequence[ScoringWork]
    loads: int

    @property
    def draws(self) -> int:
        """Draws to make, of all models."""
        return sum(side.draws for side in self.sides)

    @property
    def tokens(self) -> int:
        """Tokens of the draws to make, of all models."""
        return sum(side.tokens for side in self.sides)

    @property
    def seconds(self) -> float | None:
        """Time of all draws; None where that of a model is not known."""
        known = [side.seconds for side in self.sides if side.seconds is not None]
        return sum(known) if len(known) == len(self.sides) else None

    def to_json(self) -> dict[str, Any]:
        """The work as JSON."""
        from dataclasses import asdict

        return {
            **asdict(self),
            "draws": self.draws,
            "tokens": self.tokens,
            "tokens_at_most": any(side.at_most and side.draws for side in self.sides),
            "seconds": self.seconds,
        }


def study_work(config: StudyConfig, check: StudyCheck) -> StudyWork:
    """The work of a study without faults; reads its runs and loads nothing.

    The time is that of the draws, by the speed at which the parts of samples of the same run were
    written; it is not known of a run with few parts. How long grading and scoring take is not said.

    Args:
        config: the study.
        check: what `check_study` found.
    """
    from rlvr_fast.scoring.runs.finished import pass_of

    runs = check.runs
    sides = [
        _side_work(
            side,
            runs.get(side.name),
            len(check.problems),
            check.parameters.get(side.name, side.sample.sampling).max_tokens,
        )
        for side in check.sides
    ]

    def sampled(side: StudySide) -> Mapping[str, Any]:
        run = runs.get(side.name)
        own = check.parameters.get(side.name, side.sample.sampling)
        return own.to_json() if run is None else run.info.sampling

    passes = []
    scorers = set()
    to_draw = {side.name: side.draws for side in sides}
    for each in scoring_passes(config, check.sides, sampled):
        run = runs.get(each.side.name)
        finished = check.finished.get(each.side.name)
        left = each if finished is None else each.left(finished, verify=False)
        if left is None:
            continue
        completions = to_draw[each.side.name]
        if run is not None:
            scored = [
                int(run.num_samples(f"scores/{pass_of(run, options, each.label)[0]}").sum())
                for options in left.options
            ]
            completions += int(run.num_samples().sum()) - min(scored)
        passes.append(ScoringWork(each.name, each.scorer.shown, completions))
        scorers.add(each.scorer.name)
    waiting = {s.loaded for s in check.sides if s.name not in check.finished}
    return StudyWork(sides, passes, len(waiting) + len(scorers))


def _side_work(side: StudySide, run: Run | None, problems: int, most: int) -> SideWork:
    samples = side.sample.samples
    held = 0
    length: float | None = None
    seconds: float | None = None
    if run is not None:  # by their numbers: a run may lack one and hold others beyond `samples`
        held = len(run.problems()) * samples - run.num_missing(samples)
    draws = problems * samples - held
    if run is not None and held:
        length, rate = _mean_length(run), _draws_a_second(run)
        seconds = draws / rate if rate and draws else None
    if not draws:
        seconds = 0.0
    return SideWork(
        name=side.name,
        model=side.shown if draws else "",
        problems=problems,
        samples=samples,
        held=held,
        draws=draws,
        tokens=round(draws * (most if length is None else length)),
        at_most=length is None,
        seconds=seconds,
    )


def _mean_length(run: Run) -> float | None:
    """The mean number of tokens of the draws of a run; None where their tokens are not known."""
    import pyarrow.compute as pc

    tokens = rows = 0
    for _, part in run.iter_parts("samples", ["token_ids"]):
        lengths = pc.list_value_length(part["token_ids"])
        tokens += pc.sum(lengths).as_py() or 0
        rows += len(part)
    return tokens / rows if tokens else None


def _draws_a_second(run: Run) -> float | None:
    """The speed of draws by the times at which the parts of samples were written."""
    import pyarrow.parquet as pq

    parts = run.parts("samples")
    written = [(file.stat().st_mtime, pq.read_metadata(file).num_rows) for file in parts]
    gaps = [
        (later - earlier, rows)
        for (earlier, _), (later, rows) in pairwise(written)
        if 1 <= later - earlier < _PAUSE_SECONDS
    ]
    if len(gaps) < _FEWEST_GAPS:
        return None
    return float(statistics.median(rows / gap for gap, rows in gaps))


def work_sentences(work: StudyWork) -> list[str]:
    """The work of a study in sentences, one a line."""
    said = []
    for side in work.sides:
        head = f"{side.name}: {side.problems:,} problems x {side.samples:,} samples"
        if not side.draws:
            said.append(f"{head}: all {side.held:,} draws are there")
            continue
        least = "at most" if side.at_most else "about"
        said.append(
            f"{head}: {side.draws:,} draws to make with {side.model}, {side.held:,} are there; "
            f"{least} {side.tokens:,} tokens; {_time(side.seconds)}"
        )
    for each in work.scoring:
        said.append(f"score {each.name}: {each.completions:,} completions under {each.model}")
    if not work.scoring:
        said.append("score: nothing is left to score")
    total = f"In all: {work.draws:,} draws to make, {work.loads} loads of a model"
    return [*said, f"{total}; {_time(work.seconds)}" if work.draws else total]


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "how long they take is not known"
    hours, rest = divmod(round(seconds), 3600)
    spent = f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"
    return f"about {spent} at the speed of the draws that are there"
