from __future__ import annotations

import io

import torch
from torch import Tensor

from unblemish.lifelong.pool import GeneratedPool


def patches(*values: float) -> Tensor:
    return (
        torch.tensor(values)
        .float()[:, None, None, None]
        .expand(-1, 3, 2, 2)
        .contiguous(memory_format=torch.channels_last)
    )


def values(shown: Tensor) -> list[float]:
    assert shown.shape[1:] == (3, 2, 2)
    return shown[:, 0, 0, 0].tolist()


def test_without_room_patches_are_shown_as_they_are() -> None:
    pool, fakes = GeneratedPool(0), patches(1, 2).requires_grad_()
    shown = pool(fakes)
    assert torch.equal(shown, fakes)
    assert not shown.requires_grad
    assert pool.kept == 0


def test_while_it_fills_patches_are_shown_as_they_are() -> None:
    pool = GeneratedPool(4)
    assert values(pool(patches(0, 1, 2))) == [0, 1, 2]
    assert pool.kept == 3
    assert values(pool(patches(3))) == [3]
    assert pool.kept == 4


def test_half_of_what_is_shown_is_older_then() -> None:
    torch.manual_seed(0)
    pool, seen, older = GeneratedPool(10), set(), 0
    pool(patches(*range(10)))
    for start in range(10, 1010, 10):
        fakes = list(map(float, range(start, start + 10)))
        shown = values(pool(patches(*fakes)))
        replaced = [old for old, new in zip(shown, fakes, strict=True) if old != new]
        older += len(replaced)
        assert all(value < start + 10 for value in replaced)
        assert not seen & set(replaced)  # who was shown as an older one has left the pool
        seen |= set(replaced)
        assert pool.kept == 10
    assert 450 < older < 550


def test_it_keeps_copies_without_gradients() -> None:
    pool, fakes = GeneratedPool(2), patches(1, 2)
    shown = pool(fakes.requires_grad_())
    assert not shown.requires_grad
    with torch.no_grad():
        fakes.zero_()
    assert pool.get_extra_state()["patches"][:, 0, 0, 0].tolist() == [1, 2]


def test_draws_come_from_the_global_generator() -> None:
    found = []
    for _ in range(2):
        torch.manual_seed(7)
        pool = GeneratedPool(3)
        found.append([values(pool(patches(*range(start, start + 4)))) for start in range(0, 40, 4)])
    assert found[0] == found[1]


def saved(pool: GeneratedPool) -> dict[str, object]:
    file = io.BytesIO()
    torch.save(pool.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def test_a_checkpoint_keeps_it() -> None:
    torch.manual_seed(0)
    pool, other = GeneratedPool(3), GeneratedPool(3)
    pool(patches(1, 2))
    other.load_state_dict(saved(pool))
    assert other.kept == 2
    found = []
    for one in (pool, other):
        torch.manual_seed(1)
        found.append([one(patches(*range(start, start + 4))) for start in range(10, 30, 4)])
    assert all(torch.equal(a, b) and a.stride() == b.stride() for a, b in zip(*found, strict=True))


def test_a_checkpoint_keeps_that_it_is_empty() -> None:
    full = GeneratedPool(3)
    full(patches(1, 2, 3))
    full.load_state_dict(saved(GeneratedPool(3)))
    assert full.kept == 0
