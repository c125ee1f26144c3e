"""What each loader reads, small and whole, for damaged copies to be made of it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from conftest import make_model

from helpers import detections
from helpers.gate_folders import check, make_results
from helpers.mutations import Mutation, changed_json, changed_line, changed_metadata, changed_yaml
from helpers.neuron_sets import ZH
from helpers.report_folders import make_folder
from mwork_eval.analysis.lens_file import LensReport, lens_file, read_lens, write_lens
from mwork_eval.analysis.shares import Curves
from mwork_eval.application.check import write_baseline
from mwork_eval.benchmarks.readers import read_jsonl, read_lines, read_squad
from mwork_eval.cli.run import run
from mwork_eval.detection.corpus.sources import Corpus
from mwork_eval.detection.partial import PartialScores
from mwork_eval.detection.recording.registry import RECORDS
from mwork_eval.detection.recording.scores import statistics_of
from mwork_eval.detection.recording.statistic import CORPUS
from mwork_eval.detection.score_table import ScoreTable, places_of
from mwork_eval.detection.selection import Selection, select_specific
from mwork_eval.enhancement.folder import ImprovementCell, ImprovementCells, read_enhancement
from mwork_eval.enhancement.record import Record, TrainedDelta
from mwork_eval.errors import InputError
from mwork_eval.files.seal import write_sealed
from mwork_eval.gate.limits import read_limits
from mwork_eval.matrix.preset_file import read_presets
from mwork_eval.matrix.task_file import read_task_file
from mwork_eval.models.layout import Layout
from mwork_eval.neurons.activation_values import named_arrays
from mwork_eval.neurons.files import load_neuron_set, save_neuron_set
from mwork_eval.neurons.shape import ModelShape
from mwork_eval.reports.files import write_report_files
from mwork_eval.results.manifest import TaskEntry
from mwork_eval.results.matrix_folder import MatrixFolder
from mwork_eval.results.store import CellStore
from mwork_eval.results.summaries.report_file import tables_of
from mwork_eval.results.tables import read_results
from mwork_eval.statistics.resampling import Estimate
from mwork_eval.weight_deltas.delta import WeightDelta, apply_delta, load_delta, save_delta


class Loader(NamedTuple):
    """A file, how a valid copy with other values is made of it, and what is read of it."""

    file: Path
    change: Mutation
    read: Callable[[], Any]


def neuron_set(folder: Path) -> Loader:
    path = folder / "zh.safetensors"
    typical = {"mean.de": {(1, "up"): np.arange(12.0), (2, "residual"): np.arange(5.0)}}
    save_neuron_set(replace(ZH, activations=typical).described(language="zh", fingerprint="f", documents=3), path)

    def read():
        found = load_neuron_set(path)
        values = {name: array.tolist() for name, array in named_arrays(found.activations).items()}
        return found.digest, dict(found.about), str(found), found.shape.switches, values

    return Loader(path, changed_metadata, read)


def scores(folder: Path) -> Loader:
    path = folder / "scores" / "zh.safetensors"
    for seed, language in enumerate(("en", "zh")):
        detections.table(language, seed, documents=1).save(folder / "scores" / f"{language}.safetensors")

    def read():
        tables = [ScoreTable.load(folder / "scores" / f"{language}.safetensors") for language in ("en", "zh")]
        sets = select_specific(tables, Selection(fraction=0.5))
        columns = [[values.tolist() for places in one.values.values() for values in places.values()] for one in tables]
        return {language: found.digest for language, found in sets.items()}, columns, dict(tables[1].about)

    return Loader(path, changed_metadata, read)


def unfinished_scores(folder: Path) -> Loader:
    path, shape = folder / "part.safetensors", ModelShape("llama", ({"q": 3, "up": 4},) * 2)
    run_of = {"about": {"language": "zh", "method": "exact", "corpus": {"name": "c"}}, "batch": 4}
    part = PartialScores(shape, run_of, corpus={"digest": "d", "tokens": 9}, complete=True)
    generator = np.random.default_rng(1)
    for name in ("0", "1"):
        for _ in range(2):
            one = {place: generator.random(shape.sizes[place[0]][place[1]], np.float32) for place in places_of(shape)}
            part.group(name).add(statistics_of(one))
    part.save(path)

    def read():
        found = PartialScores.load(path)
        table = found.table()
        return dict(table.about), [v.tolist() for places in table.values.values() for v in places.values()]

    return Loader(path, changed_metadata, read)


def unfinished_recorded_scores(folder: Path) -> Loader:
    path = folder / "part.safetensors"
    part = _recorded()
    part.save(path)

    def read():
        found = PartialScores.load(path)
        table = found.table()
        return dict(table.about), [v.tolist() for places in table.values.values() for v in places.values()]

    return Loader(path, changed_metadata, read)


def recorded_scores(folder: Path) -> Loader:
    path = folder / "zh.safetensors"
    _recorded().table().save(path)

    def read():
        table = ScoreTable.load(path)
        return dict(table.about), {n: [v.tolist() for v in places.values()] for n, places in table.values.items()}

    return Loader(path, changed_metadata, read)


def _recorded() -> PartialScores:
    """Return made-up scores of two documents with every record."""
    shape, generator = ModelShape("llama", ({"q": 3, "up": 4},) * 2), np.random.default_rng(1)
    about = {"language": "zh", "method": "exact", "fingerprint": "f", "corpus": {"name": "c"}, "recorded": [*RECORDS]}
    part = PartialScores(shape, {"about": about}, corpus={"digest": "d", "tokens": 9}, complete=True)
    for number in range(2):
        one = {place: generator.random(shape.sizes[place[0]][place[1]], np.float32) for place in places_of(shape)}
        states = {(layer, "residual"): generator.random(5, np.float32) for layer in (0, 1)}
        part.group("all").add(
            {
                **statistics_of(one),
                "over_zero": {place: (9 * found).astype(np.int32) for place, found in one.items()},
                "activation_sum": {**one, **states},
                "activation_square_sum": one,
                "activation_tokens": {CORPUS: np.array([9])},
                "responses": {place: found[None] for place, found in one.items()},
                "document_numbers": {CORPUS: np.array([[1 - number]])},
                "attribution_sum": one,
            }
        )
    return part


def delta(folder: Path) -> Loader:
    path, model = folder / "zh.safetensors", make_model("llama")
    layout = Layout.of(model)
    tensors = {
        "layers.0.q.neurons": torch.tensor([0, 2], dtype=torch.int32),
        "layers.0.q.weight": torch.ones(2, model.config.hidden_size),
        "layers.1.up.neurons": torch.tensor([5], dtype=torch.int32),
        "layers.1.up.weight": torch.ones(1, model.config.hidden_size),
    }
    save_delta(WeightDelta(layout.shape, tensors, {"fingerprint": "f"}), path)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    def read():
        found = load_delta(path)
        try:
            apply_delta(layout, found).close()
        finally:
            assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
        return found.digest, dict(found.about)

    return Loader(path, changed_metadata, read)


def cell(folder: Path) -> Loader:
    make_results(folder, {("xquad", "en"): [1, 1, 0], ("xquad", "zh"): [1, 0, 0]}, docs=[{"id": n} for n in range(3)])

    def read():
        matrix = MatrixFolder(folder)
        stored = matrix.cell("1")
        assert stored is not None
        samples = list(CellStore(folder).samples("1"))
        return stored, samples, matrix.documents(stored, with_content=True), matrix.lm_eval_digest(stored)

    return Loader(CellStore(folder).path("1"), changed_line, read)


def manifest(folder: Path) -> Loader:
    make_folder(folder)
    MatrixFolder(folder).manifest.save(folder / "manifest.json")
    return Loader(folder / "manifest.json", changed_json, lambda: _shown(folder))


def _shown(folder: Path) -> Any:
    results = read_results(folder)
    formats = ("md", "html", "tex", "csv", "json", "lm-eval")
    files = write_report_files([results], formats, folder.parent / "out")
    return results.tables, [path.read_text() for path in files if path.suffix in (".md", ".csv")]


def baseline(folder: Path) -> Loader:
    scores_of = {("xquad", "en"): [1, 1, 0], ("xquad", "zh"): [1, 0, 0], ("bpb", "zh"): [(9.5, 4.0)]}
    make_results(folder / "old", scores_of, masked={("LS all", "zh", None, "zh"): [0, 0, 0]}, sets={"zh": 1})
    make_results(folder / "new", scores_of, masked={("LS all", "zh", None, "zh"): [0, 0, 0]}, sets={"zh": 1})
    write_baseline(folder / "old", folder / "kept")

    def read():
        found = check(folder / "kept", folder / "new")
        for problem in found.problems:
            raise InputError(problem.reason)
        return found

    return Loader(folder / "kept" / "baseline.json", changed_json, read)


def _enhancement(folder: Path) -> None:
    kinds = (("specific", 0), ("random", 0), ("random", 1))
    deltas = tuple(
        TrainedDelta(("zh",), kind, seed, 8, f"deltas/zh/{kind}-seed{seed}-8.safetensors", "d", 5, 100, 5.5, 5.25)
        for kind, seed in kinds
    )
    record = Record("tiny", "f", {"sets": {"zh": "d"}, "documents": [8]}, {"zh": {"name": "c"}}, {"zh": ["k"]}, deltas)
    record.save(folder)
    store, entries = CellStore(make_folder(folder / "source", sets=False)), []
    for number, trained in enumerate((None, *deltas)):
        for language in ("en", "zh"):
            score = store.load(str(number))
            assert score is not None
            CellStore(folder).save(f"{number}-{language}", score, {}, [])
            file = None if trained is None else trained.file
            entries.append(ImprovementCell(delta=file, task=f"xquad_{language}", identity=f"{number}-{language}"))
    family = TaskEntry(name="xquad", languages=("en", "zh"), missing=())
    cells = ImprovementCells(families=(family,), cells=tuple(entries)).model_dump(mode="json")
    write_sealed(folder / "improvement.json", {"format": "mwork-improvement", "version": 1, **cells})


def enhancement(folder: Path) -> Loader:
    _enhancement(folder)

    def read():
        record = Record.load(folder)
        return record, record.continuing(folder), repr(read_enhancement(folder))

    return Loader(folder / "enhancement.json", changed_json, read)


def improvement(folder: Path) -> Loader:
    _enhancement(folder)
    return Loader(folder / "improvement.json", changed_json, lambda: repr(read_enhancement(folder)))


def lens(folder: Path) -> Loader:
    shares = [[Estimate(0.5, 0.25, 0.75, None), Estimate(0.5, None, None, None)] for _ in range(3)]
    curves = [
        Curves("zh", masked, ("zh", "en"), shares, np.ones((3, 2)), np.ones((3, 2)), 4) for masked in (None, "under")
    ]
    write_lens(LensReport({"method": "tokens", "model": "tiny", "limit": None}, curves), folder)
    path = lens_file(folder, "tokens")

    def read():
        found = read_lens(path)
        return dict(found.about), repr(found.curves)

    return Loader(path, changed_line, read)


def report(folder: Path) -> Loader:
    make_folder(folder)
    write_report_files([read_results(folder)], ["json"], folder)
    return Loader(folder / "report.json", changed_json, lambda: _numbers(folder))


def _numbers(folder: Path) -> Any:
    return [
        (table.preset, table.task, table.unit, [(row.name, row.delta and row.delta.delta.ends) for row in table.rows])
        for table in tables_of(MatrixFolder(folder))
    ]


def run_file(folder: Path) -> Loader:
    path = folder / "run.yaml"
    path.write_text("languages: [en, zh]\nmax-docs: 4\nlimit: 2\nfraction: 0.01\nout: here\ncheck-language: false\n")

    def read():
        run.make_context("run", ["--config", str(path)])

    return Loader(path, changed_yaml, read)


def presets(folder: Path) -> Loader:
    path = folder / "mine.yaml"
    rows = "  - {random: true, positions: under}\n  - {random: false, positions: under}\n"
    path.write_text(f"early:\n  task: xquad\n  settings:\n{rows}late:\n  task: bpb\n  table: 7\n  settings:\n{rows}")
    return Loader(path, changed_yaml, lambda: read_presets(path))


def task_file(folder: Path) -> Loader:
    path = folder / "tasks.yaml"
    path.write_text("mine: {en: arc_challenge, zh: arc_zh}\nother: {en: a, no: b, Chinese: c}\n")
    return Loader(path, changed_yaml, lambda: read_task_file(path))


def limits(folder: Path) -> Loader:
    path = folder / "limits.yaml"
    path.write_text(
        "max_drop: 1.5\nper:\n  zh: {max_drop: 2}\n  xquad: {max_relative_drop: 0.1, cluster: id}\n"
        "require:\n  delta: {LS all: {min: 2}}\n  overlap: {zh: 0.5}\n"
    )
    return Loader(path, changed_yaml, lambda: read_limits(path))


def questions(folder: Path) -> Loader:
    path = folder / "xquad.zh.json"
    asked = {"id": "1", "question": "谁？", "answers": [{"text": "我", "answer_start": 0}]}
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": "我。", "qas": [asked]}]}], "version": "1"}))
    return Loader(path, changed_json, lambda: list(read_squad(path)))


def records(folder: Path) -> Loader:
    path = folder / "zh.jsonl"
    path.write_text("".join(json.dumps({"id": n, "text": "水" * n, "choices": [1, "x"]}) + "\n" for n in range(1, 5)))
    return Loader(path, changed_line, lambda: list(read_jsonl(path)))


def lines(folder: Path) -> Loader:
    path = folder / "zh.txt"
    path.write_text("水在零度会结冰。\n第二行。\n")
    return Loader(path, lambda raw, generator: raw[: generator.randrange(len(raw))], lambda: list(read_lines(path)))


def corpus(folder: Path) -> Loader:
    path = folder / "zh.jsonl"
    path.write_text("".join(json.dumps({"text": "水" * n}) + "\n" for n in range(1, 5)))
    return Loader(path, changed_line, lambda: list(Corpus.parse(f"zh={path}").documents()))


LOADERS: dict[str, Callable[[Path], Loader]] = {
    one.__name__: one
    for one in (
        neuron_set, scores, unfinished_scores, recorded_scores, unfinished_recorded_scores, delta, cell, manifest,
        baseline, enhancement, improvement, lens, report, run_file, presets, task_file, limits, questions, records,
        lines, corpus,
    )
}  # fmt: skip
PROTECTED = (
    "neuron_set", "scores", "unfinished_scores", "recorded_scores", "unfinished_recorded_scores", "delta",
    "cell", "manifest", "baseline", "enhancement", "improvement", "lens", "report",
)  # fmt: skip
"""Those whose files have digests: a changed byte is never another number."""
