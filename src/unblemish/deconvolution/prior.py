"""Gradients of priors: which way, and how far, pictures lie from what pictures look like.

Source: Luo, Chen, Qian, "A Deep Optimization Approach for Image Deconvolution" (Golf Optimizer), Eq. 3, 9 and 11.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from unblemish.deconvolution.errors import DeconvolutionError
from unblemish.networks.base import Network
from unblemish.networks.golf import GolfOptimizer

PriorGradient = Callable[[Tensor], Tensor]
"""The gradient of a regulariser at `(B, C, H, W)`, [0, 1]: the same shape. Any function of this kind can be plugged in;
steps are chosen for one that changes at most as fast as its argument (see `nonblind.safe_step`)."""


def corrector(network: Network) -> Network:
    """G of a Golf Optimizer; any other network itself."""
    return network.corrector if isinstance(network, GolfOptimizer) else network


def prior_gradient(network: Network, x: Tensor, *, differentiable: bool = False) -> Tensor:
    """The learned gradient of the prior, x - G(x) (Eq. 3), which is Eq. 9 with sigma^2 dropped.

    It is 0 where the network finds nothing to correct. Its scale follows what the network was trained on, so that the
    weight it is given must be found by trial.

    Args:
        network: G, or the Golf Optimizer it belongs to, in evaluation mode; any network will do that moves pictures
            towards sharp and clean ones and keeps their size.
        x: `(B, 3, H, W)`, [0, 1], on the network's device.
        differentiable: Keep what autograd needs; else the result has no history.

    Returns:
        The shape and dtype of `x`.

    Raises:
        DeconvolutionError: The network enlarges pictures.
    """
    chosen = corrector(network)
    if chosen.scale != 1:
        raise DeconvolutionError(
            f"a network that enlarges pictures {chosen.scale} times has no prior gradient: give one that keeps the size"
        )
    with torch.set_grad_enabled(differentiable and torch.is_grad_enabled()):
        return x - chosen(x)


def learned_prior(network: Network) -> PriorGradient:
    """`prior_gradient` of a network, as `nonblind.deconvolve` takes it."""
    return partial(prior_gradient, network)
