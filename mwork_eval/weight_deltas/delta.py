"""A delta: the trained values of a neuron set, as a file, and put into the model they were made for."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.nn.functional import pad

from mwork_eval.errors import InputError
from mwork_eval.files.tensor_file import TensorHead, read_head, write_tensors
from mwork_eval.hub.download import DELTAS, fetch_file
from mwork_eval.hub.reference import is_hub
from mwork_eval.models.layout import Layout
from mwork_eval.models.slice_editor import SliceEditor
from mwork_eval.neurons.about import About
from mwork_eval.neurons.shape import ModelShape, ShapeValue
from mwork_eval.weight_deltas.parts import Part, TrainedParts, parts_at

Tensor = torch.Tensor

FORMAT = "mwork-delta"
VERSION = 1
_NAME = re.compile(r"layers\.(\d{1,9})\.(\w+)\.(neurons|weight|bias)")


class _DeltaHead(TensorHead):
    """What a delta says of itself."""

    digest: str
    shape: ShapeValue
    about: About


@dataclass(frozen=True)
class WeightDelta:
    """New values of some neurons of a model.

    Attributes:
        shape: Neuron counts of the model.
        tensors: By name: `layers.N.STRUCTURE.neurons` `[n]`, `.weight` `[n, features]`, `.bias` `[n]`, in the type of
            the model's weights. Neurons with fewer features than others of their structure end with zeros, and those
            without a bias among others with one have a zero there.
        about: What it was made of: `fingerprint` of the base, `neurons` (digest of the set), the options.
    """

    shape: ModelShape
    tensors: Mapping[str, Tensor]
    about: Mapping[str, Any]

    @classmethod
    def of(cls, layout: Layout, trained: TrainedParts, about: Mapping[str, Any]) -> "WeightDelta":
        """Take the trained values, rounded to the type of the model's weights."""
        tensors: dict[str, Tensor] = {}
        by_name: dict[str, list[Part]] = {}
        for part in trained.parts:
            by_name.setdefault(part.name, []).append(part)
        for stem, parts in by_name.items():
            tensors[f"{stem}.neurons"] = torch.cat([part.neurons for part in parts]).to("cpu", torch.int32)
            values = [_rounded(part, trained.of(part)) for part in parts]
            weights = [own["weight"] for own in values]
            width = max(weight.shape[1] for weight in weights)
            tensors[f"{stem}.weight"] = torch.cat([pad(weight, (0, width - weight.shape[1])) for weight in weights])
            if any("bias" in own for own in values):
                biases = [own.get("bias", own["weight"].new_zeros(len(own["weight"]))) for own in values]
                tensors[f"{stem}.bias"] = torch.cat(biases)
        return cls(layout.shape, tensors, dict(about))

    @property
    def digest(self) -> str:
        """Digest of the values, without the description."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.tensors.items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.contiguous().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    @property
    def parameters(self) -> int:
        """Number of trained parameters."""
        return sum(tensor.numel() for name, tensor in self.tensors.items() if not name.endswith(".neurons"))

    @property
    def misfit(self) -> str | None:
        """What of the tensors is no part of a model of this shape; None if nothing.

        Raises:
            InputError: If a name is unknown.
        """
        counts: dict[tuple[int, str], int] = {}
        for name, tensor in sorted(self.tensors.items(), key=lambda pair: not pair[0].endswith(".neurons")):
            layer, structure, kind = _split(name)
            size = self.shape.sizes[layer].get(structure) if layer < self.shape.layers else None
            if size is None:
                return f"{name} in a model of {self.shape}"
            if kind == "neurons":
                values = tensor.tolist() if (tensor.dtype, tensor.ndim) == (torch.int32, 1) else None
                if values is None or len(set(values)) < len(values) or not all(0 <= value < size for value in values):
                    return f"{name} that are no indices below {size}"
                counts[layer, structure] = len(values)
            elif tensor.shape[:1] != (counts.get((layer, structure)),) or tensor.ndim != (2 if kind == "weight" else 1):
                return f"{name} {list(tensor.shape)} for {counts.get((layer, structure), 'unnamed')} neurons"
            elif not tensor.is_floating_point() or not tensor.isfinite().all():
                return f"{name} with values that are no numbers"
        return None

    def parts(self, layout: Layout, *, in_memory: bool = True) -> list[tuple[Part, dict[str, Tensor]]]:
        """Return the parts of a model with the values they get.

        Args:
            layout: The model.
            in_memory: Whether its weights must be there to be written.

        Raises:
            InputError: If the delta is of a model of other sizes, or weights are packed or offloaded.
        """
        if self.shape != layout.shape:
            raise InputError("the delta is of another model", found=str(self.shape), expected=str(layout.shape))
        found = []
        for name, indices in self.tensors.items():
            layer, structure, kind = _split(name)
            if kind != "neurons":
                continue
            stem = name.removesuffix(".neurons")
            neurons = indices.long()
            for part in parts_at(layout, (layer, structure), neurons, in_memory=in_memory):
                inside = torch.isin(neurons, part.neurons.cpu())
                held = {key: own for key, own in part.parameters.items() if f"{stem}.{key}" in self.tensors}
                found.append((part, {key: self._of_part(stem, key, inside, own) for key, own in held.items()}))
        return found

    def _of_part(self, stem: str, key: str, inside: Tensor, own: Tensor) -> Tensor:
        """Return the values of a part, those of neurons ``inside`` `[n]`, as wide as the parameter ``own`` is."""
        values, width = self.tensors[f"{stem}.{key}"][inside], own.shape[-1]
        if key == "weight" and (values.shape[1] < width or values[:, width:].any()):
            raise InputError(
                "the delta is of another model",
                found=f"{stem}.{key} {list(values.shape)}",
                expected=[len(values), width],
            )
        return values[:, :width] if key == "weight" else values


def _rounded(part: Part, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return trained values in the type of the model's weights."""
    return {name: value.detach().to("cpu", part.parameters[name].dtype).contiguous() for name, value in values.items()}


