"""Languages that nobody named: their neurons are found, and masked on their own text, in mwork and in lm-eval."""

import json
import math

import pytest
from helpers.commands import lm_eval, mwork

import mwork_eval as mw
from mwork_eval.errors import InputError
from mwork_eval.evaluation.evaluate import find_tasks, prepare_tasks

TEXTS = {
    "en": ["The cat sat on the mat.", "We read books every day.", "It rains in the north today."],
    "ja": ["今日は天気がいいです。", "図書館で本を読みます。", "北の方では雨が降っています。"],
    "yue": ["佢哋喺香港住咗好耐。", "今日天氣好好，我哋去行山。", "佢係咪去咗睇戲呀？"],
    "arz": ["القاهرة عاصمة مصر وهى اكبر مدينة فيها.", "انا بحب اقرا الكتب كل يوم.", "الجو النهارده حلو اوى."],
    "zh-Hans": ["今天天气很好。", "我们在图书馆读书。", "北方在下雨。"],
    "zh-Hant": ["今天天氣很好。", "我們在圖書館讀書。", "北方在下雨。"],
    "pt-BR": ["O gato sentou no tapete.", "Nós lemos livros todo dia.", "Hoje chove no norte."],
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "heldout").mkdir()
    for tag, texts in TEXTS.items():
        (folder / "heldout" / f"{tag}.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    return folder


def test_free_text_of_any_language_is_a_task(data):
    prepared = prepare_tasks([f"bpb_{tag}" for tag in TEXTS], data=str(data))
    for tag, texts in TEXTS.items():
        task = prepared[f"bpb_{tag}"]
        assert task.task.config.task == f"bpb_{tag}"
        assert [document["text"] for document in task.task.eval_docs] == texts
        assert {document["language"] for document in task.task.eval_docs} == {tag}
        assert [instance.args for instance in task.task.instances] == [(text,) for text in texts]
    assert len({task.digest for task in prepared.values()}) == len(TEXTS)


def test_a_task_with_a_file_is_the_one_of_ever(data):
    """Stored cells are known by this digest."""
    folder = data / "german"
    (folder / "heldout").mkdir(parents=True)
    (folder / "heldout" / "de.txt").write_text("Der Hund schläft.\n", encoding="utf-8")
    prepared = prepare_tasks(["bpb_de"], data=str(folder))["bpb_de"]
    assert prepared.digest == "6d1c658fc2207c94d8c521838c2a10b0a6d56da3a7025c4068ff73046a50fa45"


@pytest.mark.parametrize("name", ["bpb_xx", "bpb_jpn", "bpb_pt_br", "bpb_Japanese", "bpb_zh-"])
def test_a_wrong_tag_is_no_task(data, name):
    with pytest.raises(InputError, match=f"unknown task; found {name}"):
        find_tasks([name], str(data))


def test_a_language_without_a_file_is_told_those_with_one(data):
    with pytest.raises(InputError, match=r"no file of the held-out text in Cherokee; found in .* only arz en ja pt-BR"):
        find_tasks(["bpb_chr"], str(data))
    with pytest.raises(InputError, match=r"the held-out text on the hub has no Portuguese \(Brazil\); found pt-BR"):
        find_tasks(["bpb_pt-BR"], None)


@pytest.mark.slow
def test_neurons_of_any_languages_on_their_own_text(tiny_llama, data, tmp_path):
    """Two scripts of one language, a macrolanguage's member and a territory in one matrix, asked for in any form."""
    others = ["zh-Hans", "zh-Hant", "yue", "arz", "pt-BR"]
    asked = {"en": "English", "zh-Hans": "zh_hans", "arz": "Egyptian Arabic", "yue": "zh-yue", "pt-BR": "por-BR"}
    corpora = [f"--corpus={asked.get(tag, tag)}={data}/heldout/{tag}.txt" for tag in ["en", *others]]
    mwork("detect", *corpora, "--model", tiny_llama, "--min-tokens", 4, "--fraction", 0.2, "--out", tmp_path / "sets")
    assert {path.stem for path in (tmp_path / "sets").glob("*.safetensors")} >= set(others)
    languages = ",".join(asked.get(tag, tag) for tag in ["en", *others])
    mwork(
        *("ablate", "--model", tiny_llama, "--neurons", tmp_path / "sets", "--preset", "existence", "--tasks", "bpb"),
        *("--languages", languages, "--data", data, "--seeds", "1", "--out", tmp_path / "out"),
    )
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["languages"] == ["en", *others]
    results = mw.read_results(tmp_path / "out")
    (table,) = results.tables
    masked = next(row for row in table.rows if not row.random)
    assert list(masked.delta.by_language) == others
    baselines = [score.own.baseline for score in masked.delta.by_language.values()]
    assert all(math.isfinite(value) for value in baselines)
    assert len(set(baselines)) == len(others)


@pytest.mark.slow
def test_lm_eval_knows_the_task_of_any_tag(tiny_llama, data, tmp_path):
    model = ["--model", "mwork-hf", "--device", "cpu", "--model_args", f"pretrained={tiny_llama}"]
    run = lm_eval(
        *model, "--tasks", "bpb_ja,bpb_yue,bpb_zh-Hant", "--metadata", f"data={data}", "--output_path", str(tmp_path)
    )
    assert run.returncode == 0, run.stderr[-2000:]
    found = json.loads(next(tmp_path.rglob("results_*.json")).read_text(encoding="utf-8"))["results"]
    assert set(found) == {"bpb_ja", "bpb_yue", "bpb_zh-Hant"}
    model, tokenizer = mw.load_model(str(tiny_llama), device="cpu")
    ours = mw.evaluate(model, tokenizer, "bpb_ja,bpb_yue,bpb_zh-Hant", data=data)["results"]
    for name, scores in found.items():
        assert scores["bits_per_byte,none"] == pytest.approx(ours[name]["bits_per_byte,none"], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "code", "message"),
    [
        ("bpb_xx", 1, "Tasks not found: bpb_xx"),
        ("bpb_jpn", 1, "Tasks not found: bpb_jpn"),
        ("bpb_chr", 2, "no file of the held-out text in Cherokee"),
    ],
)
def test_lm_eval_ends_before_a_model_loads(data, task, code, message):
    run = lm_eval(
        "--model",
        "mwork-hf",
        "--model_args",
        "pretrained=/no/such/model",
        "--tasks",
        task,
        "--metadata",
        f"data={data}",
    )
    assert run.returncode == code
    assert message in run.stderr.splitlines()[-1]
