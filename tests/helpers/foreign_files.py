"""Files of other tools, made by hand, and the configuration of a model for them."""

import csv

import torch
import transformers

LAYERS, WIDTH, INNER = 2, 4, 12
"""Four query heads share two heads of k and v, of four channels each."""


def foreign_configuration(folder):
    """Write the configuration of a tiny Llama, without weights."""
    transformers.LlamaConfig(
        vocab_size=32,
        hidden_size=16,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=2,
    ).save_pretrained(folder / "tiny")
    return folder / "tiny"


def members(neurons):
    """The neurons, by place, sorted."""
    return {(layer, structure): sorted(found) for layer, structure, found in neurons.switches()}


def masks(*languages):
    return [[torch.tensor(layer, dtype=torch.int64) for layer in layers] for layers in languages]


def saved(value, path):
    torch.save(value, path)
    return path


def expertise(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["ap", "on_p50", "layer", "unit", "uuid", "concept", "group"])
        for number, (precision, layer, unit) in enumerate(rows):
            writer.writerow([precision, 0.5, layer, unit, number, "de", "sense"])
    return path
