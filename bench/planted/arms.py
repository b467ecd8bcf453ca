"""Several runs against one base: shared losses of equal models, and means over training seeds."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from planted.outcomes import Hits, inside
from planted.populations import Study
from rlvr_fast import metrics as m
from rlvr_fast.report.arm_tables import measure_arms, pass_table, seed_table, support_table


def one_model(rng: np.random.Generator, n: str, problems: int, law: str, arms: int) -> Hits:
    """The base and all arms have one rate a problem; the arms differ in their numbers of draws."""
    study = Study(rng, problems=problems, depth=n, law=law, change="same")
    runs = [study.rl]
    for i in range(1, arms):
        deep = np.maximum((study.rl.num_samples * (0.5, 2.0, 1.0)[i % 3 - 1]).astype(int), 1)
        runs.append(m.Draws(deep, rng.binomial(deep, study.p)))
    found = m.shared_shift(study.base, arms=runs)
    return {
        "shared_shift p_lost_by_all: false alarm, heavy tails": found.p_lost_by_all <= 0.05,
        "shared_shift p_found_by_all: false alarm, heavy tails": found.p_found_by_all <= 0.05,
    }


def training_seeds(rng: np.random.Generator, n: int, problems: int, seeds: int) -> Hits:
    """Trainings of one recipe, each with a step of its own along the logits: the mean of all."""
    p = expit(np.log(0.5 / n) + 2.5 * rng.standard_normal(problems))
    step, noise = (
        1.0 + 0.4 * rng.standard_normal(seeds),
        0.5 * rng.standard_normal((seeds, problems)),
    )
    rates = expit(logit(p) + step[:, np.newaxis] + noise)
    runs = [m.Draws(n, rng.binomial(n, one)) for one in rates]
    names = [f"recipe/{i}" for i in range(seeds)]
    found = measure_arms(m.Draws(n, rng.binomial(n, p)), names, runs)
    assert found is not None
    merged = [a | b for a, b in zip(support_table(found).rows, pass_table(found).rows, strict=True)]
    rows = {row["quantity"]: row for row in seed_table(found, merged).rows}
    nodes, weight = np.polynomial.hermite_e.hermegauss(31)
    both = np.sqrt(0.4**2 + 0.5**2) * nodes  # each rate carries both normal terms
    at = expit(logit(p)[:, np.newaxis] + 1.0 + both)
    weight = weight / weight.sum()
    truth = {
        "pass@1": float((at @ weight).mean()),
        f"pass@{n}": float((-np.expm1(n * np.log1p(-at)) @ weight).mean()),
    }
    return {
        f"mean of {name.replace(str(n), 'n') if name != 'pass@1' else name} over training seeds": (
            inside((rows[name]["mean_low"], rows[name]["mean_high"]), value)
        )
        for name, value in truth.items()
    }


SCENARIOS = [
    (
        one_model,
        [
            {"n": n, "problems": problems, "law": law, "arms": arms}
            for n, problems, law, arms in (
                ("16", 300, "lognormal", 3),
                ("256/32", 300, "lognormal", 5),
                ("ragged", 60, "power", 3),
            )
        ],
    ),
    (
        training_seeds,
        [{"n": 64, "problems": 100, "seeds": seeds} for seeds in (2, 3, 5)],
    ),
]
