"""Write reference/architectures.md from what the tests of all architectures find: `make architectures`."""

import logging
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import transformers

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from helpers.architecture_checks import OWN_SWITCHES, Outcome, check
from helpers.architectures import config_of, members, type_of
from helpers.no_decoders import NO_DECODERS
from helpers.not_reached import NOT_REACHED

from mwork_eval.models.architectures import known_architectures

PAGE = Path(__file__).parent / "reference/architectures.md"

_HEAD = """# Architectures

<!-- Written by docs/architectures.py from the checks of tests/unit/test_architectures.py; do not edit. -->

How neurons are found is read from a model's modules, not from a table of architectures. For every decoder that
transformers {version} has, a tiny random model with each kind of layer is built, and what is found and scored is
compared with the slow truth: a neuron's parameters are set to zero, its block is computed again, and the change is
measured. Masks by weights and by activations must give the same logits, and come undone bit by bit.

`mwork inspect MODEL` shows what is found in a model, and `mwork inspect MODEL --verify` makes the same comparison
on it.

- *q, k*: least rank correlation (Spearman) with the change of the attention weights in any layer, and the largest
  median relative error. *v, o, feed-forward*: largest error of a score, relative to the change of the block's output.
- *latent*: multi-head latent attention; its neurons are rows of the projections up from the latent state.
- In parentheses: members of a type that are built differently, and checked as well.
- Layers whose mixer is no softmax attention have no q, k, v and o; their feed-forward is scored and masked.

| model type | what is special | mixers | feed-forward | q, k | v, o, feed-forward |
|---|---|---|---|---|---|
"""


def _row(outcomes: list[Outcome]) -> str:
    main = outcomes[0]
    variants = [one.member.partition(":")[2] for one in outcomes[1:]]
    name = f"`{main.member}`" + (f" ({', '.join(variants)})" if variants else "")
    kind = config_of(main.member).get_text_config(decoder=True).model_type
    if main.layout is None or main.failures:
        return f"| {name} | {known_architectures()[kind].special} | not reached, see below | | | |"
    agreements = [agreement for one in outcomes for agreement in one.agreements if not one.failures]
    ranks = [one for one in agreements if one.structure in "qk"]
    others = [one for one in agreements if one.structure not in "qk"]
    rank = f"{min(one.spearman for one in ranks):.3f}, {_below(max(one.error for one in ranks))}" if ranks else ""
    cells = [known_architectures()[kind].special, _mixers(main), _feed_forward(main), rank]
    return f"| {name} | {' | '.join(cells)} | {_below(max(one.worst for one in others))} |"


def _mixers(outcome: Outcome) -> str:
    assert outcome.layout is not None
    layers = outcome.layout.attentions
    words = ["latent" if any(one.latent for of_layer in layers for one in of_layer) else "softmax"]
    words += ["two in a layer"] if any(len(of_layer) > 1 for of_layer in layers) else []
    words += sorted({kind for kinds in outcome.layout.other_mixers for kind in kinds.values()})
    return ", ".join(words)


def _feed_forward(outcome: Outcome) -> str:
    assert outcome.layout is not None
    found = []
    for parts in outcome.layout.feed_forwards:
        routed = any(part.kind != "dense" for part in parts)
        for part in parts:
            word = "experts" if part.kind != "dense" else "shared" if routed else "dense"
            gate = "" if "gate" in part.blocks else " without gate"
            found.append(word + gate)
    return ", ".join(dict.fromkeys(found))


def _below(number: float) -> str:
    """Return the power of ten that a number is below: the digits differ between machines."""
    return next((f"< {power}" for power in ("1e-6", "1e-5", "1e-4", "1e-3", "1e-2") if number < float(power)), "< 2e-2")


def _tail() -> Iterator[str]:
    yield "\n## Not reached\n"
    if NOT_REACHED:
        yield from (f"- `{member}`: {reason}." for member, reason in NOT_REACHED.items())
    else:
        yield "None."
    yield "\n## One score, several switches\n"
    yield "gate, up and down of a neuron share one score, that of its column of down."
    yield "Zeroing its row is another switch in:\n"
    yield from (f"- `{kind}`, {structure}: {reason}." for (kind, structure), reason in OWN_SWITCHES.items())
    yield "\n## No decoders of text\n"
    yield "These have a head for causal language models in transformers, and are not counted.\n"
    for reason in dict.fromkeys(NO_DECODERS.values()):
        names = ", ".join(f"`{name}`" for name, why in NO_DECODERS.items() if why == reason)
        yield f"- {reason}: {names}."


def page(outcomes: Iterable[Outcome]) -> str:
    """Return the page about the outcomes of all members, those of a type one after the other."""
    by_type: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_type.setdefault(type_of(outcome.member), []).append(outcome)
    rows = [_row(sorted(of_type, key=lambda one: one.member)) for of_type in by_type.values()]
    return "\n".join([_HEAD.format(version=transformers.__version__) + "\n".join(rows), *_tail()]) + "\n"


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    transformers.logging.set_verbosity_error()
    PAGE.write_text(page(check(member) for member in members()), encoding="utf-8")
