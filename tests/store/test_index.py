"""The keys of a stage against sets, and the memory that they take."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast.store.index import MAX_SAMPLE_INDEX, KeyIndex

IDS = [f"p/{i}" for i in range(4)]
# Around the edges of words of 64 draws, and far off.
INDICES = st.one_of(
    st.integers(0, 200), st.sampled_from([MAX_SAMPLE_INDEX, MAX_SAMPLE_INDEX - 64, 2**20 - 1])
)
KEYS = st.tuples(st.integers(0, 3), INDICES)


def table(keys: list[tuple[int, int]]) -> pa.Table:
    ids = pa.array([IDS[problem] for problem, _ in keys], pa.string())
    index = pa.array([index for _, index in keys], pa.int32())
    return pa.table({"problem_id": ids, "sample_index": index})


@settings(max_examples=50, deadline=None)
@given(
    parts=st.lists(st.lists(KEYS, min_size=1, max_size=80), max_size=8),
    asked=st.lists(KEYS, max_size=20),
    wanted=st.lists(st.integers(0, 210), min_size=4, max_size=4),
)
def test_an_index_answers_as_a_set_does(parts, asked, wanted):
    index, held = KeyIndex(pa.array(IDS)), set()
    for keys in parts:
        new, seen = [], set(held)
        for key in keys:
            new.append(key not in seen)
            seen.add(key)
        assert index.is_new(table(keys)).tolist() == new
        assert index.add(table(keys)).tolist() == new
        held |= set(keys)
    assert index.contains(table(asked)).tolist() == [key in held for key in asked]
    assert index.rows == sum(map(len, parts))
    assert index.counts().tolist() == [sum(p == i for p, _ in held) for i in range(4)]
    lacking = [[i for i in range(wanted[p]) if (p, i) not in held] for p in range(4)]
    number = np.array(wanted, np.int64)
    assert index.num_missing(number) == sum(map(len, lacking))
    for first in (0, 2):
        indices, bounds = index.missing(first, number[first:])
        found = [indices[a:b].tolist() for a, b in itertools.pairwise(bounds)]
        assert found == lacking[first:]
    gaps = {}
    for p, name in enumerate(IDS):
        own = {i for q, i in held if q == p}
        if own and len(own) <= max(own):
            gaps[name] = max(own) + 1 - len(own)
    assert dict(index.gaps()) == gaps


def test_two_bits_a_draw_in_any_order_of_arrival():
    problems, samples = 50, 4096
    ids = pa.array([f"p/{i}" for i in range(problems)])
    keys = np.random.default_rng(0).permutation(problems * samples)
    index = KeyIndex(ids)
    for part in np.split(keys, 64):
        number = pa.array((part % samples).astype(np.int32))
        rows = {"problem_id": ids.take(pa.array(part // samples)), "sample_index": number}
        assert index.add(pa.table(rows)).all()
    assert sum(a.nbytes + b.nbytes for a, b in index._sorted) == problems * samples // 4
    assert index.num_missing(np.full(problems, samples)) == 0
