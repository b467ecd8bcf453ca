"""The probability of a nucleus from hidden states, against the float64 reference."""

from __future__ import annotations

import pytest
import torch

from rlvr_fast.scoring.kernels import kept_mass, reference
from rlvr_fast.scoring.kernels.nucleus import linear_kept_mass


@pytest.mark.parametrize("vocabulary", [3, 111, 5003])
@pytest.mark.parametrize("top_p", [0.1, 0.5, 0.95, 0.9999])
@pytest.mark.parametrize(
    "spread", [0.01, 1.0, 8.0]
)  # from nearly uniform rows to nearly certain ones
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_kept_mass_equals_the_reference(vocabulary, top_p, spread, dtype, monkeypatch):
    torch.manual_seed(vocabulary)
    monkeypatch.setattr(kept_mass, "LOGIT_ELEMENTS", 7 * vocabulary)  # several chunks of rows
    monkeypatch.setattr(kept_mass, "WEIGHT_ELEMENTS", 16 * 40)  # several chunks of columns
    hidden = torch.randn(23, 16)
    weight = (torch.randn(vocabulary, 16) * spread).to(dtype)
    bias = torch.randn(vocabulary)
    options = {"temperature": 0.6, "softcap": 20.0}
    logits = 0.5 * (hidden @ weight.float().t() + bias)
    targets = torch.zeros(23, dtype=torch.int64)
    expected = reference.nucleus_stats(logits, targets, top_p=top_p, **options).kept_mass
    found = linear_kept_mass(hidden, weight, bias=bias, scale=0.5, top_p=top_p, **options)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)
    assert (found >= top_p - 1e-6).all()


def test_kept_mass_of_nan_of_no_rows_and_of_top_p_one():
    hidden = torch.tensor([[1.0], [float("nan")], [0.0]])
    weight = torch.tensor([[0.0], [2.0], [-float("inf")]])
    assert linear_kept_mass(hidden, weight, top_p=1.0).tolist() == [1.0, 1.0, 1.0]
    found = linear_kept_mass(hidden[:2], weight, top_p=0.5)
    assert found[0] == pytest.approx(torch.sigmoid(torch.tensor(2.0)).item())
    assert found[1].isnan()
    assert linear_kept_mass(hidden[:0], weight, top_p=0.5).shape == (0,)
