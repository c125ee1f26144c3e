"""Wrong values of the public functions: one error each, before a model works."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_model, make_tokenizer
from helpers.models_in_memory import neurons_of

import mwork_eval as mw
from mwork_eval.application.arguments import (
    languages_of,
    limits_of,
    names_of,
    order_of,
    shard_of,
    whole_number,
    whole_numbers,
)
from mwork_eval.application.enhance import only_language
from mwork_eval.application.matrix_arguments import find_sets, make_matrix_options
from mwork_eval.errors import InputError
from mwork_eval.neurons.neuron_set import NeuronSet

TEXTS = {"en": ["a cat sat on the mat"] * 40, "zh": ["今天天气很好"] * 40}
MAPPING = r"a mapping of language to texts, such as \{'zh': texts\}"


@pytest.fixture(scope="module")
def model():
    model = make_model("llama")

    def works(*_):
        raise AssertionError("the model works before its arguments are known to be good")

    model.register_forward_pre_hook(works)
    model.model.layers[0].register_forward_pre_hook(works)
    return model


@pytest.fixture(scope="module")
def zh(model):
    return neurons_of(model, language="zh")


@pytest.fixture
def given(model, zh, tmp_path):
    """What rows of the tables name: things that a table cannot make."""
    (tmp_path / "a file").write_text("", encoding="utf-8")
    return {
        "MODEL": model, "HEADLESS": model.model, "PAIR": (model, make_tokenizer()), "SET": zh,
        "NAMELESS": neurons_of(model), "FILE": tmp_path / "a file", "BELOW": tmp_path / "a file" / "out",
    }  # fmt: skip


def filled(value, given):
    if isinstance(value, dict):
        return {key: filled(one, given) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(filled(one, given) for one in value)
    return given.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        *[({"max_docs": value}, "unusable max_docs; found .*; expected a whole number from 1")
          for value in (0, -1, 2.5, "4", True)],
        ({"max_tokens": -3}, "unusable max_tokens; found -3; expected a whole number from 1"),
        ({"min_tokens": -1}, "unusable min_tokens; found -1; expected a whole number from 0"),
        *[({"set_draws": value}, "unusable set_draws; .*expected a whole number from 2") for value in (0, -1, 1, "x")],
        ({"document_seed": "x"}, "unusable document_seed; found 'x'"),
        ({"texts": "zh.txt"}, f"unusable texts; found 'zh.txt'; expected {MAPPING}"),
        ({"texts": ["a text"]}, MAPPING),
        ({"texts": {"zh": None}}, "unusable texts of zh; found None; expected a list of texts, a file"),
        ({"texts": {"zh": 3}}, "unusable texts of zh; found 3"),
        ({"texts": {"zh": [3]}}, "a document of zh is no text; found int"),
        ({"tokenizer": None}, "a model in memory needs its tokenizer; found None; expected one of transformers"),
        ({"tokenizer": "gemma3-270m"}, "a model in memory needs its tokenizer; found 'gemma3-270m'"),
        ({"model": "gemma3-270m"}, r"found 'gemma3-270m'; expected what load_model gives; model, tokenizer = mw"),
        ({"model": "PAIR"}, "no model in memory; found tuple; .*; unpack what load_model gives"),
        ({"method": "best"}, "unknown method of detection; found 'best'; expected exact or "),
        ({"out": "FILE"}, "unusable out; found the file .*a file; expected a folder"),
        ({"out": "BELOW"}, "unusable out; found the file .*a file; expected a folder"),
        ({"out": "/proc/nowhere"}, "unusable out; found /proc/nowhere: .*; expected a folder to write to"),
        ({"out": 3}, "unusable out; found 3; expected a folder"),
    ],
)  # fmt: skip
def test_detect(given, model, wrong, message):
    arguments = {"model": model, "tokenizer": make_tokenizer(), "texts": TEXTS} | filled(wrong, given)
    with pytest.raises(mw.InputError, match=message):
        mw.detect(**arguments)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        *[({"limit": value}, "unusable limit; found .*; expected a whole number from 1, or None for 8")
          for value in (0, -1, "x")],
        *[({"k": value}, "unusable k; found") for value in (0, -1)],
        ({"max_tokens": 0}, "unusable max_tokens; found 0"),
        ({"prompt": "poem"}, "unknown prompt; found 'poem'; expected translation or repetition"),
        ({"method": "best"}, "unknown method; found 'best'; expected tokens or words"),
        ({"weight": "heavy"}, "unknown weight; found 'heavy'; expected count or probability"),
        ({"texts": None, "tasks": []}, r"no task given; found tasks=\[\]"),
        ({"texts": None, "tasks": 3}, "unusable tasks; found 3"),
        ({"texts": None, "languages": []}, "no language given"),
        ({"texts": None, "languages": "xx"}, "unknown language; found 'xx'"),
        ({"texts": "zh.txt"}, MAPPING),
        ({"languages": "zh"}, "each of `texts` brings its own language"),
        ({"tokenizer": "gemma3-270m"}, "a model in memory needs its tokenizer; found 'gemma3-270m'"),
        ({"model": "gemma3-270m", "tokenizer": "gemma3-270m"}, "needs its tokenizer; found 'gemma3-270m'"),
        ({"model": "HEADLESS"}, "the model has no output head; found LlamaModel"),
        ({"sample_seed": -1}, "unusable sample_seed; found -1; expected a whole number from 0, or None for documents"),
        ({"positions": "somewhere"}, "unknown position; found 'somewhere'"),
        ({"positions": 3}, "unusable positions; found 3"),
        ({"neurons": 3}, "unusable neurons; found 3"),
        ({"neurons": {"zh": None}}, "unusable neurons; found None for 'zh'; expected a NeuronSet"),
        ({"neurons": {"zh": "SET"}, "seeds": 1}, "unusable seeds; found 1"),
        ({"neurons": {"zh": "SET"}, "seeds": [-1]}, "unusable seeds"),
        ({"out": "FILE"}, "unusable out; found the file"),
    ],
)  # fmt: skip
def test_lens(given, model, wrong, message):
    arguments = {"model": model, "tokenizer": make_tokenizer(), "texts": {"zh": TEXTS["zh"]}} | filled(wrong, given)
    with pytest.raises(mw.InputError, match=message):
        mw.lens(**arguments)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"trained_controls": -1}, "unusable trained_controls; found -1; expected a whole number from 0"),
        ({"document_seeds": ()}, "unusable document_seeds; found no seed"),
        ({"document_seeds": (-1,)}, r"unusable document_seeds; found \[-1\]; expected whole numbers from 0"),
        *[({"limit": value, "tasks": "bpb"}, "unusable limit") for value in (-1, 0)],
        ({"tasks": 3}, "unusable tasks"),
        ({"tasks": "nothing", "data": "embedded"}, "unknown task"),
        ({"documents": 0}, "unusable `documents`"),
        ({"documents": "4"}, r"unusable `documents`; found '4'; expected whole numbers from 1 such as"),
        ({"documents": 1000}, "has too few documents; .*give fewer `documents`"),
        (
            {"texts": "今天天气很好。" * 100},
            "no corpus for zh; found no file .*…; .*; texts themselves are given as a list",
        ),
        ({"texts": {"zh": 3}}, "unusable texts of zh; found 3"),
        ({"texts": 3}, "unusable texts; found 3"),
        ({"neurons": {"zh": None}}, "unusable neurons; found None for 'zh'; expected a NeuronSet"),
        ({"neurons": {}}, "unusable neurons; found no set"),
        ({"neurons": 3}, "unusable neurons; found 3"),
        ({"neurons": "NAMELESS"}, r"the set names no language; expected sets by language: give \{'zh': set\}"),
        ({"neurons": "nope"}, "no neuron set 'nope'"),
        ({"training": {"epochs": 3}}, "unusable training; found a mapping of 'epochs'; expected TrainingOptions"),
        ({"out": "FILE"}, "unusable out; found the file"),
        ({"merge": "FILE"}, "unusable merge; found the file"),
    ],
)
def test_enhance(given, model, zh, wrong, message):
    arguments = {"model": model, "tokenizer": make_tokenizer(), "neurons": zh, "texts": TEXTS["zh"]}
    with pytest.raises(mw.InputError, match=message):
        mw.enhance(**arguments | filled(wrong, given))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        *[({"shard": value}, r"unusable shard; found .*; expected \(share, shares\), such as \(0, 2\)")
          for value in ((1, 1), (-1, 2), (0, 0), 3, "1/2", (0.0, 2))],
        ({"set_draws": []}, r"unusable set_draws; found \[\]"),
        ({"set_draws": [3]}, "unusable set_draws"),
        ({"set_draws": "x"}, "unusable set_draws; found 'x'"),
        *[({"limit": value}, "unusable limit") for value in (1.5, 0, True)],
        ({"seeds": [1.5]}, r"unusable seeds; found \[1.5\]; expected whole numbers from 0 such as \[1, 2, 3\]"),
        *[({"seeds": value}, "unusable seeds") for value in ("1", 1)],
        ({"counts": "3"}, "unusable counts"),
        ({"counts": 10_000}, "asks for more neurons than zh has"),
        ({"neurons": ["SET"]}, r"unusable neurons; found \[a NeuronSet\]; expected sets by language such as"),
        ({"neurons": 3}, "unusable neurons; found 3"),
        ({"neurons": {}}, "unusable neurons; found no set"),
        ({"neurons": {"zh": None}}, "unusable neurons; found None for 'zh'"),
        ({"neurons": {"zh": "nope"}}, "no neuron set 'nope'"),
        ({"neurons": "NAMELESS"}, "the set names no language"),
        ({"languages": "en,xx"}, "unknown language; found 'xx'"),
        ({"languages": []}, "no language given"),
        *[({"sample_seed": value}, "unusable sample_seed; found") for value in ("even", -1, True, 1.5)],
        *[({"batch_size": value}, "unusable batch_size") for value in (0, "8", None)],
        ({"understanding_layers": -1}, "unusable understanding_layers"),
        ({"controls": 3}, "unknown controls; found 3"),
        ({"out": "FILE"}, "unusable out; found the file"),
        ({"model": "HEADLESS"}, "the model has no output head; found LlamaModel"),
    ],
)  # fmt: skip
def test_ablate(given, model, zh, wrong, message):
    arguments = {"model": model, "tokenizer": make_tokenizer(), "neurons": {"zh": zh}, "tasks": "bpb", "limit": 1}
    with pytest.raises(mw.InputError, match=message):
        mw.ablate(**arguments | {"data": "embedded", "seeds": [1]} | filled(wrong, given))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        *[({"limit": value}, "unusable limit; found .*; expected a whole number from 2") for value in (1, None, "8")],
        ({"sample_seed": "even"}, "unusable sample_seed; found 'even'"),
        ({"understanding": 2}, "unusable understanding; found 2; expected whole numbers from 0 such as"),
        ({"generation": ["1"]}, r"unusable generation; found \['1'\]"),
        ({"positions": "somewhere"}, "unknown position; found 'somewhere'"),
        ({"task": 3}, "unusable task; found 3; expected names"),
        ({"language": "en"}, "∆ compares a language with English; found `language=en`"),
        ({"neurons": 3}, "unusable neurons; found 3; expected sets by language"),
        ({"neurons": {"zh": None}}, "unusable neurons; found None for 'zh'"),
        ({"neurons": {"es": "SET"}}, "a language has no neuron set; found zh; expected one of es"),
        ({"out": "FILE"}, "unusable out; found the file"),
        ({"model": "HEADLESS"}, "the model has no output head; found LlamaModel"),
    ],
)
def test_tune_layers(given, model, zh, wrong, message):
    arguments = {"model": model, "tokenizer": make_tokenizer(), "neurons": {"zh": zh}, "task": "bpb", "limit": 2}
    with pytest.raises(mw.InputError, match=message):
        mw.tune_layers(**arguments | {"data": "embedded"} | filled(wrong, given))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        *[({"limit": value}, "unusable limit; .*a whole number from 1, a share between 0 and 1, or None for all")
          for value in (0, -1, 1.5, True, "x")],
        ({"num_fewshot": -1}, "unusable num_fewshot; found -1; expected a whole number from 0"),
        ({"understanding_layers": 1}, "understanding_layers choose from a set; found no neurons"),
        ({"controls": "foreign"}, "controls choose from a set; found no neurons"),
        ({"positions": "under", "count": 3}, "positions and count choose from a set; found no neurons"),
        ({"neurons": {"zh": "SET"}}, r"evaluate takes one neuron set; .*; take one, such as neurons\['zh'\]"),
        ({"neurons": 3}, "evaluate takes one neuron set; found 3"),
        ({"neurons": "nope"}, "no neuron set 'nope'"),
        ({"neurons": "SET", "count": 0}, "unusable count; found 0"),
        ({"model": "HEADLESS"}, "the model has no output head; found LlamaModel"),
        ({"tasks": 3}, "unusable tasks; found 3"),
        ({"tasks": []}, "no task given"),
        ({"nothing": 3}, "unknown argument of evaluate; found nothing; expected its own, or some of lm-eval's: "),
        ({"metadata": {}}, "unknown argument of evaluate; found metadata; expected its own names"),
        ({"model_args": {"device": "cpu"}}, "model_args are further arguments of mwork-hf; found device"),
        ({"model_args": {"nothing": 3}}, "unknown model_args; found nothing"),
        ({"model_args": "max_length=8"}, "unusable model_args; found 'max_length=8'; expected a mapping"),
    ],
)  # fmt: skip
def test_evaluate(given, model, wrong, message):
    arguments = {"model": model, "tokenizer": make_tokenizer(), "tasks": ["bpb_zh"], "data": "embedded", "limit": 1}
    with pytest.raises(mw.InputError, match=message):
        mw.evaluate(**arguments | filled(wrong, given))


def test_a_loaded_model_takes_no_argument_that_nobody_knows(tiny_llama):
    with pytest.raises(mw.InputError, match=r"cannot be loaded; found .*unexpected keyword argument 'nothing'"):
        mw.evaluate(tiny_llama, tasks="bpb_zh", data="embedded", limit=1, model_args={"nothing": 3}, device="cpu")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"neurons": "gemma3-270m/zh"}, r"deactivated takes one neuron set; .*mw.read_neurons\(\"gemma3-270m/zh\"\)"),
        ({"neurons": None}, r"found None; .*such as mw.read_neurons"),
        ({"neurons": {"zh": "SET"}}, r"take one, such as neurons\['zh'\]"),
        ({"neurons": ["SET"]}, "deactivated takes one neuron set"),
        ({"model": "gemma3-270m"}, "deactivated takes a model in memory"),
    ],
)
def test_deactivated(given, model, wrong, message):
    with (
        pytest.raises(mw.InputError, match=message),
        mw.deactivated(**{"model": model, "neurons": given["SET"]} | filled(wrong, given)),
    ):
        pass


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"top_k": 1.5}, "unusable top_k; found 1.5"),
        ({"fraction": "x"}, "unusable fraction; found 'x'"),
        ({"threshold": 3}, "unusable threshold; found 3"),
        ({"specific": "unknown"}, r"unknown specific; found 'unknown'; expected pivot or english or"),
        ({"structures": ["q", "x"]}, "unknown structure; found x"),
        ({"structures": 3}, "unusable structures; found 3"),
    ],
)
def test_select(wrong, message):
    with pytest.raises(mw.InputError, match=message):
        mw.Detection({}).select(**wrong)


@pytest.mark.parametrize("path", [None, 3])
@pytest.mark.parametrize(
    "read", [mw.read_results, mw.read_neurons, mw.Detection.load, mw.load_model, lambda path: mw.check(path, path)]
)
def test_paths(read, path):
    with pytest.raises(mw.InputError, match=f"unusable .*; found {path}"):
        read(path)


def test_what_can_be_understood_is_accepted():
    assert names_of("tasks", "xquad, bpb") == names_of("tasks", ["xquad", "bpb", "xquad"]) == ["xquad", "bpb"]
    assert names_of("preset", Path("a,b.yaml")) == ["a,b.yaml"]
    assert limits_of({"xnli_{l}": 5, "xnli": 5}) == (None, {"xnli": 5})
    with pytest.raises(InputError, match="two limits of xnli; found 5 6"):
        limits_of({"xnli_{l}": 5, "xnli": 6})
    assert languages_of("en,zh") == languages_of(("en", "zh")) == ["en", "zh"]
    assert whole_numbers("counts", 3, at_least=1, example="", alone=True) == (3,)
    assert whole_numbers("counts", np.array([3, 4]), at_least=1, example="") == (3, 4)
    assert type(whole_number("limit", np.int64(3), at_least=1)) is int
    assert (order_of(None), order_of(0), shard_of([0, 2])) == ("even", 0, (0, 2))


def test_structures_come_as_a_list(tiny_llama):
    model, tokenizer = mw.load_model(tiny_llama, device=torch.device("cpu"), dtype=torch.float32)
    assert model.dtype == torch.float32
    found = mw.detect(model, tokenizer, {"en": "embedded", "zh": "embedded"}, max_docs=np.int64(4))
    listed, joined = (found.select(top_k=9, structures=given)["zh"] for given in (["q", "up"], "q,up"))
    assert isinstance(listed, NeuronSet)
    assert listed == joined


def test_references_stand_for_sets(zh):
    sets, languages = find_sets({"zh": "gemma3-270m/zh", "es": Path("gemma3-270m/es")}, "en,zh")
    assert (list(sets), languages) == (["zh"], ["en", "zh"])
    assert sets["zh"] == mw.read_neurons("gemma3-270m/zh")
    assert make_matrix_options("existence", tasks="bpb,xquad", counts=3).tasks == ("bpb", "xquad")


def test_a_set_without_language_is_said_to_have_none(model):
    with pytest.raises(mw.InputError, match="the set names no language"):
        only_language({"x": neurons_of(model)})
