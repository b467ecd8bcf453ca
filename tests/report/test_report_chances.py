"""Base's chance of RL's right answers, the guesser, the bounds: against planted truth."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from planted_runs import answer_distributions, write_pair
from rlvr_fast.report.chances import guessing_table, importance_table
from rlvr_fast.report.evidence_tables import bounds_table
from rlvr_fast.report.sentences import completion_sentence
from rlvr_fast.report.summary import all_tables
from rlvr_fast.report.tables import completion_table
from scipy.stats import binom

from rlvr_fast.report import analysis, compare_runs, write_report
from rlvr_fast.report.page import render_page
from rlvr_fast.store import Run

TASKS = {"puzzle": 8, "logic": 1}
SEED = 5
SAMPLES = 400
PER_TASK = 12
# the share of draws without an answer that write_pair gives each model
BAD = {"base": 0.02, "rl": 0.01}


def planted_truth(tasks: dict[str, int]) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """The distributions that write_pair draws from, in the order of its problems."""
    rng = np.random.default_rng(SEED)
    return [
        (right, *answer_distributions(rng, correct=right))
        for right in tasks.values()
        for _ in range(PER_TASK)
    ]


def kept_mass(model: str, at: int) -> float:
    """What the nuclei of a completion with this answer keep of the whole distribution."""
    return 0.8 - 0.05 * (at % 3) if model == "base" else 0.95


def outside_base(at: int) -> bool:
    """Whether the base's nuclei leave this answer out, in runs that are drawn with one."""
    return at % 5 == 2


def rescore(
    run: Run,
    labels: dict[str, str],
    *,
    tasks: dict[str, int] = TASKS,
    nucleus: bool = False,
    **info: object,
) -> None:
    """True log-probabilities of every draw; `labels` maps a score label to its model.

    With `nucleus` these are those of the sampling, and what is stored is what a scorer sees: the
    probability under the whole distribution, the mass that the nuclei keep, and what they leave
    out.
    """
    truth = dict(zip(run.problems()["problem_id"].to_pylist(), planted_truth(tasks), strict=True))
    drawn = run.read("answers").to_pylist()
    for label, model in labels.items():
        logprob, kept, left_out = [], [], []
        for row in drawn:
            right, *laws = truth[row["problem_id"]]
            law = laws[("base", "rl").index(model)]
            if row["answer"] is None:
                logprob.append(np.log(BAD[model]))
                kept.append(0.0)
                left_out.append(False)
                continue
            kind, number = row["answer"].split()[-2:]
            at = int(number)  # the wrong answers are numbered on from the right ones
            assert (kind == "right") == (at < right)
            with np.errstate(divide="ignore"):
                logprob.append(np.log(law[at] * (1 - BAD[model])))
            kept.append(np.log(kept_mass(model, at)))
            left_out.append(model == "base" and outside_base(at))
        # a model never draws outside its own nucleus; of the other's draws every fourth is outside
        outside = np.arange(len(drawn)) % 4 == 0 if model != run.path.name else [0] * len(drawn)
        columns = {
            "problem_id": [r["problem_id"] for r in drawn],
            "sample_index": pa.array([r["sample_index"] for r in drawn], pa.int32()),
            "num_tokens": pa.array(np.full(len(drawn), 4), pa.int32()),
            "logprob": np.array(logprob) + (np.array(kept) if nucleus else 0.0),
            "mean_entropy": np.full(len(drawn), 0.5),
            "num_outside_nucleus": np.asarray(left_out if nucleus else outside, np.int32),
        }
        if nucleus:
            columns["log_kept_mass"] = np.array(kept)
        with run.writing():
            run.append(f"scores/{label}", pa.table(columns))
        run.write_json(f"scores/{label}/scores.json", {"model": {"name": model}, **info})


def planted(folder: Path, *, tasks: dict[str, int] = TASKS, **options: object) -> tuple[Run, Run]:
    return write_pair(
        folder,
        tasks=tasks,
        problems_per_task=PER_TASK,
        samples=SAMPLES,
        scores=False,
        seed=SEED,
        **options,
    )


