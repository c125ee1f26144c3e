"""The language-specific neurons of one layer, by zeroing each neuron (PLND, arXiv:2402.18815): slow, and plainly true.

python plnd_in_60_lines.py MODEL LAYER 0.01 zh.txt en.txt, a document a line; for Llama, Qwen, Gemma, Mistral, ...
"""

import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def calls_of(model, ids, blocks):
    """Run a document [1, l] through the model and return the arguments that each block got."""
    calls = {}
    hooks = [b.register_forward_pre_hook(lambda b, *call: calls.update({b: call}), with_kwargs=True) for b in blocks]
    model(ids, use_cache=False)
    for hook in hooks:
        hook.remove()
    return calls


@torch.no_grad()
def scores(model, ids, layer):
    """Return Imp(N|c) = ||T without N - T||² (Eq. 1) of each neuron N of q, k, v and the feed-forward in document c."""
    attn, mlp = model.model.layers[layer].self_attn, model.model.layers[layer].mlp
    calls, found = calls_of(model, ids, (attn, mlp)), {}
    for structure, linear, block, part in (
        ("q", attn.q_proj, attn, 1),  # T: attention weights [1, heads, l, l]
        ("k", attn.k_proj, attn, 1),
        ("v", attn.v_proj, attn, 0),  # T: attention output [1, l, d_model]
        ("up", mlp.up_proj, mlp, ...),  # T: feed-forward output [1, l, d_model]; zeroing a row of gate does the same
    ):
        args, kwargs = calls[block]
        before, found[structure] = block(*args, **kwargs)[part].double(), torch.zeros(linear.out_features)  # [n]
        for n in range(linear.out_features):
            rows = [(p, p[n].clone()) for p in linear.parameters()]  # weight [d_model], and bias [] if there is one
            for p, _ in rows:
                p[n] = 0
            found[structure][n] = (block(*args, **kwargs)[part].double() - before).square().sum()
            for p, row in rows:
                p[n] = row
    return found


def belongs(documents, fraction):
    """Say which neurons are in the top fraction of every document, given the scores [n] of each."""
    ranks = torch.stack([(-one).argsort().argsort() for one in documents])  # [documents, n], 0 is the highest score
    return ranks.amax(0) < max(1, round(fraction * ranks.shape[1]))  # [n]


if __name__ == "__main__":
    name, layer, fraction, *files = sys.argv[1:]
    model = AutoModelForCausalLM.from_pretrained(name, attn_implementation="eager").eval()  # eager returns weights
    encode, texts = AutoTokenizer.from_pretrained(name), [Path(file).read_text("utf-8").splitlines() for file in files]
    ids = [[encode(one, return_tensors="pt").input_ids[:, :128] for one in documents] for documents in texts]
    own, english = ([scores(model, one, int(layer)) for one in documents] for documents in ids)
    for structure in own[0]:  # a language's own neurons are those that English does not have
        mine, theirs = (belongs([one[structure] for one in side], float(fraction)) for side in (own, english))
        print(structure, (mine & ~theirs).nonzero().flatten().tolist())
