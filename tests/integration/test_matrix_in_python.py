"""A matrix from Python: the cells of the command, a model that comes back as it was, results to look at."""

import gc
import json
import random
import weakref

import pandas as pd
import pytest
import torch
import transformers
from helpers.commands import mwork
from helpers.matrix_runs import CELLS, ablate

import mwork_eval as mw
from mwork_eval.application.ablate import ablate as ablate_in_python
from mwork_eval.application.matrix_results import MatrixResults
from mwork_eval.application.progress import Silent
from mwork_eval.application.read_results import read_results
from mwork_eval.errors import InputError
from mwork_eval.neurons.references import find_language_sets
from mwork_eval.results.tables import DeltaTable

pytest_plugins = ["helpers.matrix_fixtures"]

MATRIX = {"tasks": ["xcsqa", "bpb"], "limit": 2, "seeds": (1, 2), "data": "embedded", "progress": Silent()}
SMALL = MATRIX | {"tasks": "bpb", "seeds": (1,)}


@pytest.fixture
def given(tiny_llama):
    """A model in memory with its tokenizer, as a notebook has them."""
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_llama, dtype=torch.float32)
    return model, transformers.AutoTokenizer.from_pretrained(tiny_llama)


@pytest.fixture(scope="session")
def sets(neurons):
    return find_language_sets(str(neurons), ["zh", "es"])


def files_of(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "cells").iterdir())}


def state_of(model):
    return {name: value.clone() for name, value in (*model.named_parameters(), *model.named_buffers())}


def assert_untouched(model, before):
    after = dict((*model.named_parameters(), *model.named_buffers()))
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_the_command_and_the_function_make_the_same_cells_and_share_a_folder(
    tiny_llama, neurons, sets, given, tmp_path
):
    said = ablate(tiny_llama, neurons, tmp_path / "command")
    assert f"{CELLS} cells, {CELLS} to compute" in said
    by_name = ablate_in_python(
        str(tiny_llama), neurons=neurons, out=tmp_path / "name", languages=["en", "zh", "es"], device="cpu",
        dtype="float32", **MATRIX,
    )  # fmt: skip
    model, tokenizer = given
    model.train()  # dropout or not, the scores are those of evaluation
    in_memory = ablate_in_python(model, tokenizer, sets, out=tmp_path / "memory", **MATRIX)
    expected = files_of(tmp_path / "command")
    assert len(expected) == CELLS
    assert files_of(by_name.folder) == expected
    assert files_of(in_memory.folder) == expected
    manifests = [json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("command", "memory")]
    assert manifests[0] == manifests[1]
    assert "0 to compute" in ablate(tiny_llama, neurons, tmp_path / "memory")
    told = Told()
    again = ablate_in_python(model, tokenizer, sets, out=tmp_path / "command", **MATRIX | {"progress": told})
    assert told.messages == [f"{CELLS} cells, 0 to compute, in {tmp_path / 'command'}"]
    assert again.results.tables == in_memory.results.tables


class Told(Silent):
    def __init__(self):
        self.messages = []

    def tell(self, message):
        self.messages.append(message)


def test_a_model_comes_back_as_it_was_also_after_an_interruption(given, sets, monkeypatch):
    model, tokenizer = given
    model.train()
    model.model.layers[1].eval()
    tokenizer.pad_token, tokenizer.padding_side = None, "left"
    model.model.layers[0].register_forward_hook(hook := lambda *arguments: None)
    before, modes = state_of(model), [module.training for module in model.modules()]
    numbers = random.getstate(), torch.get_rng_state()

    def check():
        assert_untouched(model, before)
        assert [module.training for module in model.modules()] == modes
        assert list(model.model.layers[0]._forward_hooks.values()) == [hook]
        assert "tie_weights" not in model.__dict__
        assert (tokenizer.pad_token, tokenizer.padding_side) == (None, "left")
        assert random.getstate() == numbers[0]
        assert torch.equal(torch.get_rng_state(), numbers[1])

    ablate_in_python(model, tokenizer, sets, **SMALL)
    check()

    class Interrupting(Told):
        def tell(self, message):
            raise KeyboardInterrupt

    monkeypatch.setattr("mwork_eval.matrix.runner.known_answers", interrupt_at_a_mask(model))
    with pytest.raises(KeyboardInterrupt):
        ablate_in_python(model, tokenizer, sets, **SMALL)
    check()


def interrupt_at_a_mask(model):
    """Raise as Ctrl-C does once a cell has left its mask in the model."""
    before = state_of(model)

    def interrupt(*arguments):
        if not all(torch.equal(value, before[name]) for name, value in model.named_parameters()):
            raise KeyboardInterrupt
        return {}

    return interrupt