@pytest.fixture(scope="module")
def untruncated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    base, rl = planted(
        tmp_path_factory.mktemp("untruncated"),
        sampling={"top_p": 1.0},
        answer_space={"logic": 1000, "puzzle": 20},
    )
    rescore(rl, {"base-sampling": "base", "rl-sampling": "rl"}, temperature=0.6, top_p=1.0)
    return base, rl


def test_estimate_finds_the_planted_chance(untruncated: tuple[Run, Run]) -> None:
    comparison = compare_runs(*untruncated)
    table = importance_table(comparison)
    truth = dict(zip(comparison.problems.ids, planted_truth(TASKS), strict=True))
    solved = int(np.count_nonzero(comparison.rl.num_correct))
    assert len(table.rows) == solved
    trusted = [row for row in table.rows if not row["reason"]]
    assert len(trusted) >= 8
    for row in trusted:
        right, base, rl = truth[row["problem_id"]]
        mass = base[:right][rl[:right] > 0].sum() * (1 - BAD["base"])
        error = math.log(row["high"] / row["low"]) / (2 * 1.96)
        assert abs(math.log(row["value"] / mass)) < 4 * error
        assert error < 0.2
    refused = [row for row in table.rows if row["reason"]]
    assert refused
    assert all(row.get("value", np.nan) != row.get("value", np.nan) for row in refused)
    assert any("too few" in row["reason"] for row in refused)


def test_alike_weights_are_not_called_heavy(tmp_path: Path) -> None:
    """With one right answer a problem all its weights are one: nothing can carry the estimate."""
    base, rl = planted(tmp_path, sampling={"top_p": 1.0}, tasks={"logic": 1})
    rescore(rl, {"base": "base", "rl": "rl"}, tasks={"logic": 1}, temperature=0.6, top_p=None)
    comparison = compare_runs(base, rl)
    assert all(
        row["pareto_k"] == -math.inf
        for row in importance_table(comparison).rows
        if not row["reason"]
    )
    page = render_page(comparison)
    said = comparison.summary()["importance"]
    assert said["trusted"] > 0
    assert f"on {said['trusted']} the weights can be trusted" in page
    assert "a few completions carry the whole estimate" not in page


def test_estimate_under_a_nucleus_finds_the_planted_chance(tmp_path: Path) -> None:
    """Runs drawn with top-p: what the nucleus scales up, and what it leaves out, is accounted."""
    base, rl = planted(tmp_path)
    labels = {"base-sampling": "base", "rl-sampling": "rl"}
    rescore(rl, labels, nucleus=True, temperature=0.6, top_p=0.95)
    comparison = compare_runs(base, rl)
    truth = dict(zip(comparison.problems.ids, planted_truth(TASKS), strict=True))
    trusted = [row for row in importance_table(comparison).rows if not row["reason"]]
    assert len(trusted) >= 8
    left_out = 0
    for row in trusted:
        right, base_law, rl_law = truth[row["problem_id"]]
        here = [at for at in range(right) if rl_law[at] > 0]
        inside = [at for at in here if not outside_base(at)]
        left_out += len(here) - len(inside)
        mass = base_law[inside].sum() * (1 - BAD["base"])
        error = max(math.log(row["high"] / row["low"]) / (2 * 1.96), 1e-9)
        assert abs(math.log(row["value"] / mass)) < 4 * error
    assert left_out > 0

    row, *_ = completion_table(comparison).rows
    assert row["distribution"] == "as sampled"
    one = comparison.rl.scores["base-sampling"]
    own = comparison.rl.scores["rl-sampling"]
    right = one.correct
    inside = right & (one.outside_nucleus == 0)
    ratio = (one.logprob - one.log_kept_mass) - (own.logprob - own.log_kept_mass)
    assert row["outside"] == pytest.approx(1 - inside.sum() / right.sum())
    assert row["log_ratio"] == pytest.approx(np.median(ratio[inside]))
    assert 0 < row["outside"] < 1


