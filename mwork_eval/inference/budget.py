"""How much goes through the model at a time: a bound in bytes turned into tokens and rows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from mwork_eval.inference.prefixes import Group
from mwork_eval.models.config_values import largest

T = TypeVar("T")

CPU_BYTES = 128 * 1024**2
"""More does not make a CPU faster where every token is known beforehand."""
CPU_BYTES_GENERATING = 640 * 1024**2
"""In float32, where a step is as long as reading all weights, however many rows there are: 178 XQuAD questions took
24 s instead of 44 at 128 MiB. In bfloat16 they took 18 s instead of 16, and more answers differed from single ones."""
_SHARE_OF_FREE = 0.25
_SHARE_OF_PASS = 0.125


def default_size(device: torch.device, *, generating: torch.dtype | None = None) -> int:
    """Return the bytes a batch may hold: a quarter of the free memory of a CUDA device, else as above.

    Args:
        device: Where it is computed.
        generating: Type of the weights, if rows grow token by token.
    """
    if device.type == "cuda":
        return int(_SHARE_OF_FREE * torch.cuda.mem_get_info(device)[0])
    return CPU_BYTES_GENERATING if generating == torch.float32 else CPU_BYTES


@dataclass(frozen=True)
class Budget:
    """What a batch may hold beside the weights, in bytes.

    Attributes:
        size: The bound.
        token: Bytes of a token while it goes through a layer.
        kept: Bytes of the keys and values of a token in all layers.
        slot: Bytes of a key/value slot of a row while its layer is computed.
    """

    size: int
    token: int
    kept: int
    slot: int

    @classmethod
    def of(cls, model: Any, device: torch.device, size: int | None = None, *, generates: bool = False) -> "Budget":
        """Derive the budget from the sizes of a model.

        Args:
            model: The model.
            device: Where it computes.
            size: The bound, if it is not `default_size`.
            generates: Whether rows grow token by token.
        """
        if size is None:
            size = default_size(device, generating=model.dtype if generates else None)
        config = model.config.get_text_config(decoder=True)
        width = int(config.hidden_size)
        heads = largest(config, "num_attention_heads", default=1)
        # Keys of latent attention are wider than its values, and its `head_dim` is only their rotated part.
        head = largest(config, "qk_head_dim", "head_dim", default=width // heads)
        groups = largest(config, "num_key_value_heads", default=heads)
        inner = largest(config, "intermediate_size", default=4 * width)
        item = torch.empty((), dtype=model.dtype).element_size()
        return cls(
            size,
            # the residual stream and its copies, the three feed-forward matrices, queries and outputs
            token=item * (6 * width + 3 * inner + 4 * heads * head),
            kept=item * 2 * groups * head * int(config.num_hidden_layers),
            # one layer's keys and values, joined, and repeated for every head
            slot=item * 2 * head * (2 * groups + heads),
        )

    @property
    def tokens(self) -> int:
        """Tokens that may go through the model at a time."""
        return max(1, int(_SHARE_OF_PASS * self.size) // self.token)


@dataclass(frozen=True)
class Job:
    """What is the same for all batches of a job.

    Attributes:
        header: Slots before the groups' own beginnings.
        later: Slots each row may add.
        keeps: Whether the rows' own keys and values are kept, as for generation.
        window: Slots of a row in which padding does no harm. Groups that would have more share a batch only with
            groups whose beginnings are equally long, and so need no padding there.
    """

    header: int = 0
    later: int = 0
    keeps: bool = False
    window: int | None = None

    def bytes(self, budget: Budget, groups: int, prefix: int, rows: int, width: int) -> int:
        """Return what a batch of so many groups and rows holds, each padded to the longest."""
        slots = self.header + prefix + width + self.later
        held = budget.kept * groups * prefix + budget.slot * rows * slots
        if self.keeps:
            return held + budget.kept * rows * (width + self.later)
        return held + budget.token * rows * width


def batches(
    groups: Iterable[Group], sequences: Sequence[Sequence[int]], budget: Budget, job: Job
) -> Iterator[list[Group]]:
    """Cut groups into batches that keep within a budget; groups with long beginnings come first.

    Args:
        groups: The groups; one that exceeds the budget by itself is a batch of its own.
        sequences: The tokens of their members.
        budget: The bound.
        job: What is the same for all batches.
    """
    longest = {group: max(len(sequences[member]) for member in group.members) for group in groups}
    batch: list[Group] = []
    rows = width = 0
    for group in sorted(longest, key=lambda g: (len(g.members) > 1, -g.prefix, -longest[g])):
        own = longest[group] - group.prefix
        prefix = max(group.prefix, batch[0].prefix if batch else 0)
        widest, count = max(width, own), rows + len(group.members)
        slots = job.header + prefix + widest + job.later
        too_large = (
            job.bytes(budget, len(batch) + 1, prefix, count, widest) > budget.size
            or (job.window is not None and slots > job.window and group.prefix != prefix)
            or (batch and (len(group.members) > 1) != (len(batch[0].members) > 1))
        )
        if batch and too_large:
            yield batch
            batch, widest, count = [], own, len(group.members)
        batch.append(group)
        rows, width = count, widest
    if batch:
        yield batch
