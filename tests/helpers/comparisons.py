"""Scores of a tiny model with made-up records, as a pass that records all leaves them."""

from dataclasses import replace

import numpy as np

from mwork_eval.application.detection import Detection

PLACES = ("q", "k", "v", "o", "up")


def with_records(found: Detection) -> Detection:
    """Return scores with every record that a detector reads; each language has neurons that answer to it alone."""
    tables = {}
    for number, (language, table) in enumerate(found.tables.items()):
        generator = np.random.default_rng(number)
        sizes = {(n, name): of[name] for n, of in enumerate(table.shape.sizes) for name in PLACES}
        documents, tokens = table.about["documents"], 400

        def column(make, sizes=sizes):
            return {place: make(size) for place, size in sizes.items()}

        values = {
            "over_zero": column(lambda n, g=generator: g.integers(0, 400, n).astype(np.int32)),
            "activation_mean": column(lambda n, g=generator: g.normal(size=n).astype(np.float32)),
            "activation_square": column(lambda n, g=generator: (9 + g.random(n)).astype(np.float32)),
            "responses": column(lambda n, g=generator, d=documents: g.normal(size=(d, n)).astype(np.float32)),
            "attribution": column(lambda n, g=generator: g.random(n).astype(np.float32)),
        }
        told = {"activation_tokens": tokens, "recorded": ["activations", "responses", "attributions"]}
        tables[language] = replace(table, values={**table.values, **values}, about={**table.about, **told})
    return Detection(tables)
