"""A step of generation on a CPU: its parts, against reading the weights once, and beside a process on every core.

    python benchmarks/decoding.py [--model gemma3-270m] [--dtype float32] [--rows 48] [--rounds 7]

`head` reads all of the output embeddings, `screen` their copy in bfloat16 (the same array where there is none);
`product` is one large matrix product, as other programs do. OMP_WAIT_POLICY=passive lets threads sleep while they wait.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from common import alternate, print_figures, ratio, token_stream

from mwork_eval.inference.forward import Forward
from mwork_eval.models.head import OutputHead
from mwork_eval.models.loading import load_model
from mwork_eval.models.screen import Screen, copy_size


@contextmanager
def busy_cores() -> Iterator[None]:
    """Keep every core busy for the length of the block, five minutes at most."""
    loop = "import time\nend = time.time() + 300\nwhile time.time() < end: pass"
    others = [subprocess.Popen([sys.executable, "-c", loop]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="gemma3-270m")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--rows", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    loaded = load_model(options.model, device="cpu", dtype=options.dtype)
    model: Any = loaded.model
    head = OutputHead.of(model)
    assert head is not None
    forward = Forward(model, head, torch.device("cpu"), 4096)
    stream = token_stream(loaded.tokenizer, 200 + options.rows)
    prompts = [stream[n : n + 200] for n in range(options.rows)]
    state, states, starts = forward.start(prompts, later=4 * options.rounds + 20, keep=True)
    last, tokens = states[starts + 199], torch.tensor([prompt[-1] for prompt in prompts])
    weights = [weight.detach() for weight in model.parameters()]
    left, right = torch.randn(2, 2048, 2048)
    with torch.no_grad():
        screen = Screen.of(head) if copy_size(head) is not None else None
        runs: dict[str, Callable[[], Any]] = {
            "read": lambda: [weight.sum() for weight in weights],
            "layers": lambda: forward.step(state, tokens),
            "head": lambda: head.best(last),
            "screen": lambda: head.best(last) if screen is None else screen.best(last),
            "product": lambda: left @ right,
        }
        quiet = alternate(runs, options.rounds)
        with busy_cores():
            busy = alternate(runs, options.rounds)
    steps = {name: [a + b for a, b in zip(quiet["layers"], quiet[name], strict=True)] for name in ("head", "screen")}
    figures = {
        "step_with_screen_over_with_head": ratio(steps, "screen", "head"),
        "milliseconds": {name: round(1000 * statistics.median(values), 1) for name, values in quiet.items()},
        "busy_over_quiet": {name: statistics.median(busy[name]) / statistics.median(quiet[name]) for name in runs},
    }
    print(figures)
    print_figures(benchmark="decoding", model=options.model, dtype=options.dtype, rows=options.rows, figures=figures)


if __name__ == "__main__":
    main()
