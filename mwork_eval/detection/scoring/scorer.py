"""Score every neuron of a model on documents (PLND): the scores applied to the captured activations."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from torch import nn

from mwork_eval.detection.scoring import closed_forms, reference
from mwork_eval.detection.scoring.attention import Attention
from mwork_eval.detection.scoring.attention_capture import Known
from mwork_eval.detection.scoring.capture import run_batch
from mwork_eval.detection.scoring.exact import ExactQueryKey
from mwork_eval.detection.scoring.paper import PaperQueryKey
from mwork_eval.detection.scoring.recomputed import RecomputedQueryKey
from mwork_eval.detection.scoring.values import NormedValues, Output, before_a_norm, replayed_values
from mwork_eval.files.tensor_file import Array
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.neuron_set import Place

Tensor = torch.Tensor

Method = Literal["exact", "paper", "reference"]
METHODS: tuple[Method, ...] = get_args(Method)
"""`exact`: Eq. 1 for every structure. `paper`: Q and K by Eq. 8-10. `reference`: what the published code computes."""

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
        self._squares: dict[int, Tensor] = {}
        self._lengths: list[int] = []
        self._found: list[dict[Place, Tensor]] = []

    def score(self, documents: Sequence[Sequence[int]]) -> list[dict[Place, Array]]:
        """Score all neurons of all layers on each document, in one forward pass of the body.

        Args:
            documents: Token ids of each document.

        Returns:
            For each document and (layer, structure), float32 scores `[neurons]`; gate, up and down share one array.
        """
        self._lengths = [len(tokens) for tokens in documents]
        self._found = [{} for _ in documents]
        run_batch(self.layout, documents, self, self._known)
        return [_on_cpu(one) for one in self._found]

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
        if output.values == "replayed":
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

    def feed_forward(self, layer: int, structure: str, activations: Tensor) -> None:
        """Score the feed-forward of a layer."""
        if (structure == "up") != (self._method == "reference"):
            return
        for document, length in enumerate(self._lengths):
            own = activations[document, :length]
            if structure == "up":
                self._keep(layer, document, reference.absolute_sum(own))
            else:
                norms = self._down_squares(layer).to(own.device)
                self._keep(layer, document, closed_forms.feed_forward_scores(own, norms))

    def experts(self, layer: int, states: Tensor, index: Tensor, weights: Tensor) -> None:
        """Score the experts of a layer: neuron (e, k) by w·h[:, k] over the tokens routed to expert e."""
        module: Any = self.layout.blocks[layer, "down"][0].module
        documents, count = len(self._lengths), self.layout.blocks[layer, "down"][0].experts
        longest = len(states) // documents
        token = torch.arange(len(states), device=states.device)
        document = token // longest
        real = token % longest < torch.tensor(self._lengths, device=states.device)[document]
        found = torch.zeros(documents, count, self.layout.shape.sizes[layer]["up"] // count, device=states.device)
        for expert in index[real].unique().tolist():
            at, slot = ((index == expert) & real[:, None]).nonzero(as_tuple=True)
            gate, up = nn.functional.linear(states[at], module.gate_up_proj[expert]).chunk(2, -1)
            if self._method == "reference":
                found[:, expert].index_add_(0, document[at], up.float().abs())
            else:
                inner = (module.act_fn(gate) * up).float() * weights[at, slot, None].float()
                found[:, expert].index_add_(0, document[at], inner.square())
        if self._method != "reference":
            found *= self._down_squares(layer).to(found.device).view(count, -1)
        for number in range(documents):
            self._keep(layer, number, found[number].flatten())

    def _keep(self, layer: int, document: int, found: Tensor) -> None:
        for structure in ("gate", "up", "down"):
            if (layer, structure) in self.layout.blocks:
                self._found[document][layer, structure] = found

    def _down_squares(self, layer: int) -> Tensor:
        if layer not in self._squares:
            self._squares[layer] = closed_forms.squares(self.layout.weight(layer, "down"), 1)
        return self._squares[layer]

    def _output(self, layer: int, part: int) -> Tensor:
        if (layer, part) not in self._outputs:
            self._outputs[layer, part] = self.layout.blocks[layer, "o"][part].neurons()
        return self._outputs[layer, part]


def _on_cpu(found: dict[Place, Tensor]) -> dict[Place, Array]:
    arrays = {id(tensor): tensor.cpu().numpy() for tensor in found.values()}
    return {place: arrays[id(tensor)] for place, tensor in found.items()}
