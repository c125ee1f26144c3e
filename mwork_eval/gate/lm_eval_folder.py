"""Read a plain results folder of lm-eval for the gate: `results_*.json` with `samples_*.jsonl`, of any model."""

from pathlib import Path

from mwork_eval.benchmarks.task_family import TaskName
from mwork_eval.errors import InputError
from mwork_eval.gate.document_clusters import read_clusters
from mwork_eval.gate.snapshot import ClusterField, DocumentKey, PlainEntry, Snapshot, not_told
from mwork_eval.results.lm_eval_folder import PATTERN, LmEvalFile
from mwork_eval.results.task_score import TaskScore


def holds_lm_eval_results(folder: Path) -> bool:
    """Tell whether lm-eval wrote results to a folder, or to folders in it."""
    return any(folder.rglob(PATTERN))


def read_lm_eval_folder(folder: Path, cluster_field: ClusterField = not_told) -> Snapshot:
    """Read the newest scores of every task.

    Args:
        folder: The folder.
        cluster_field: By which field the documents of a task belong together; our own tasks know theirs.

    Raises:
        InputError: If there are results of several models, a file is missing, damaged or not as reported, or documents
            lack the field named.
    """
    files = sorted(folder.rglob(PATTERN), key=lambda path: path.name)
    if len(models := {path.parent for path in files}) > 1:
        raise InputError(
            f"{folder} holds results of several models",
            found=", ".join(sorted(str(path.relative_to(folder)) for path in models)),
            hint="name one of these folders",
        )
    newest: dict[str, LmEvalFile] = {}
    for path in files:
        results = LmEvalFile.read(path)
        if not results.content.counts:
            raise InputError(f"{path} is damaged", found="no task")
        newest.update(dict.fromkeys(results.content.counts, results))
    read = {name: _read_task(name, results, cluster_field) for name, results in newest.items()}
    latest = next(reversed(newest.values())).content
    return Snapshot(
        model=str(latest.model_name or latest.model_source),
        cells=[PlainEntry.of(TaskName.of(name)) for name in read],
        scores={name: score for name, (score, _) in read.items()},
        keys={name: keys for name, (_, keys) in read.items()},
        definitions={name: results.definition(name) for name, results in newest.items()},
    )


def _read_task(
    name: str, results: LmEvalFile, cluster_field: ClusterField
) -> tuple[TaskScore, tuple[DocumentKey, ...]]:
    main, documents = results.documents(name)
    clusters = read_clusters(TaskName.of(name), [document.content for document in documents], cluster_field)
    score = TaskScore(main.metric, main.higher_is_better, main.documents, {}, clusters=clusters)
    return score, tuple(map(DocumentKey.of, documents))
