"""Verdicts that came along, and rules over rewards."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.readers.reader import MISSING
from rlvr_fast.store.rollouts.verdicts import VerdictRule, choose_rule, read_verdicts, to_verdict

CORRECT = [
    True,
    1,
    1.0,
    np.bool_(True),
    "C",
    "correct",
    "Correct.",
    "pass",
    "PASSED",
    "yes",
    "True",
]
CORRECT += ["1", "1.0", "right", {"value": "C"}, {"correct": True}, [True], [True, True]]
CORRECT += ["Judgement: Yes", "accepted"]
INCORRECT = [
    False,
    0,
    0.0,
    -1,
    "I",
    "P",
    "N",
    "incorrect",
    "wrong",
    "fail",
    "failed",
    "no",
    "False",
]
INCORRECT += ["0", "-1", "timeout", 0.5, "0.5", {"value": "I"}, [True, False], [False, None]]
INCORRECT += ["Judgement: No", np.float32(0)]
NEITHER = [None, MISSING, float("nan"), "", "maybe", 2, -3, "7", {}, [], [True, None], {"foo": 1}]


@pytest.mark.parametrize("value", CORRECT)
def test_correct(value) -> None:
    assert to_verdict(value) is True


@pytest.mark.parametrize("value", INCORRECT)
def test_incorrect(value) -> None:
    assert to_verdict(value) is False


@pytest.mark.parametrize("value", NEITHER)
def test_neither(value) -> None:
    assert to_verdict(value) is None


@pytest.mark.parametrize(
    ("column", "verdicts"),
    [
        ([True, "I", None, MISSING, "x"], [1, 0, -1, -1, -1]),
        (pa.array([True, False, None]), [1, 0, -1]),
        (pa.array([1, 0, None, -1, 2]), [1, 0, -1, 0, -1]),
        (pa.array([1.0, 0.5, None, float("nan")]), [1, 0, -1, -1]),
        (pa.array(["pass", "timeout", None, "pass"]), [1, 0, -1, 1]),
        (pa.array([{"value": "C"}, {"value": "I"}, None]), [1, 0, -1]),
        (pa.nulls(2), [-1, -1]),
        ([], []),
    ],
)
def test_columns(column, verdicts) -> None:
    found = read_verdicts(column)
    assert (found.dtype, found.tolist()) == (np.int8, verdicts)


@pytest.mark.parametrize(
    ("text", "rule", "again"),
    [
        ("acc", VerdictRule("acc"), "acc"),
        ("reward>=1", VerdictRule("reward", ">=", 1.0), "reward>=1"),
        (" score > 0.5 ", VerdictRule("score", ">", 0.5), "score>0.5"),
        ("loss<1e-3", VerdictRule("loss", "<", 0.001), "loss<0.001"),
        ("loss <= 2", VerdictRule("loss", "<=", 2.0), "loss<=2"),
        ("score==1", VerdictRule("score", "==", 1.0), "score==1"),
        ("status==pass", VerdictRule("status", "==", "pass"), "status==pass"),
        ("status != 'fail'", VerdictRule("status", "!=", "fail"), "status!=fail"),
        ("reward_model.scores[0]>=.9", VerdictRule("reward_model.scores[0]", ">=", 0.9),
         "reward_model.scores[0]>=0.9"),
        ("is_correct-plus", VerdictRule("is_correct-plus"), "is_correct-plus"),
        ("my field>0", VerdictRule("my field", ">", 0.0), "my field>0"),
    ],
)  # fmt: skip
def test_rules(text: str, rule: VerdictRule, again: str) -> None:
    assert VerdictRule.parse(text) == rule
    assert rule.text == again
    assert VerdictRule.parse(again) == rule


@pytest.mark.parametrize(
    "text", ["", ">=1", "reward>=", "reward>=one", "reward>nan", "reward=1", "a>1>2", "a=>1", "x=="]
)
def test_other_rules_are_refused_with_the_forms(text: str) -> None:
    with pytest.raises(InvalidInputError, match="FIELD, FIELD>=X"):
        VerdictRule.parse(text)


@pytest.mark.parametrize(
    ("rule", "column", "verdicts"),
    [
        ("r>=1", [1, 0.5, None, 2, "x"], [1, 0, -1, 1, -1]),
        ("r>0", pa.array([1.0, -1.0, None, 0.0]), [1, 0, -1, 0]),
        ("r<=0", [0, 1], [1, 0]),
        ("r<0", [0, -1], [0, 1]),
        ("r==1", [1, True, 0], [1, 1, 0]),
        ("r!=0", [1, 0], [1, 0]),
        ("r==pass", ["pass", "Pass", "fail", None], [1, 1, 0, -1]),
        ("r!=fail", pa.array(["pass", "fail", None]), [1, 0, -1]),
        ("r", ["C", "I", None], [1, 0, -1]),
    ],
)
def test_verdicts_by_a_rule(rule: str, column, verdicts) -> None:
    assert VerdictRule.parse(rule).verdicts(column).tolist() == verdicts


@pytest.mark.parametrize(
    ("rewards", "rule", "reason"),
    [
        ([0.0, 1.0], "reward>=1", "reward is 0 or 1"),
        ([0.0], "reward>=1", "0 or 1"),
        ([1.0], "reward>=1", "0 or 1"),
        ([-1.0, 1.0], "reward>0", "-1 or 1"),
        ([-1.0, float("nan")], "reward>0", "-1 or 1"),
        ([0.0, 0.1, 1.0], "reward>=1", "partial credit"),
        ([-1.0, 0.0, 1.0], "reward>=1", "partial credit"),
        ([0.0, 1.1], None, "name the threshold, as in reward>=X"),
        ([0.0, 0.5], None, "at most 0.5"),
        ([], None, "no number"),
    ],
)
def test_the_rule_of_rewards(rewards, rule: str | None, reason: str) -> None:
    choice = choose_rule(rewards)
    assert (choice.rule.text if choice.rule else None) == rule
    assert reason in choice.reason


@given(st.lists(st.sampled_from([0.0, 1.0, -1.0, 0.5]), min_size=1))
def test_the_chosen_rule_calls_the_greatest_reward_correct(rewards: list[float]) -> None:
    choice = choose_rule(rewards, "score")
    if choice.rule is not None and max(rewards) == 1.0:
        verdicts = choice.rule.verdicts(rewards)
        assert [verdict == 1 for verdict in verdicts] == [reward == 1.0 for reward in rewards]
