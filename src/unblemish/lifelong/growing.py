"""Networks that start from what others have learnt: a base network from experts, a grown one from an older one."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from unblemish.lifelong.errors import LifelongError
from unblemish.networks.lira import Lira
from unblemish.networks.lira_naf import FoldedDecoder, FoldedExtractor, NAFExpert
from unblemish.networks.nafnet import NAFNet


def join_experts(network: Lira, experts: Lira) -> None:
    """Fills a freshly drawn base network with experts, extractor and decoder; what joins them stays as drawn.

    Args:
        network: Changed in place.
        experts: Trained by `ExpertsTask`; not changed.

    Raises:
        LifelongError: The experts are of another size or kind.
    """
    pairs = [(network.experts, experts.experts)]
    ours, theirs = network.branch(0), experts.branch(0)
    pairs += [(ours.extractor, theirs.extractor), (ours.decoder, theirs.decoder)]
    try:
        for own, other in pairs:
            own.load_state_dict(other.state_dict())
    except RuntimeError as error:
        raise LifelongError(
            "the experts do not fit the network: train both with the same network.options width, experts, blocks, block"
        ) from error


def join_nafnet(network: Lira, nafnet: NAFNet) -> None:
    """Makes a base network of one expert of a trained NAFNet, whose results it has from then on.

    Args:
        network: `lira_naf`, freshly drawn; changed in place.
        nafnet: `nafnet_compact` of its width; not changed.

    Raises:
        LifelongError: Either is another network.
    """
    branch, expert = network.branch(0), network.experts[0]
    extractor, decoder = branch.extractor, branch.decoder
    inside = {key: value for key, value in nafnet.state_dict().items() if key.split(".")[0] not in ("intro", "ending")}
    try:
        if not (isinstance(expert, NAFExpert) and len(network.experts) == len(expert.bodies) == 1):
            raise RuntimeError("not one NAFNet's inside")
        assert isinstance(extractor, FoldedExtractor)
        assert isinstance(decoder, FoldedDecoder)
        expert.bodies[0].load_state_dict(inside)
        extractor.to_half.load_state_dict(nafnet.intro.state_dict())
        decoder.last.load_state_dict(nafnet.ending.state_dict())
    except RuntimeError as error:
        raise LifelongError(
            "these weights do not fit the network: lira_naf of one expert and two blocks goes on from nafnet_compact "
            "of its width"
        ) from error
    for added in (*extractor.to_quarter.parameters(), *decoder.up.parameters()):
        nn.init.zeros_(added)


def start_growing(network: Lira, old: Lira) -> None:
    """Fills a freshly drawn network with all weights of one that has grown once less.

    The new extractor, gating and decoder start as copies of the newest old ones, whose features the old experts
    understand. So does a new expert of NAF blocks: the first growth starts where the network is, and later ones near
    it, where the newest expert counts for more. Other experts, gates and attention stay as drawn. The paper does not
    say where they start.

    Args:
        network: Changed in place.
        old: Not changed.

    Raises:
        LifelongError: The network is not the old one with one growth more.
    """
    known, wanted = old.state_dict(), network.state_dict()
    fits = all(key in wanted and wanted[key].shape == value.shape for key, value in known.items())
    if network.grown != old.grown + 1 or network.base_experts != old.base_experts or not fits:
        raise LifelongError(
            f"a network with {network.grown} growths cannot go on from one with {old.grown}: give the old network's "
            f"options with grown={old.grown + 1}"
        )
    network.load_state_dict({**wanted, **known})
    network.branch(network.grown).load_state_dict(old.branch(old.grown).state_dict())
    if isinstance(network.experts[-1], NAFExpert):
        network.experts[-1].load_state_dict(old.experts[-1].state_dict())


def shared_parameters(network: Lira) -> list[nn.Parameter]:
    """theta_S: what the newest task shares with the older ones, their experts and what joins them."""
    return _of([*network.experts[:-1], *network.amalgams[:-1]])


def older_parameters(network: Lira) -> list[nn.Parameter]:
    """theta_P1: what older tasks have of their own, extractors, gating over the levels and decoders."""
    return _of(network.branches[:-1])


def new_parameters(network: Lira) -> list[nn.Parameter]:
    """theta_P2: what the newest task has of its own, with its expert."""
    return _of([network.experts[-1], network.amalgams[-1], network.branches[-1]])


def _of(modules: Iterable[nn.Module]) -> list[nn.Parameter]:
    return [parameter for module in modules for parameter in module.parameters()]


def frozen(network: Lira) -> Lira:
    """The same network, never to be trained again, in evaluation mode."""
    with torch.no_grad():
        return network.eval().requires_grad_(False)
