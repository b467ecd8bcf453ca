"""token_stats against the float64 reference and, independently, against torch."""

from __future__ import annotations

import by_torch
import numpy as np
import pytest
import torch

import rlvr_fast
from rlvr_fast import _core
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.scoring.kernels import cpu, reference

# Largest absolute error against float64 of the logits as stored, for every type: the sums are
# float32 within a block and float64 over blocks. The error of logsumexp is relative to the logits.
TOLERANCE = 2e-5
VOCABULARIES = [111, 50257, 128256, 151936]
DTYPES = [torch.float32, torch.bfloat16, torch.float16]
INSTRUCTION_SETS = _core.instruction_sets()


def random_logits(rows: int, vocabulary: int, dtype: torch.dtype, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, vocabulary, generator=generator) * 3
    # One token of each row has most of the probability, as in real models.
    best = torch.randint(0, vocabulary, (rows, 1), generator=generator)
    logits.scatter_(1, best, 18.0)
    return logits.to(dtype)


def check(stats, expected, tolerance: float = TOLERANCE) -> None:
    for name in ("logprob", "entropy", "mass_above"):
        np.testing.assert_allclose(
            np.asarray(getattr(stats, name)), getattr(expected, name), rtol=0, atol=tolerance,
            err_msg=name,
        )  # fmt: skip
    np.testing.assert_allclose(
        np.asarray(stats.logsumexp), expected.logsumexp, rtol=1e-6, atol=tolerance
    )
    np.testing.assert_array_equal(np.asarray(stats.rank), expected.rank)


def same_bits(a, b) -> bool:
    return all(
        np.array_equal(np.asarray(x).view(np.int32), np.asarray(y).view(np.int32))
        for x, y in zip(a, b, strict=True)
    )


@pytest.fixture(params=INSTRUCTION_SETS)
def instruction_set(request, monkeypatch):
    monkeypatch.setattr(cpu, "instruction_set", request.param)
    return request.param


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_one_row_equals_the_reference(dtype, vocabulary, instruction_set):
    logits = random_logits(1, vocabulary, dtype, seed=vocabulary)
    for target in (0, vocabulary // 2, vocabulary - 1, int(logits.argmax())):
        targets = torch.tensor([target])
        expected = reference.token_stats(logits, targets)
        check(rlvr_fast.token_stats(logits, targets), expected)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    "vocabulary",
    [111, *(pytest.param(v, marks=pytest.mark.slow) for v in VOCABULARIES[1:])],
)
def test_many_rows_equal_torch(dtype, vocabulary):
    rows = 289
    logits = random_logits(rows, vocabulary, dtype, seed=1)
    targets = torch.randint(0, vocabulary, (rows,), generator=torch.Generator().manual_seed(2))
    stats = rlvr_fast.token_stats(logits, targets)
    for start in range(0, rows, 17):
        piece = slice(start, start + 17)
        expected = by_torch.token_stats(logits[piece], targets[piece])
        check(stats._make(value[piece] for value in stats), expected)


