"""The stages of a study that load models: one model is loaded at a time, and freed at its end."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rlvr_fast.progress import Progress, named
from rlvr_fast.study.config import StudyConfig
from rlvr_fast.study.models import StudyModel, StudySide

if TYPE_CHECKING:
    from rlvr_fast.scoring.models.scorer import Scorer
    from rlvr_fast.scoring.options import ScoreOptions
    from rlvr_fast.store import Run

__all__ = ["ScoringPass", "draw_sides", "score_sides", "scoring_passes"]


def draw_sides(
    config: StudyConfig,
    sides: Sequence[StudySide],
    finished: Mapping[str, Run],
    *,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> dict[str, Run]:
    """The runs of all sides with all their draws, by the name of the side.

    Sides whose models differ in their adapter alone draw from one loaded model, one side after the
    other. A side that has its draws loads nothing.

    Args:
        config: the study.
        sides: its sides, as `check_study` gives them.
        finished: the runs that have their draws, by the name of the side.
        progress: called as progress("sample SIDE", done, total).
        tell: called with what an engine has to say of its draws.

    Raises:
        RlvrError: as `draw_run`.
    """
    from rlvr_fast.adapters import read_adapter
    from rlvr_fast.sampling.drawing import draw_run
    from rlvr_fast.sampling.engine import close_engine
    from rlvr_fast.sampling.engines import load_engine

    runs = dict(finished)
    groups: dict[tuple[str, str | None, str], list[StudySide]] = {}
    for side in sides:
        if side.name not in runs:
            groups.setdefault(side.loaded, []).append(side)
    for (model, revision, _), members in groups.items():
        adapters = {m.model.adapter: None for m in members if m.model.adapter is not None}
        engine = load_engine(
            config.sample.engine,
            model,
            revision=revision,
            adapters=[read_adapter(folder) for folder in adapters],
            **members[0].sample.engine_arguments(),
        )
        try:
            for side in members:
                runs[side.name] = draw_run(
                    model,
                    side.path,
                    side.sample,
                    revision=revision,
                    adapter=side.model.adapter,
                    engine=engine,
                    progress=named(progress, side.name),
                    tell=tell,
                )
        finally:
            close_engine(engine)
            del engine
        gc.collect()  # before the next one is loaded
    return {side.name: runs[side.name] for side in sides}


class ScoringPass(NamedTuple):
    """One pass of scoring: the completions of one run, once through one model.

    Attributes:
        side: the side whose run is scored.
        scorer: the side whose model scores.
        label: the name of the scores in the run, without what "as sampled" adds.
        options: the distributions that the pass scores under, one table of scores each.
    """

    side: StudySide
    scorer: StudySide
    label: str
    options: Sequence[ScoreOptions]

    @property
    def name(self) -> str:
        """The pass as progress bars name it."""
        return f"{self.side.name} under {self.scorer.name}"

    def left(self, run: Run, *, verify: bool = True) -> ScoringPass | None:
        """The pass with the options whose scores `run` lacks in part; None where it has all.

        Args:
            run: the run of the side.
            verify: as for `scores_finished`.
        """
        from rlvr_fast.scoring.runs.finished import scores_finished

        lacking = [
            options
            for options in self.options
            if not scores_finished(
                run,
                options,
                label=self.label,
                model=self.model.model,
                revision=self.model.revision,
                adapter=self.model.adapter,
                verify=verify,
            )
        ]
        return self._replace(options=lacking) if lacking else None

    @property
    def model(self) -> StudyModel:
        """The model that scores."""
        return self.scorer.model


def scoring_passes(
    config: StudyConfig,
    sides: Sequence[StudySide],
    sampled: Callable[[StudySide], Mapping[str, object]],
) -> list[ScoringPass]:
    """The passes of scoring of a study, those of one model side by side.

    Base and RL each score the run of both. With `score_arms` base also scores the run of each arm,
    and each arm its own, under the label "rl". Scores as sampled are left out for runs whose
    sampling does not define them, as greedy ones.

    Args:
        config: the study.
        sides: its sides.
        sampled: the sampling parameters of the run of a side, as in run.json.
    """
    from rlvr_fast.store.sampling_values import beyond_one_pass

    by_name = {side.name: side for side in sides}
    base, rl = by_name["base"], by_name["rl"]
    arms = [side for side in sides if side.arm] if config.score_arms else []
    pairs = [(base, base, "base"), (rl, base, "base"), *((arm, base, "base") for arm in arms)]
    pairs += [(base, rl, "rl"), (rl, rl, "rl"), *((arm, arm, "rl") for arm in arms)]
    found = []
    for side, scorer, label in pairs:
        values = sampled(side)
        defined = bool(values["temperature"]) and not beyond_one_pass(values)
        options = [each for each in config.score if defined or not each.as_sampled]
        if options:
            found.append(ScoringPass(side, scorer, label, options))
    return found


def score_sides(
    config: StudyConfig,
    sides: Sequence[StudySide],
    runs: Mapping[str, Run],
    *,
    progress: Progress | None = None,
) -> None:
    """Scores the completions of the runs in each pass of the study; what is scored loads nothing.

    Args:
        config: the study.
        sides: its sides.
        runs: their runs by the name of the side.
        progress: called as progress("score SIDE under MODEL", done, total).

    Raises:
        RlvrError: as `score_run`.
    """
    open_passes: dict[str, list[ScoringPass]] = {}
    for each in scoring_passes(config, sides, lambda side: runs[side.name].info.sampling):
        left = each.left(runs[each.side.name])
        if left is not None:
            open_passes.setdefault(each.scorer.name, []).append(left)
    for passes in open_passes.values():
        _score(config, passes, runs, progress)
        gc.collect()


def _score(
    config: StudyConfig,
    passes: Sequence[ScoringPass],
    runs: Mapping[str, Run],
    progress: Progress | None,
) -> None:
    """Makes the passes of one model, which is freed at the end."""
    from rlvr_fast.scoring.models.scorer import Scorer
    from rlvr_fast.scoring.runs.run import score_run_each

    model = passes[0].model
    scorer = Scorer(
        model.model,
        revision=model.revision,
        adapter=model.adapter,
        **config.score[0].model_arguments(),
    )
    side = passes[0].scorer
    _refuse_changed(scorer, side, runs[side.name])
    for each in passes:
        score_run_each(
            runs[each.side.name],
            scorer,
            each.options,
            label=each.label,
            progress=named(progress, each.name),
        )


def _refuse_changed(scorer: Scorer, side: StudySide, drawn: Run) -> None:
    """Refuses files that were changed since the draws, as by a training that goes on.

    Raises:
        RunDirectoryError: other weights, or another adapter, than those that drew.
    """
    from rlvr_fast.errors import RunDirectoryError
    from rlvr_fast.store.info import adapter_digest

    recorded = drawn.info.model
    weights = str(recorded.get("revision"))
    adapter = None if scorer.adapter is None else scorer.adapter.sha256
    if (weights.startswith("sha256:") and scorer.revision != weights) or (
        adapter_digest(recorded) != adapter
    ):
        raise RunDirectoryError(
            f"{side.shown}: its files are others than those that {drawn.path} was drawn with; put "
            "those back, or give the study another folder (out), and copies of finished "
            "checkpoints, which no training writes to"
        )
