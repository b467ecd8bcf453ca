"""Intervals on studies with heavy-tailed success rates, tasks, and unequal or ragged draws."""

from __future__ import annotations

from typing import Any

import numpy as np

from planted.kinds import RATIOS
from planted.outcomes import Hits, held, inside
from planted.populations import Study, as_drawn, labels_at, paired_values
from planted.rivals import bca, clustered_t, paired_t
from rlvr_fast import metrics as m
from rlvr_fast.metrics.expected_shift import label_probabilities
from rlvr_fast.metrics.support import support_ratios

REPLICATES = 500


def ratios_of(labels: Any) -> dict[str, float]:
    got = support_ratios(labels[0], labels[1], labels[2])
    return {name: float(getattr(got, name)) for name in RATIOS}


def ratios(rng: np.random.Generator, n: str, problems: int, law: str, change: str) -> Hits:
    """SRR, NDR, SDS, NSCR at the common depth of each problem; tasks in random shares."""
    study = Study(rng, problems=problems, depth=n, law=law, change=change)
    got = m.support_interval(
        study.base, study.rl, seed=int(rng.integers(2**31)), replicates=2 * REPLICATES
    )
    truth = ratios_of(study.truth(labels_at()))
    own = ratios_of(study.own_truth(labels_at()))
    values = label_probabilities(study.base, study.rl, None)[0][:, :3]
    out: Hits = {}
    for name in RATIOS:
        estimate = getattr(got, name)
        what = f"support_interval {name} at the common depth, heavy tails"
        if name == "srr":
            other = bca(values, name, rng, replicates=REPLICATES)
            if np.isfinite(other[0]):
                out[what] = held(estimate, truth[name], other, "BCa")
                continue
        out[what] = inside(estimate, truth[name])
        if np.isfinite(own[name]):
            out[f"{what}, these problems"] = inside(estimate, own[name])
    return out


