"""pass@k curves with bootstrap intervals at the size of a real study, checked, then timed.

python bench/bench_pass_at_k.py      # bench/results/pass_at_k.json
"""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
from common import PeakMemory, interleave, record, summary

from rlvr_fast import metrics

PROBLEMS, SAMPLES, REPLICATES = 3400, 8192, 1000
KS = 2 ** np.arange(14)


def naive_pass_at_k(n: np.ndarray, c: np.ndarray, ks: np.ndarray) -> np.ndarray:
    """The product form of Chen et al. (arXiv 2107.03374), one problem and one k at a time."""
    out = np.empty((len(n), len(ks)))
    for i, (samples, right) in enumerate(zip(n, c, strict=True)):
        for j, k in enumerate(ks):
            if samples - right < k:
                out[i, j] = 1.0
            else:
                out[i, j] = 1.0 - np.prod(1.0 - k / np.arange(samples - right + 1, samples + 1))
    return out


def main() -> None:
    rng = np.random.default_rng(0)
    p = np.where(rng.random(PROBLEMS) < 0.2, 0.0, rng.beta(0.3, 1.0, PROBLEMS))
    n = np.full(PROBLEMS, SAMPLES)
    c = rng.binomial(n, p)
    base = metrics.Draws(n, c)
    rl = metrics.Draws(n, rng.binomial(n, metrics.tilt(p, 1.0)))

    got = metrics.pass_at_k(n, c, KS)
    worst = 0.0
    for i in rng.choice(PROBLEMS, 60, replace=False):
        for j, k in enumerate(KS):
            miss = Fraction(math.comb(SAMPLES - int(c[i]), int(k)), math.comb(SAMPLES, int(k)))
            worst = max(worst, abs(float(1 - miss) - got[i, j]))
    assert worst < 1e-10, worst
    few = slice(0, 200)
    naive_error = np.abs(naive_pass_at_k(n[few], c[few], KS) - got[few]).max()
    assert naive_error < 1e-9, naive_error

    def curve() -> metrics.CurveInterval:
        return metrics.pass_at_k_interval(n, c, k=KS, replicates=REPLICATES, seed=1)

    rivals = {
        "pass_at_k": lambda: metrics.pass_at_k(n, c, KS),
        "pass_at_k, product form a problem at a time": lambda: naive_pass_at_k(n, c, KS),
        "pass_at_k_interval": curve,
        "support_interval": lambda: metrics.support_interval(base, rl, replicates=REPLICATES),
        "crossover": lambda: metrics.crossover(base, rl, replicates=REPLICATES),
        "fisher_tests": lambda: metrics.fisher_tests(base, rl),
    }
    seconds = interleave(rivals, rounds=3)
    naive = summary(seconds["pass_at_k, product form a problem at a time"])["median_s"]
    rows = []
    for name, run in rivals.items():
        with PeakMemory() as peak:
            run()
        times = summary(seconds[name])
        row = {"what": name, **times, "extra_mb": round(peak.extra_bytes / 1e6, 1)}
        if name == "pass_at_k":
            row |= {"worst_error": worst, "times_faster_than_product_form": naive / row["median_s"]}
        if name == "pass_at_k_interval":
            row |= {
                "problems": PROBLEMS,
                "samples": SAMPLES,
                "ks": len(KS),
                "replicates": REPLICATES,
                "target": "at most 10 s and 1 GB on 2 cores",
                "met": row["median_s"] <= 10 and row["extra_mb"] <= 1000,
            }
        rows.append(row)
    record("pass_at_k", rows, Path(__file__).resolve().parent / "results")


if __name__ == "__main__":
    main()
