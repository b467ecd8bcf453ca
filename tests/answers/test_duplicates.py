"""Exact and near duplicates against brute force."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast.answers import find_duplicates
from rlvr_fast.errors import InvalidInputError


def shingles(tokens: list[object], n: int) -> set[tuple[object, ...]]:
    n = min(n, len(tokens))
    return {tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)} if n else set()


def brute_force(rows: list[list[object]], threshold: float, n: int) -> list[int]:
    group = list(range(len(rows)))
    sets = [shingles(row, n) for row in rows]
    for i in range(len(rows)):
        for j in range(i):
            either = len(sets[i] | sets[j])
            if either == 0 or len(sets[i] & sets[j]) / either >= threshold:
                old, new = group[i], group[j]
                group = [new if g == old else g for g in group]
    names: dict[int, int] = {}
    return [names.setdefault(g, len(names)) for g in group]


def traces(seed: int, families: int = 12, members: int = 6) -> list[list[int]]:
    """Families of traces that differ from their parent in a few tokens or in many."""
    rng = random.Random(seed)
    rows = []
    for _ in range(families):
        parent = [rng.randrange(5000) for _ in range(rng.randint(150, 400))]
        for _ in range(members):
            row = list(parent)
            for _ in range(rng.choice([0, 1, 2, 60])):
                row[rng.randrange(len(row))] = rng.randrange(5000)
            rows.append(row)
    rng.shuffle(rows)
    return rows


@given(st.lists(st.one_of(st.none(), st.text(max_size=8)), max_size=30))
@settings(max_examples=150, deadline=None)
def test_exact_duplicates_are_equal_texts(texts: list[str | None]) -> None:
    groups = find_duplicates(texts)
    names: dict[str | None, int] = {}
    want = [names.setdefault(text, len(names)) for text in texts]
    assert groups.group_of_row.tolist() == want
    assert groups.count.tolist() == [want.count(g) for g in range(len(names))]
    assert groups.first_row.tolist() == [want.index(g) for g in range(len(names))]
    assert groups.num_repeats == len(texts) - len(names)


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.9])
@pytest.mark.parametrize("seed", [0, 1])
def test_near_duplicates_match_brute_force(threshold: float, seed: int) -> None:
    rows = traces(seed)
    want = brute_force(rows, threshold, 5)
    assert 1 < max(want) + 1 < len(rows)
    assert find_duplicates(rows, threshold=threshold).group_of_row.tolist() == want
    texts = [" ".join(map(str, row)) for row in rows]
    assert find_duplicates(texts, threshold=threshold).group_of_row.tolist() == want


def test_nothing_below_the_threshold_is_linked() -> None:
    rows = [[rng * 1000 + i for i in range(50)] for rng in range(40)]
    assert len(find_duplicates(rows, threshold=0.1)) == 40


def test_token_ids_of_any_layout() -> None:
    rows = [[1, 2, 3], [1, 2], [1, 2, 3], []]
    for column in (
        rows,
        [np.array(row, dtype=np.int32) for row in rows],
        pa.array(rows, pa.list_(pa.int32())),
        pa.array(rows, pa.large_list(pa.int64())),
        pa.chunked_array(
            [pa.array(rows[:1]), pa.array(rows[1:3]), pa.array([[]], pa.list_(pa.int64()))]
        ),
        pa.array([[9], *rows])[1:],
    ):
        assert find_duplicates(column).group_of_row.tolist() == [0, 1, 0, 2]


def test_ids_are_not_confused_with_the_bytes_of_other_ids() -> None:
    assert len(find_duplicates([[1, 0], [1], [0, 1], [256]])) == 4


def test_bad_input_is_named() -> None:
    for threshold in (0.0, -1.0, 1.5, float("nan")):
        with pytest.raises(InvalidInputError, match="threshold"):
            find_duplicates(["a"], threshold=threshold)
    with pytest.raises(InvalidInputError, match="ngram"):
        find_duplicates(["a"], threshold=0.5, ngram=0)
    with pytest.raises(InvalidInputError, match="got integers"):
        find_duplicates(pa.array([1, 2]))
    with pytest.raises(InvalidInputError, match="token-id lists"):
        find_duplicates([[1, "x"]])
    assert len(find_duplicates([])) == 0
