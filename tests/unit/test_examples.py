"""The examples: plain code that says what the package computes, and the snippet of the documentation."""

import ast
import runpy
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from conftest import make_model, make_tokenizer
from helpers.detections import ScoreAccumulator

import mwork_eval
from mwork_eval.detection.scoring.scorer import Scorer
from mwork_eval.detection.selection import Selection, select_specific
from mwork_eval.models.layout import Layout
from mwork_eval.resources import embedded_folder

EXAMPLES = Path(__file__).parents[2] / "examples"
DOCUMENTS = [
    torch.randint(2, 384, (length,), generator=torch.Generator().manual_seed(length)).tolist() for length in (9, 14)
]
LAYER = 1


def load(name: str) -> ModuleType:
    module = ModuleType(name)
    exec(compile((EXAMPLES / f"{name}.py").read_text(encoding="utf-8"), name, "exec"), module.__dict__)
    return module


def test_the_60_lines_are_60_and_know_nothing_of_the_package():
    text = (EXAMPLES / "plnd_in_60_lines.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert {name.split(".")[0] for name in imported} == {"sys", "pathlib", "torch", "transformers"}


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3", "gemma3", "mistral"])
def test_the_60_lines_score_as_the_package_does(family):
    """v and the feed-forward equal zeroing; q and k are expanded to second order, so nearly."""
    plain = load("plnd_in_60_lines")
    model = make_model(family)
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    model.set_attn_implementation("eager")
    slow = [plain.scores(model, torch.tensor([ids]), LAYER) for ids in DOCUMENTS]
    assert all(torch.equal(parameter, before[name]) for name, parameter in model.named_parameters())

    layout = Layout.of(make_model(family))
    quick = Scorer(layout).score(DOCUMENTS)
    for theirs, ours in zip(slow, quick, strict=True):
        for structure, tolerance in (("q", 0.02), ("k", 0.02), ("v", 1e-4), ("up", 1e-4)):
            expected, found = theirs[structure], torch.from_numpy(ours[LAYER, structure])
            torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance * float(expected.mean()))


def test_the_60_lines_select_as_the_package_does(tiny_llama, tmp_path, monkeypatch, capsys):
    tokenizer = make_tokenizer()
    layout = Layout.of(make_model("llama"))
    tables = []
    for language in ("zh", "en"):
        texts = embedded_texts(language)
        (tmp_path / f"{language}.txt").write_text("\n".join(texts), encoding="utf-8")
        over_documents = ScoreAccumulator(layout.shape)
        for scores in Scorer(layout).score([tokenizer(text)["input_ids"][:128] for text in texts]):
            over_documents.add(scores)
        about = {"language": language, "model": "tiny", "fingerprint": "f", "method": "exact"}
        tables.append(over_documents.table(about))
    expected = select_specific(tables, Selection(fraction=0.4, structures=("v", "up")))["zh"].indices

    files = [str(tmp_path / f"{language}.txt") for language in ("zh", "en")]
    monkeypatch.setattr(sys, "argv", ["plnd_in_60_lines.py", str(tiny_llama), str(LAYER), "0.4", *files])
    runpy.run_path(str(EXAMPLES / "plnd_in_60_lines.py"), run_name="__main__")
    printed = dict(line.split(" ", 1) for line in capsys.readouterr().out.splitlines())
    assert list(printed) == ["q", "k", "v", "up"]
    for structure in ("v", "up"):
        assert ast.literal_eval(printed[structure]) == sorted(expected[LAYER, structure].tolist())
    assert sum(len(expected[LAYER, structure]) for structure in ("v", "up")) > 3


def embedded_texts(language: str) -> list[str]:
    text = (embedded_folder() / f"corpus/{language}.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line][:3]


@pytest.mark.slow
def test_the_quickstart_runs(monkeypatch, capsys):
    """On a tiny random model, which has no neurons that are first in every text: more are taken."""
    text = (EXAMPLES / "quickstart.py").read_text(encoding="utf-8")
    assert text.count("fraction=0.01") == 1
    monkeypatch.setattr(mwork_eval, "load_model", lambda name: (make_model("llama"), make_tokenizer()))
    exec(compile(text.replace("fraction=0.01", "fraction=0.4"), "quickstart.py", "exec"), {})
    assert "bits_per_byte" in capsys.readouterr().out


def test_readme_and_start_page_show_the_quickstart():
    text = (EXAMPLES / "quickstart.py").read_text(encoding="utf-8")
    code = text[text.index("import mwork_eval") :]
    for page in ("README.md", "docs/index.md"):
        assert f"```python\n{code}```" in (EXAMPLES.parent / page).read_text(encoding="utf-8")