def test_what_base_cannot_draw_is_said_so(tmp_path: Path) -> None:
    base, rl = planted(tmp_path, tasks={"logic": 1})
    labels = {"base-sampling": "base", "rl-sampling": "rl"}
    rescore(rl, labels, tasks={"logic": 1}, nucleus=True, temperature=0.6, top_p=0.95)
    for part in sorted((rl.path / "scores" / "base-sampling").glob("*.parquet")):
        table = pq.read_table(part)
        at = table.column_names.index("num_outside_nucleus")
        outside = pa.array(np.ones(len(table), np.int32))
        pq.write_table(table.set_column(at, table.schema.field(at), outside), part)
    comparison = compare_runs(base, Run.open(rl.path))
    solved = np.count_nonzero(comparison.rl.num_correct)
    assert solved
    assert f"On {solved} base can draw none of RL’s right completions" in render_page(comparison)
    assert completion_table(comparison).rows[0]["median_other"] == -math.inf


def test_a_nucleus_without_its_mass_refuses_the_estimate(tmp_path: Path) -> None:
    base, rl = planted(tmp_path)
    labels = {"base": "base", "rl": "rl"}
    rescore(rl, labels, temperature=1.0, top_p=None)
    rescore(rl, {f"{k}-sampling": v for k, v in labels.items()}, temperature=0.6, top_p=0.95)
    comparison = compare_runs(base, rl)
    table = importance_table(comparison)
    assert table.rows == []
    assert "as they were sampled (temperature 0.6, top-p 0.95)" in table.caption
    said = comparison.summary()["importance"]
    assert "--as-sampled" in said["refusal"]
    assert said["trusted"] == 0
    assert "<b>Not estimated here:</b> the RL run’s completions have" in render_page(comparison)


@pytest.mark.parametrize(
    ("sampling", "temperature", "reason"),
    [
        ({"top_p": 1.0}, 1.0, "no scores under the base model as they were"),
        ({"top_p": 1.0, "top_k": 20}, 0.6, "top_k"),
        ({"temperature": None}, 0.6, "not recorded"),
    ],
)
def test_other_scores_refuse_the_estimate(
    tmp_path: Path, sampling: dict, temperature: float, reason: str
) -> None:
    base, rl = planted(tmp_path, sampling=sampling)
    rescore(rl, {"base": "base", "rl": "rl"}, temperature=temperature, top_p=None)
    table = importance_table(compare_runs(base, rl))
    assert table.rows == []
    assert reason in table.caption


def test_scores_as_sampled_are_a_level_and_not_other_models(tmp_path: Path) -> None:
    """As a study leaves them: temperature 1 under "base", as drawn under "base-sampling"."""
    base, rl = planted(tmp_path)
    for run in (base, rl):
        rescore(run, {"base": "base", "rl": "rl"}, temperature=1.0, top_p=None)
        labels = {"base-sampling": "base", "rl-sampling": "rl"}
        rescore(run, labels, temperature=0.6, top_p=0.95)
    comparison = compare_runs(base, rl)
    support, at_one = analysis.completion_support(comparison, comparison.rl, "base")
    assert (support.temperature, support.top_p) == (0.6, 0.95)
    assert (at_one.distribution, at_one.temperature) == ("temperature 1", 1.0)
    assert math.isnan(at_one.outside)
    scores = comparison.rl.scores["base-sampling"]
    flags = scores.outside_nucleus[scores.correct] > 0
    assert support.outside == pytest.approx(flags.mean())
    assert 0 < support.outside < 1
    own = comparison.rl.scores["rl-sampling"].logprob[scores.correct]
    difference = scores.logprob[scores.correct] - own
    assert support.log_ratio[1] == pytest.approx(np.median(difference[np.isfinite(difference)]))

    made = {table.name: table for table in all_tables(comparison)}
    page = render_page(comparison, made)
    assert {row["scored_by"] for row in made["perplexity"].rows} == {"base", "rl"}
    assert {row["model"] for row in made["entropy"].rows} == {"base", "rl"}
    assert "at temperature 1.0" in page
    assert "-sampling" not in page
    section = re.search(r'(?s)<section id="completions">.*?</section>', page)
    assert section
    assert f"<td>{support.outside:.3f}</td>" in section[0]
    assert f"{support.outside:.1%} of RL’s {support.number:,} correct completions" in section[0]
    assert support.log_ratio[1] == pytest.approx(-0.1335, abs=1e-3)
    times = "about 1.1 times less likely from base"
    assert f"completion of RL is typically {times}" in section[0]
    assert f"<td>{support.problems_outside}</td>" in section[0]


