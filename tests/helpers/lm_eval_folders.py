"""Folders as `lm_eval --log_samples` writes them, with everything that is read of them, and what damages them."""

import hashlib
import json
from pathlib import Path
from typing import Any

DATE = "2026-01-02T03-04-05.000001"
DOCUMENTS = 4
_TASKS: dict[str, dict[str, Any]] = {
    "xquad_zh": {"acc": [1.0, 0.0, 0.0, 1.0], "f1": [1.0, 0.5, 0.25, 1.0]},
    "bpb_zh": {"bits_per_byte": [[-263.5, 54], [-120.25, 30], [-88.0, 17], [-301.5, 66]]},
    "yn": {"acc": [1, 0, 1, 1], "acc_norm": [1.0, 0.0, 1.0, 1.0]},
}


def write_lm_eval_folder(folder: Path, name: str = "results", *, answers_alone: bool = False) -> Path:
    """Write the results of three tasks, and their samples.

    Args:
        folder: Where they lie: what `--output_path` names and a folder of the model below, or where `NAME.json` is.
        name: The name of `--output_path NAME.json`.
        answers_alone: Whether to write what `--predict_only` does.

    Returns:
        The results file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    samples = {task: _samples(task, metrics) for task, metrics in _TASKS.items()}
    content: dict[str, Any] = {
        "results": {task: {"name": task, "alias": task, "sample_len": 4} | _measures(task) for task in _TASKS},
        "group_subtasks": {},
        "configs": {task: _config(task, metrics) for task, metrics in _TASKS.items()},
        "versions": {"xquad_zh": 2.0, "bpb_zh": 2.0, "yn": "Yaml"},
        "n-shot": dict.fromkeys(_TASKS, 0),
        "higher_is_better": {
            task: {metric: metric != "bits_per_byte" for metric in metrics} for task, metrics in _TASKS.items()
        },
        "n-samples": {task: {"original": 24, "effective": DOCUMENTS} for task in _TASKS},
        "config": {
            "model": "mwork-hf",
            "model_args": {"pretrained": "org/tiny", "neurons": "org/zh"},
            "mwork": {
                "model": "org/tiny",
                "fingerprint": "a16bed4479dec6fefd913ebe4ffaa237",
                "masked": {
                    "neurons": "org/zh", "positions": "under", "random_control": 3, "count": None,
                    "by": "weights", "digest": "f" * 64, "total": 12,
                },
                "delta": {"digest": "e" * 64, "language": "zh"},
                "truncated": {},
                "double_bos": False,
            },
            "limit": 4.0,
        },
        "date": 1795730527.3689516,
        "task_hashes": {task: _digest(of_task) for task, of_task in samples.items()},
        "model_source": "mwork-hf",
        "model_name": "org/tiny",
    }  # fmt: skip
    if answers_alone:
        content["results"] = {task: {"alias": task, "sample_len": 0} for task in _TASKS}
        content["results"]["xquad_zh"] |= {"bypass,none": 999, "bypass_stderr,none": "N/A"}
        content["higher_is_better"] = {task: {"bypass": True} for task in _TASKS}
        content["n-samples"] = {task: {"original": 24, "effective": 0} for task in _TASKS}
    for task, of_task in samples.items():
        text = "".join(json.dumps(sample, ensure_ascii=False) + "\n" for sample in of_task)
        (folder / f"samples_{task}_{DATE}.jsonl").write_text(text, encoding="utf-8")
    path = folder / f"{name}_{DATE}.json"
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")
    return path


def _samples(task: str, metrics: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [
        {
            "doc_id": number,
            "doc": {"id": f"{task} {number}", "question": "?", "paragraph": number // 2},
            "target": "0",
            "arguments": {"gen_args_0": {"arg_0": "?", "arg_1": {"until": ["\n"]}}},
            "resps": [["no"]],
            "filtered_resps": ["no"],
            "filter": "none",
            "metrics": list(metrics),
            **{
                f"{part}_hash": hashlib.sha256(f"{task} {part} {number}".encode()).hexdigest()
                for part in ("doc", "prompt", "target")
            },
            **{metric: values[number] for metric, values in metrics.items()},
        }
        for number in range(DOCUMENTS)
    ]


def _digest(samples: list[dict[str, Any]]) -> str:
    hashes = (sample[f"{part}_hash"] for sample in samples for part in ("doc", "prompt", "target"))
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


def _measures(task: str) -> dict[str, Any]:
    if task == "bpb_zh":
        pairs = _TASKS[task]["bits_per_byte"]
        bits = -sum(n for n, _ in pairs) / sum(d for _, d in pairs) / 0.6931471805599453
        return {"bits_per_byte,none": bits, "bits_per_byte_stderr,none": "N/A"}
    means = {f"{metric},none": sum(values) / DOCUMENTS for metric, values in _TASKS[task].items()}
    return means | {f"{metric}_stderr,none": 0.25 for metric in _TASKS[task]}


def _config(task: str, metrics: dict[str, list[Any]]) -> dict[str, Any]:
    return {
        "task": task,
        "dataset_path": "org/data",
        "test_split": "test",
        "doc_to_text": "{{question}}",
        "output_type": "loglikelihood_rolling" if task == "bpb_zh" else "generate_until",
        "metric_list": [{"metric": metric, "aggregation": "mean", "higher_is_better": True} for metric in metrics],
        "metadata": {"version": 2.0, "data": "embedded"},
    }
