"""Hostile completions do not crash the answer engine and keep its bounds of time and memory."""

from __future__ import annotations

import resource
import time

import pyarrow as pa
import pytest
from hostile import hostile_answers, hostile_completions

from rlvr_fast.answers import compare_canonical, extract_answers, normalize_answers
from rlvr_fast.vocabulary import POLICIES, STATUSES


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_hostile_set_is_large() -> None:
    assert len(hostile_answers()) >= 200


def test_hostile_answers_get_a_form_in_bounded_time_and_memory() -> None:
    answers = hostile_answers()
    normalize_answers(["1"])
    before = peak_mib()
    slowest = 0.0
    for answer in answers:
        start = time.process_time()
        (form,), (resolved,) = normalize_answers([answer], return_resolved=True)
        slowest = max(slowest, time.process_time() - start)
        assert form.startswith("?") == (not resolved)
        form.encode("utf-8")
        assert normalize_answers([answer]) == [form]
    assert slowest < 0.5
    assert peak_mib() - before < 256


@pytest.mark.parametrize("policy", POLICIES)
def test_hostile_completions_get_a_status(policy: str) -> None:
    texts = hostile_completions()
    start = time.process_time()
    answers, statuses = extract_answers(texts, policy=policy)
    assert time.process_time() - start < 10
    assert set(statuses) <= set(STATUSES)
    for answer, status in zip(answers, statuses, strict=True):
        assert (answer is None) == (status != "found")
        if answer is not None:
            answer.encode("utf-8")
            assert len(answer.encode("utf-8")) <= 64 << 10


def test_forms_of_hostile_answers_are_fixed_points() -> None:
    forms, resolved = normalize_answers(hostile_answers(), return_resolved=True)
    good = [form for form, ok in zip(forms, resolved, strict=True) if ok]
    assert len(good) > 20
    assert compare_canonical(good, normalize_answers(good)) == ["equal"] * len(good)


def test_bytes_that_are_not_utf8_come_out_as_replacement_characters() -> None:
    raw = [b"\\boxed{\xff\xfe}", b"\\boxed{a\x80b}", b"\\boxed{\xed\xa0\x80}", b"\\boxed{\xe2\x82}"]
    texts = pa.array(raw, pa.binary())
    answers, statuses = extract_answers(texts)
    answers.validate(full=True)
    assert statuses.to_pylist() == ["found"] * 4
    # The same replacement as Python's decoder makes (Unicode's maximal subparts).
    assert answers.to_pylist() == [r[7:-1].decode("utf-8", "replace") for r in raw]