def test_typical_ratios_have_two_digits() -> None:
    row = {"completions": "base", "problems_outside": None, "log_ratio": -11.51}
    row["distribution"] = "temperature 1"
    assert completion_sentence(row) == (
        "At temperature 1, with nothing cut off, a correct completion of base is typically about "
        "100,000 times less likely from RL."
    )
    cut = {**row, "distribution": "as sampled", "outside": 0.25, "number": 8, "problems": 1}
    assert completion_sentence({**cut, "problems_outside": 0}) == (
        "25.0% of base’s 8 correct completions hold a token that RL never draws under these "
        "sampling parameters; on 0 of 1 problem all of them do. One of the others is typically "
        "about 100,000 times less likely from RL."
    )
    assert "about 20 times more" in completion_sentence({**row, "log_ratio": 3.01})
    assert "about 3.3e+43 times" in completion_sentence({**row, "log_ratio": 100.2})
    assert completion_sentence({**row, "log_ratio": math.nan}) == ""


def test_guesser(untruncated: tuple[Run, Run]) -> None:
    comparison = compare_runs(*untruncated)
    rows = {(r["group"], r["model"]): r for r in guessing_table(comparison).rows}
    logic = rows["logic", "rl"]
    assert logic["problems"] == PER_TASK
    assert logic["guesser"] == pytest.approx(PER_TASK * (1 - 0.999**SAMPLES))
    overall = rows["Overall", "base"]
    assert overall["guesser"] == pytest.approx(
        PER_TASK * ((1 - 0.999**SAMPLES) + (1 - 0.95**SAMPLES))
    )
    assert overall["solved"] == np.count_nonzero(comparison.base.num_correct)
    # what a mere glance at the p-values would call beyond guessing bounds the count from above
    guess = np.where([t == "logic" for t in comparison.problems.tasks], 1 / 1000, 1 / 20)
    p = binom.sf(comparison.base.num_correct - 1, comparison.base.num_samples, guess)
    assert np.count_nonzero(p < 1e-6) <= overall["above"] <= np.count_nonzero(p < 0.05)
    assert 0 < overall["above"] < overall["solved"]


def test_guesser_needs_a_known_number_of_answers(tmp_path: Path) -> None:
    comparison = compare_runs(*planted(tmp_path))
    assert guessing_table(comparison).rows == []
    assert comparison.summary()["guessing"] == []
    page = render_page(comparison)
    assert 'id="guessing"' not in page


def test_bounds_and_chances_are_on_the_page(untruncated: tuple[Run, Run], tmp_path: Path) -> None:
    comparison = compare_runs(*untruncated)
    page = write_report(comparison, tmp_path).read_text("utf-8")
    row = bounds_table(comparison).rows[0]
    bounds = comparison.evidence[0].bounds
    assert (row["srr_least"], row["srr_most"]) == bounds.srr
    assert row["srr_least"] < row["srr_most"]
    assert f"<td>{row['srr_least']:.3f} to {row['srr_most']:.3f}</td>" in page
    for name in ("bounds", "importance", "guessing"):
        rows = json.loads((tmp_path / "tables" / f"{name}.json").read_text())["rows"]
        with (tmp_path / "tables" / f"{name}.csv").open() as file:
            assert len(list(csv.DictReader(file))) == len(rows) > 0
        assert r"\toprule" in (tmp_path / "tables" / f"{name}.tex").read_text()
    said = comparison.summary()["importance"]
    assert f"RL solved {said['problems']} problems; on {said['trusted']} the weights" in page
    assert "Would guessing do as well?" in page
