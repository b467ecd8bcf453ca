"""Finish reasons in the words of every server."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from rlvr_fast.store.readers.reader import MISSING
from rlvr_fast.store.rollouts.finish_reasons import read_finish_reason, read_finish_reasons

STOP = ["stop", "eos", "completed", "end_turn", "eos_token", "stop_sequence", "STOP", " Stop "]
STOP += ["FinishReason.STOP", "FINISH_REASON_STOP", "Status.COMPLETED", "end-turn", "finished"]
LENGTH = ["length", "max_tokens", "model_length", "truncated", "incomplete", "max_new_tokens"]
LENGTH += ["MAX_TOKENS", "FinishReason.MAX_TOKENS", "max_output_tokens", "Status.TRUNCATED"]
LEFT_OUT = ["abort", "aborted", "error", "content_filter", "tool_calls", "pending", "failed"]
LEFT_OUT += ["repetition", "FinishReason.SAFETY", "tool_use", "refusal", "cancelled"]
NOTHING = [None, MISSING, float("nan"), "", "unknown", "None", "nan", "FINISH_REASON_UNSPECIFIED"]


@pytest.mark.parametrize("word", STOP)
def test_stop(word: str) -> None:
    assert read_finish_reason(word)[0] == "stop"


@pytest.mark.parametrize("word", LENGTH)
def test_length(word: str) -> None:
    assert read_finish_reason(word)[0] == "length"


@pytest.mark.parametrize("word", LEFT_OUT)
def test_words_of_completions_that_are_no_draws(word: str) -> None:
    reasons, leave_out, words = read_finish_reasons([word, "stop"], 2)
    assert reasons.to_pylist() == ["unknown", "stop"]
    assert leave_out.tolist() == [True, False]
    assert words == [word, "stop"]


@pytest.mark.parametrize("value", NOTHING)
def test_no_reason_is_unknown(value) -> None:
    assert read_finish_reason(value) == ("unknown", None)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"type": "stop", "matched": 151645}, "stop"),
        ({"type": "length", "length": 4096}, "length"),
        ({"type": "abort"}, "unknown"),
        ({}, "unknown"),
        (["tool_calls", "stop"], "stop"),
        (["length"], "length"),
        ([], "unknown"),
        (True, "length"),
        (False, "stop"),
        (np.bool_(True), "length"),
        ("True", "length"),
        ("frobnicated", "unknown"),
        (7, "unknown"),
    ],
)
def test_other_forms(value, reason: str) -> None:
    assert read_finish_reason(value)[0] == reason


VALUES = ["stop", None, "length", "abort", "frobnicated", "stop"]


@pytest.mark.parametrize(
    "column",
    [
        VALUES,
        pa.array(VALUES),
        pa.array(VALUES).dictionary_encode(),
        pa.chunked_array([pa.array(VALUES[:2]), pa.array(VALUES[2:])]),
        [{"type": value} if value else MISSING for value in VALUES],
        pa.array([{"type": value} for value in VALUES]),
    ],
)
def test_a_column(column) -> None:
    reasons, leave_out, words = read_finish_reasons(column, 6)
    assert reasons.type == pa.string()
    assert reasons.to_pylist() == ["stop", "unknown", "length", "unknown", "unknown", "stop"]
    assert leave_out.tolist() == [False, False, False, True, False, False]
    assert words == VALUES


def test_booleans_say_whether_a_completion_was_truncated() -> None:
    reasons, leave_out, _ = read_finish_reasons(pa.array([True, False, None]), 3)
    assert reasons.to_pylist() == ["length", "stop", "unknown"]
    assert not leave_out.any()


def test_no_column() -> None:
    reasons, leave_out, words = read_finish_reasons(None, 3)
    assert reasons.to_pylist() == ["unknown"] * 3
    assert not leave_out.any()
    assert words == [None] * 3
    assert len(read_finish_reasons([], 0)[0]) == 0