def heavy_curves(rng: np.random.Generator, n: str, problems: int, law: str, change: str) -> Hits:
    """pass@k and its paired difference, beside Student's interval."""
    study = Study(rng, problems=problems, depth=n, law=law, change=change)
    depth = int(np.minimum(study.base_depth, study.rl_depth).min())
    ks = np.unique([1, max(1, depth // 4), depth])
    seed = int(rng.integers(2**31))
    truth = study.truth(as_drawn(ks))
    curve = m.pass_at_k_interval(*study.base, k=ks, seed=seed, replicates=REPLICATES)
    gap = m.pass_at_k_difference(study.base, study.rl, k=ks, seed=seed, replicates=REPLICATES)
    values = m.pass_at_k(*study.base, ks)
    paired = paired_values(study, ks)
    out: Hits = {}
    for j, k in enumerate(ks):
        label = "1" if k == 1 else "the common depth" if k == depth else "a quarter of it"
        limits = (curve.low[j], curve.high[j])
        out[f"pass_at_k_interval at k = {label}, heavy tails"] = held(
            limits, truth[0, j], paired_t(values[:, j]), "Student's t"
        )
        limits = (gap.low[j], gap.high[j])
        out[f"pass_at_k_difference at k = {label}, heavy tails"] = held(
            limits, truth[1, j] - truth[0, j], paired_t(paired[:, j]), "paired t"
        )
    return out


def tasks_fixed(rng: np.random.Generator, n: str, problems: int, tasks: int) -> Hits:
    """Problems correlated within tasks; the truth is over new problems of these tasks."""
    study = Study(rng, problems=problems, tasks=tasks, depth=n, spread=1.0)
    seed = int(rng.integers(2**31))
    ks = np.array([1, int(np.minimum(study.base_depth, study.rl_depth).min())])
    got = m.support_interval(study.base, study.rl, seed=seed, replicates=2 * REPLICATES)
    gap = m.pass_at_k_difference(study.base, study.rl, k=ks, seed=seed, replicates=REPLICATES)
    truth = ratios_of(study.truth(labels_at()))
    curves = study.truth(as_drawn(ks))
    out: Hits = {
        f"support_interval {name}, new problems of these tasks": inside(
            getattr(got, name), truth[name]
        )
        for name in RATIOS
    }
    for j, label in enumerate(("1", "the common depth")):
        limits = (gap.low[j], gap.high[j])
        out[f"pass_at_k_difference at k = {label}, new problems of these tasks"] = inside(
            limits, curves[1, j] - curves[0, j]
        )
    return out


def new_tasks(rng: np.random.Generator, n: str, problems: int, tasks: int) -> Hits:
    """Problems correlated within tasks; the truth is over new tasks."""
    study = Study(rng, problems=problems, tasks=tasks, depth=n, spread=1.0)
    seed = int(rng.integers(2**31))
    got = m.support_interval(
        study.base, study.rl, groups=study.groups, seed=seed, replicates=2 * REPLICATES
    )
    truth = ratios_of(study.truth(labels_at(), new_tasks=True))
    out: Hits = {
        f"support_interval {name}, new tasks": inside(getattr(got, name), truth[name])
        for name in RATIOS
    }
    ks = np.array([1, int(np.minimum(study.base_depth, study.rl_depth).min())])
    gap = m.pass_at_k_difference(
        study.base, study.rl, k=ks, groups=study.groups, seed=seed, replicates=REPLICATES
    )
    curve = m.pass_at_k_interval(
        *study.base, k=ks, groups=study.groups, seed=seed, replicates=REPLICATES
    )
    truths = study.truth(as_drawn(ks), new_tasks=True)
    values, paired = m.pass_at_k(*study.base, ks), paired_values(study, ks)
    for j, label in enumerate(("1", "the common depth")):
        out[f"pass_at_k_interval at k = {label}, new tasks"] = held(
            (curve.low[j], curve.high[j]),
            truths[0, j],
            clustered_t(values[:, j], study.groups),
            "clustered t",
        )
        out[f"pass_at_k_difference at k = {label}, new tasks"] = held(
            (gap.low[j], gap.high[j]),
            truths[1, j] - truths[0, j],
            clustered_t(paired[:, j], study.groups),
            "clustered t",
        )
    return out


def epsilon_rule(rng: np.random.Generator, n: int, problems: int, law: str) -> Hits:
    """Errors of the epsilon rule on heavy tails, and that it decides nothing where it cannot."""
    study = Study(rng, problems=problems, depth="64", law=law)
    epsilon = m.detection_threshold(n)
    correct = rng.binomial(n, study.p)
    state = m.accessibility(n, correct, rule="epsilon", epsilon=epsilon)
    return {
        "epsilon rule: falsely reached, heavy tails": (state == 1)[study.p <= epsilon],
        "epsilon rule: falsely not reached, heavy tails": (state == 0)[study.p > epsilon],
        "epsilon rule: falsely not reached, all draws right": (state == 0)[correct == n],
    }


HEAVY = [
    {"n": n, "problems": N, "law": law, "change": change}
    for n, N, law, change in (
        ("16", 30, "lognormal", "mixed"),
        ("64", 30, "power", "mixed"),
        ("256", 300, "lognormal", "mixed"),
        ("16384", 1500, "beta", "mixed"),
        ("1024/128", 100, "lognormal", "same"),
        ("256/32", 300, "power", "mixed"),
        ("ragged", 200, "lognormal", "mixed"),
        ("ragged, RL less", 60, "beta", "tilt"),
        ("64", 30, "even", "tilt"),
    )
]
TASKS = [
    {"n": n, "problems": N, "tasks": tasks}
    for n, N, tasks in (
        ("64", 60, 3),
        ("256/32", 150, 5),
        ("256", 300, 10),
        ("ragged", 600, 30),
    )
]
SCENARIOS = [
    (ratios, HEAVY),
    (heavy_curves, HEAVY),
    (tasks_fixed, TASKS),
    (new_tasks, TASKS),
    (epsilon_rule, [{"n": n, "problems": 200, "law": "even"} for n in (1, 2, 4, 8, 16, 32)]),
]
