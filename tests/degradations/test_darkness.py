from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from skimage.exposure import adjust_gamma
from torch import Tensor

from unblemish.degradations.darkness import Darkness


@pytest.mark.parametrize("gamma", [1.0, 1.5, 2.5])
def test_it_is_scikit_images_gamma(photograph: Tensor, damage: Callable, as_image: Callable, gamma: float) -> None:
    expected = adjust_gamma(as_image(photograph), gamma)
    assert np.abs(as_image(damage(Darkness(), photograph, gamma=gamma)) - expected).max() < 1e-6
