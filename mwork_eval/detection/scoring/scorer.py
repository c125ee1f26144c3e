"""Score every neuron of a model on documents (PLND): the scores applied to the captured activations."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from mwork_eval.detection.scoring import closed_forms, reference
from mwork_eval.detection.scoring.activation_listener import ActivationListener
from mwork_eval.detection.scoring.attention import Attention
from mwork_eval.detection.scoring.attention_capture import Known
from mwork_eval.detection.scoring.capture import run_batch
from mwork_eval.detection.scoring.exact import ExactQueryKey
from mwork_eval.detection.scoring.feed_forward import Rows
from mwork_eval.detection.scoring.feed_forward_forms import Form, find_forms
from mwork_eval.detection.scoring.methods import Method
from mwork_eval.detection.scoring.paper import PaperQueryKey
from mwork_eval.detection.scoring.recomputed import RecomputedQueryKey
from mwork_eval.detection.scoring.values import NormedValues, Output, before_a_norm, replayed_values
from mwork_eval.errors import InputError
from mwork_eval.files.tensor_file import Array
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import Place
from mwork_eval.neurons.structures import FEED_FORWARD

Tensor = torch.Tensor
log = logging.getLogger(__name__)

DEFAULT_MEMORY = 512 * 2**20
"""Bytes that the scores of one layer may take, apart from the model and its forward pass."""


def _query_key(method: Method, seen: Attention, memory: int) -> ExactQueryKey | PaperQueryKey | RecomputedQueryKey:
    if method == "paper":
        return PaperQueryKey(seen, memory)
    if method == "reference":
        return reference.ReferenceQueryKey(seen, memory)
    centred = any(norm is not None and norm.centres for norm in (seen.query_norm, seen.key_norm))
    if centred or seen.without is not None:
        return RecomputedQueryKey(seen, memory)
    return ExactQueryKey(seen, memory)


_LOOKED_AT = 32
"""Tokens of a document that are looked at before the first batch is scored."""


class Scorer:
    """Scores batches of documents with one model; keeps the squared norms of its weights between batches.

    Attributes:
        layout: The model.
    """

    def __init__(self, layout: Layout, method: Method = "exact", memory: int = DEFAULT_MEMORY) -> None:
        self.layout = layout
        self._method = method
        self._memory = memory
        self._outputs: dict[tuple[int, int], Tensor] = {}
        self._known: dict[tuple[int, int], Known] = {}
        self._heads: dict[int, Tensor | None] = {}
        self._normed: dict[int, Tensor | None] = {}
        self._squares: dict[tuple[int, int], Tensor] = {}
        self._forms: dict[tuple[int, int], Form] | None = None
        self._lengths: list[int] = []
        self._found: list[dict[Place, Tensor]] = []
        self._forwards: dict[tuple[int, tuple[str, ...]], Tensor] = {}

    @property
    def forms(self) -> Mapping[tuple[int, int], Form]:
        """The forms of the feed-forwards by layer and part, once a document was scored."""
        return self._forms or {}

    def score(
        self, documents: Sequence[Sequence[int]], listener: ActivationListener | None = None
    ) -> list[dict[Place, Array]]:
        """Score all neurons of all layers on each document, in one forward pass of the body.

        Args:
            documents: Token ids of each document.
            listener: Receives the activations of the same pass.

        Returns:
            For each document and (layer, structure), float32 scores `[neurons]`; gate, up and down share one array.

        Raises:
            InputError: If a token has no embedding, or a part of the model is not understood.
        """
        self._check_tokens(documents)
        if self._forms is None:
            self._look_at(max(documents, key=len)[:_LOOKED_AT])
        self._run(documents, listener)
        return [_on_cpu(one) for one in self._found]

    def _look_at(self, tokens: Sequence[int]) -> None:
        """Find out which formulas hold: neurons are zeroed for that, and more tokens cost more and tell no more."""
        self._forms = find_forms(self.layout, tokens)
        self._refuse_unknown_experts()
        self._run([tokens])
        self._tell_of_slow_layers()

    def _tell_of_slow_layers(self) -> None:
        attention = {place for place, one in self._known.items() if one.formulas is False}
        attention |= {place for place, one in self._known.items() if (one.values or "").startswith("replayed")}
        forwards = {place for place, form in (self._forms or {}).items() if form.kind == "recomputed"}
        for name, places in (("attention", attention), ("feed-forward", forwards)):
            if layers := {layer for layer, _ in places}:
                log.warning(
                    "the %s of %d layers fits no formula, and is run again for its neurons, which is slow",
                    name,
                    len(layers),
                )

    def _check_tokens(self, documents: Sequence[Sequence[int]]) -> None:
        embeddings: Any = self.layout.model.get_input_embeddings()  # type: ignore[operator]
        count, highest = getattr(embeddings, "num_embeddings", None), max(map(max, documents))
        if count is not None and highest >= count:
            raise InputError(
                "the tokenizer gives tokens that the model has no embedding for",
                found=f"token {highest}",
                expected=f"tokens below {count}",
                hint="use the tokenizer that belongs to the model",
            )

    def _run(self, documents: Sequence[Sequence[int]], listener: ActivationListener | None = None) -> None:
        self._lengths = [len(tokens) for tokens in documents]
        self._found = [{} for _ in documents]
        self._forwards = {}
        run_batch(self.layout, documents, self, self._known, self._forms, listener)
        self._keep_feed_forwards()

    def attention(self, layer: int, document: int, seen: Attention) -> Tensor:
        """Score q and k of a layer for a document and return its attention output."""
        heads = torch.empty(*seen.query.shape[:2], seen.value.shape[-1], device=seen.query.device)
        by_group = heads.unflatten(0, (-1, seen.per_group))
        query_key = _query_key(self._method, seen, self._memory)
        normed = None
        if seen.value_norm is not None and self._method != "reference":
            normed = NormedValues(seen, self._output(layer, seen.part))
        for rows in seen.blocks(self._memory):
            by_group[rows.groups, :, rows.queries] = rows.times(seen.value)
            query_key.add(rows)
            if normed is not None:
                normed.add(rows)
        query, key = query_key.result()
        if seen.key_width is not None:
            key = key.unflatten(0, (len(seen.key), -1))[:, : seen.key_width].flatten()
        self._add(document, (layer, "q"), seen.part, query)
        self._add(document, (layer if seen.key_layer is None else seen.key_layer, "k"), seen.part, key)
        self._heads[document] = heads if self._method == "reference" else None
        self._normed[document] = None if normed is None else normed.result()
        return heads

    def attention_output(self, layer: int, document: int, output: Output) -> None:
        """Score o of a layer for a document, and v of the layer whose values it uses."""
        if self._method == "reference":
            found = self._heads[document]
            heads = output.by_head() if found is None else found
            of_columns = reference.absolute_sum_of_values(heads, len(heads))
            of_values = reference.absolute_sum_of_values(heads, output.groups)
        else:
            weight = self._output(layer, output.part)
            of_columns = closed_forms.output_scores(output.inputs[:, None].permute(2, 0, 1), weight)
            of_values = self._values(output, weight, document)
        self._add(document, (layer, "o"), output.part, of_columns)
        place = (layer if output.value_layer is None else output.value_layer, "v")
        if place in self.layout.blocks:
            self._add(document, place, output.part, of_values)

    def _values(self, output: Output, weight: Tensor, document: int) -> Tensor:
        normed = self._normed[document]
        if output.values == "normed" and normed is not None:
            return normed
        if output.values == "before a norm":
            return before_a_norm(output, weight)
        if output.without is not None:
            return replayed_values(output, weight, self._memory)
        return closed_forms.value_scores(output.by_head(), weight, output.groups)

    def _add(self, document: int, place: Place, part: int, found: Tensor) -> None:
        """Put the scores of one of a layer's attentions where they belong; those of several layers add up."""
        block = self.layout.blocks[place][part]
        size = self.layout.shape.sizes[place[0]][place[1]]
        if place not in self._found[document]:
            if block.size == size:
                self._found[document][place] = found
                return
            self._found[document][place] = found.new_zeros(size)
        self._found[document][place][block.start : block.start + block.size] += found

    @torch.no_grad()
    def feed_forward(self, layer: int, part: int, structure: str, rows: Rows) -> None:
        """Score a part of the feed-forward of a layer, or an expert in it."""
        if (structure == "up") != (self._method == "reference"):
            return
        hidden = rows.hidden
        squares = self._down_squares(layer, part, rows.expert).to(hidden.device)
        found = torch.zeros(len(self._lengths), hidden.shape[-1], device=hidden.device)
        if rows.documents is None:
            for document, length in enumerate(self._lengths):
                own = hidden[document, :length]
                if structure == "up":
                    found[document] = reference.absolute_sum(own)
                else:
                    found[document] = closed_forms.feed_forward_scores(own, squares)
        else:
            own = hidden.float()
            if isinstance(rows.factors, Tensor):
                own = own * rows.factors[:, None]
            # Padding goes to a row of its own, because choosing rows would wait for the device.
            total = torch.zeros(len(found) + 1, found.shape[-1], device=hidden.device)
            total.index_add_(0, rows.documents + 1, own.abs() if structure == "up" else own.square())
            found = total[1:] if structure == "up" else total[1:] * squares
        if not isinstance(rows.factors, Tensor) and rows.factors != 1:
            found *= rows.factors**2
        self.changes(layer, part, rows.structures, rows.expert, found)

    @torch.no_grad()
    def changes(self, layer: int, part: int, structures: Sequence[str], expert: int, found: Tensor) -> None:
        """Keep the scores of an expert, or of a part without experts."""
        block = self.layout.blocks[layer, "up"][part]
        key = (layer, tuple(structures))
        if key not in self._forwards:
            self._forwards[key] = torch.zeros(len(self._lengths), self._size(layer), device=found.device)
        kept = self._forwards[key]
        start = block.start + expert * (block.size // max(block.experts, 1))
        kept[:, start : start + found.shape[-1]] += found.to(kept.device)

    def _refuse_unknown_experts(self) -> None:
        if self._method != "reference":
            return
        for (layer, number), form in (self._forms or {}).items():
            part = self.layout.feed_forwards[layer][number]
            if part.kind != "dense" and form.kind != "routed":
                raise InputError(
                    "the method reference does not score these experts",
                    found=f"{type(part.module).__name__} in layers.{layer}",
                    expected="experts that are called with states, their experts and weights",
                    hint="use `method=exact`",
                )

    def _keep_feed_forwards(self) -> None:
        """Put the scores of the feed-forwards where each document's are: in one array per layer where they are equal.

        They are not where a norm comes before the last product: a column of down is one channel of what comes after.
        """
        for layer, parts in enumerate(self.layout.feed_forwards):
            of_layer = {names: found for (number, names), found in self._forwards.items() if number == layer}
            for structure in FEED_FORWARD if parts else ():
                own = [found for names, found in of_layer.items() if structure in names]
                empty = torch.zeros(len(self._lengths), self._size(layer))
                whole = own[0] if len(own) == 1 else sum((one.cpu() for one in own), empty)
                if not all(structure in part.blocks for part in parts):
                    blocks = [
                        block
                        for part, block in zip(parts, self.layout.blocks[layer, "up"], strict=True)
                        if structure in part.blocks
                    ]
                    if not blocks:
                        continue
                    whole = torch.cat([whole[:, block.start : block.start + block.size] for block in blocks], 1)
                for document, scores in enumerate(whole.unbind()):
                    self._found[document][layer, structure] = scores

    def _size(self, layer: int) -> int:
        return self.layout.shape.sizes[layer]["up"]

    def _down_squares(self, layer: int, part: int, expert: int) -> Tensor:
        if (layer, part) not in self._squares:
            block = self.layout.blocks[layer, "down"][part]
            squares = closed_forms.squares(block.neurons(), 1)
            self._squares[layer, part] = squares.view(max(block.experts, 1), -1)
        return self._squares[layer, part][expert]

    def _output(self, layer: int, part: int) -> Tensor:
        if (layer, part) not in self._outputs:
            self._outputs[layer, part] = self.layout.blocks[layer, "o"][part].neurons()
        return self._outputs[layer, part]


def _on_cpu(found: dict[Place, Tensor]) -> dict[Place, Array]:
    # Views of one row are one array.
    arrays = {_key(tensor): tensor.cpu().numpy() for tensor in found.values()}
    return {place: arrays[_key(tensor)] for place, tensor in found.items()}


def _key(tensor: Tensor) -> tuple[int, int]:
    return tensor.data_ptr(), tensor.numel()
