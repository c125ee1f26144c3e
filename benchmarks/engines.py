"""Time and answers of `mwork-vllm` against `mwork-hf`, alternating, on one model in one process; needs vLLM.

    VLLM_ENABLE_V1_MULTIPROCESSING=0 python benchmarks/engines.py --data FOLDER [--dtype bfloat16] [--cases xquad,bpb]

FOLDER holds the benchmarks' published files, as for `MWORK_DATA`; `embedded` takes the small texts of the package.
The last figure is what another mask costs: in vLLM two loads with their proofs, in `mwork-hf` rows of zeros.
"""

import argparse
import json
import statistics
from typing import Any

from common import alternate, print_figures, ratio
from evaluation import CASES, METHODS, Case, compare

from mwork_eval.interventions.intervention import Intervention
from mwork_eval.lm.model import MworkHF
from mwork_eval.lm.vllm.entry import MworkVLLM
from mwork_eval.neurons.references import find_neurons

ALL = CASES | {"many": Case("xquad", ("en",), 24, paragraphs=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", default="gemma3-270m")
    parser.add_argument("--neurons", default="gemma3-270m/zh")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--memory", help="Of mwork-hf.")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--cases", default=",".join(ALL))
    options = parser.parse_args()
    models: dict[str, Any] = {
        "mwork-vllm": MworkVLLM(options.model, dtype=options.dtype, enforce_eager=True, max_model_len=4096),
        "mwork-hf": MworkHF(options.model, dtype=options.dtype, device="cpu", max_length=4096, memory=options.memory),
    }
    for model in models.values():
        model.show_progress = False

    def answer(which: str, case: str, requests: list[Any]) -> Any:
        model = models[which]
        if which == "mwork-hf":
            model.forget()  # else answers of the round before would be drafts for this one
        else:
            model.model.reset_prefix_cache()
        return getattr(model, METHODS.get(case, "generate_until"))(requests, disable_tqdm=True)

    figures: dict[str, Any] = {}
    for name in options.cases.split(","):
        requests, kept = ALL[name].requests(options.data), {}

        def run(which: str, name: str = name, requests: Any = requests, kept: dict[str, Any] = kept) -> None:
            kept[which] = answer(which, name, requests)

        seconds = alternate({which: lambda which=which: run(which) for which in models}, options.rounds)
        same = compare(name, kept["mwork-hf"], kept["mwork-vllm"])
        figures[name] = {
            "requests": len(requests),
            "vllm_over_mwork_hf": ratio(seconds, "mwork-vllm", "mwork-hf"),
            "seconds": {which: statistics.median(values) for which, values in seconds.items()},
            **{key: value for key, value in same.items() if key != "others"},
        }
        print(f"{name}: {figures[name]['vllm_over_mwork_hf']:.2f} x the time of mwork-hf; {json.dumps(figures[name])}")
    mask = Intervention(find_neurons(options.neurons))

    def switch(which: str) -> None:
        models[which].mask(mask)
        models[which].unmask()

    seconds = alternate({which: lambda which=which: switch(which) for which in models}, options.rounds)
    figures["seconds_for_a_mask_and_back"] = {which: statistics.median(values) for which, values in seconds.items()}
    print_figures(benchmark="engines", model=options.model, dtype=options.dtype, figures=figures)


if __name__ == "__main__":
    main()
