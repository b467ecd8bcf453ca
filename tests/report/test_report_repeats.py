"""Draws that repeat others: found, counted once and said, and independent draws left alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
from planted_runs import TASKS, write_pair
from rollout_runs import add_draws, imported_run

from rlvr_fast import doctor
from rlvr_fast.answers import GradeOptions, grade_run
from rlvr_fast.report import Comparison, compare_runs, write_report
from rlvr_fast.store import CompletionKeys, Run, completion_keys, find_repeats, same_completions

PROBLEMS = 40
Answers = list[np.ndarray]


def answers_of(seed: int, *, draws: int, choices: int = 6) -> Answers:
    """For each problem the numbers of the answers drawn, few different ones."""
    rng = np.random.default_rng(seed)
    laws = rng.dirichlet(np.full(choices, 0.7), PROBLEMS)
    return [rng.choice(choices, draws, p=law) for law in laws]


def stored(path: Path, answers: Answers, **arguments) -> Run:
    """An imported, graded run of short completions; answer 0 is right."""
    draws = {
        f"p{i}": [(f"\\boxed{{{10 + answer}}}", bool(answer == 0)) for answer in given]
        for i, given in enumerate(answers)
    }
    run = imported_run(path, draws, **arguments)
    grade_run(run, GradeOptions(verdicts="imported"))
    return run


def compared(folder: Path, base: Answers, rl: Answers, **arguments) -> Comparison:
    runs = (stored(folder / n, a, **arguments) for n, a in (("base", base), ("rl", rl)))
    return compare_runs(*runs)


def in_blocks(answers: Answers) -> Answers:
    return [np.repeat(given, 16) for given in answers]


def interleaved(answers: Answers) -> Answers:
    return [np.tile(given, 16) for given in answers]


def shuffled(answers: Answers) -> Answers:
    rng = np.random.default_rng(0)
    return [rng.permutation(given) for given in in_blocks(answers)]


def test_short_independent_draws_give_no_warning(tmp_path: Path) -> None:
    found = compared(tmp_path, answers_of(1, draws=64), answers_of(2, draws=64))
    assert found.independent
    assert found.dependence == ""
    for side in found.sides:
        assert (side.effective_draws == side.num_samples).all()
        assert doctor.examine_run(side.run.path)[-1]["message"].startswith("the verdicts came")


@pytest.mark.parametrize("order", [in_blocks, interleaved, shuffled])
def test_sixteen_completions_stored_sixteen_times(
    tmp_path: Path, order: Callable[[Answers], Answers]
) -> None:
    copies = order(answers_of(1, draws=16))
    found = compared(tmp_path, copies, answers_of(2, draws=256))
    base, rl = found.sides
    assert base.effective_draws.tolist() == [16] * PROBLEMS
    assert (rl.effective_draws == 256).all()
    assert not found.independent
    sentence = (
        "The base run holds 16 independent completions for 256 draws of a problem, each stored 16 "
        "times (640 of 10,240 in all)"
    )
    assert found.dependence.startswith(sentence)
    assert "rlvr-fast doctor" in found.dependence
    assert found.warnings[0] == found.dependence
    messages = [f["message"] for f in doctor.examine_run(base.run.path) if f["level"] == "warning"]
    assert any("16 independent completions for 256 draws" in text for text in messages)


@pytest.mark.slow
def test_a_report_begins_with_the_repeats(tmp_path: Path) -> None:
    found = compared(tmp_path, shuffled(answers_of(1, draws=4)), answers_of(2, draws=64))
    report = write_report(found, tmp_path / "out")
    sentence = "The base run holds 4 independent completions for 64 draws of a problem"
    assert report.headline().startswith(sentence)
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.index(sentence) < page.index("<h1>")
    row = report.tables["draws"].rows[0]
    assert (row["model"], row["draws"], row["effective"]) == ("base", 64 * 40, 4 * 40)
    assert report.summary()["draws"][0]["effective"] == 160


def test_a_shard_imported_twice(tmp_path: Path) -> None:
    """A fifth of the draws of a problem are stored twice, short ones."""
    rl = [np.concatenate([given, given[:16]]) for given in answers_of(2, draws=80)]
    found = compared(tmp_path, answers_of(1, draws=96), rl)
    assert found.base.repeats.reason == ""
    assert found.rl.effective_draws.tolist() == [80] * PROBLEMS
    assert "The RL run holds 80 independent completions for 96 draws" in found.dependence


def test_different_completions_of_which_a_fifth_is_stored_twice_in_any_order(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(5)
    rl = [rng.permutation(np.append(np.arange(80), rng.choice(80, 16, False))) for _ in range(40)]
    found = compared(tmp_path, answers_of(1, draws=96), rl)
    assert found.rl.repeats.reason == "copies"
    assert found.rl.effective_draws.tolist() == [80] * PROBLEMS


def test_both_sides_hold_the_same_completions(tmp_path: Path) -> None:
    one = answers_of(1, draws=64)
    rng = np.random.default_rng(3)
    for name, other in (("equal", one), ("shuffled", [rng.permutation(a) for a in one])):
        found = compared(tmp_path / name, one, other)
        assert found.dependence.startswith(
            "The base run and the RL run hold the same completions on 40 of 40 problems"
        )


def test_greedy_draws_count_as_one(tmp_path: Path) -> None:
    pair = write_pair(tmp_path, tasks=TASKS, samples=8, sampling={"temperature": 0.0})
    found = compare_runs(*pair)
    assert found.base.effective_draws.tolist() == [1] * len(found.problems)
    assert (
        "drawn at temperature 0: the 8 draws of a problem are one and the same" in found.warnings[0]
    )
    assert found.dependence.count("temperature 0") == 2


def test_greedy_draws_without_a_recorded_temperature(tmp_path: Path) -> None:
    words = [" ".join(f"word{i}-{j}" for j in range(80)) for i in range(6)]
    draws = {f"p{i}": [(f"{text} \\boxed{{{i}}}", i < 3)] * 8 for i, text in enumerate(words)}
    run = imported_run(tmp_path / "base", draws)
    keys = completion_keys(run, run.problems()["problem_id"].combine_chunks())
    assert (keys.tokens > 64).all()
    assert find_repeats(keys, 6).effective.tolist() == [1] * 6
    assert find_repeats(keys, 6).reason == "long"


def test_short_greedy_draws_without_a_recorded_temperature() -> None:
    """Every draw of a problem is one short text: in 40 x 64 draws a model that draws shows more."""
    answers = [np.full(64, i) for i in range(40)]
    found = find_repeats(keys_of(answers), 40)
    assert (found.reason, set(found.effective.tolist())) == ("alike", {1})
    assert "all draws are equal" in found.sentence("The base run", np.full(40, 64))
    # a few draws more than problems do not show it
    assert find_repeats(keys_of([row[:8] for row in answers]), 40).reason == ""
    assert find_repeats(keys_of(answers[:1]), 1).reason == ""


def keys_of(answers: Answers, *, tokens: int = 5, seeds: Answers | None = None) -> CompletionKeys:
    seed = np.full(sum(map(len, answers)), -1) if seeds is None else np.concatenate(seeds)
    return CompletionKeys(
        problem=np.repeat(np.arange(len(answers)), [len(a) for a in answers]),
        index=np.concatenate([np.arange(len(a)) for a in answers]),
        key=np.concatenate(answers).astype(np.int64) * 1_000_003 + 17,
        tokens=np.full(seed.size, tokens),
        seed=seed.astype(np.int64),
    )


def test_shared_seeds_are_counted_once() -> None:
    answers = [np.arange(24) for _ in range(4)]
    seeds = [np.arange(24) % 8 + 100 * i for i in range(4)]
    found = find_repeats(keys_of(answers, seeds=seeds), 4, temperature=0.6)
    assert (found.reason, found.copies, found.effective.tolist()) == ("seeds", 3, [8] * 4)


def test_the_seed_of_a_request_is_not_that_of_a_draw() -> None:
    """Files record one seed on every row of a request, whose draws differ."""
    answers = answers_of(1, draws=32)
    seeds = [np.full(32, 42) for _ in answers]
    assert find_repeats(keys_of(answers, seeds=seeds), PROBLEMS, imported=True).reason == ""
    twice = [np.repeat(np.arange(16), 2) for _ in answers]
    seeds = [np.repeat(np.arange(16), 2) for _ in answers]
    found = find_repeats(keys_of(twice, seeds=seeds), PROBLEMS, imported=True)
    assert (found.reason, found.effective.tolist()) == ("seeds", [16] * PROBLEMS)


def test_files_sorted_by_answer_are_independent_draws() -> None:
    left, right = ([np.sort(a) for a in answers_of(s, draws=64, choices=2)] for s in (1, 2))
    assert find_repeats(keys_of(left), PROBLEMS).reason == ""
    assert same_completions(keys_of(left), keys_of(right), PROBLEMS) == 0


def test_problems_without_draws_and_single_draws() -> None:
    answers = [np.zeros(0, np.int64), np.arange(1), np.arange(3)]
    found = find_repeats(keys_of(answers), 3)
    assert (found.effective.tolist(), found.reason) == ([0, 1, 3], "")
    assert find_repeats(keys_of([np.zeros(0, np.int64)] * 2), 2).effective.tolist() == [0, 0]
    assert same_completions(keys_of(answers), keys_of(answers), 3) == 0


def test_keys_tell_texts_and_token_ids_apart(tmp_path: Path) -> None:
    run = imported_run(tmp_path / "run", {"a": [("x", True), ("y", True)], "b": [("x", True)]})
    add_draws(run, {"a": [("x", True), ("", False)], "b": [("é" * 40, True)]}, first=2)
    keys = completion_keys(run, run.problems()["problem_id"].combine_chunks())
    assert keys.problem.tolist() == [0, 0, 0, 0, 1, 1]
    assert keys.index.tolist() == [0, 1, 2, 3, 0, 2]
    same = keys.key[:, None] == keys.key[None, :]
    assert np.argwhere(np.triu(same, 1)).tolist() == [[0, 2], [0, 4], [2, 4]]
    assert keys.tokens.tolist() == [0, 0, 0, 0, 0, 20]


LAWS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "yes or no": lambda rng: np.array([(p := rng.uniform(0.02, 0.98)), 1 - p]),
    "rare": lambda rng: np.array([(p := 10 ** rng.uniform(-4, -1)), 1 - p]),
    "equally likely": lambda rng: np.full(m := int(rng.integers(2, 300)), 1 / m),
    "collapsed": lambda rng: np.append(p := rng.uniform(0.3, 0.99), (1 - p) * np.full(5000, 2e-4)),
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("problems", "draws"), [(10, 16), (60, 64), (30, 256)])
def test_false_alarms_of_independent_draws(law: str, problems: int, draws: int) -> None:
    rng = np.random.default_rng(8)
    alarms = 0
    for _ in range(8):
        laws = [LAWS[law](rng) for _ in range(problems)]
        sides = [[rng.choice(p.size, draws, p=p / p.sum()) for p in laws] for _ in range(2)]
        keys = [keys_of(side) for side in sides]
        alarms += any(find_repeats(one, problems).reason for one in keys)
        alarms += same_completions(*keys, problems) > 0
    assert alarms == 0
