"""The whole job: sample -> grade -> score -> compare -> report.

The only place that knows the order of the stages. Each stage reads tables of a run directory and
adds one table to it, and each is resumable, so running a study again finishes what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.study_config import StudyConfig, demo_config, sampling_parameters, with_out

if TYPE_CHECKING:
    from rlvr_fast.progress import Progress
    from rlvr_fast.report import Comparison, Table
    from rlvr_fast.sampling import SamplingParameters
    from rlvr_fast.scoring import Scorer
    from rlvr_fast.store import Run

__all__ = [
    "StudyConfig",
    "StudyResult",
    "bench",
    "compare",
    "demo_config",
    "dynamics",
    "grade",
    "plan",
    "references",
    "replay",
    "run_study",
    "sample",
    "sampling_parameters",
    "score",
    "with_out",
]


@dataclass(frozen=True, slots=True)
class StudyResult:
    """Where a study left its parts."""

    base: Path
    rl: Path
    report: Path
    comparison: Comparison


def sample(
    model: str,
    *,
    tasks: Sequence[str],
    samples: int,
    out: str | Path,
    params: SamplingParameters,
    engine: str = "transformers",
    engine_options: Mapping[str, Any] | None = None,
    revision: str | None = None,
    template: str = "auto",
    progress: Progress | None = None,
) -> Run:
    """Draws until every problem has `samples` completions; draws only what is missing."""
    from rlvr_fast.sampling import load_engine, prepare_run, sample_run
    from rlvr_fast.tasks import load_tasks

    loaded = load_tasks(tasks)
    drawer = load_engine(engine, model, revision=revision, **dict(engine_options or {}))
    run = prepare_run(out, drawer, loaded, params, template=template)
    sample_run(run, drawer, samples, progress=progress)
    return run


def grade(
    run: str | Path | Run,
    *,
    policy: str = "auto",
    workers: int | None = None,
    timeout: float = 5.0,
    audit: int = 0,
    regrade: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Extracts, groups and verifies the run's answers, each distinct one once.

    A run graded under another policy is refused, unless `regrade` has it graded anew.
    """
    from rlvr_fast.answers import grade_run

    opened = _opened(run)
    grade_run(
        opened,
        policy=policy,
        workers=workers,
        timeout=timeout,
        audit=audit,
        regrade=regrade,
        progress=progress,
    )
    return opened


