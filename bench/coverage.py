"""Coverage of each 95 % interval, and error rate of each test, on models with known answers.

A "model" is a categorical law over six answers of a problem, two of them correct. Problems are
drawn from a population of planted kinds: preserved, sharpened, lost, found, faded, borderline (at
ln 2/n, two equal models show a shift with probability 1/2) and out. Counts are multinomial, n from
16 to 16 384.

    python bench/coverage.py [--repetitions 600] [--only NAME ...]

writes bench/results/coverage.json and the table in docs/statistics.md.
"""

from __future__ import annotations

import argparse
import json
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rlvr_fast import metrics as m
from rlvr_fast.metrics.support import support_ratios

LEVEL = 0.95
RATIOS = ("srr", "ndr", "sds", "nscr")
CORRECT = np.array([True, True, False, False, False, False])
UNITS = ("problems", "answers")
MARKS = ("<!-- coverage: written by bench/coverage.py -->", "<!-- end of coverage -->")
Hits = dict[str, Any]


class Population:
    """The planted kinds at depth n: weights [K], base and RL laws [K, 6]."""

    kinds = ("preserved", "sharpened", "lost", "found", "borderline", "faded", "out")

    def __init__(self, n: int) -> None:
        half = np.log(2) / n
        #                weight, base (two correct), RL (two correct)
        rows = [
            (0.35, (0.30, 0.10), (0.70, 2 / n)),
            (0.15, (0.02, 0.01), (0.30, 0.00)),
            (0.10, (3 / n, 0.0), (0.0, 0.0)),
            (0.05, (0.0, 0.0), (0.0, 3 / n)),
            (0.15, (half, 0.0), (half, 0.0)),
            (0.05, (1 / n, 1 / n), (0.5 / n, 0.0)),
            (0.15, (0.0, 0.0), (0.0, 0.0)),
        ]
        self.weight = np.array([row[0] for row in rows])
        self.base = np.array([self._law(row[1]) for row in rows])
        self.rl = np.array([self._law(row[2]) for row in rows])

    @staticmethod
    def _law(correct: tuple[float, float]) -> list[float]:
        rest = 1 - sum(correct)
        return [*correct, 0.5 * rest, 0.25 * rest, 0.15 * rest, 0.10 * rest]

    def draw(self, problems: int, rng: np.random.Generator) -> np.ndarray:
        return rng.choice(len(self.weight), p=self.weight, size=problems)

    def pass_at(self, which: str, k: float) -> np.ndarray:
        law = getattr(self, which)
        return 1 - (1 - law[:, CORRECT].sum(axis=1)) ** k

    def ratios(self, k: int, weight: np.ndarray | None = None) -> Any:
        """True SRR, NDR, SDS, NSCR of the expected labels at depth k."""
        w = self.weight if weight is None else weight
        a, b = self.pass_at("base", k), self.pass_at("rl", k)
        return support_ratios(w @ (a * b), w @ ((1 - a) * b), w @ (a * (1 - b)))

    def answer_ratios(self, k: int) -> Any:
        """True SRR, NDR, SDS, NSCR over distinct correct answers at depth k."""
        w = self.weight[:, np.newaxis]
        a, b = (1 - (1 - law[:, CORRECT]) ** k for law in (self.base, self.rl))
        return support_ratios((w * a * b).sum(), (w * (1 - a) * b).sum(), (w * a * (1 - b)).sum())


class Sample:
    """One study: the kinds of the problems, and the counts of each answer under both models."""

    def __init__(self, problems: int, n: int, rng: np.random.Generator) -> None:
        self.n = n
        self.population = Population(n)
        self.kind = self.population.draw(problems, rng)
        self.base_counts = rng.multinomial(n, self.population.base[self.kind])
        self.rl_counts = rng.multinomial(n, self.population.rl[self.kind])
        self.base = self.base_counts[:, CORRECT].sum(axis=1)
        self.rl = self.rl_counts[:, CORRECT].sum(axis=1)

    @property
    def own(self) -> np.ndarray:
        """Shares of the kinds among the problems of this sample."""
        return np.bincount(self.kind, minlength=len(self.population.weight)) / len(self.kind)


def inside(interval: Any, truth: float) -> bool:
    """Whether an Estimate or a (low, high) pair holds the truth."""
    low, high = (interval.low, interval.high) if hasattr(interval, "low") else interval
    return bool(low - 1e-12 <= truth <= high + 1e-12)


# Each scenario is one repetition: (rng, **config) -> {what: hit or array of hits}.