@pytest.mark.parametrize("vocabulary", [1, 2, 15, 16, 63, 64, 65, 4095, 4096, 4097, 16384, 16385])
def test_vocabularies_at_the_edges_of_steps_blocks_and_splits(vocabulary, instruction_set):
    for dtype in DTYPES:
        logits = random_logits(3, vocabulary, dtype, seed=vocabulary)
        targets = torch.tensor([0, vocabulary // 2, vocabulary - 1])
        expected = reference.token_stats(logits, targets)
        check(rlvr_fast.token_stats(logits, targets), expected)


@pytest.mark.parametrize("softcap", [None, 30.0])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_temperature_of_each_row_and_softcap(dtype, softcap, instruction_set):
    logits = random_logits(7, 1000, dtype) * 3
    targets = torch.arange(7) * 100
    temperature = torch.tensor([0.1, 0.6, 0.7, 1.0, 1.3, 2.0, 10.0])
    stats = rlvr_fast.token_stats(logits, targets, temperature=temperature, softcap=softcap)
    expected = reference.token_stats(logits, targets, temperature=temperature, softcap=softcap)
    # A float32 logit of 60, capped and divided by 0.1, is known to 1e-4 at best.
    check(stats, expected, TOLERANCE if softcap is None else 1e-4)
    for row in range(7):
        alone = rlvr_fast.token_stats(
            logits[row], targets[row], temperature=float(temperature[row]), softcap=softcap
        )
        assert same_bits([v[row : row + 1] for v in stats], [v[None] for v in alone])


def test_one_temperature_equals_the_same_temperature_for_each_row():
    logits, targets = random_logits(5, 300, torch.float32), torch.arange(5)
    one = rlvr_fast.token_stats(logits, targets, temperature=0.6)
    each = rlvr_fast.token_stats(logits, targets, temperature=torch.full((5,), 0.6))
    scalar = rlvr_fast.token_stats(logits, targets, temperature=torch.tensor(0.6))
    assert same_bits(one, each)
    assert same_bits(one, scalar)


def test_rank_counts_strictly_larger_logits_with_a_softcap():
    # The softcap gives 5 for 1e3 and for 2e3 in float32; the logits still do not tie.
    logits = torch.tensor([[1e3, 2e3, -1.0, 1e3]])
    stats = rlvr_fast.token_stats(logits.expand(4, 4), torch.arange(4), softcap=5.0)
    assert stats.rank.tolist() == [1, 0, 3, 1]


def test_neither_ties_nor_the_target_are_above():
    logits = torch.zeros(1, 50257)
    stats = rlvr_fast.token_stats(logits, torch.tensor([7]))
    assert stats.rank.tolist() == [0]
    assert stats.mass_above.tolist() == [0.0]
    assert stats.entropy.item() == pytest.approx(np.log(50257), abs=1e-6)
    logits[0, 100:110] = 1.0
    stats = rlvr_fast.token_stats(logits, torch.tensor([7]))
    assert stats.rank.tolist() == [10]
    assert stats.mass_above.item() == pytest.approx(10 * np.e / (10 * np.e + 50247), abs=1e-8)


def test_one_hot(instruction_set):
    for vocabulary in (2, 111, 50257):
        logits = torch.full((2, vocabulary), -torch.inf)
        logits[:, 1] = 3.0
        stats = rlvr_fast.token_stats(logits, torch.tensor([1, 0]))
        assert stats.logprob.tolist() == [0.0, -np.inf]
        assert stats.entropy.tolist() == [0.0, 0.0]
        assert stats.rank.tolist() == [0, 1]
        assert stats.mass_above.tolist() == [0.0, 1.0]
        np.testing.assert_allclose(stats.logsumexp, 3.0, rtol=1e-6)


def test_masked_logits_have_no_probability(instruction_set):
    logits = random_logits(4, 9000, torch.float32)
    logits[:, ::3] = -torch.inf
    logits[1, :4096] = -torch.inf  # the whole first block
    logits[2, 4096:] = -torch.inf
    targets = torch.tensor([1, 5000, 1, 4])
    expected = reference.token_stats(logits, targets)
    check(rlvr_fast.token_stats(logits, targets), expected)
    softcapped = rlvr_fast.token_stats(logits, targets, softcap=30.0)
    check(softcapped, reference.token_stats(logits, targets, softcap=30.0))


@pytest.mark.parametrize("offset", [-1e30, -1e4, -500.0, 500.0, 1e4, 1e30])
def test_large_magnitudes(offset, instruction_set):
    rng = np.random.default_rng(0)
    # Steps that float32 holds beside the offset.
    step = max(1.0, float(np.spacing(np.float32(abs(offset)))))
    logits = (offset + step * rng.integers(0, 6, (3, 20000))).astype(np.float32)
    targets = np.array([0, 5, 19999])
    stats = rlvr_fast.token_stats(torch.from_numpy(logits), torch.from_numpy(targets))
    expected = reference.token_stats(logits, targets)
    np.testing.assert_allclose(stats.logprob, expected.logprob, atol=TOLERANCE, rtol=2e-7)
    np.testing.assert_allclose(stats.entropy, expected.entropy, atol=TOLERANCE)
    np.testing.assert_allclose(stats.logsumexp, expected.logsumexp, rtol=2e-7)
    np.testing.assert_array_equal(stats.rank, expected.rank)


def test_logits_that_increase_over_all_blocks(instruction_set):
    # The maximum of each block is so far above the one before that exp overflows in float32.
    logits = torch.linspace(-5e3, 5e3, 40000)[None].repeat(2, 1)
    logits[1] = logits[1].flip(0)
    targets = torch.tensor([39990, 9])
    expected = reference.token_stats(logits, targets)
    check(rlvr_fast.token_stats(logits, targets), expected, 1e-3)
    assert rlvr_fast.token_stats(logits, targets).rank.tolist() == [9, 9]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_undefined_rows_give_nan(dtype, instruction_set):
    good = random_logits(1, 5000, dtype)[0]
    rows = [good.clone() for _ in range(6)]
    rows[1][4321] = torch.nan
    rows[2][4321] = torch.inf
    rows[3][:] = -torch.inf
    rows[4][:] = -torch.inf
    rows[4][7] = torch.nan
    logits = torch.stack(rows)
    targets = torch.tensor([3, 3, 3, 3, 3, -100])
    stats = rlvr_fast.token_stats(logits, targets)
    for name in ("logprob", "entropy", "logsumexp", "mass_above"):
        value = getattr(stats, name)
        assert value.isnan().tolist() == [False, True, True, True, True, True], name
    assert stats.rank.tolist()[1:] == [-1] * 5
    assert stats.rank[0] >= 0


def test_the_lowest_float_is_a_finite_logit(instruction_set):
    logits = torch.full((1, 10), torch.finfo(torch.float32).min)
    stats = rlvr_fast.token_stats(logits, torch.tensor([0]))
    assert stats.logprob.item() == pytest.approx(-np.log(10))
    assert stats.rank.item() == 0
    logits[0, 3] = 1.0
    assert rlvr_fast.token_stats(logits, torch.tensor([3])).logprob.item() == 0.0


def test_strides_are_read_in_place():
    base = random_logits(24, 5000, torch.bfloat16).reshape(4, 6, 5000)
    views = {
        "next-token slice": base[:, :-1],
        "transposed": base.transpose(0, 1),
        "every other": base[::2, 1::2],
        "narrowed": base[..., 10:4000],
        "expanded": base[:1, :1].expand(3, 5, 5000),
        "one row": base[0, 0],
    }
    for name, view in views.items():
        leading = view.shape[:-1]
        targets = torch.randint(0, 3990, leading, generator=torch.Generator().manual_seed(3))
        found = rlvr_fast.token_stats(view, targets)
        assert found.logprob.shape == leading, name
        assert same_bits(
            [v.reshape(-1) for v in found],
            rlvr_fast.token_stats(view.reshape(-1, view.shape[-1]), targets.reshape(-1)),
        ), name
    columns = base[..., ::2]
    targets = torch.zeros(4, 6, dtype=torch.int64)
    found = rlvr_fast.token_stats(columns, targets)
    assert same_bits(found, rlvr_fast.token_stats(columns.contiguous(), targets))


def test_empty_input_gives_empty_output():
    for shape in ((0, 111), (3, 0, 111)):
        stats = rlvr_fast.token_stats(torch.empty(shape), torch.empty(shape[:-1], dtype=torch.long))
        assert all(value.shape == shape[:-1] for value in stats)
    ignored = rlvr_fast.token_stats(torch.empty(2, 0), torch.tensor([-100, -100]))
    assert ignored.logprob.isnan().all()


def test_a_vocabulary_of_one_token():
    stats = rlvr_fast.token_stats(torch.tensor([[-7.5]]), torch.tensor([0]))
    assert (stats.logprob.item(), stats.entropy.item(), stats.rank.item()) == (0.0, 0.0, 0)
    assert stats.logsumexp.item() == pytest.approx(-7.5)


def test_numpy_input_gives_numpy_output():
    logits = np.random.default_rng(0).normal(size=(3, 50)).astype(np.float32)
    logits.flags.writeable = False
    stats = rlvr_fast.token_stats(logits, np.array([1, 2, 3], np.int32))
    assert all(isinstance(value, np.ndarray) for value in stats)
    check(stats, reference.token_stats(logits, np.array([1, 2, 3])))


def test_the_outputs_need_no_gradient():
    logits = torch.randn(2, 10, requires_grad=True)
    assert not rlvr_fast.token_stats(logits, torch.tensor([1, 2])).logprob.requires_grad


@pytest.mark.parametrize(
    ("logits", "targets", "options", "message"),
    [
        (torch.zeros(2, 5), torch.tensor([1, 5]), {}, r"\[0, 5\).*row 1 holds 5"),
        (torch.zeros(2, 5), torch.tensor([-1, 0]), {}, "row 0 holds -1"),
        (torch.zeros(2, 5), torch.tensor([0]), {}, r"leading shape \(2,\), got \(1,\)"),
        (torch.zeros(2, 5), torch.tensor([0.0, 1.0]), {}, "must be integers"),
        (torch.zeros(2, 5, dtype=torch.float64), torch.tensor([0, 0]), {}, "float64; convert"),
        (torch.tensor(1.0), torch.tensor(0), {}, "scalar"),
        ("text", torch.tensor([0]), {}, "torch tensor, got str"),
        (torch.zeros(2, 5), torch.tensor([0, 0]), {"temperature": 0.0}, "positive"),
        (torch.zeros(2, 5), torch.tensor([0, 0]), {"temperature": "hot"}, "number"),
        (torch.zeros(2, 5), torch.tensor([0, 0]), {"temperature": torch.ones(3)}, "one per row"),
        (
            torch.zeros(2, 5), torch.tensor([0, 0]),
            {"temperature": torch.tensor([1.0, -1.0])}, "row 1 has -1",
        ),
        (torch.zeros(2, 5), torch.tensor([0, 0]), {"softcap": -1.0}, "softcap"),
        (torch.zeros(2, 0), torch.tensor([0, 0]), {}, r"\[0, 0\)"),
        (torch.zeros(2, 5, device="meta"), torch.zeros(2, dtype=torch.long), {}, r"meta|cpu"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_by_name(logits, targets, options, message):
    with pytest.raises(InvalidInputError, match=message):
        rlvr_fast.token_stats(logits, targets, **options)


def test_an_unknown_instruction_set_is_refused(monkeypatch):
    monkeypatch.setattr(cpu, "instruction_set", "mmx")
    with pytest.raises(InvalidInputError, match=r"mmx.*baseline"):
        rlvr_fast.token_stats(torch.zeros(1, 5), torch.tensor([0]))
