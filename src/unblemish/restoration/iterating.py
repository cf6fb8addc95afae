"""Iterations that a user asks for, on networks that iterate."""

from __future__ import annotations

import copy

from unblemish.networks.base import Network
from unblemish.networks.iterative import IterativeNetwork
from unblemish.restoration.errors import RestorationError


def iterating(network: Network, name: str, iterations: int | None, tolerance: float | None) -> Network:
    """A network as it is where nothing is asked of it, else one with the same weights that iterates as asked.

    Args:
        network: Not changed.
        name: What an error calls it.
        iterations: See `IterativeNetwork`; None keeps the network's own number.
        tolerance: See `IterativeNetwork`.

    Raises:
        RestorationError: A number is not possible, or the network does not iterate.
    """
    if iterations is None and tolerance is None:
        return network
    if not isinstance(network, IterativeNetwork):
        raise RestorationError(
            f"the network '{name}' does not iterate: leave iterations and tolerance out, or name a Golf Optimizer"
        )
    if iterations is not None and iterations < 0:
        raise RestorationError(f"iterations={iterations} is not possible: give a whole number from 0")
    if tolerance is not None and not tolerance > 0:
        raise RestorationError(f"tolerance={tolerance:g} is not possible: give a number above 0, such as 1e-3")
    changed = copy.copy(network)  # another module around the same layers
    changed.iterations = network.iterations if iterations is None else iterations
    changed.tolerance = tolerance
    return changed
