"""LIRA: experts that work together on blended damage, and a network that grows by one expert for each new damage.

Source: Liu et al., "LIRA: Lifelong Image Restoration from Unknown Blended Distortions" (ECCV 2020), Fig. 1 and 2, Eq.
1 to 14. Task 0 is the paper's base network; task k is its expanded network after k growths, whose "old expert" is all
that joins the experts of task k - 1. All tasks of a grown network share what the paper shares.

Deviations: parts that the paper only names are built as their sources build them, see `lira_blocks` and
`lira_amalgam`. Convolutions of the blocks repeat the edge instead of reflecting it, which pictures of any size allow.
Weights are drawn so that training starts at the identity: as PyTorch draws them, signals fade on their way, and a small
network learns nothing in a thousand steps. The compact variant has fewer channels and blocks.
Weights trained by this project carry their own licence note in their bundle.
"""

from __future__ import annotations

from copy import copy
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from unblemish.networks.base import Network
from unblemish.networks.lira_amalgam import GATES, Amalgam, BidirectionalGates, Stack
from unblemish.networks.lira_blocks import (
    BASES,
    KERNELS,
    WIDTH_MULTIPLE,
    DualResidualBlock,
    Expert,
    Scales,
    Widths,
    convolution,
)
from unblemish.networks.lira_naf import SIZE_MULTIPLE, FoldedDecoder, FoldedExtractor, NAFExpert, naf_reach

NAF = "naf"
"""The block whose experts, extractor and decoder are of `lira_naf`."""

BLOCKS = (*BASES, NAF)
"""What experts are made of."""


