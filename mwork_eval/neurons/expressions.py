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
    combined, *operands = map(find_neurons, parts[::2])
    for name, operand in zip(operators, operands, strict=True):
        combined = OPERATIONS[name](combined, operand)
    return combined.described(expression=" ".join(parts))
