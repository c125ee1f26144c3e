"""Masks that were published: imported, exported again, and equal."""

import os
from pathlib import Path

import pytest
import torch
import transformers
from click.testing import CliRunner

import mwork_eval as mw
from mwork_eval.cli.main import main

PUBLISHED = Path(os.environ.get("MWORK_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data") / "interop"
LANGUAGES = "en,zh,fr,es,vi,id"
FILES = {
    "OPT-6.7B": (
        lambda: transformers.OPTConfig(
            hidden_size=4096, word_embed_proj_dim=4096, ffn_dim=16384, num_hidden_layers=32, num_attention_heads=32
        ),
        [347, 833, 1571, 1517, 752, 1129],
    ),
    "Phi-2-2.7B": (
        lambda: transformers.PhiConfig(
            hidden_size=2560, intermediate_size=10240, num_hidden_layers=32, num_attention_heads=32
        ),
        [52, 196, 1032, 1119, 511, 764],
    ),
}
"""Their models, and how many neurons each has of each language."""


@pytest.fixture(params=FILES)
def published(request, tmp_path):
    path = PUBLISHED / f"{request.param}.neuron.pth"
    if not path.is_file():
        pytest.skip("no published masks")
    configuration, counts = FILES[request.param]
    configuration().save_pretrained(tmp_path / "model")
    return path, tmp_path / "model", counts


@pytest.mark.data
def test_a_published_mask_is_imported_and_exported_again(published, tmp_path):
    path, model, counts = published
    sets = mw.import_sets(path, "lape", LANGUAGES, model=model)
    original = torch.load(path, weights_only=True)
    assert [len(neurons) for neurons in sets.values()] == counts
    for neurons, layers in zip(sets.values(), original, strict=True):
        assert neurons.by_layer() == list(map(len, layers))
        assert neurons.by_structure().keys() == {"up"}
    mw.export_sets(sets, "lape", out=tmp_path / "again.pth")
    again = torch.load(tmp_path / "again.pth", weights_only=True)
    assert len(again) == len(original)
    for ours, theirs in zip(again, original, strict=True):
        assert all(torch.equal(mine, its) and mine.dtype == its.dtype for mine, its in zip(ours, theirs, strict=True))


@pytest.mark.data
def test_the_commands_do_the_same(published, tmp_path):
    path, model, counts = published
    given = ["sets", "import", path, "--format", "lape", "--languages", LANGUAGES, "--model", model]
    done = CliRunner().invoke(main, list(map(str, [*given, "--out", tmp_path / "sets"])))
    assert done.exit_code == 0, done.output
    assert [len(mw.read_neurons(tmp_path / "sets" / code)) for code in LANGUAGES.split(",")] == counts
    out, order = tmp_path / "again.pth", ["--languages", LANGUAGES]
    done = CliRunner().invoke(
        main, list(map(str, ["sets", "export", tmp_path / "sets", "--format", "lape", *order, "--out", out]))
    )
    assert done.exit_code == 0, done.output
    again = torch.load(out, weights_only=True)
    assert [sum(map(len, layers)) for layers in again] == counts
    wrong = ["sets", "import", path, "--format", "lape", "--languages", "en,zh,fr,es,vi,id,ja", "--model", model]
    done = CliRunner().invoke(main, list(map(str, [*wrong, "--out", tmp_path / "x"])))
    assert done.exit_code == 2
    assert "neurons of 6 languages" in done.output
