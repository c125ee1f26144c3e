"""Where the parameters of a model come from: which lines of which tensors of its checkpoint they are.

transformers renames tensors when it loads them and joins some of them (the matrices of experts into one parameter).
What it does is not written down here again: small tensors that hold the numbers of their own lines go its way, and what
comes out tells where every line came from.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

import torch
from torch import nn
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightConverter, WeightRenaming, dot_natural_key, rename_source_key

from mwork_eval.checkpoints.stored_tensor import StoredTensor
from mwork_eval.errors import InputError

Tensor = torch.Tensor


class Lines(NamedTuple):
    """Lines of one tensor of a checkpoint.

    Attributes:
        source: The tensor's name.
        along: Axis along which they run; None where each is one number.
        at: Per other axis, their indices `[n]`.
        which: Which of the lines that were asked for they are `[n]`.
    """

    source: str
    along: int | None
    at: tuple[Tensor, ...]
    which: Tensor


@dataclass(frozen=True)
class _Group:
    """Tensors of a checkpoint that go one way together.

    Attributes:
        target: The parameter's name, of several that of the first.
        sources: Their names, each with the pattern by which the conversion knows it.
        conversion: What transformers makes of them; None if they are the parameter as they are.
    """

    target: str
    sources: tuple[tuple[str, str], ...]
    conversion: Any


class Origins:
    """Where the parameters of a model are in its checkpoint."""

    def __init__(self, model: nn.Module, stored: Mapping[str, StoredTensor]) -> None:
        """Take a model and what its checkpoint holds.

        Args:
            model: The model of transformers, on the meta device.
            stored: The tensors by name.
        """
        self._model: Any = model
        self._stored = stored
        self._traced: dict[tuple[int, int | None], dict[str, Tensor]] = {}

    @cached_property
    def _parameters(self) -> dict[str, Tensor]:
        return dict(self._model.named_parameters(remove_duplicate=False))

    @cached_property
    def _aliases(self) -> dict[int, list[str]]:
        """By the identity of a parameter, its names; tied ones have several."""
        found: dict[int, list[str]] = {}
        for name, parameter in self._parameters.items():
            found.setdefault(id(parameter), []).append(name)
        return found

    @cached_property
    def _groups(self) -> dict[str, _Group]:
        """By name of a parameter, where it comes from."""
        conversions = get_model_conversion_mapping(self._model)
        renamings = [one for one in conversions if isinstance(one, WeightRenaming)]
        converters = [one for one in conversions if isinstance(one, WeightConverter)]
        by_pattern = {pattern: one for one in converters for pattern in one.source_patterns}
        known = self._model.state_dict()
        prefix = self._model.base_model_prefix
        collected: dict[str, list[tuple[str, str]]] = {}
        converter_of: dict[str, Any] = {}
        for source in sorted(self._stored, key=dot_natural_key):
            target, pattern = rename_source_key(source, renamings, converters, prefix, known)
            if target not in known and source in known:
                target, pattern = rename_source_key(source, [], [], prefix, known)
            collected.setdefault(target, []).append((source, source if pattern is None else pattern))
            if pattern is not None:
                converter_of[target] = by_pattern[pattern]
        groups: dict[str, _Group] = {}
        for target, sources in collected.items():
            converter = converter_of.get(target)
            group = _Group(target, tuple(sources), converter)
            names = [] if converter is None else converter.target_patterns
            for name in (target, *(target.replace(names[0], other, 1) for other in names[1:])):
                groups[name] = group
        return groups

    def names_of(self, parameter: Tensor) -> list[str]:
        """Return the names of a parameter: several if it is tied, none if it is not the model's."""
        return self._aliases.get(id(parameter), [])

    def lines(self, name: str, along: int | None, at: tuple[Tensor, ...]) -> Iterator[Lines]:
        """Yield where lines of a parameter are in the checkpoint.

        Args:
            name: Name of the parameter.
            along: Axis of the parameter along which the lines run; None for single numbers.
            at: Per other axis, the indices of the lines `[n]`; nothing for that of a parameter without axes.

        Raises:
            InputError: If the checkpoint lacks it, or what transformers makes of it leaves no line as it is.
        """
        aliases = self._aliases.get(id(self._parameters[name]), [name])
        group = next((self._groups[alias] for alias in aliases if alias in self._groups), None)
        if group is None:
            raise InputError(f"the checkpoint has no {name}", expected="a tensor of that name")
        own = next(alias for alias in aliases if self._groups.get(alias) is group)
        shape = tuple(self._parameters[name].shape)
        if group.conversion is None:
            source = group.sources[-1][0]
            if (stored := self._stored[source].shape) != shape:
                raise InputError(f"{source} has another shape than its model", found=list(stored), expected=list(shape))
            yield Lines(source, along, at, torch.arange(len(at[0]) if at else 1))
            return
        expected = tuple(1 if number == along else size for number, size in enumerate(shape))
        axes = min(len(self._stored[source].shape) for source, _ in group.sources)
        for axis in [None] if along is None else range(axes):
            traced = self._trace(group, axis).get(own)
            if traced is not None and tuple(traced.shape) == expected:
                yield from self._found(group, axis, (traced if along is None else traced.squeeze(along))[at])
                return
        raise InputError(
            f"the rows of {name} are in no tensor of the checkpoint as they are",
            found=" ".join(source for source, _ in group.sources[:2]),
            hint="load the model with transformers and save it anew, or mask it with mwork-hf",
        )

    def _trace(self, group: _Group, axis: int | None) -> dict[str, Tensor]:
        """Return, per parameter of a group, the number of the line that each of its entries comes from.

        Args:
            group: The group.
            axis: Axis of the checkpoint's tensors that has length one for it, along which lines run.
        """
        key = (id(group), axis)
        if key not in self._traced:
            converter = deepcopy(group.conversion)
            first = 0
            for source, pattern in group.sources:
                shape = _without(self._stored[source].shape, axis, keep=True)
                numbers = torch.arange(first, first + prod(shape)).view(shape)
                converter.add_tensor(group.target, source, pattern, numbers)
                first += prod(shape)
            try:
                made = converter.convert(group.target, model=self._model, config=self._model.config)
            except (RuntimeError, ValueError, IndexError):
                made = {}  # it needs the whole axis, so that no line along it stays as it is
            self._traced[key] = {name: one[0] if isinstance(one, list) else one for name, one in made.items()}
        return self._traced[key]

    def _found(self, group: _Group, axis: int | None, numbers: Tensor) -> Iterator[Lines]:
        first = 0
        for source, _ in group.sources:
            shape = _without(self._stored[source].shape, axis, keep=False)
            inside = (numbers >= first) & (numbers < first + prod(shape))
            if inside.any():
                at = torch.unravel_index(numbers[inside] - first, shape)
                yield Lines(source, axis, tuple(at), inside.nonzero()[:, 0])
            first += prod(shape)


def _without(shape: tuple[int, ...], axis: int | None, *, keep: bool) -> tuple[int, ...]:
    if keep:
        return tuple(1 if number == axis else size for number, size in enumerate(shape))
    return tuple(size for number, size in enumerate(shape) if number != axis)