class Extractor(nn.Module):
    """Three convolutions, whose last two give the global features h and g."""

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        self.stem = convolution(3, widths.fine // 2, 3)
        self.to_half = convolution(widths.fine // 2, widths.fine, 3, stride=2)
        self.to_quarter = convolution(widths.fine, widths.coarse, 3, stride=2)

    def forward(self, picture: Tensor) -> Scales:
        """`(B, 3, H, W)` to h and g."""
        fine = torch.relu(self.to_half(torch.relu(self.stem(picture))))
        return Scales(fine, torch.relu(self.to_quarter(fine)))


class Decoder(nn.Module):
    """From features at both scales to what is added to the picture (Eq. 8)."""

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        fine = widths.fine
        self.up = _doubled(widths.coarse, fine)
        self.join = nn.Conv2d(2 * fine, fine, 3, padding=1)
        self.up_again = _doubled(fine, fine // 2)
        self.last = nn.Conv2d(fine // 2, 3, 3, padding=1)

    def forward(self, features: Scales) -> Tensor:
        """To `(B, 3, H, W)`."""
        both = torch.cat([features.fine, self.up(features.coarse)], dim=1)  # (B, 2 * fine, H / 2, W / 2)
        return self.last(self.up_again(torch.relu(self.join(both))))


def _doubled(entering: int, leaving: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(entering, 4 * entering, 1),
        nn.PixelShuffle(2),
        nn.Conv2d(entering, leaving, 3, padding=1),
        nn.ReLU(),
    )


class Branch(nn.Module):
    """What one task has of its own besides an amalgam: extractor, gating over the levels, decoder."""

    def __init__(self, widths: Widths, levels: int, bi_sgu: bool, folded: bool) -> None:
        super().__init__()
        kind = BidirectionalGates if bi_sgu else Stack
        self.extractor = FoldedExtractor(widths) if folded else Extractor(widths)
        self.fine, self.coarse = kind(widths.fine, levels), kind(widths.coarse, levels)
        self.decoder = FoldedDecoder(widths) if folded else Decoder(widths)

    def decode(self, levels: list[Scales]) -> Tensor:
        """Aggregated features of all levels to what is added to the picture."""
        return self.decoder(
            Scales(self.fine([one.fine for one in levels]), self.coarse([one.coarse for one in levels]))
        )


class Lira(Network):
    """Base network and its growths; `forward` restores as one of its tasks does.

    Args:
        widths: Channels at half and at a quarter of the picture's size.
        experts: N, of the base network.
        blocks: M, of each expert: 2, 4, 6 or 8.
        block: One of `BLOCKS`.
        gates: One of `lira_amalgam.GATES`.
        attention: Weigh experts by what the picture asks for.
        bi_sgu: Gate the levels by one another, else convolve them.
        grown: Growths, from 0.
        task: Which task `forward` restores: 0 the base network's, k the k-th growth's, -1 the newest one's.

    Attributes:
        expert: Restore by this expert of the base network alone, as in the first stage of training; None by a task.
    """

    size_multiple = 4
    expert: int | None = None

    def __init__(
        self,
        *,
        widths: Widths,
        experts: int,
        blocks: int,
        block: str,
        gates: str,
        attention: bool,
        bi_sgu: bool,
        grown: int,
        task: int,
    ) -> None:
        super().__init__()
        multiple = 1 if block == NAF else WIDTH_MULTIPLE
        if any(width < 1 or width % multiple for width in widths):
            raise ValueError(f"give widths that are multiples of {multiple}, not {widths.fine}, {widths.coarse}")
        if experts < 1 or blocks not in range(2, len(KERNELS) + 1, 2):
            raise ValueError(f"give experts from 1 and blocks of 2, 4, 6 or 8, not {experts}, {blocks}")
        if block not in BLOCKS or gates not in GATES:
            raise ValueError(
                f"give a block of {', '.join(BLOCKS)} and gates of {', '.join(GATES)}, not {block}, {gates}"
            )
        if grown < 0 or not -1 <= task <= grown:
            raise ValueError(f"grown={grown} and task={task} are not allowed; give grown from 0 and task from -1 to it")
        levels, folded = blocks // 2, block == NAF
        self.grown, self.task = grown, task
        if folded:
            self.size_multiple = SIZE_MULTIPLE
            self.receptive_field = naf_reach(levels) if gates == "none" and not (attention or bi_sgu) else None
        self.experts = nn.ModuleList(
            NAFExpert(widths, levels) if folded else Expert(widths, blocks, block) for _ in range(experts + grown)
        )
        self.amalgams = nn.ModuleList(
            Amalgam(widths, experts if number == 0 else 2, levels, gates, attention) for number in range(grown + 1)
        )
        self.branches = nn.ModuleList(Branch(widths, levels, bi_sgu, folded) for _ in range(grown + 1))
        self._draw_weights(folded)

    @property
    def base_experts(self) -> int:
        """N."""
        return len(self.experts) - self.grown

    def extra_repr(self) -> str:
        """What a printed network says besides its layers, and what tells tasks of the same weights apart."""
        return f"task={self.task}, expert={self.expert}"

    def on_task(self, task: int) -> Lira:
        """This network, weights shared, as it restores another task."""
        return self._restoring(task, None)

    def on_expert(self, expert: int) -> Lira:
        """This network, weights shared, as it restores by one expert of the base network."""
        return self._restoring(0, expert)

    def _restoring(self, task: int, expert: int | None) -> Lira:
        view = copy(self)
        view.task, view.expert = task, expert
        return view

    def transform(self, x: Tensor) -> Tensor:
        """`(B, 3, H, W)` to the same, H and W multiples of 4."""
        if self.expert is not None:
            return self.by_experts(x, torch.full((len(x),), self.expert))
        task = self.grown if self.task == -1 else self.task
        branch = self.branch(task)
        picture = x.to(branch.decoder.last.weight.dtype)
        shared = branch.extractor(picture)
        return x + branch.decode(self._aggregated(task, shared, picture))

    def by_experts(self, x: Tensor, experts: Tensor) -> Tensor:
        """Restores each picture by one expert of the base network, with its extractor and decoder (Sec. 3.1).

        Args:
            x: `(B, 3, H, W)`, H and W multiples of 4.
            experts: `(B,)` int64 on the CPU, 0 .. N - 1.
        """
        branch = self.branch(0)
        shared = branch.extractor(x.to(branch.decoder.last.weight.dtype))
        order, found = [], []
        for number in experts.unique().tolist():
            rows = (experts == number).nonzero().flatten()
            order.append(rows)
            found.append(self.experts[number](Scales(*(one[rows.to(x.device)] for one in shared)))[-1])
        back = torch.cat(order).argsort().to(x.device)
        fine, coarse = (torch.cat(parts)[back] for parts in zip(*found, strict=True))
        return x + branch.decoder(Scales(fine, coarse))

    def _draw_weights(self, folded: bool) -> None:
        """As He et al. (ICCV 2015) draw them, but for small residuals, and results that leave a picture as it is.

        NAF blocks start as the identity anyway, and what is around them as PyTorch draws it.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and not folded:
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, DualResidualBlock):
                module.join.weight.data.mul_(0.1)
            if isinstance(module, Decoder | FoldedDecoder):
                nn.init.zeros_(module.last.weight)
                nn.init.zeros_(cast(Tensor, module.last.bias))

    def branch(self, task: int) -> Branch:
        """What a task has of its own besides its amalgam."""
        return cast(Branch, self.branches[task])

    def _aggregated(self, task: int, shared: Scales, picture: Tensor) -> list[Scales]:
        """V and F (Eq. 4, 5); Theta and Phi (Eq. 10, 11) where the network has grown."""
        if task == 0:
            sources = [expert(shared) for expert in self.experts[: self.base_experts]]
        else:
            newest = self.experts[self.base_experts + task - 1]
            sources = [self._aggregated(task - 1, shared, picture), newest(shared)]
        return self.amalgams[task](sources, shared, picture)


def lira(
    *,
    width: int = 64,
    coarse_width: int = 96,
    experts: int = 3,
    blocks: int = 6,
    block: str = "sk",
    gates: str = "all",
    attention: bool = True,
    bi_sgu: bool = True,
    grown: int = 0,
    task: int = -1,
) -> Lira:
    """Three experts of six blocks, 21 million parameters; options as of `Lira`."""
    return Lira(
        widths=Widths(width, coarse_width),
        experts=experts,
        blocks=blocks,
        block=block,
        gates=gates,
        attention=attention,
        bi_sgu=bi_sgu,
        grown=grown,
        task=task,
    )


lira_naf = partial(
    lira, width=48, coarse_width=96, experts=1, blocks=2, block=NAF, gates="none", attention=False, bi_sgu=False
)
"""One expert of NAFNet's layers, which is a compact NAFNet when it starts: see `lira_naf`. Each growth adds another.
Nothing looks at the whole picture, so that tiles leave no seams."""

lira_compact = partial(lira, width=32, coarse_width=32, blocks=4)
"""The same with 32 channels at both scales and four blocks an expert, for CPUs: 2,042,127 parameters."""