def test_a_model_in_bfloat16_stays_in_it_and_its_cells_are_those_of_the_command(tiny_llama, neurons, sets, tmp_path):
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_llama, dtype=torch.bfloat16)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_llama)
    ablate_in_python(model, tokenizer, sets, out=tmp_path / "memory", **SMALL)
    assert {value.dtype for value in model.parameters()} == {torch.bfloat16}
    mwork(
        "ablate", "--model", tiny_llama, "--neurons", neurons, "--preset", "existence", "--tasks", "bpb", "--limit", 2,
        "--languages", "en,zh,es", "--data", "embedded", "--seeds", "1", "--device", "cpu", "--dtype", "bfloat16",
        "--out", tmp_path / "command",
    )  # fmt: skip
    assert files_of(tmp_path / "memory") == files_of(tmp_path / "command")


def test_hooks_keep_the_cells_of_a_model_apart(given, sets, tmp_path):
    model, tokenizer = given
    plain = ablate_in_python(model, tokenizer, sets, out=tmp_path, **SMALL).table()
    with_hook = model.model.layers[1].register_forward_hook(
        lambda module, arguments, output: output * 1.5 if torch.is_tensor(output) else (output[0] * 1.5, *output[1:])
    )
    hooked = ablate_in_python(model, tokenizer, sets, out=tmp_path, **SMALL).table()
    with_hook.remove()
    assert hooked.baseline != plain.baseline
    assert ablate_in_python(model, tokenizer, sets, out=tmp_path, **SMALL).table() == plain


def test_a_head_with_a_hook_is_called(given, sets):
    model, tokenizer = given
    with torch.no_grad():
        plain = ablate_in_python(model, tokenizer, sets, **SMALL).table().baseline
        model.lm_head.register_forward_hook(lambda module, arguments, logits: logits * 0)
        flat = ablate_in_python(model, tokenizer, sets, **SMALL).table().baseline
    assert flat != plain


def test_an_adapter_is_masked_and_stays(given, sets, tmp_path):
    peft = pytest.importorskip("peft", reason="peft is optional")
    model, tokenizer = given
    config = peft.LoraConfig(target_modules=["q_proj", "up_proj"], init_lora_weights=False)
    adapted = peft.get_peft_model(model, config)
    before = state_of(adapted)
    with pytest.raises(InputError, match="made for other weights"):
        ablate_in_python(adapted, tokenizer, sets, **SMALL)
    with_adapter = ablate_in_python(adapted, tokenizer, sets, out=tmp_path, force=True, **SMALL)
    assert_untouched(adapted, before)
    with adapted.disable_adapter():
        without = ablate_in_python(adapted, tokenizer, sets, out=tmp_path, force=True, **SMALL)
    assert without.table().baseline != with_adapter.table().baseline
    merged = ablate_in_python(adapted.merge_and_unload(), tokenizer, sets, force=True, **SMALL)
    for one, other in zip(with_adapter.table().rows, merged.table().rows, strict=True):
        assert one.delta.delta.value == pytest.approx(other.delta.delta.value, abs=1e-5)


def test_without_a_folder_nothing_stays(given, sets, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    results = ablate_in_python(*given, sets, **SMALL)
    (folder,) = tmp_path.iterdir()
    assert results.folder == folder
    assert results.save(tmp_path / "kept") == tmp_path / "kept"
    with pytest.raises(InputError, match="holds results already"):
        results.save(tmp_path / "kept")
    tables = results.results.tables

    del results
    gc.collect()
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert read_results(tmp_path / "kept").results.tables == tables


def test_nothing_keeps_a_model_alive(tiny_llama, sets):
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_llama)
    results = ablate_in_python(model, transformers.AutoTokenizer.from_pretrained(tiny_llama), sets, **SMALL)
    there = weakref.ref(model)
    del model
    gc.collect()
    assert there() is None
    assert results.has_tables


