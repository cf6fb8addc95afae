"""Restorer: examines a picture, chooses the network of its group, and runs it; or leaves the picture alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor

from unblemish.examination.examination import Examination, Verdict
from unblemish.examination.examiner import Examiner
from unblemish.networks.base import Network
from unblemish.pictures.picture import Picture, from_float, to_float
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.errors import RestorationError
from unblemish.restoration.examining import load_examiner
from unblemish.restoration.locality import damage_mask
from unblemish.restoration.treatment import Setup, Treatment, treatment_of

Policy = Literal["careful", "force"]
"""What happens to pictures with damage that no network of the bundle knows: "careful" leaves them as they are,
"force" treats them with the network of the likeliest group. Clean ones are left alone by both."""

BY_EXAMINATION = "by examination"
"""Stands for a network's name where each picture's examination decides."""


class Restored(NamedTuple):
    """A result, and the examination it rests on; None where the network was chosen by the user or there is but one."""

    picture: Picture
    examination: Examination | None


class Restorer:
    """Restores pictures.

    With a bundle that has an examiner, each picture is examined first. Clean pictures come back with the very pixels
    they had, and so do pictures with unknown damage unless `policy` is "force". Otherwise the network of the
    picture's group treats it, only where the damage sits if that is a part of the picture.

    Args:
        bundle: The bundle, its folder or its packed file; None takes the default one (see `Bundle.load`).
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        precision: "auto", "float32" or "bfloat16".
        memory: What tiles may take: bytes, or text such as "2GB"; None decides by what is free.
        strength: 1 gives the network's result, 0 the input, between them their mixture.
        engine: "auto" or a key of `engines.ENGINES`.
        network: Name of a network of the bundle, or a Network, which needs no bundle: treats every picture, without
            examination.
        group: Name of a group of the bundle, whose network treats every picture, without examination.
        policy: See `Policy`.
        iterations: See `Treatment`; where a network or a group is named, or the bundle does not examine.
        tolerance: See `Treatment`, as for `iterations`.

    Raises:
        UserError: Anything of this is unknown, not there, or does not fit together.
    """

    def __init__(
        self,
        bundle: Bundle | str | Path | None = None,
        *,
        device: str = "auto",
        precision: str = "auto",
        memory: str | int | None = None,
        strength: float = 1.0,
        engine: str = "auto",
        network: str | Network | None = None,
        group: str | None = None,
        policy: Policy = "careful",
        iterations: int | None = None,
        tolerance: float | None = None,
    ) -> None:
        if policy not in get_args(Policy):
            raise RestorationError(f"there is no policy '{policy}': choose {' or '.join(get_args(Policy))}")
        if network is not None and group is not None:
            raise RestorationError("a network and a group are both named: name one of them")
        self.policy: Policy = policy
        self._options: dict[str, Any] = {
            "device": device, "precision": precision, "memory": memory, "strength": strength, "engine": engine,
            "iterations": iterations, "tolerance": tolerance,
        }  # fmt: skip
        self._treatments: dict[str, Treatment] = {}
        self._examiner: Examiner | None = None
        self._bundle: Bundle | None = None
        if isinstance(network, Network):
            self._fixed: Treatment | None = Treatment(network, **self._options)
            return
        self._bundle = loaded = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
        named = loaded.group(group).network if group is not None else network
        examines = named is None and loaded.manifest.examination is not None
        if examines and (iterations is not None or tolerance is not None):
            raise RestorationError("iterations and tolerance are for one network: name it, or a group")
        self._fixed = None if examines else self._treatment(named or loaded.manifest.default)
        if examines:
            self._examiner = load_examiner(loaded, device)

    @classmethod
    def load(cls, path: str | Path | None = None) -> Restorer:
        """A Restorer with the bundle at `path` (see `Bundle.load`), and everything else as by default."""
        return cls(path)

    @property
    def name(self) -> str:
        """The network's name, or `BY_EXAMINATION`."""
        return self._fixed.name if self._fixed else BY_EXAMINATION

    @cached_property
    def treatment(self) -> Treatment:
        """The one treatment for every picture; where examination decides, the one of the first group."""
        return self._fixed or self._treatment(self.bundle.groups[0].network)

    @property
    def bundle(self) -> Bundle:
        """The bundle.

        Raises:
            RestorationError: There is none, a network was given.
        """
        if self._bundle is None:
            raise RestorationError("this Restorer has a network of its own and no bundle: give it a bundle")
        return self._bundle

    @property
    def strangers(self) -> tuple[str, ...]:
        """Degradations that the examiner was shown as examples of unknown damage."""
        return self._examiner.strangers if self._examiner else ()

    def examine(self, picture: Picture, rule: str | None = None) -> Examination | None:
        """The examination that decides on a picture's treatment; None where nothing is left to decide.

        Args:
            picture: Not changed.
            rule: See `Examiner.examine`.
        """
        return self._examiner.examine(picture, rule) if self._examiner else None

    def treat_as(self, group: str, x: Tensor) -> Tensor:
        """`restore_tensor` with the network of a group of the bundle, whatever an examination would say."""
        return self._treatment(self.bundle.group(group).network).restore_tensor(x)

    def restore(self, picture: Picture, on_progress: Callable[[float], None] | None = None) -> Picture:
        """Restores a picture; see `Treatment.restore` for what the network is given.

        Args:
            picture: Of any size and sample type.
            on_progress: Told the finished share, 0..1, from time to time.

        Returns:
            The picture in its own sample type, with notes on what was found and what went other than planned.

        Raises:
            UserError: Memory does not suffice, or the network's weights are damaged.
        """
        return self.restore_examined(picture, on_progress).picture

    def restore_examined(self, picture: Picture, on_progress: Callable[[float], None] | None = None) -> Restored:
        """`restore`, with the examination."""
        found = self.examine(picture)
        if found is None:
            return Restored(self.treatment.restore(picture, on_progress), None)
        if found.verdict is Verdict.CLEAN or (found.verdict is Verdict.UNKNOWN and self.policy == "careful"):
            return Restored(_with_note(picture, _left_alone(found)), found)
        treatment = self._treatment(self.bundle.group(found.group).network)
        treated = treatment.restore(_with_note(picture, _treated(found)), on_progress)
        mask = damage_mask(found.regions, picture.height, picture.width) if treatment.network.scale == 1 else None
        if mask is None:
            return Restored(treated, found)
        before, after = to_float(picture.pixels), to_float(treated.pixels)
        mixed = from_float((before + mask[..., None] * (after - before)).astype(np.float32), picture.pixels.dtype)
        kept = np.where(mask[..., None] > 0, mixed, picture.pixels)  # (H, W, C), sound parts exactly as they were
        return Restored(_with_note(treated.with_pixels(kept), "treated only where the damage sits"), found)

    @torch.no_grad()
    def restore_tensor(self, x: Tensor) -> Tensor:
        """Restores a batch along the very path pictures take, for evaluation.

        Args:
            x: `(B, 3, H, W)` in [0, 1], on any device.

        Returns:
            `(B, 3, scale * H, scale * W)` float32 in [0, 1], on the device of `x`.
        """
        if self._fixed:
            return self._fixed.restore_tensor(x)
        pictures = x.detach().permute(0, 2, 3, 1).float().cpu().contiguous().numpy()  # (B, H, W, 3)
        results = [self.restore(Picture(pixels, "png")).pixels for pixels in pictures]
        return torch.from_numpy(np.stack(results)).permute(0, 3, 1, 2).to(x.device)  # (B, 3, H, W)

    def describe(self, height: int, width: int) -> Setup:
        """What was chosen, and how a picture of this size is cut."""
        chosen = self.treatment.describe(height, width)
        return chosen if self._fixed else replace(chosen, network=BY_EXAMINATION)

    def _treatment(self, name: str) -> Treatment:
        """The treatment with a network of the bundle, built at its first use."""
        if name not in self._treatments:
            self._treatments[name] = treatment_of(self.bundle, name, **self._options)
        return self._treatments[name]


def _with_note(picture: Picture, note: str) -> Picture:
    return replace(picture, notes=(*picture.notes, note))


def _left_alone(found: Examination) -> str:
    if found.verdict is Verdict.CLEAN:
        return f"clean ({found.confidence:.0%} sure): left exactly as it is"
    likeliest = f"{found.group} ({found.probabilities[found.group]:.0%})"
    return f"{_unknown(found)}, likeliest {likeliest}: left exactly as it is; --force treats it as {found.group}"


def _treated(found: Examination) -> str:
    if found.verdict is Verdict.UNKNOWN:
        return f"{_unknown(found)}, treated as {found.group} all the same"
    return f"{found.group} ({found.confidence:.0%} sure), about {found.gain.expected:+.1f} dB to gain"


def _unknown(found: Examination) -> str:
    if found.confidence < 0.5:
        return "damage that cannot be told surely"
    return f"damage that the bundle does not know ({found.confidence:.0%} sure)"
