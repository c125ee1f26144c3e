"""Set algebra over references of any folders: `gemma3-270m/zh - gemma3-270m/en | runs/es`."""

from mwork_eval.errors import InputError
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.references import OPERATIONS, find_neurons


def evaluate(expression: str) -> NeuronSet:
    """Evaluate an expression and describe the result with it.

    Args:
        expression: References as `find_neurons` reads them, joined by `-` (without), `&` (and) and `|` (or) with blanks
            around each, read from left to right.

    Raises:
        InputError: If the expression is none, a reference fits nothing, or the sets are of different models or weights.
    """
    parts = expression.split()
    operators = parts[1::2]
    if len(parts) % 2 == 0 or any(name not in OPERATIONS for name in operators):
        raise InputError(
            "cannot read the expression",
            found=repr(expression),
            expected="sets joined by -, & or | with blanks around, such as 'gemma3-270m/zh - gemma3-270m/es'",
        )
    sets = [find_neurons(part) for part in parts[::2]]
    combined = sets[0]
    for name, operand in zip(operators, sets[1:], strict=True):
        combined = OPERATIONS[name](combined, operand)
    # A branch of the hub moves on: what is said of the result names the commits.
    parts[::2] = [str(one.about.get("hub", part)) for one, part in zip(sets, parts[::2], strict=True)]
    return combined.described(expression=" ".join(parts))
