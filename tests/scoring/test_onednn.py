"""Float32 products by oneDNN: float32 throughout, and the same bits of a row in any batch."""

from __future__ import annotations

import pytest
import torch

from rlvr_fast import onednn


def operands(rows: int, columns: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(width)
    x = torch.randn(rows, width, generator=generator)
    return x, torch.randn(columns, width, generator=generator)


def test_this_build_of_torch_has_the_operator():
    if not torch.backends.mkldnn.is_available():
        pytest.skip("torch was built without oneDNN")
    assert onednn.is_available()


@pytest.mark.parametrize("width", [3, 128, 576, 4096])
def test_products_are_float32_throughout(width):
    x, weight = operands(50, 200, width)
    bias = torch.linspace(-1, 1, 200)
    exact = x.double() @ weight.double().t() + bias.double()
    found = onednn.linear(x, weight, bias)
    assert found.dtype == torch.float32
    # One rounding for each term, in the worst order: far below the error of bfloat16 or TF32.
    limit = 2e-7 * width**0.5 * (x.norm(dim=1).max() * weight.norm(dim=1).max()).item()
    assert (found.double() - exact).abs().max().item() < limit


@pytest.mark.parametrize("width", [64, 576, 1536])
def test_a_row_has_the_same_bits_in_any_batch_and_beside_any_columns(width):
    x, weight = operands(300, 1000, width)
    whole = onednn.linear(x, weight)
    for rows in (2, 16, 17, 128, 299):
        assert torch.equal(onednn.linear(x[:rows], weight), whole[:rows])
    for columns in (16, 100, 904):
        assert torch.equal(onednn.linear(x, weight[:columns]), whole[:, :columns])


def test_empty_operands():
    assert onednn.linear(torch.ones(0, 4), torch.ones(3, 4)).shape == (0, 3)
    assert onednn.linear(torch.ones(2, 0), torch.ones(3, 0)).tolist() == [[0.0] * 3] * 2
    assert onednn.linear(torch.ones(2, 3, 4), torch.ones(5, 4)).shape == (2, 3, 5)


def test_linear_layers_in_the_context():
    layer = torch.nn.Linear(576, 64)
    x, _ = operands(40, 1, 576)
    with torch.inference_mode():
        with onednn.OneDnnLinears():
            inside = layer(x)
        expected = onednn.linear(x, layer.weight.detach(), layer.bias.detach())
        assert torch.equal(inside, expected)
        torch.testing.assert_close(inside, layer(x), rtol=0, atol=1e-5)


def test_torch_computes_gradients_and_other_types():
    layer = torch.nn.Linear(8, 4)
    x = torch.ones(3, 8)
    with onednn.OneDnnLinears():
        layer(x).sum().backward()
        with torch.inference_mode():
            half = layer.to(torch.bfloat16)(x.to(torch.bfloat16))
    assert layer.weight.grad is not None
    assert layer.weight.grad.tolist() == [[3.0] * 8] * 4
    assert half.dtype == torch.bfloat16
