"""Damages that were once read as other numbers, or ended in a traceback: one test a kind."""

import json
import logging
import struct
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from helpers import damaged
from helpers.commands import invoke
from helpers.earlier_files import rewrite, without_digests
from helpers.neuron_sets import ZH
from helpers.report_folders import make_folder
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors

from mwork_eval.benchmarks.readers import read_jsonl, read_squad
from mwork_eval.cli.run import run
from mwork_eval.digests import digest_of
from mwork_eval.enhancement.training import _last_checkpoint
from mwork_eval.errors import InputError
from mwork_eval.files import seal
from mwork_eval.files.json_values import dump
from mwork_eval.neurons.files import load_neuron_set, save_neuron_set
from mwork_eval.results.store import CellStore, load_manifest


def metadata_of(path: Path):
    raw = path.read_bytes()
    header = json.loads(raw[8 : 8 + struct.unpack("<Q", raw[:8])[0]])
    return json.loads(header["__metadata__"]["mwork"])


def signed(described) -> str:
    return json.dumps({**described, "description_digest": digest_of(described)})


def loader_of(kind: str, folder: Path) -> damaged.Loader:
    folder.mkdir()
    return damaged.LOADERS[kind](folder)


@pytest.mark.parametrize("entry", ["language", "fingerprint"])
def test_a_set_that_is_said_to_be_of_another_language_or_model_is_refused(entry, tmp_path):
    path = tmp_path / "zh.safetensors"
    save_neuron_set(ZH.described(language="zh", fingerprint="f"), path)
    raw = path.read_bytes()
    for old, new in ((b"zh", b"es"), (b'\\"f\\"', b'\\"g\\"')):
        if old in raw and (entry == "language") == (old == b"zh"):
            path.write_bytes(raw.replace(old, new))
    with pytest.raises(InputError, match="damaged, or its description was changed"):
        load_neuron_set(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: [],
        lambda m: "x",
        lambda m: {**m, "shape": {"family": "llama"}},
        lambda m: {**m, "shape": {"runs": m["shape"]["runs"]}},
        lambda m: {**m, "shape": {**m["shape"], "runs": [{"sizes": {"q": 8}}]}},
        lambda m: {**m, "shape": {**m["shape"], "runs": [{"layers": 2}]}},
        lambda m: {**m, "shape": {**m["shape"], "runs": [{"layers": 2**31, "sizes": {"q": 8}}]}},
        lambda m: {**m, "shape": {**m["shape"], "runs": [{"layers": 10**30, "sizes": {"q": 8}}]}},
        lambda m: {**m, "digest": 3},
        lambda m: {**m, "about": {"language": 3}},
    ],
)
@pytest.mark.parametrize("kind", ["neuron_set", "scores", "unfinished_scores", "delta"])
def test_signed_metadata_of_another_form_are_one_error(kind, change, tmp_path):
    loader = loader_of(kind, tmp_path / "folder")
    changed = change(metadata_of(loader.file))
    text = signed(changed) if isinstance(changed, dict) else json.dumps(changed)
    save_file({"a": np.zeros(1, np.int32)}, loader.file, {"mwork": text})
    with pytest.raises(InputError):
        loader.read()


@pytest.mark.parametrize("kind", ["neuron_set", "scores", "unfinished_scores"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn])
def test_tensors_of_types_that_numpy_lacks_are_one_error(kind, dtype, tmp_path):
    loader = loader_of(kind, tmp_path / "folder")
    save_tensors({"layers.0.q": torch.zeros(3).to(dtype)}, loader.file, {"mwork": json.dumps(metadata_of(loader.file))})
    with pytest.raises(InputError):
        loader.read()


def test_swapped_scores_are_refused(tmp_path):
    loader = loader_of("scores", tmp_path / "folder")
    raw = loader.file.read_bytes()
    size = 8 + struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:size])
    first, second = "layers.0.q.minimum", "layers.1.q.minimum"
    header[first], header[second] = header[second], header[first]
    text = json.dumps(header).encode()
    loader.file.write_bytes(struct.pack("<Q", len(text)) + text + raw[size:])
    with pytest.raises(InputError, match="is damaged; found digest"):
        loader.read()


def test_a_language_that_is_none_in_a_manifest(tmp_path):
    make_folder(tmp_path)
    rewrite(tmp_path / "manifest.json", ('"mask_language": "es"', '"mask_language": "xx"'))
    with pytest.raises(InputError, match="no number of neurons of xx"):
        load_manifest(tmp_path)


def test_an_aggregate_that_is_not_that_of_the_documents(tmp_path):
    store = CellStore(make_folder(tmp_path))
    score = store.load("1")
    assert score is not None
    text = without_digests(store.path("1"))
    store.path("1").write_text(text.replace(json.dumps(score.metrics["acc,none"]), "8.0", 1))
    with pytest.raises(InputError, match=r"acc,none 8\.0 where its documents give"):
        store.load("1")


