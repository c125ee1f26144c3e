"""Language forcing on XQuAD: how often do interventions make a model answer in another language, and at what cost?

    python benchmarks/steering.py SETS --model gemma3-270m --data DIR [--limit 48]

SETS is a folder of neuron sets that know of activations (`mwork select --activations`), of the asked language, of the
target and of a third one. Language forcing is the share of all answers that are judged to be in the target language
(CLaS-Bench measures it so, with another identifier); answers too short to tell are in no language. Each answer is read
against the right answers of the asked language and against those of the target, as XQuAD is parallel.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import mwork_eval as mw
from mwork_eval.benchmarks.answers.xquad import score
from mwork_eval.languages.judgement import Judgement, judge_text
from mwork_eval.neurons.random_control import draw_random_control


def blocks(sets: dict[str, mw.NeuronSet], asked: str, target: str, third: str) -> Iterator[tuple[str, list]]:
    """Yield what is tried: a name, and (set, intervention) each, the first outside."""
    off, on = sets[asked], sets[target]
    yield "as it is", []
    yield f"{asked} off", [(off, "zero")]
    yield f"{target} towards:{target}", [(on, f"towards:{target}")]
    yield f"{asked} off, {target} towards:{target}", [(off, "zero"), (on, f"towards:{target}")]
    for seed in (1, 2, 3):
        random = [draw_random_control(one, excluded=one, seed=seed) for one in (off, on)]
        yield f"random {seed}: off, towards:{target}", [(random[0], "zero"), (random[1], f"towards:{target}")]
    for layers, strength in (("8-13", 0.25), ("8-13", 0.5), ("6-6", 1), ("9-9", 1), ("12-12", 1), ("9-9", 2)):
        kind = f"residual:{target}:from={asked}:layers={layers}:strength={strength}"
        yield kind, [(on, kind)]
    for layers, strength in (("8-13", 0.5), ("9-9", 1)):
        kind = f"residual:{third}:from={asked}:layers={layers}:strength={strength}"
        yield f"{kind} (control)", [(on, kind)]


def answers(results: dict, language: str) -> dict[int, str]:
    return {sample["doc_id"]: sample["resps"][0][0] for sample in results["samples"][f"xquad_{language}"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", type=Path)
    parser.add_argument("--model", default="gemma3-270m")
    parser.add_argument("--data", required=True)
    parser.add_argument("--limit", type=int, default=48)
    parser.add_argument("--asked", default="zh")
    parser.add_argument("--target", default="de")
    parser.add_argument("--third", default="es")
    parser.add_argument("--chat", action="store_true", help="Render prompts by the chat template.")
    parser.add_argument("--only", default="", help="Only what has this text in its name.")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    model, tokenizer = mw.load_model(given.model)
    sets = mw.read_neurons(given.sets, [given.asked, given.target, given.third])
    how = {"data": given.data, "limit": given.limit, "log_samples": True, "progress": False}
    how |= {"apply_chat_template": given.chat}
    in_target = mw.evaluate(model, tokenizer, [f"xquad_{given.target}"], **how)
    gold = {sample["doc_id"]: sample["doc"] for sample in in_target["samples"][f"xquad_{given.target}"]}
    rows = []
    for name, parts in blocks(sets, given.asked, given.target, given.third):
        if given.only not in name:
            continue
        with ExitStack() as stack:
            for neurons, kind in parts:
                stack.enter_context(mw.intervened(model, neurons, kind))
            found = mw.evaluate(model, tokenizer, [f"xquad_{given.asked}"], **how)
        texts = answers(found, given.asked)
        judged = Counter(judge_text(text, given.target) for text in texts.values())
        own = Counter(judge_text(text, given.asked) for text in texts.values())
        row = {
            "intervention": name,
            "forcing": judged[Judgement.ASKED] / len(texts),
            "asked_language": own[Judgement.ASKED] / len(texts),
            "undecided": judged[Judgement.UNDECIDED] / len(texts),
            "right": found["results"][f"xquad_{given.asked}"]["acc,none"],
            "right_in_target": sum(score(gold[n], [text])["acc"] for n, text in texts.items()) / len(texts),
            "examples": [texts[n][:60] for n in sorted(texts)[:3]],
        }
        rows.append(row)
        shown = " ".join(f"{key} {value:.3f}" for key, value in row.items() if isinstance(value, float))
        print(f"{name}: {shown}\n    {row['examples']}", flush=True)
    if given.out is not None:
        given.out.write_text(json.dumps(rows, ensure_ascii=False, indent=1), "utf-8")


if __name__ == "__main__":
    main()