def proportions(rng: np.random.Generator, n: int, problems: int) -> Hits:
    s = Sample(problems, n, rng)
    p = s.population.base[:, CORRECT].sum(axis=1)[s.kind]
    possible = p > 0  # p = 0 is always covered, and would raise the rate
    out = {}
    for name, interval in (
        ("clopper_pearson", m.clopper_pearson(n, s.base)),
        ("beta_interval", m.beta_interval(n, s.base)),
    ):
        out[name] = ((interval.low <= p) & (p <= interval.high))[possible]
    return out


def curves(rng: np.random.Generator, n: int, problems: int) -> Hits:
    s = Sample(problems, n, rng)
    ks = [1, max(2, n // 4), n]
    seed = int(rng.integers(2**31))
    got = m.pass_at_k_interval(n, s.base, k=ks, seed=seed, replicates=600)
    gap = m.pass_at_k_difference((n, s.base), (n, s.rl), k=ks, seed=seed, replicates=600)
    out: Hits = {}
    for j, (k, label) in enumerate(zip(ks, ("1", "n/4", "n"), strict=True)):
        a, b = s.population.pass_at("base", k), s.population.pass_at("rl", k)
        at = f"k = {label}"
        limits, gaps = (got.low[j], got.high[j]), (gap.low[j], gap.high[j])
        out[f"pass_at_k_interval, {at}"] = inside(limits, s.population.weight @ a)
        out[f"pass_at_k_interval of these problems, {at}"] = inside(limits, s.own @ a)
        out[f"pass_at_k_difference, {at}"] = inside(gaps, s.population.weight @ (b - a))
    return out


def support(rng: np.random.Generator, n: int, problems: int) -> Hits:
    s = Sample(problems, n, rng)
    seed = int(rng.integers(2**31))
    out: Hits = {}
    for k, label in ((n, "n"), (n // 4, "n/4")):
        got = m.support_interval((n, s.base), (n, s.rl), k=k, seed=seed, replicates=1000)
        truth, own = s.population.ratios(k), s.population.ratios(k, s.own)
        for name in RATIOS:
            out[f"support_interval {name}, k = {label}"] = inside(
                getattr(got, name), float(getattr(truth, name))
            )
            mine = float(getattr(own, name))
            if not np.isnan(mine):
                out[f"support_interval {name} of these problems, k = {label}"] = inside(
                    getattr(got, name), mine
                )
    pairs = (
        s.base_counts[:, CORRECT].ravel(),
        s.rl_counts[:, CORRECT].ravel(),
        np.repeat(np.arange(problems), 2),
    )
    got = m.support_interval(
        (n, pairs[0]), (n, pairs[1]), groups=pairs[2], seed=seed, replicates=1000
    )
    truth = s.population.answer_ratios(n)
    for name in RATIOS:
        out[f"support_interval {name} of distinct answers"] = inside(
            getattr(got, name), float(getattr(truth, name))
        )
    return out


def crossing(rng: np.random.Generator, n: int, problems: int) -> Hits:
    population = Population(n)
    k = np.arange(1, n + 1)[:, np.newaxis]
    a = 1 - (1 - population.base[:, CORRECT].sum(axis=1)) ** k
    b = 1 - (1 - population.rl[:, CORRECT].sum(axis=1)) ** k
    lead = (b - a) @ population.weight
    last = int(np.flatnonzero(lead > 0)[-1])
    assert last < n - 1, "the population is meant to cross"
    truth = last + 1 + lead[last] / (lead[last] - lead[last + 1])
    s = Sample(problems, n, rng)
    got = m.crossover((n, s.base), (n, s.rl), seed=int(rng.integers(2**31)), replicates=500)
    return {"crossover": inside(got, truth)}


def unseen(rng: np.random.Generator, n: int, answers: int) -> Hits:
    p = rng.dirichlet(np.full(answers, 0.5))
    counts = rng.multinomial(n, p)
    never_seen = m.good_turing(counts)
    even = rng.multinomial(n, np.full(answers, 1 / answers))
    return {
        "good_turing": inside(never_seen, float(p[counts == 0].sum())),
        "chao1, equally likely answers": inside(m.chao1(even), answers),
        "chao1, Dirichlet(1/2) answers": inside(m.chao1(counts), answers),
        "chao1, Dirichlet(1/2) answers: lower limit below the truth": (
            m.chao1(counts).low <= answers
        ),
    }


def extrapolation(rng: np.random.Generator, n: int, problems: int) -> Hits:
    seed = int(rng.integers(2**31))
    k = np.array([4 * n])
    out: Hits = {}
    zero = rng.random(problems) < 0.2
    laws = {
        "the assumed law": np.where(zero, 0.0, rng.beta(0.4, 2.0, problems)),
        "two spikes": np.where(rng.random(problems) < 0.5, 0.5, 0.2 / n),
    }
    from scipy.special import betaln

    truths = {
        "the assumed law": 0.8 * (1 - np.exp(betaln(0.4, 2.0 + k) - betaln(0.4, 2.0))),
        "two spikes": 0.5 * (1 - 0.5**k) + 0.5 * (1 - (1 - 0.2 / n) ** k),
    }
    for name, p in laws.items():
        got = m.extrapolate_pass_at_k(n, rng.binomial(n, p), k=k, seed=seed, replicates=100)
        out[f"extrapolate_pass_at_k at 4n, {name}"] = inside(
            (got.low[0], got.high[0]), float(truths[name][0])
        )
    return out


def importance(rng: np.random.Generator, n: int, answers: int) -> Hits:
    correct = np.arange(answers) < answers // 4
    base = rng.dirichlet(np.full(answers, 1.0))
    rl = rng.dirichlet(np.full(answers, 1.0)) * np.where(correct, 6.0, 1.0)
    rl = 0.7 * rl / rl.sum() + 0.3 * base  # part of the base's law remains
    draws = rng.choice(answers, p=rl / rl.sum(), size=n)
    got = m.importance_estimate(
        base_logprob=np.log(base[draws]), rl_logprob=np.log(rl[draws]), correct=correct[draws]
    )
    out: Hits = {"importance_estimate: trusted (share)": got.trusted}
    if got.trusted:
        out["importance_estimate, where trusted"] = inside(got, float(base[correct].sum()))
    heavy = rng.standard_exponential(n) * 1.2  # Pareto weights, shape 1.2: no finite mean
    got = m.importance_estimate(
        base_logprob=heavy - 50, rl_logprob=np.full(n, -50.0), correct=np.ones(n, dtype=bool)
    )
    out["importance_estimate: infinite-mean weights trusted (share)"] = got.trusted
    return out


def tilt(rng: np.random.Generator, n: int, problems: int) -> Hits:
    p = rng.beta(0.5, 1.5, problems)
    b, r = rng.binomial(n, p), rng.binomial(n, m.tilt(p, 1.5))
    fit = m.fit_tilt((n, b), (n, r))
    held = (fit.problem_low <= 1.5) & (fit.problem_high >= 1.5)
    known = ~np.isnan(fit.problem_beta)
    return {
        "fit_tilt, one beta": inside(fit, 1.5),
        "fit_tilt, per problem": held[known],
        "fit_tilt: heterogeneity falsely found (share)": fit.heterogeneity_p <= 0.05,
    }


def errors(rng: np.random.Generator, n: int, problems: int) -> Hits:
    """Type I errors and false discoveries; each should be at most 5 %."""
    s = Sample(problems, n, rng)
    twin = rng.multinomial(n, s.population.base[s.kind])[:, CORRECT].sum(axis=1)
    shift = m.support_shift((n, s.base), (n, twin))
    null = m.exchange_null((n, s.base), (n, twin))
    out: Hits = {
        "sign_test: false alarm": m.sign_test(expanded=shift.expanded, shrunk=shift.shrunk) <= 0.05,
        "exchange_null p_shrunk: false alarm": null.p_shrunk <= 0.05,
        "exchange_null p_discordant: false alarm": null.p_discordant <= 0.05,
        "fisher_tests: any discovery under the null": bool(
            m.fisher_tests((n, s.base), (n, twin)).discovery.any()
        ),
    }
    p, q = (law[:, CORRECT].sum(axis=1)[s.kind] for law in (s.population.base, s.population.rl))
    tests = m.fisher_tests((n, s.base), (n, s.rl))
    false = tests.discovery & (p == q)
    out["fisher_tests: false discovery rate, real shifts among"] = false.sum() / max(
        1, tests.discovery.sum()
    )
    epsilon = m.detection_threshold(n)
    state = m.accessibility(n, s.base, rule="epsilon", epsilon=epsilon)
    # among problems with p <= epsilon the share called reached, among the others the reverse
    out["epsilon rule: falsely reached"] = (state == 1)[p <= epsilon]
    out["epsilon rule: falsely not reached"] = (state == 0)[p > epsilon]
    return out


def split_half(rng: np.random.Generator, n: int, problems: int) -> Hits:
    """Spurious losses a problem: as the null expects, and between two new sets of n/2 draws."""
    s = Sample(problems, n, rng)
    null = m.split_half_null(n, s.base)
    law = s.population.base[s.kind]
    first, second = (rng.multinomial(n // 2, law)[:, CORRECT].sum(axis=1) for _ in range(2))
    seen = m.support_shift((n // 2, first), (n // 2, second))
    return {
        "split_half_null: expected losses a problem": null.shrunk / problems,
        "split_half_null: losses of a fresh pair a problem": seen.shrunk / problems,
    }


Scenario = Callable[..., Hits]
SCENARIOS: list[tuple[Scenario, list[dict[str, int]]]] = [
    (proportions, [{"n": n, "problems": 40} for n in (16, 64, 1024, 16384)]),
    (curves, [{"n": n, "problems": N} for n in (16, 256, 16384) for N in (30, 300)]),
    (support, [{"n": n, "problems": N} for n in (16, 256, 16384) for N in (30, 300)]),
    (crossing, [{"n": n, "problems": N} for n in (64, 1024) for N in (60, 300)]),
    (unseen, [{"n": n, "answers": 60} for n in (64, 512, 4096)]),
    (extrapolation, [{"n": 64, "problems": 150}]),
    (importance, [{"n": n, "answers": 200} for n in (256, 2048)]),
    (tilt, [{"n": n, "problems": 100} for n in (16, 256, 4096)]),
    (errors, [{"n": n, "problems": 150} for n in (16, 256, 16384)]),
    (split_half, [{"n": n, "problems": 300} for n in (32, 1024)]),
]


def measure(
    scenario: Scenario, config: dict[str, int], repetitions: int, seed: int = 0
) -> Iterator[dict[str, Any]]:
    """Rows of one scenario; each repetition has a random stream of its own."""
    name = scenario.__name__
    sums: dict[str, list[float]] = {}
    for repetition in range(repetitions):
        key = [seed, zlib.crc32(name.encode()), repetition, *config.values()]
        for what, hit in scenario(np.random.default_rng(key), **config).items():
            values = np.atleast_1d(hit)
            if values.size:
                sums.setdefault(what, []).append(float(np.mean(values)))
    for what, values in sums.items():
        array = np.array(values)
        yield {
            "scenario": name,
            "what": what,
            **config,
            "rate": round(float(array.mean()), 4),
            "standard_error": round(float(array.std() / np.sqrt(len(array))), 4),
            "repetitions": len(array),
        }


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown table: each quantity with the range of its rates over the configurations."""
    lines = [
        "| what | n | problems | measured | repetitions | verdict |",
        "|---|---|---|---|---|---|",
    ]
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault((row["scenario"], row["what"]), []).append(row)
    for (_, what), group in grouped.items():
        rate = [row["rate"] for row in group]
        cells = [
            what,
            " ".join(map(str, sorted({row["n"] for row in group}))),
            " ".join(map(str, sorted({row[u] for row in group for u in UNITS if u in row}))),
            f"{min(rate):.3f}" if len(rate) == 1 else f"{min(rate):.3f} to {max(rate):.3f}",
            str(min(row["repetitions"] for row in group)),
            verdict(what, rate),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def verdict(what: str, rates: list[float]) -> str:
    """The rates in words: coverage from 93 to 98 % is as stated, more is conservative."""
    if what.startswith("split_half_null"):
        return "expected and seen agree"
    if "trusted (share)" in what:
        return "how often it answers"
    if any(word in what for word in ("false", "any discovery")):
        return "at most 5 %" if max(rates) <= 0.05 + 3 * 0.009 else "**too often**"
    if min(rates) < 0.925:
        return "**does not cover**"
    return "covers" if max(rates) <= 0.98 else "covers, conservative in places"


def write_table(rows: list[dict[str, Any]]) -> None:
    """Writes the table between its marks in docs/statistics.md."""
    path = Path(__file__).resolve().parents[1] / "docs" / "statistics.md"
    before, _, rest = path.read_text("utf-8").partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    path.write_text(f"{before}{MARKS[0]}\n{table(rows)}{MARKS[1]}{after}", "utf-8")


def main() -> None:
    from common import record

    names = [scenario.__name__ for scenario, _ in SCENARIOS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=600)
    parser.add_argument("--only", nargs="+", choices=names, help="keep the others' old rows")
    options = parser.parse_args()
    chosen = options.only or names
    results = Path(__file__).resolve().parent / "results"
    rows = []
    if options.only and (results / "coverage.json").exists():
        old = json.loads((results / "coverage.json").read_text("utf-8"))["rows"]
        rows = [row for row in old if row["scenario"] not in chosen]
    for scenario, configs in SCENARIOS:
        if scenario.__name__ in chosen:
            start = time.perf_counter()
            for config in configs:
                rows.extend(measure(scenario, config, options.repetitions))
            print(f"{scenario.__name__}: {time.perf_counter() - start:.0f} s", flush=True)
            rows.sort(key=lambda row: names.index(row["scenario"]))
            record("coverage", rows, results)
            write_table(rows)


if __name__ == "__main__":
    main()
