"""Find, deactivate and evaluate the language-specific neurons of a large language model.

What is public is in `__all__`. Each name is read from its module when it is first asked for, so that
`import mwork_eval` loads neither torch nor transformers nor lm-eval.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mwork_eval.versions import __version__

if TYPE_CHECKING:
    from mwork_eval.application.ablate import ablate
    from mwork_eval.application.check import CheckResults, check
    from mwork_eval.application.compare_detectors import compare_detectors
    from mwork_eval.application.deactivated import deactivated
    from mwork_eval.application.detect import detect
    from mwork_eval.application.detection import Detection
    from mwork_eval.application.enhance import enhance
    from mwork_eval.application.enhancement_results import EnhancementResults
    from mwork_eval.application.evaluate import evaluate
    from mwork_eval.application.export import ExportedCheckpoint, export
    from mwork_eval.application.export_sets import export_sets
    from mwork_eval.application.import_sets import import_sets
    from mwork_eval.application.inspect import ModelInspection, inspect
    from mwork_eval.application.intervened import intervened
    from mwork_eval.application.lens import lens
    from mwork_eval.application.lens_results import LensResults
    from mwork_eval.application.load_model import load_model
    from mwork_eval.application.matrix_results import MatrixResults, ShownTable
    from mwork_eval.application.progress import Progress
    from mwork_eval.application.pull import PulledRepository, pull
    from mwork_eval.application.push import Publication, push
    from mwork_eval.application.read_neurons import read_neurons
    from mwork_eval.application.read_results import read_results
    from mwork_eval.application.tasks import tasks
    from mwork_eval.application.tune_layers import TuningResults, tune_layers
    from mwork_eval.detection.score_table import ScoreTable
    from mwork_eval.detection.selection import Selection
    from mwork_eval.enhancement.record import TrainedDelta
    from mwork_eval.enhancement.training import TrainingOptions
    from mwork_eval.errors import InputError
    from mwork_eval.evaluation.families.catalogue import FamilyRow
    from mwork_eval.gate.limits import Limits
    from mwork_eval.neurons.neuron_set import NeuronSet
    from mwork_eval.weight_deltas.delta import WeightDelta

__all__ = [
    "CheckResults",
    "Detection",
    "EnhancementResults",
    "ExportedCheckpoint",
    "FamilyRow",
    "InputError",
    "LensResults",
    "Limits",
    "MatrixResults",
    "ModelInspection",
    "NeuronSet",
    "Progress",
    "Publication",
    "PulledRepository",
    "ScoreTable",
    "Selection",
    "ShownTable",
    "TrainedDelta",
    "TrainingOptions",
    "TuningResults",
    "WeightDelta",
    "__version__",
    "ablate",
    "check",
    "compare_detectors",
    "deactivated",
    "detect",
    "enhance",
    "evaluate",
    "export",
    "export_sets",
    "import_sets",
    "inspect",
    "intervened",
    "lens",
    "load_model",
    "pull",
    "push",
    "read_neurons",
    "read_results",
    "tasks",
    "tune_layers",
]

_MODULES = {
    "CheckResults": "application.check",
    "Detection": "application.detection",
    "EnhancementResults": "application.enhancement_results",
    "ExportedCheckpoint": "application.export",
    "FamilyRow": "evaluation.families.catalogue",
    "InputError": "errors",
    "LensResults": "application.lens_results",
    "Limits": "gate.limits",
    "MatrixResults": "application.matrix_results",
    "ModelInspection": "application.inspect",
    "NeuronSet": "neurons.neuron_set",
    "Progress": "application.progress",
    "Publication": "application.push",
    "PulledRepository": "application.pull",
    "ScoreTable": "detection.score_table",
    "Selection": "detection.selection",
    "ShownTable": "application.matrix_results",
    "TrainedDelta": "enhancement.record",
    "TrainingOptions": "enhancement.training",
    "TuningResults": "application.tune_layers",
    "WeightDelta": "weight_deltas.delta",
    "ablate": "application.ablate",
    "check": "application.check",
    "compare_detectors": "application.compare_detectors",
    "deactivated": "application.deactivated",
    "detect": "application.detect",
    "enhance": "application.enhance",
    "evaluate": "application.evaluate",
    "export": "application.export",
    "export_sets": "application.export_sets",
    "import_sets": "application.import_sets",
    "inspect": "application.inspect",
    "intervened": "application.intervened",
    "lens": "application.lens",
    "load_model": "application.load_model",
    "pull": "application.pull",
    "push": "application.push",
    "read_neurons": "application.read_neurons",
    "read_results": "application.read_results",
    "tasks": "application.tasks",
    "tune_layers": "application.tune_layers",
}
"""Where each public name comes from."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
