"""The card of a repository: what it says, what it says is not known, and that it is what the documentation shows."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from helpers.detector_folders import make_detector_folder
from helpers.leaderboard_folders import make_results_file
from helpers.published import ABOUT, write_matrix, write_sets
from helpers.report_folders import HOSTILE, SHAPE
from huggingface_hub import ModelCard

import mwork_eval as mw
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.publishing import base_model
from mwork_eval.publishing.base_model import ask_hub, base_model_of, one_model
from mwork_eval.publishing.card_metadata import card_metadata
from mwork_eval.publishing.commands import broken
from mwork_eval.publishing.contents import Contents, Weights, read_contents
from mwork_eval.publishing.recognition import recognise
from mwork_eval.publishing.repository import RepositoryFiles, repository_files
from mwork_eval.publishing.result_tables import finding
from mwork_eval.results.store import MANIFEST, load_manifest
from mwork_eval.results.tables import read_results

REPOSITORY = "you/tiny-neurons"
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "sharing.md"


def contents_of(*given: str | Path) -> Contents:
    return read_contents([one for path in given for one in recognise(path)], advance=lambda label, amount: None)


def made_of(*given: str | Path, license: str | None = None, base: str | None = None) -> RepositoryFiles:
    contents = contents_of(*given)
    model = base_model_of(one_model(contents.weights), given=base, license=license)
    return repository_files(contents, model, REPOSITORY)


def metadata_of(card: str) -> dict[str, Any]:
    _, block, _ = card.split("---\n", 2)
    found: dict[str, Any] = yaml.safe_load(block)
    return found


def section(card: str, title: str) -> str:
    return card.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_metadata_are_those_that_the_hub_reads(tmp_path: Path) -> None:
    card = made_of(write_sets(tmp_path / "sets"), license="cc-by-4.0").card
    assert metadata_of(card) == {
        "base_model": "org/tiny",
        "language": ["es", "zh"],
        "library_name": "mwork-eval",
        "license": "cc-by-4.0",
        "tags": ["mwork-eval", "neurons", "interpretability", "multilingual", "plnd"],
    }
    read = ModelCard(card)
    assert read.data.base_model == "org/tiny"
    assert read.text.startswith("\n# Language-specific neurons of org/tiny\n")


def test_a_card_has_the_counts_of_its_sets(tmp_path: Path) -> None:
    files = made_of(write_sets(tmp_path / "sets"))
    rows = [line.split(" | ") for line in section(files.card, "The sets").splitlines() if line.startswith("| `")]
    neurons = mw.read_neurons(tmp_path / "sets", "all")
    assert [(row[0], row[1], row[2]) for row in rows] == [
        ("| `es`", "Spanish", str(len(neurons["es"]))),
        ("| `zh`", "Chinese", str(len(neurons["zh"]))),
    ]
    share = 100 * len(neurons["zh"]) / neurons["zh"].shape.switches
    assert rows[1][3] == f"{share:.2f} %"
    assert "the top 2 % of each layer and structure in every document among q k v up, without those of English" in (
        files.card
    )
    assert "Found in 24 documents of each language, 3,072 tokens" in files.card
    image = files.files["images/profile.png"]
    assert isinstance(image, bytes)
    assert image.startswith(b"\x89PNG")
    assert 'src="images/profile.png"' in files.card


def test_sets_without_neurons_have_no_figure(tmp_path: Path) -> None:
    save_neuron_set(NeuronSet(SHAPE, {}, {**ABOUT, "language": "zh"}), tmp_path / "zh.safetensors")
    files = made_of(tmp_path / "zh.safetensors")
    assert files.files.keys() == {"neurons/zh.safetensors"}
    assert "| `zh` | Chinese | 0 | 0.00 % |" in files.card
    assert "<img" not in files.card


def test_sets_of_different_texts_say_theirs_one_by_one(tmp_path: Path) -> None:
    folder = write_sets(tmp_path / "sets")
    write_sets(tmp_path / "other", documents=7)
    (tmp_path / "other" / "zh.safetensors").rename(folder / "zh.safetensors")
    table = section(made_of(folder).card, "The sets")
    assert "| documents | tokens | corpus |" in table
    assert "| 7 | 3,072 | embedded |" in table


def test_a_card_has_the_tables_of_results_with_their_intervals(tmp_path: Path) -> None:
    folder = write_matrix(tmp_path / "o")
    card = made_of(write_sets(tmp_path / "sets"), folder).card
    (table,) = read_results(folder).tables
    said = section(card, "What switching them off changes")
    for row in table.rows:
        assert row.delta is not None
        assert f"| {row.name} | " in said
        for value in (row.delta.delta_eng, row.delta.delta_non_eng):
            ends = "too few to tell" if value.low is None else f"{value.low:+.1f}, {value.high:+.1f}"
            assert f" {value.value:+.1f} [{ends}] |" in said
    assert said.count("<details>") == 1
    sentence = finding(table)
    assert sentence is not None
    under = next(row.delta for row in table.rows if row.name == "LS under")
    assert under is not None
    change = f"{under.delta_non_eng.value:+.1f}"
    assert f"LS under: with the neurons of a language deactivated, its score changes by {change}" in sentence


def test_a_comparison_of_detectors_is_in_the_card(tmp_path: Path) -> None:
    make_detector_folder(tmp_path / "o")
    card = made_of(tmp_path / "o").card
    assert "detector" in section(card, "What switching them off changes").splitlines()[3].lower()
    assert "mwork compare-detectors sets" in section(card, "Make it again")


def test_masked_scores_are_never_the_models_own(tmp_path: Path) -> None:
    masked = {"neurons": "/secret/place/zh", "positions": "all", "total": 9, "digest": "ab" * 32}
    make_results_file(tmp_path / "runs" / "m", {"xquad_zh": 0.25}, model="org/tiny", masked=masked)
    make_results_file(tmp_path / "runs" / "p", {"xquad_zh": 0.75}, model="org/tiny")
    files = made_of(write_sets(tmp_path / "sets"), tmp_path / "runs")
    (index,) = metadata_of(files.card)["model-index"]
    assert index["name"] == "org/tiny"
    assert [result["metrics"][0]["value"] for result in index["results"]] == [75.0]
    scores = section(files.card, "Scores")
    assert "| 9 neurons of zh [abababab] | 25.0 ± 5.0 points |" in scores
    assert "secret" not in files.card
    assert "a score is not the model's own" in scores
    assert sum(path.startswith("every_eval_ever/") for path in files.files) == 1


@pytest.mark.parametrize("argument", ["peft", "delta", "steer_path"])
@pytest.mark.parametrize("as_text", [True, False])
def test_scores_with_something_put_into_the_model_are_not_its_own(tmp_path: Path, argument: str, as_text: bool) -> None:
    """`mwork-hf` calls the model by its own name, whatever lm-eval merged into it."""
    file = make_results_file(tmp_path / "runs" / "p", {"xquad_zh": 0.75}, model="org/tiny", masked={})
    content = json.loads(file.read_text())
    given = {"pretrained": "org/tiny", argument: "/secret/adapter"}
    content["config"]["model_args"] = ",".join(f"{name}={value}" for name, value in given.items()) if as_text else given
    file.write_text(json.dumps(content))
    files = made_of(write_sets(tmp_path / "sets"), tmp_path / "runs")
    assert "model-index" not in metadata_of(files.card)
    assert not [path for path in files.files if path.startswith("every_eval_ever/")]
    assert f"| nothing, with {argument} adapter | 75.0 ± 5.0 points |" in section(files.card, "Scores")


def test_a_matrix_with_something_put_into_the_model_has_no_scores_of_its_own(tmp_path: Path) -> None:
    folder = write_matrix(tmp_path / "o")
    assert [path for path in made_of(folder).files if path.startswith("every_eval_ever/")]
    manifest = load_manifest(folder)
    manifest.model_copy(update={"model_args": {"peft": "org/adapter"}}).save(folder / MANIFEST)
    files = made_of(folder)
    assert "model-index" not in metadata_of(files.card)
    assert not [path for path in files.files if path.startswith("every_eval_ever/")]


def test_scores_of_the_default_model_are_not_those_of_the_model_it_was_packed_from(tmp_path: Path) -> None:
    make_results_file(tmp_path / "runs", {"xquad_zh": 0.75}, model="gemma3-270m")
    metadata = metadata_of(made_of(tmp_path / "runs").card)
    assert metadata["base_model"] == "google/gemma-3-270m"
    assert [index["name"] for index in metadata["model-index"]] == ["gemma3-270m"]


def test_a_card_says_how_to_use_and_how_to_make_it_again(tmp_path: Path) -> None:
    folder = write_matrix(tmp_path / "o")
    card = made_of(write_sets(tmp_path / "sets"), folder).card
    use = section(card, "Use").replace(" \\\n    ", " ")
    assert "--model_args pretrained=org/tiny,neurons=hub:you/tiny-neurons/es --tasks xquad_es,xquad_en" in use
    assert "mwork sets pull hub:you/tiny-neurons --out tiny-neurons" in use
    assert 'mw.read_neurons("hub:you/tiny-neurons/es")' in use
    again = section(card, "Make it again").replace(" \\\n    ", " ")
    assert "mwork detect --model org/tiny --languages es,zh --max-docs 24 --max-tokens 128 --min-tokens 16" in again
    assert "--fraction 0.02 --structures q,k,v,up --specific english --out sets" in again
    assert "mwork ablate --model org/tiny --neurons sets --preset mine --tasks xquad --languages en,zh,es" in again


def test_a_long_command_is_broken_before_options() -> None:
    line = "mwork detect " + " ".join(f"--option-{number} value" for number in range(12))
    lines = broken(line).split(" \\\n    ")
    assert len(lines) > 1
    assert " ".join(lines) == line
    assert all(len(one) <= 100 for one in lines)
    assert all(one.startswith("--option") for one in lines[1:])


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    about = {"corpus": None, "selection": None, "fingerprint": None, "model": "/secret/place/mine"}
    card = made_of(write_sets(tmp_path / "sets", **about)).card
    assert "secret" not in card
    unknown = section(card, "What is not known")
    for what in (
        "Which model on the Hub",
        "Under which licence",
        "Which weights",
        "Which texts es, zh",
        "What switching",
    ):
        assert what in unknown
    assert "How these were found is not recorded." in card
    assert "Make it again" not in card
    assert "base_model" not in metadata_of(card)
    assert "license" not in metadata_of(card)


def test_hostile_names_are_text(tmp_path: Path) -> None:
    corpus = {**ABOUT["corpus"], "name": HOSTILE}
    card = made_of(write_sets(tmp_path / "sets", model=HOSTILE, corpus=corpus, dtype=HOSTILE)).card
    text = re.sub(r"^```.*?^```$", "", card, flags=re.MULTILINE | re.DOTALL)
    assert "<script" not in text
    assert "<img src=x" not in text
    assert card.count("\n```") == 2 * len(re.findall(r"^```\w+$", card, re.MULTILINE))
    assert "\u202e" not in card
    assert yaml.safe_load(card.split("---\n", 2)[1])["library_name"] == "mwork-eval"


@pytest.mark.parametrize(
    "rule",
    [
        {"threshold": {HOSTILE: 0.5}},
        {"threshold": HOSTILE},
        {"top_k": HOSTILE},
        {"count": [HOSTILE]},
        {"fraction": "x"},
        {"fraction": 0.02, "structures": None},
        {"fraction": 0.02, "structures": [HOSTILE]},
        {"fraction": 0.02, "specific": "pivot", "pivot": HOSTILE},
        {"fraction": 0.02, "detector": {"a": 1}},
        {"fraction": 0.02, "detector": f"---\n# {HOSTILE}"},
        {"fraction": True},
    ],
)
def test_a_hostile_rule_of_selection_is_text_or_not_recorded(rule: dict[str, Any], tmp_path: Path) -> None:
    card = made_of(write_sets(tmp_path / "sets", selection=rule, recorded=1)).card
    assert "\u202e" not in card
    text = re.sub(r"^```.*?^```$", "", card, flags=re.MULTILINE | re.DOTALL)
    assert "<script" not in text
    assert "<img src=x" not in text
    assert ModelCard(card).data.library_name == "mwork-eval"
    assert "mwork detect" in card or "How these were found is not recorded." in card


@pytest.mark.parametrize("link", ["https://a.b/x) <script>alert(1)</script>", "javascript:alert(1)", "https://a b"])
def test_a_link_of_a_licence_that_is_none_is_left_out(link: str, tmp_path: Path) -> None:
    """It is from the card of the base model, which anybody may have written."""
    contents = contents_of(write_sets(tmp_path / "sets"))
    model = replace(base_model_of(one_model(contents.weights), given=None, license=None), license="other")
    hostile = repository_files(contents, replace(model, license_link=link), REPOSITORY).card
    assert link not in hostile.split("---\n", 2)[2]
    good = repository_files(contents, replace(model, license_link="https://a.b/x#y"), REPOSITORY).card
    assert "[`other`](https://a.b/x#y)" in good


def test_the_page_shows_the_card_that_the_tool_makes_of_the_shipped_sets() -> None:
    shown = re.search(r"^````markdown\n(.*?)^````$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert shown is not None
    made = mw.push("gemma3-270m", repo="you/gemma3-270m-neurons", dry_run=True, progress=False)
    assert shown[1] == made.card


def test_matplotlib_is_asked_for_before_anything_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("mwork_eval.reports.plots.find_spec", lambda name: None)
    with pytest.raises(mw.InputError, match=r"pip install \"mwork-eval\[plot\]\""):
        mw.push(tmp_path / "nothing", repo=REPOSITORY, dry_run=True)


def test_the_hub_is_asked_for_a_licence_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    terms = {"license": "other", "license_name": "tiny-terms", "license_link": "https://example.org/terms"}

    class Client:
        def model_info(self, name: str, timeout: float) -> Any:
            if name != "org/tiny":
                raise OSError("no way")
            return SimpleNamespace(card_data=SimpleNamespace(to_dict=lambda: terms))

    monkeypatch.setattr(base_model, "make_client", Client)
    model = base_model_of(Weights("sets", "org/tiny", "f"), given=None, license=None)
    asked = ask_hub(model)
    assert (asked.license, asked.license_name, asked.license_link) == tuple(terms.values())
    assert ask_hub(replace(model, license="mit")).license == "mit", "one that is known is not asked for"
    assert ask_hub(replace(model, hub="org/other")).license is None
    data = card_metadata(Contents(), asked, [])
    assert yaml.safe_load(data.split("---\n")[1])["license_name"] == "tiny-terms"
