"""The networks by name. Adding one is one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from inspect import signature

from unblemish.networks.base import Network
from unblemish.networks.dehazeformer import dehazeformer_b, dehazeformer_s, dehazeformer_t
from unblemish.networks.edsr import edsr_light_x2, edsr_light_x4
from unblemish.networks.errors import NetworkError
from unblemish.networks.ffanet import ffanet, ffanet_small
from unblemish.networks.golf import golf, golf_corrector, golf_first
from unblemish.networks.idt import idt, idt_small
from unblemish.networks.lira import lira, lira_compact, lira_naf
from unblemish.networks.multiscale import multiscale, multiscale_compact
from unblemish.networks.multiscale_supernet import multiscale_supernet
from unblemish.networks.nafnet import nafnet, nafnet_compact, nafnet_deblur
from unblemish.networks.owan import owan
from unblemish.networks.replay_generator import replay_generator
from unblemish.networks.restormer import restormer, restormer_small
from unblemish.networks.srresnet import srresnet, srresnet_compact, srresnet_x4, srresnet_x4_compact
from unblemish.networks.swinir import swinir_light_x2, swinir_light_x4, swinir_x4

_CATALOGUE: dict[str, Callable[..., Network]] = {
    "srresnet": srresnet,
    "srresnet_compact": srresnet_compact,
    "srresnet_x4": srresnet_x4,
    "srresnet_x4_compact": srresnet_x4_compact,
    "restormer": restormer,
    "restormer_small": restormer_small,
    "nafnet": nafnet,
    "nafnet_deblur": nafnet_deblur,
    "nafnet_compact": nafnet_compact,
    "edsr_light_x2": edsr_light_x2,
    "edsr_light_x4": edsr_light_x4,
    "swinir_light_x2": swinir_light_x2,
    "swinir_light_x4": swinir_light_x4,
    "swinir_x4": swinir_x4,
    "ffanet": ffanet,
    "ffanet_small": ffanet_small,
    "dehazeformer_t": dehazeformer_t,
    "dehazeformer_s": dehazeformer_s,
    "dehazeformer_b": dehazeformer_b,
    "idt": idt,
    "idt_small": idt_small,
    "golf": golf,
    "golf_first": golf_first,
    "golf_corrector": golf_corrector,
    "multiscale": multiscale,
    "multiscale_compact": multiscale_compact,
    "multiscale_supernet": multiscale_supernet,
    "lira": lira,
    "lira_compact": lira_compact,
    "lira_naf": lira_naf,
    "owan": owan,
    "replay_generator": replay_generator,
}

_KINDS: dict[type, str] = {bool: "true or false", int: "a whole number", str: "text"}


def names() -> tuple[str, ...]:
    """Every known name, in the catalogue's order."""
    return tuple(_CATALOGUE)


def defaults(name: str) -> dict[str, object]:
    """The options of a network and their defaults; an option has its default's type: whole number, bool or text.

    Raises:
        NetworkError: The name is not known.
    """
    return {key: parameter.default for key, parameter in signature(_constructor(name)).parameters.items()}


def create(name: str, options: Mapping[str, object] | None = None) -> Network:
    """A network with freshly drawn weights, in training mode, float32, on PyTorch's default device.

    Args:
        name: One of `names()`.
        options: What differs from the defaults, see `defaults`.

    Raises:
        NetworkError: The name is not known, or an option is not known or has a value it cannot have.
    """
    given, known = dict(options or {}), defaults(name)
    for key, value in given.items():
        if key not in known:
            listed = ", ".join(f"{option}={default}" for option, default in known.items()) or "none"
            raise NetworkError(f"{name} has no option {key!r}; its options are: {listed}")
        if type(value) is not type(known[key]):
            raise NetworkError(f"{name}: {key}={value!r} is not allowed; give {_KINDS[type(known[key])]}")
    try:
        return _constructor(name)(**given)
    except ValueError as error:
        raise NetworkError(f"{name}: {error}") from error


def _constructor(name: str) -> Callable[..., Network]:
    if name not in _CATALOGUE:
        close = get_close_matches(name, _CATALOGUE, n=1)
        hint = f"did you mean {close[0]}? Known are" if close else "known are"
        raise NetworkError(f"no network is called {name!r}; {hint}: {', '.join(_CATALOGUE)}")
    return _CATALOGUE[name]