def _split(name: str) -> tuple[int, str, str]:
    match = _NAME.fullmatch(name)
    if match is None:
        raise InputError("a delta has an unknown tensor", found=name, expected="layers.N.STRUCTURE.weight and the like")
    return int(match[1]), match[2], match[3]


def save_delta(delta: WeightDelta, path: Path) -> None:
    """Write a delta; equal deltas with equal descriptions give equal bytes."""
    description = {"digest": delta.digest, "shape": delta.shape.to_json(), "about": dict(delta.about)}
    write_tensors(path, (FORMAT, VERSION), description, delta.tensors, save_file)


def load_delta(path: Path) -> WeightDelta:
    """Read a delta and check format, version and digest.

    Raises:
        InputError: If the file is missing, damaged, of another format or of a newer version.
    """
    head = read_head(path, _DeltaHead, (FORMAT, VERSION))
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    delta = WeightDelta(head.shape.shape, tensors, head.about.values)
    if reason := delta.misfit:
        raise InputError(f"{path} is damaged", found=reason)
    if delta.digest != head.digest:
        raise InputError(f"{path} is damaged", found=f"digest {delta.digest[:12]}", expected=head.digest[:12])
    return delta


def find_delta(reference: str) -> WeightDelta:
    """Load the delta a user means: a file, or one of a repository on the hub.

    Args:
        reference: A file, or `hub:USER/NAME[@REVISION]/NAME`; the delta then says in `about["hub"]` by which commit it
            can be had again.

    Raises:
        InputError: If there is none, or it is damaged.
        NotReachedError: If it is on the hub, and there is no way to it.
    """
    if not is_hub(reference):
        return load_delta(Path(reference).expanduser())
    found = fetch_file(reference, kind=DELTAS)
    delta = load_delta(found.path)
    return replace(delta, about={**delta.about, "hub": found.reference})


def check_base(delta: WeightDelta, fingerprint: str, model_name: str, *, force: bool = False) -> None:
    """Raise unless a delta was made for these weights.

    Raises:
        InputError: If the fingerprints differ; names both.
    """
    made_for = delta.about.get("fingerprint")
    if made_for != fingerprint and not force:
        raise InputError(
            f"the delta was made for other weights than {model_name} has",
            found=f"fingerprint {made_for}",
            expected=fingerprint,
            hint="take the model it was trained from, or accept it with force",
        )


def apply_delta(layout: Layout, delta: WeightDelta) -> SliceEditor:
    """Put the values of a delta into a model, in place; all of them, or none where one cannot be written.

    Returns:
        What puts the values back that were there, bit by bit, when it is closed.

    Raises:
        InputError: If the delta does not fit.
    """
    with SliceEditor() as editor:
        for part, values in delta.parts(layout):
            part.save(editor)
            part.write(values)
        return editor.pop_all()


@contextmanager
def applied(layout: Layout, delta: WeightDelta | None) -> Iterator[None]:
    """Have a delta in a model for the duration of a block; the model is as before also after an exception."""
    with apply_delta(layout, delta) if delta is not None else nullcontext():
        yield
