from __future__ import annotations

import pytest
import torch

from unblemish.evaluation import timing
from unblemish.evaluation.timing import interleaved, matrix_product, multiply_adds_per_pixel
from unblemish.networks.catalogue import create


def test_every_round_calls_each_once():
    calls = []
    interleaved([lambda: calls.append("a"), lambda: calls.append("b")], repeats=3)
    assert calls == list("ababab")


def test_medians_belong_to_their_functions(monkeypatch):
    now = [0.0]
    waits = iter([1.0, 5.0, 100.0, 7.0, 2.0, 6.0])
    monkeypatch.setattr(timing, "perf_counter", lambda: now[0])

    def wait():
        now[0] += next(waits)

    assert interleaved([wait, wait], repeats=3) == [2.0, 6.0]


def test_work_is_counted_as_by_hand():
    network = create("srresnet", {"blocks": 2, "width": 8})
    weights = 9 * (3 * 8 + 2 * 2 * 8 * 8 + 8 * 8 + 8 * 3)
    assert multiply_adds_per_pixel(network) == weights
    folded = create("srresnet_compact", {"blocks": 2, "width": 8})
    assert multiply_adds_per_pixel(folded) == 9 * (12 * 8 + 2 * 2 * 8 * 8 + 8 * 8 + 8 * 12) / 4
    assert next(network.parameters()).device.type == "cpu"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_matrix_product_is_made_anew(dtype):
    call = matrix_product(16, dtype)
    product = call()
    assert isinstance(product, torch.Tensor)
    assert product.dtype == dtype
    before = product.clone()
    product.zero_()
    call()
    assert torch.equal(product, before)