def test_results_show_as_tables_numbers_and_figures(whole):
    results = read_results(whole)
    assert repr(results) == f"<MatrixResults: existence on xcsqa, existence on bpb; {CELLS} cells>"
    table = results.table("existence", "bpb")
    assert isinstance(table, DeltaTable)
    assert table.unit == "bits per byte"
    lines = repr(table).splitlines()
    assert lines[0] == "existence (Table 1 of the paper) on bpb"
    assert [line.split("  ")[0] for line in lines[1:4]] == ["setting", "R all", "LS all"]
    page = results._repr_html_()
    assert page.count("<h4>") == 2
    assert "<script" not in page
    assert "existence (Table 1 of the paper) on xcsqa" in page
    assert page.count("<h4>") == table._repr_html_().count("<h4>") + 1
    frame = results.to_pandas()
    written = whole.parent / "report.csv"
    mwork("report", whole, "--formats", "csv", "--out", whole.parent)
    pd.testing.assert_frame_equal(
        frame.fillna(float("nan")).astype(str), pd.read_csv(written).astype(object).astype(str), check_dtype=False
    )
    figure = results.figure("changes", task="bpb")
    assert figure._suptitle.get_text() == lines[0]
    assert len(results.figure("neurons").axes) == 3  # two languages and the scale


def test_what_is_not_there_is_named(whole, tmp_path, monkeypatch):
    results = read_results(whole)
    with pytest.raises(InputError, match=r"a table knowledge is not there; expected one of existence on xcsqa; exi"):
        results.table("knowledge")
    with pytest.raises(InputError, match="a table is several times there; expected one of existence on xcsqa"):
        results.table()
    with pytest.raises(InputError, match=r"a figure dose is not there; expected one of changes \(existence, xcsqa\)"):
        results.figure("dose")
    with pytest.raises(InputError, match="a figure changes existence is several times there"):
        results.figure("changes", "existence")
    with pytest.raises(InputError, match="holds no ablation results"):
        read_results(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "results_2026.json").touch()
    with pytest.raises(InputError, match="holds results of lm_eval"):
        read_results(tmp_path)
    (tmp_path / "enhancement.json").touch()
    with pytest.raises(InputError, match="holds results of `enhance`"):
        read_results(tmp_path)
    monkeypatch.setattr("mwork_eval.reports.plots.find_spec", lambda name: None)
    with pytest.raises(InputError, match="a figure needs a package that is not installed"):
        results.figure("changes", task="bpb")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"neurons": None}, "no neurons given"),
        ({"tokenizer": None}, "a model in memory needs its tokenizer"),
        ({"tokenizer": 3}, "a model in memory needs its tokenizer; found int"),
        ({"model": 3}, "no model in memory; found int"),
        ({"preset": "nothing"}, "unknown preset; found 'nothing'"),
        ({"languages": ["en", "de"]}, "languages without a neuron set; found de; expected some of zh es"),
        ({"languages": ["zh"]}, "∆ compares English with other languages"),
        ({"tasks": "nothing"}, "unknown task"),
        ({"limit": 0}, "unusable limit"),
        ({"counts": [0]}, "unusable counts"),
        ({"seeds": [-1]}, "unusable seeds"),
        ({"controls": "some"}, "unknown controls"),
        ({"set_draws": 3}, "a number of set draws needs the folder they lie in"),
        ({"device": "cpu"}, "a model in memory stays as it is; found device"),
        ({"engine": "slurm"}, "unknown engine; found 'slurm'; expected one of serial ray vllm"),
        ({"engine": "ray"}, "the workers of ray load the model themselves; found a model in memory"),
        ({"workers": 2}, "`workers` is for `engine=ray`"),
        ({"batch_size": 0}, "unusable batch_size"),
    ],
)
def test_wrong_arguments_are_one_error(given, sets, wrong, message):
    arguments = {"model": given[0], "tokenizer": given[1], "neurons": sets, **SMALL, **wrong}
    with pytest.raises(InputError, match=message):
        ablate_in_python(**arguments)


def test_sets_come_as_users_have_them(given, sets, neurons):
    one = ablate_in_python(*given, sets["zh"], **SMALL)
    assert one.table().languages == ("zh",)
    assert ablate_in_python(*given, {"en": sets["es"], **sets}, **SMALL).table().languages == ("zh", "es")
    assert set(ablate_in_python(*given, neurons, **SMALL).table().languages) == {"zh", "es"}
    drawn = ablate_in_python(*given, sets, set_draws=[sets, sets], **SMALL)
    assert "existence on bpb: ∆ by the documents" in (mwork("report", drawn.folder))


def test_lm_eval_is_quiet(given, sets, capfd, caplog):
    ablate_in_python(*given, sets, **SMALL)
    printed = capfd.readouterr()
    assert printed.out == printed.err == ""
    assert [record for record in caplog.records if record.name.startswith("lm_eval")] == []


def test_public_names_are_these():
    assert mw.ablate is ablate_in_python
    assert mw.read_results is read_results
    assert mw.MatrixResults is MatrixResults