def test_a_file_without_a_digest_is_named_once_for_its_folder(tmp_path, caplog):
    store = CellStore(make_folder(tmp_path))
    for identity in "12":
        store.path(identity).write_text(without_digests(store.path(identity)))
    seal._named.clear()
    with caplog.at_level(logging.WARNING):
        assert store.load("1") is not None
        assert store.load("2") is not None
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [str(store.path("1"))]


NESTED = [name for name in damaged.LOADERS if name not in ("lines",)]


@pytest.mark.parametrize("name", NESTED)
@pytest.mark.parametrize("text", [b"[" * 2000, b"{" * 2000, b"", b"\xff\xfe", b"null", b'"\\ud800"', b"9" * 5000])
def test_what_is_no_document_at_all_is_one_error(name, text, tmp_path):
    loader = loader_of(name, tmp_path / "folder")
    loader.file.write_bytes(text + b"\n" if text else text)
    if (not text and name in ("run_file", "limits", "records", "corpus")) or (name, text) == ("limits", b"null"):
        loader.read()  # nothing is asked for, or nothing is there
        return
    with pytest.raises((InputError, click.ClickException)) as error:
        loader.read()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("limit: 2.5", "run.yaml:1: limit; found '2.5'"),
        ("limit: true", "limit; found 'true'"),
        ("top-k: 2.9", "top-k; found '2.9'"),
        ("max-docs: null", "not the value of an option; found nothing"),
        ("max-docs:", "not the value of an option; found nothing"),
        ("limit: !!float x", "a YAML tag; found tag:yaml.org,2002:float"),
        ("check-language: !!bool x", "a YAML tag"),
        ("limit: 2\nlimit: 3", "run.yaml:2: an entry stands twice; found limit"),
        ("limit: &a 2", "a YAML anchor"),
        ("languages: {en: zh}", "not the value of an option; found a mapping"),
        ("fraction: .nan", "not a number to count with"),
        (f"limit: {'9' * 5000}", "not a number to count with"),
        ('out: "a\\0b"', "out; found"),
        ("? [a]\n: b", "a name that is no text"),
        ("a: 2020-99-99", "cannot read"),
    ],
)
def test_a_run_file_with_values_that_are_none(text, said, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(text + "\n")
    with pytest.raises(InputError) as error:
        run.make_context("run", ["--config", str(path)])
    assert said in str(error.value)


def test_a_number_in_a_run_file_is_a_path_where_one_is_meant(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("out: 3\n")
    assert run.make_context("run", ["--config", str(path)]).params["out"] == Path("3")


@pytest.mark.parametrize("read", [read_squad, read_jsonl])
def test_half_a_sign_in_a_benchmark_is_one_error(read, tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"data": "\\ud800"}\n')
    with pytest.raises(InputError, match=r"x\.json.*: not JSON"):
        list(read(path))


def test_what_json_lacks_is_written_as_text():
    assert dump({"a": float("nan"), "b": [float("-inf"), 1.5]}) == '{"a": "nan", "b": ["-inf", 1.5]}'


def test_a_training_goes_on_from_the_last_checkpoint_that_is_whole(tmp_path):
    for step, state in ((4, '{"global_step": 4}'), (8, '{"global_step": 8}'), (12, '{"global_st'), (16, None)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if state is not None:
            (tmp_path / f"checkpoint-{step}/trainer_state.json").write_text(state)
    assert _last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-8")
    assert _last_checkpoint(tmp_path / "none") is None


@pytest.mark.slow
def test_repair_computes_damaged_cells_again_and_writes_a_damaged_manifest_anew(tiny_llama, tmp_path):
    sets, out = tmp_path / "sets", tmp_path / "out"
    device = ("--model", tiny_llama, "--device", "cpu")
    invoke("detect", *device, "--languages", "en,zh", "--fraction", "0.4", "--max-docs", "4", "--out", sets)
    given = ("ablate", *device, "--neurons", sets, "--preset", "existence", "--tasks", "bpb", "--limit", "2")
    given += ("--languages", "en,zh", "--data", "embedded", "--seeds", "1", "--out", out)
    invoke(*given)
    whole = {path: path.read_bytes() for path in (*out.glob("cells/*.jsonl"), out / "manifest.json")}
    first, second, *_ = sorted(out.glob("cells/*.jsonl"))
    first.write_bytes(whole[first][:-9])
    second.write_bytes(whole[second].replace(b'"acc', b'"acd').replace(b"1", b"2", 9))
    assert "--repair" in invoke(*given, code=2).output
    (out / "manifest.json").write_bytes(whole[out / "manifest.json"][:200])
    assert "`mwork ablate --repair`" in invoke("report", out, code=2).output
    said = invoke(*given, "--repair").output
    assert said.count("computed again: ") == 2
    assert {path: path.read_bytes() for path in whole} == whole
