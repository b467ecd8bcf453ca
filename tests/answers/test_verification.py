from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from rlvr_fast.answers import (
    compare_canonical,
    extract_answers,
    normalize_answers,
    verify_answers,
)
from rlvr_fast.answers.pairs import Pair
from rlvr_fast.answers.workers import verify_pairs
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.vocabulary import VERDICTS

SHARED = Path(os.environ.get("RLVR_SHARED", Path(__file__).parents[2] / ".." / "shared"))
ROLLOUTS = SHARED / "rollouts" / "math_50x8.jsonl"

# (problem, response) whose verdict differs from the published one; none does (docs/grading.md).
DISAGREEMENTS: list[tuple[int, int]] = []


@pytest.mark.skipif(not ROLLOUTS.exists(), reason=f"no rollouts at {ROLLOUTS}")
@pytest.mark.parametrize("policy", ["auto", "boxed"])
def test_published_completions_get_the_published_verdicts(policy):
    rows = [json.loads(line) for line in ROLLOUTS.read_text("utf-8").splitlines()]
    texts = [text for row in rows for text in row["code"]]
    answers, statuses = extract_answers(texts, policy=policy)
    assert len(texts) == 400
    assert set(statuses) == {"found"}
    golds = [row["gt"] for row in rows for _ in row["code"]]
    verdicts = verify_answers(golds, answers)
    published = [score for row in rows for score in row["score"]]
    assert 0 < sum(published) < 400
    differing = [
        divmod(place, 8)
        for place, (verdict, score) in enumerate(zip(verdicts, published, strict=True))
        if (verdict == "correct") != score
    ]
    assert differing == DISAGREEMENTS


def test_each_row_gets_its_own_verdict():
    golds = ["1/2", "1/2", "1/2", "5", "5", "5", "x^2-1"]
    answers = ["0.50", "2", None, "x = 5", "", "six", "(x-1)(x+1)"]
    assert verify_answers(golds, answers) == [
        "correct", "incorrect", "unparsed", "correct", "unparsed", "incorrect", "correct",
    ]  # fmt: skip


def test_verdicts_do_not_depend_on_order_or_workers():
    golds = ["x^2-1"] * 6
    answers = ["(x-1)(x+1)", "x^2+1", r"\frac{x^3-x}{x}", "x", r"-(1-x^2)", r"\sin x"]
    forward = verify_answers(golds, answers, workers=1)
    assert verify_answers(golds, answers[::-1], workers=3) == forward[::-1]
    assert set(forward) == {"correct", "incorrect"}


def test_no_rows():
    assert verify_answers([], []) == []


@pytest.mark.parametrize(
    ("golds", "answers", "said"),
    [
        (["1"], [], "got 1 golds and 0 answers"),
        (["1", None], ["1", "2"], "golds: row 1: missing gold"),
        (["1", " "], ["1", "2"], "golds: row 1: missing gold"),
        (["1"], [5], "answers: row 0: expected text"),
    ],
)
def test_bad_input_is_named(golds, answers, said):
    with pytest.raises(InvalidInputError, match=said):
        verify_answers(golds, answers)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_hostile_answer_gets_a_verdict_within_the_limits():
    from hostile import hostile_answers

    answers = hostile_answers()
    assert len(answers) >= 200
    verdicts = verify_answers(["5"] * len(answers), answers, timeout=1.0, memory_mb=1024)
    assert len(verdicts) == len(answers)
    assert set(verdicts) <= set(VERDICTS)


def test_answers_beyond_the_length_limit_are_unparsed():
    assert verify_answers(["5"], ["5" * 70_000]) == ["unparsed"]


@pytest.mark.parametrize("gold", ["5", r"\frac{x+1}{2}"])
def test_an_answer_that_is_a_program_is_never_run(tmp_path, gold):
    mark = tmp_path / "mark"
    payload = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    answers = [
        payload,
        rf"\text{{{payload}}}",
        f"x + {payload}",
        rf"\frac{{{payload}}}{{2}}",
        f"[{payload} for x in (1,)]",
        f"eval({payload!r})",
        rf"\operatorname{{{payload}}}",
        f"Symbol('x', {payload})",
        f"${payload}$",
        rf"\input{{{mark}}}",
    ]
    verdicts = verify_answers([gold] * len(answers), answers)
    assert "correct" not in verdicts
    assert set(verdicts) <= {"incorrect", "unparsed", "timeout", "error"}
    assert not mark.exists()


def published_pairs():
    """(gold, answer): each benchmark's golds against themselves and the next, and the rollouts."""
    from rlvr_fast.tasks import load_task

    pairs = []
    for path in sorted((SHARED / "benchmarks").glob("*.jsonl")):
        options = "?answer=solution" if path.stem == "minerva_math" else ""
        golds = [problem.gold for problem in load_task(f"math:{path}{options}").problems()]
        pairs += zip(golds, golds, strict=True)
        pairs += zip(golds, golds[1:] + golds[:1], strict=True)
    rows = [json.loads(line) for line in ROLLOUTS.read_text("utf-8").splitlines()]
    answers, _ = extract_answers([text for row in rows for text in row["code"]])
    pairs += zip([row["gt"] for row in rows for _ in row["code"]], answers, strict=True)
    return list(dict.fromkeys(pairs))


def compared(pairs):
    golds, answers = zip(*pairs, strict=True)
    return compare_canonical(normalize_answers(golds), normalize_answers(answers))


needs_shared = pytest.mark.skipif(
    not ROLLOUTS.exists() or not (SHARED / "benchmarks").is_dir(),
    reason=f"no benchmarks and rollouts in {SHARED} (set RLVR_SHARED)",
)


@needs_shared
def test_canonical_forms_decide_most_published_pairs():
    pairs = published_pairs()
    assert len(pairs) > 3500
    decided = sum(comparison != "unknown" for comparison in compared(pairs))
    assert decided >= 0.9 * len(pairs)


@needs_shared
@pytest.mark.slow
def test_canonical_forms_agree_with_the_reader_on_published_pairs():
    pairs = [
        (pair, comparison)
        for pair, comparison in zip(published_pairs(), compared(published_pairs()), strict=True)
        if comparison != "unknown"
    ]
    verdicts = {}
    verify_pairs(
        [
            Pair("math:golds", str(place), gold, {}, answer)
            for place, ((gold, answer), _) in enumerate(pairs)
        ],
        lambda place, outcome: verdicts.__setitem__(place, outcome.verdict),
    )
    unlike = [
        (*pair, comparison, verdicts[place])
        for place, (pair, comparison) in enumerate(pairs)
        if (comparison == "equal") != (verdicts[place] == "correct")
    ]
    assert unlike == []
