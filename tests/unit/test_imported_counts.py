"""Activation counts of other tools as statistics: score files from which neurons are selected without a model."""

import pickle

import numpy as np
import pytest
import torch
import transformers
from click.testing import CliRunner
from helpers.foreign_files import INNER, LAYERS, foreign_configuration, saved

import mwork_eval as mw
from mwork_eval.application.import_scores import import_scores
from mwork_eval.cli.main import main
from mwork_eval.detection.score_table import ScoreTable

TOKENS = 1000


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(foreign_configuration(tmp_path_factory.mktemp("configurations")))


def counts(seed, **others):
    generator = torch.Generator().manual_seed(seed)
    over_zero = torch.randint(0, TOKENS + 1, (LAYERS, INNER), generator=generator, dtype=torch.int32)
    return {"n": TOKENS, "over_zero": over_zero, **others}


def imported(value, folder, model, language="zh"):
    told = []
    import_scores([saved(value, folder / "activation.zh")], [language], folder, told.append, model=model)
    return ScoreTable.load(folder / "scores" / f"{language}.safetensors"), told


def test_counts_become_the_column_of_the_feed_forward(tmp_path, model):
    value = counts(1)
    table, told = imported(value, tmp_path, model)
    assert list(table.values) == ["over_zero"]
    assert table.over_zero.keys() == {(0, "up"), (1, "up")}
    for layer in range(LAYERS):
        assert table.over_zero[layer, "up"].dtype == np.int32
        assert table.over_zero[layer, "up"].tolist() == value["over_zero"][layer].tolist()
    about = table.about
    assert (about["activation_tokens"], about["recorded"], about["method"]) == (TOKENS, ["activations"], "imported")
    assert about["fingerprint"] is None
    assert about["origin"]["file"] == "activation.zh"
    assert "1,000 tokens" in told[0]
    assert pickle.loads(pickle.dumps(table)).about == about
    with pytest.raises(mw.InputError, match=r"imported statistics of zh have no minimum; found over_zero"):
        table.minimum  # noqa: B018
    with pytest.raises(mw.InputError, match=r"do not have all structures; found none of layers\.1\.q; expected up"):
        table.over_zero[1, "q"]


def test_njunlp_names_the_tokens_otherwise(tmp_path, model):
    value = counts(2)
    other = {"total_tokens": torch.tensor(value["n"]), "over_zero": value["over_zero"].long()}
    table, _ = imported(other, tmp_path, model)
    assert table.about["tokens"] == TOKENS
    assert table.over_zero[1, "up"].tolist() == value["over_zero"][1].tolist()


def test_means_of_the_gate_are_no_mean_activations(tmp_path, model):
    """With a gate, act(gate) is not what zeroing switches off."""
    value = counts(3, average_activations=torch.rand(LAYERS, INNER), model_type="llama")
    table, told = imported(value, tmp_path, model)
    assert list(table.values) == ["over_zero"]
    assert table.about["origin"]["left_out"] == ["average_activations", "model_type"]
    assert "left out average_activations model_type" in told[0]
    sizes = {"hidden_size": 16, "word_embed_proj_dim": 16, "ffn_dim": INNER, "num_attention_heads": 4}
    transformers.OPTConfig(vocab_size=32, num_hidden_layers=LAYERS, **sizes).save_pretrained(tmp_path / "opt")
    table, _ = imported(value, tmp_path, str(tmp_path / "opt"))
    for layer in range(LAYERS):
        assert table.activation_mean[layer, "up"].tolist() == value["average_activations"][layer].tolist()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n": 0}, "0 tokens"),
        ({"n": TOKENS // 2}, "of 500 tokens"),
        ({"n": "1000"}, "no number of tokens"),
        ({"n": True}, "True tokens"),
        ({"over_zero": torch.zeros(LAYERS, INNER + 1, dtype=torch.int32)}, r"over_zero \[2, 13\]; expected \[2, 12\]"),
        ({"over_zero": torch.zeros(1, dtype=torch.int32).expand(2**40)}, r"over_zero \[1099511627776\]"),
        ({"over_zero": torch.zeros(LAYERS, INNER)}, "over_zero of type float32"),
        ({"over_zero": torch.full((LAYERS, INNER), -1)}, "-1 to -1"),
        ({"over_zero": [[0]]}, "over_zero a list"),
    ],
)
def test_counts_that_cannot_be_are_told(changed, message, tmp_path, model):
    with pytest.raises(mw.InputError, match=message):
        imported({**counts(1), **changed}, tmp_path, model)
    assert not (tmp_path / "scores").exists()


def test_there_is_a_file_for_each_language(tmp_path, model):
    path = saved(counts(1), tmp_path / "activation.zh")
    with pytest.raises(mw.InputError, match=r"found 1 files and 2 languages.*`languages`"):
        import_scores([path], ["zh", "de"], tmp_path, print, model=model)
    saved([1], path)
    with pytest.raises(mw.InputError, match="a list without over_zero"):
        import_scores([path], ["zh"], tmp_path, print, model=model)


def test_lape_selects_from_imported_counts(tmp_path, model):
    """The publication's rule, written out: shares, entropy over languages, quantiles of all shares, no ties."""
    pytest.importorskip("mwork_eval.detection.detectors.lape")
    languages, given = ("en", "zh", "fr"), ["scores", "import"]
    values = [counts(seed) for seed in (5, 6, 7)]
    for language, value in zip(languages, values, strict=True):
        given.append(str(saved(value, tmp_path / f"activation.{language}")))
    given += ["--languages", "en,zh,fr", "--model", model, "--out", str(tmp_path)]
    done = CliRunner().invoke(main, given)
    assert done.exit_code == 0, done.output
    select = ["select", str(tmp_path), "--detector", "lape", "--fraction", "0.25", "--out", str(tmp_path / "sets")]
    done = CliRunner().invoke(main, select)
    assert done.exit_code == 0, done.output
    shares = np.stack([value["over_zero"].numpy().ravel() / value["n"] for value in values], -1)
    normed = shares / shares.sum(-1, keepdims=True)
    entropies = -np.sum(np.where(normed > 0, normed * np.log(np.where(normed > 0, normed, 1)), 0), -1)
    bar = np.sort(shares.ravel())[round(shares.size * 0.95) - 1]
    entropies[~(shares > bar).any(-1)] = np.inf
    lowest = np.argsort(entropies, kind="stable")[: round(entropies.size * 0.25)]
    found = {path.stem: mw.read_neurons(path) for path in (tmp_path / "sets").glob("*.safetensors")}
    assert found
    for number, language in enumerate(languages):
        expected = {(int(at // INNER), "up", int(at % INNER)) for at in lowest if shares[at, number] > bar}
        expected -= {(int(at // INNER), "up", int(at % INNER)) for at in lowest if np.isinf(entropies[at])}
        assert set(found.get(language, ())) == expected
    assert {one.about["fingerprint"] for one in found.values()} == {None}