def score(
    run: str | Path | Run,
    model: str | Scorer,
    *,
    label: str,
    revision: str | None = None,
    as_sampled: bool = False,
    per_token: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Teacher-forces the run's completions through `model` into scores/LABEL, at temperature 1.

    With `as_sampled` the temperature and top-p are those the run was drawn with, and the scores
    lie in scores/LABEL-sampling: with the mass that each nucleus keeps, which makes them the log p
    under which the sampler draws, and the tokens outside it, which it can never draw.
    """
    from rlvr_fast.scoring import score_run

    opened = _opened(run)
    options: dict[str, Any] = {}
    if as_sampled:
        label = f"{label}-sampling"
        options = {name: opened.info.sampling.get(name) for name in ("temperature", "top_p")}
        if not options["temperature"] or options["top_p"] is None:
            raise InvalidInputError(
                f"{opened.path}: drawn at {options}: scoring as sampled needs a temperature above "
                "0 and a top_p, both known"
            )
    score_run(
        opened,
        model,
        label=label,
        revision=revision,
        per_token=per_token,
        progress=progress,
        **options,
    )
    return opened


def compare(
    base: str | Path | Run,
    rl: str | Path | Run,
    *,
    out: str | Path,
    rule: str = "seen",
    zeta: float = 0.05,
    allow: Sequence[str] = (),
    ks: Sequence[int] = (),
    progress: Progress | None = None,
) -> tuple[Comparison, Path]:
    """Compares two graded runs and writes the report; returns it and the path of its page."""
    from rlvr_fast.report import write_report

    comparison = _compared(base, rl, rule=rule, zeta=zeta, allow=allow, ks=ks, progress=progress)
    return comparison, write_report(comparison, out, progress=progress)


def _compared(base: str | Path | Run, rl: str | Path | Run, **options: Any) -> Comparison:
    from rlvr_fast.report import compare_runs

    return compare_runs(_opened(base), _opened(rl), **options)


def _score_all(
    config: StudyConfig,
    runs: Mapping[str, Run],
    models: Mapping[str, tuple[str, str | None]],
    progress: Progress | None,
) -> None:
    """Every completion under both models, at temperature 1 and as it was sampled."""
    from rlvr_fast.scoring import Scorer

    for label, (model, revision) in models.items():
        scorer = Scorer(model, revision=revision)
        for side, run in runs.items():
            # A greedy run has no sampling distribution to score under.
            for as_sampled in (False, True) if config.parameters().temperature else (False,):
                what = f"{side} under {label}" + (", as sampled" if as_sampled else "")
                shown = _prefixed(progress, what)
                score(run, scorer, label=label, as_sampled=as_sampled, progress=shown)


def dynamics(
    base: str | Path,
    checkpoints: Mapping[str, str | Path],
    *,
    out: str | Path,
    rule: str = "seen",
    zeta: float = 0.05,
    allow: Sequence[str] = (),
    progress: Progress | None = None,
) -> Table:
    """Support, pass@k, entropy and length of several checkpoints against one base run."""
    from rlvr_fast.report import training_dynamics, write_dynamics

    runs = {name: _opened(path) for name, path in checkpoints.items()}
    table = training_dynamics(
        _opened(base), runs, rule=rule, zeta=zeta, allow=allow, progress=progress
    )
    write_dynamics(table, out)
    return table


def references(
    base: str | Path,
    rl: str | Path,
    traces: str | Path,
    *,
    out: str | Path | None = None,
    rule: str = "seen",
    zeta: float = 0.05,
    allow: Sequence[str] = (),
    progress: Progress | None = None,
) -> Table:
    """Perplexity of scored reference traces, by what became of their problem; also into `out`."""
    from rlvr_fast.report import reference_perplexity, write_tables

    opened = _opened(traces)
    comparison = _compared(base, rl, rule=rule, zeta=zeta, allow=allow, progress=progress)
    table = reference_perplexity(comparison, opened)
    if out is not None:
        write_tables([table], Path(out))
    return table


def plan(
    base: str | Path,
    rl: str | Path,
    *,
    zeta: float = 0.05,
    budget: int | None = None,
    allow: Sequence[str] = (),
    progress: Progress | None = None,
) -> tuple[int, list[dict[str, Any]]]:
    """(labels open now, the problems where further samples decide most of them, best first)."""
    from rlvr_fast import metrics

    comparison = _compared(base, rl, rule="epsilon", zeta=zeta, allow=allow, progress=progress)
    found = metrics.plan(
        (comparison.base.num_samples, comparison.base.num_correct),
        (comparison.rl.num_samples, comparison.rl.num_correct),
        zeta=zeta,
        budget=budget,
    )
    names = comparison.problems.ids
    rows = [
        {
            "problem_id": names[problem],
            "base_samples": int(found.base_extra[i]),
            "rl_samples": int(found.rl_extra[i]),
            "probability": float(found.probability[i]),
            "samples_so_far": int(found.cumulative_samples[i]),
            "decided_so_far": float(found.cumulative_decided[i]),
        }
        for i, problem in enumerate(found.problem)
    ]
    return found.undetermined, rows


def replay() -> list[dict[str, Any]]:
    """Every number of the two papers' tables that follows from their counts, recomputed."""
    import dataclasses

    from rlvr_fast.metrics.replay import replay as rows

    return [dataclasses.asdict(row) for row in rows()]


def bench(
    *, device: str = "auto", quick: bool = False, progress: Progress | None = None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(this machine's measured limits, one row a kernel), on the CPU or a GPU."""
    from rlvr_fast.scoring.bench import run_benchmarks

    machine, timings = run_benchmarks(device, quick=quick, progress=progress)
    return machine, [timing.row() for timing in timings]


def run_study(config: StudyConfig, *, progress: Progress | None = None) -> StudyResult:
    """The whole job. Leaves `out/base`, `out/rl` and `out/report`; resumable at any point."""
    out = Path(config.out)
    models = {
        "base": (config.base, config.base_revision),
        "rl": (config.rl, config.rl_revision),
    }
    runs: dict[str, Run] = {}
    for side, (model, revision) in models.items():
        runs[side] = sample(
            model,
            tasks=config.tasks,
            samples=config.samples,
            out=out / side,
            params=config.parameters(),
            engine=config.engine,
            engine_options=config.engine_options,
            revision=revision,
            template=config.template,
            progress=_prefixed(progress, side),
        )
    for side, run in runs.items():
        grade(
            run,
            policy=config.policy,
            workers=config.workers,
            timeout=config.timeout,
            progress=_prefixed(progress, side),
        )
    if config.score:
        _score_all(config, runs, models, progress)
    comparison, page = compare(
        runs["base"],
        runs["rl"],
        out=out / "report",
        rule=config.rule,
        zeta=config.zeta,
        progress=progress,
    )
    return StudyResult(out / "base", out / "rl", page, comparison)


def _opened(run: str | Path | Run) -> Run:
    from rlvr_fast.store import Run

    return run if isinstance(run, Run) else Run.open(run)


def _prefixed(progress: Progress | None, prefix: str) -> Progress | None:
    if progress is None:
        return None

    def report(stage: str, done: int, total: int) -> None:
        progress(f"{stage} {prefix}", done, total)

    return report
