"""Groups equal a partition in plain Python for any number of threads, hash, parts and order."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast import _core
from rlvr_fast.answers import AnswerGroups, AnswerIndex, group_answers
from rlvr_fast.errors import InvalidInputError

Row = tuple[object, "str | None"]


def naive(
    rows: list[Row],
) -> tuple[list[object], list[str | None], list[int], list[int], list[int]]:
    groups: dict[Row, int] = {}
    counts: list[int] = []
    first: list[int] = []
    of_row = []
    for i, row in enumerate(rows):
        group = groups.setdefault(row, len(groups))
        if group == len(counts):
            counts.append(0)
            first.append(i)
        counts[group] += 1
        of_row.append(group)
    keys = list(groups)
    return [k[0] for k in keys], [k[1] for k in keys], counts, first, of_row


def as_lists(groups: AnswerGroups) -> tuple[list[object], list[str | None], list[int], list[int]]:
    return (
        groups.problem_id.to_pylist(),
        groups.answer.to_pylist(),
        groups.count.tolist(),
        groups.first_row.tolist(),
    )


answers = st.one_of(
    st.none(),
    st.sampled_from(["", "1", "2", "12345678", "123456789", "123456789012", "1234567890123"]),
    st.text(max_size=40),
    st.text(min_size=60, max_size=90),
)
integer_rows = st.lists(st.tuples(st.integers(-3, 3), answers), max_size=60)
string_rows = st.lists(st.tuples(st.sampled_from(["", "a", "b" * 30, "é"]), answers), max_size=60)


@given(st.one_of(integer_rows, string_rows), st.sampled_from([0, 1, 3, 60, 64, 65, 70, 128]))
@settings(max_examples=400, deadline=None)
def test_groups_equal_the_naive_partition_for_any_hash(rows: list[Row], bits: int) -> None:
    problems, texts = [r[0] for r in rows], [r[1] for r in rows]
    groups = group_answers(problems, texts, _hash_bits=bits)
    want = naive(rows)
    assert as_lists(groups) == want[:4]
    assert groups.group_of_row is not None
    assert groups.group_of_row.tolist() == want[4]
    assert as_lists(group_answers(problems, texts, rows=False)) == want[:4]


@given(st.lists(integer_rows, max_size=5), st.sampled_from([1, 128]))
@settings(max_examples=100, deadline=None)
def test_parts_and_merges_give_the_groups_of_all_rows(parts: list[list[Row]], bits: int) -> None:
    whole = [row for part in parts for row in part]
    fed = AnswerIndex(normalize=False, _hash_bits=bits)
    merged = AnswerIndex(normalize=False, _hash_bits=bits)
    for part in parts:
        other = AnswerIndex(normalize=False)
        for index in (fed, other):
            index.add([r[0] for r in part], [r[1] for r in part], policy=None)
        merged.merge(other)
    assert as_lists(fed.groups()) == naive(whole)[:4]
    assert as_lists(merged.groups()) == naive(whole)[:4]
    assert len(fed) == len(merged) == len(naive(whole)[0])
    assert fed.num_rows == merged.num_rows == len(whole)


@given(st.one_of(integer_rows, string_rows))
@settings(max_examples=60, deadline=None)
def test_saved_index_loads_unchanged(tmp_path_factory: object, rows: list[Row]) -> None:
    path = tmp_path_factory.mktemp("index") / "answers.idx"  # type: ignore[attr-defined]
    index = AnswerIndex(normalize=False)
    index.add([r[0] for r in rows], [r[1] for r in rows], policy=None)
    index.save(path)
    loaded = AnswerIndex.load(path, normalize=False)
    assert as_lists(loaded.groups()) == as_lists(index.groups())
    assert loaded.num_rows == len(rows)
    # Rows can be added to a loaded index.
    loaded.add([r[0] for r in rows], [r[1] for r in rows], policy=None)
    assert loaded.groups().count.tolist() == [2 * c for c in index.groups().count]


def test_large_columns_cross_batches_and_threads() -> None:
    """More rows than a batch holds, so that the order of groups crosses batches."""
    rng = np.random.default_rng(0)
    n = 700_000
    problems = rng.integers(0, 50, n)
    codes = rng.integers(0, 3000, n)
    names = pa.array([f"answer number {i}" if i % 3 else str(i) for i in range(3000)])
    texts = names.take(pa.array(codes))
    groups = group_answers(problems, texts)
    key = problems * 3000 + codes
    unique, first, inverse, counts = np.unique(
        key, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.argsort(first)
    assert groups.first_row.tolist() == first[order].tolist()
    assert groups.count.tolist() == counts[order].tolist()
    assert groups.problem_id.to_pylist() == (unique[order] // 3000).tolist()
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    assert np.array_equal(groups.group_of_row, rank[inverse])
    index = AnswerIndex(normalize=False)
    index.add(problems, texts, policy=None)
    assert as_lists(index.groups()) == as_lists(groups)


THREADS = """
import hashlib, os, sys
os.sched_setaffinity(0, set(list(os.sched_getaffinity(0))[:int(sys.argv[1])]))
import numpy as np
from rlvr_fast.answers import AnswerIndex, group_answers
rng = np.random.default_rng(3)
problems = rng.integers(0, 9, 300_000)
texts = [f"so \\\\boxed{{{v}/4}}" for v in rng.integers(0, 400, 300_000)]
index = AnswerIndex()
index.add(problems, texts)
index.save(sys.argv[2])
groups = group_answers(problems, texts)
print(hashlib.sha256(open(sys.argv[2], "rb").read()).hexdigest())
print(hashlib.sha256(groups.group_of_row.tobytes()).hexdigest())
"""


@pytest.mark.parametrize("answers_each", [1, 40, 5000])
@pytest.mark.parametrize("bits", [1, 128])
def test_groups_of_clustered_rows(answers_each: int, bits: int) -> None:
    """The core counts repeats of a recent row together, up to 4,096 at a time."""
    rng = np.random.default_rng(answers_each)
    # 2.2 million rows: more than one batch
    n = 20_000 if bits == 1 else 2_200_000 if answers_each == 40 else 300_000
    problems = np.sort(rng.integers(0, 6, n))
    codes = rng.integers(0, min(answers_each, 200 if bits == 1 else answers_each), n)
    names = pa.array(
        [None if i == 3 else f"answer number {i}" if i % 3 else str(i) for i in range(5000)]
    )
    texts = names.take(pa.array(codes))
    keys = problems * 5000 + codes
    _, first, of_key, counts = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    for rows in (True, False):
        groups = group_answers(problems, texts, rows=rows, _hash_bits=bits)
        np.testing.assert_array_equal(groups.first_row, first[order])
        np.testing.assert_array_equal(groups.count, counts[order])
        assert groups.answer.equals(texts.take(pa.array(first[order])).cast(groups.answer.type))
        if groups.group_of_row is not None:
            np.testing.assert_array_equal(groups.group_of_row, rank[of_key])


def test_result_does_not_depend_on_the_number_of_threads(tmp_path: Path) -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", THREADS, str(threads), str(tmp_path / f"{threads}.idx")],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        ).stdout
        for threads in (1, 2)
    }
    assert len(outputs) == 1
    assert len(outputs.pop().split()) == 2


def test_index_extracts_and_normalises() -> None:
    index = AnswerIndex()
    counts = index.add(
        ["a", "a", "a", "b", "a"],
        [r"\boxed{0.5}", r"<answer>\frac12</answer>", r"\boxed{", "none", r"\boxed{50\%}"],
    )
    assert counts == {"found": 3, "unfinished": 1, "missing": 1, "malformed": 0}
    assert as_lists(index.groups()) == (
        ["a", "a", "b", "a"],
        ["1/2", None, None, r"?50\%"],
        [2, 1, 1, 1],
        [0, 2, 3, 4],
    )


def test_entropy_counts_rows_without_an_answer_as_one_group() -> None:
    groups = group_answers([7, 7, 7, 7, 9, 9], ["1", "1", None, "2", "1", "1"])
    problems, entropies = groups.entropy()
    assert problems.to_pylist() == [7, 9]
    want = 0.5 * math.log(2) + 2 * 0.25 * math.log(4)
    assert entropies.tolist() == pytest.approx([want, 0.0], abs=1e-15)


@pytest.mark.parametrize(
    "ids",
    [
        [3, 3, 5],
        np.array([3, 3, 5], dtype=np.int8),
        np.array([3, 3, 5], dtype=np.uint64),
        pa.array([3, 3, 5], pa.uint16()),
        pa.chunked_array([[3], [3, 5]]),
        ["p", "p", "q"],
        pa.array(["p", "p", "q"], pa.string_view()),
        pa.array(["p", "p", "q"]).dictionary_encode(),
        pa.array(["x", "p", "p", "q"])[1:],
    ],
    ids=str,
)
def test_problem_ids_of_any_kind(ids: object) -> None:
    groups = group_answers(ids, ["1", "1", "1"])
    assert groups.count.tolist() == [2, 1]
    assert groups.problem_id.to_pylist() in ([3, 5], ["p", "q"])


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
@pytest.mark.parametrize("nulls", [False, True])
@given(st.data())
@settings(max_examples=40, deadline=None)
def test_answers_of_any_layout_and_length(kind: object, nulls: bool, data: st.DataObject) -> None:
    """Bytes lie in an entry up to 12, in a group up to 16, are copied up to 64."""
    lengths = st.sampled_from([0, 1, 8, 9, 12, 13, 16, 17, 63, 64, 65, 200])
    some = st.builds(lambda n, head, tail: (head + "x" * n + tail)[-n:] if n else "", lengths,
                     st.sampled_from("ab"), st.sampled_from("ab"))  # fmt: skip
    texts = data.draw(st.lists(st.one_of(st.none(), some) if nulls else some, max_size=200))
    cut = data.draw(st.integers(0, len(texts)))
    ids = data.draw(st.lists(st.integers(0, 2), min_size=len(texts), max_size=len(texts)))
    column = pa.array(texts, kind)[cut:]
    groups = group_answers(ids[cut:], column)
    want = naive(list(zip(ids, texts, strict=True))[cut:])
    assert as_lists(groups) == want[:4]
    assert groups.group_of_row is not None
    assert groups.group_of_row.tolist() == want[4]


def test_ids_spread_over_all_integers() -> None:
    rng = np.random.default_rng(5)
    names = rng.integers(-(2**63), 2**63 - 1, 20_000)
    ids = names[rng.integers(0, len(names), 150_000)]
    groups = group_answers(ids, pa.array(["1"]).take(pa.array(np.zeros(len(ids), np.int64))))
    unique, first, counts = np.unique(ids, return_index=True, return_counts=True)
    order = np.argsort(first)
    np.testing.assert_array_equal(groups.problem_id.to_numpy(), unique[order])
    np.testing.assert_array_equal(groups.count, counts[order])
    np.testing.assert_array_equal(groups.first_row, first[order])
    np.testing.assert_array_equal(groups.problem_id.to_numpy()[groups.group_of_row], ids)


def test_bad_input_is_named() -> None:
    with pytest.raises(InvalidInputError, match="got 2 problem ids and 1 answers"):
        group_answers([1, 2], ["1"])
    with pytest.raises(InvalidInputError, match="row 1 is null"):
        group_answers(pa.array([1, None]), ["1", "2"])
    with pytest.raises(InvalidInputError, match="row 1: expected int"):
        group_answers([1, "2"], ["1", "2"])
    index = AnswerIndex(normalize=False)
    index.add([1], ["1"], policy=None)
    with pytest.raises(InvalidInputError, match="integers in one part and strings in another"):
        index.add(["1"], ["1"], policy=None)
    with pytest.raises(InvalidInputError, match="above 2\\^63"):
        group_answers(np.array([2**63], dtype=np.uint64), ["1"])
    with pytest.raises(InvalidInputError, match="merged into itself"):
        index.merge(index)


def test_file_damaged_at_any_byte_is_refused(tmp_path: Path) -> None:
    index = AnswerIndex()
    index.add(["p", "q"], [r"\boxed{1}", r"\boxed{a long answer of many words}"])
    path = tmp_path / "a.idx"
    index.save(path)
    whole = path.read_bytes()
    assert whole[:8] == b"RLVRIDX1"
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        with pytest.raises(InvalidInputError, match=r"a\.idx"):
            AnswerIndex.load(path)
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(InvalidInputError, match=r"a\.idx"):
            AnswerIndex.load(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(InvalidInputError, match=r"a\.idx"):
        AnswerIndex.load(path)
    with pytest.raises(InvalidInputError, match="can't open the answer index"):
        AnswerIndex.load(tmp_path / "missing.idx")
    with pytest.raises(InvalidInputError, match="can't open"):
        index.save(tmp_path / "no" / "such" / "folder.idx")


def test_memory_is_at_most_64_bytes_for_each_group() -> None:
    n = 1_000_000
    index = AnswerIndex(normalize=False)
    index.add(np.arange(n) % 1000, pa.array(np.arange(n)).cast(pa.string()), policy=None)
    assert len(index) == n
    assert index.memory <= 64 * n


# ---------------------------------------------------------------------------- the hash

K0, K1, K2, K3 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93
M = (1 << 64) - 1


def reference_hash(data: bytes, seed: int = 0) -> tuple[int, int]:
    """The definition of the hash in csrc/answers/hash.hpp, in plain Python."""
    h, g = seed ^ K0, len(data) ^ K1
    for at in range(0, len(data), 16):
        block = data[at : at + 16].ljust(16, b"\0")
        x = int.from_bytes(block[:8], "little") ^ h
        y = int.from_bytes(block[8:], "little") ^ g ^ K2
        product = x * y
        h = ((x ^ (product & M)) + K3) & M
        g = y ^ (product >> 64)
        g = (g << 29 | g >> 35) & M

    def mix(v: int) -> int:
        v = (v ^ v >> 33) * 0xFF51AFD7ED558CCD & M
        v = (v ^ v >> 33) * 0xC4CEB9FE1A85EC53 & M
        return v ^ v >> 33

    h = (h + g) & M
    g = (g + h) & M
    h, g = mix(h), mix(g)
    h = (h + g) & M
    g = (g + h) & M
    return h, g


@given(st.binary(max_size=200), st.integers(0, M))
@settings(max_examples=300, deadline=None)
def test_hash_equals_its_definition(data: bytes, seed: int) -> None:
    assert _core.hash128(data, seed) == reference_hash(data, seed)


GOLDEN = {
    b"": (0x069E40C6272CC3F9, 0x63857FBBA5D21579),
    b"1": (0xF077F8B9AF214F35, 0x2FC7EDF2527AC17D),
    b"42": (0x9C3A93951E4D2324, 0xD4357F1F2FFB64F6),
    b"1/2": (0xEA734166382CAB3E, 0x8C4CA699BEE5D10A),
    b"12345678": (0xA875BA5C888E62FD, 0x47CBACAE7D326E6B),
    b"123456789": (0x3D9325EB165A22A8, 0xFC70CCD7772C30C4),
    b"0123456789abcdef": (0x19EBE931D3B0F834, 0xD18D9144CCEFD765),
    b"0123456789abcdefg": (0xF8D4235F5E2E79CB, 0x4D1BC0F5335330B3),
    bytes(range(256)): (0x31DF6935ADDB5DC5, 0x795BA7E335FA0475),
    b"\0": (0x2468213C96899D17, 0x896F1D08C9A8D4BC),
    b"\0" * 16: (0x6DEBE6C76826FB74, 0x3A4A49DD8D3630C8),
}


@pytest.mark.parametrize(("data", "want"), GOLDEN.items())
def test_hash_golden_vectors(data: bytes, want: tuple[int, int]) -> None:
    assert _core.hash128(data) == want


def test_hash_spreads_short_answers() -> None:
    hashes = [_core.hash128(str(i).encode()) for i in range(100_000)]
    assert len(set(hashes)) == len(hashes)
    for half in (0, 1):
        shards = np.bincount([h[half] >> 58 for h in hashes], minlength=64)
        low = np.bincount([h[half] & 63 for h in hashes], minlength=64)
        for counts in (shards, low):
            chi = float(np.sum((counts - 100_000 / 64) ** 2 / (100_000 / 64)))
            assert chi < 130  # 63 degrees of freedom: p < 1e-6
