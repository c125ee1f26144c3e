"""What is ranked together on a leaderboard, the numbers its first page has, and ranks against pairs by themselves."""

import base64
import itertools
import json
import os

import numpy as np
import pytest
from helpers.gate_folders import answers, make_lm_eval, make_results
from helpers.leaderboard_folders import make_results_file
from helpers.pivot_folders import with_pivot
from helpers.report_folders import make_folder
from scipy import stats

from mwork_eval.application.leaderboard import leaderboard
from mwork_eval.errors import InputError
from mwork_eval.leaderboard.board import build_board
from mwork_eval.leaderboard.contests import contests_of
from mwork_eval.leaderboard.front import front_values
from mwork_eval.leaderboard.ranking import rank
from mwork_eval.leaderboard.tables import score_interval
from mwork_eval.reports.formats.json import as_json
from mwork_eval.results.matrix_folder import MatrixFolder
from mwork_eval.results.summaries.folders import find_results, read_all
from mwork_eval.results.tables import read_results
from mwork_eval.statistics.clustered import Clustering, estimate


def board_of(*folders):
    results, _ = read_all(find_results(folders))
    return build_board(results, given=folders)


def contests(board):
    return [contest for one in board.benchmarks for contest in contests_of(one)]


def with_template(folder, template, shots=0):
    """Say in the only results file below a folder that a chat template rendered the prompts."""
    (path,) = folder.rglob("results_*.json")
    content = json.loads(path.read_text())
    content |= {"chat_template_sha": template * 32, "n-shot": dict.fromkeys(content["results"], shots)}
    path.write_text(json.dumps(content))


def decoded(column, row):
    """Return the numerators of a row as the page reads them."""
    kind, _, text = column["scores"][str(row)].partition(":")
    raw = base64.b64decode(text)
    if kind == "0":
        bits = [raw[number // 8] >> (number % 8) & 1 for number in range(column["documents"])]
        return list(map(float, bits))
    return np.frombuffer(raw, "<f4").tolist()


# What is ranked together


def test_models_asked_by_their_own_chat_template_are_ranked_together(tmp_path):
    # Templates make other prompts, which share no column of the benchmark's page.
    for name, template in (("a", "aa"), ("b", "bb"), ("c", "cc")):
        folder = make_lm_eval(tmp_path / name, {"xquad_zh": answers(24, 9)}, model=name, prompt=template)
        with_template(folder, template, shots=2 if name == "c" else 0)
    make_lm_eval(tmp_path / "d", {"xquad_zh": answers(24, 9)}, model="d")
    board = board_of(tmp_path)
    assert len(board.benchmarks[0].columns) == 4
    found = [(contest.prompting, sorted(who.model for who in contest.contenders)) for contest in contests(board)]
    assert sorted(found) == [
        ("as the task says", ["d"]),
        ("chat template", ["a", "b"]),
        ("chat template; examples in one turn; 2 examples", ["c"]),
    ]


def test_other_documents_or_answers_are_not_ranked_together_even_under_templates(tmp_path):
    for name, changed in (("a", {}), ("b", {"doc": "other"}), ("c", {"target": "other"})):
        folder = make_lm_eval(tmp_path / name, {"xquad_zh": answers(24, 9)}, model=name, **changed)
        with_template(folder, "ab")
    assert [len(contest.contenders) for contest in contests(board_of(tmp_path))] == [1, 1, 1]


def test_long_names_are_shortened_where_they_are_ranked(tmp_path):
    for end in "ab":
        make_results_file(tmp_path / end, {"xquad_zh": 0.5}, model="x" * 9000 + end)
    rows = front_values(board_of(tmp_path), {})["rows"]
    assert len({row["slug"] for row in rows}) == 2
    assert [(len(row["name"]) < 200, row["name"][-1]) for row in rows] == [(True, "a"), (True, "b")]


def test_languages_of_one_number_of_documents_come_together(tmp_path):
    for name, count in (("a", 24), ("b", 24), ("c", 8)):
        scores = {f"xquad_{language}": answers(count, 5) for language in ("en", "zh")}
        make_lm_eval(tmp_path / name, scores, model=name)
    found = contests(board_of(tmp_path))
    assert [(contest.label, list(contest.columns)) for contest in found] == [
        ("24 documents", ["en", "zh"]),
        ("8 documents", ["en", "zh"]),
    ]
    assert len({contest.label for contest in found}) == 2


def test_languages_of_unequal_numbers_of_documents_come_together_by_who_has_both(tmp_path):
    for name in "ab":
        make_lm_eval(tmp_path / name, {"xquad_en": answers(30, 5), "xquad_zh": answers(24, 5)}, model=name)
    (contest,) = contests(board_of(tmp_path))
    assert contest.label == "24 to 30 documents by language"


@pytest.mark.parametrize(("right", "known"), [(0, False), (4, False), (5, True), (20, True), (36, False), (40, False)])
def test_a_score_has_an_interval_only_where_documents_differ(tmp_path, right, known):
    make_lm_eval(tmp_path / "a", {"xquad_zh": answers(40, right)}, model="a")
    ((score, _),) = board_of(tmp_path).models[0].scores
    own = np.arange(40) < right
    width = 100 * own.std(ddof=1) / 40**0.5 * stats.t.ppf(0.975, 39)
    expected = (100 * own.mean() - width, 100 * own.mean() + width)
    assert score.interval == (pytest.approx(expected) if known else None)


def test_an_interval_ends_where_scores_do(tmp_path):
    make_lm_eval(tmp_path / "a", {"xquad_zh": [1.0, 0.9, 0.95, 0.2, 0.8]}, model="a")
    ((score, _),) = board_of(tmp_path).models[0].scores
    low, high = score.interval
    assert 0 < low < 100 < high
    assert score_interval(score) == f"[{low:.1f}, 100.0]"


@pytest.mark.filterwarnings("error")
def test_numbers_too_large_for_a_page_are_unknown_there(tmp_path):
    make_lm_eval(tmp_path / "a", {"xquad_zh": [1e60] * 24}, metric="acc", model="a")
    ((score, _),) = board_of(tmp_path).models[0].scores
    assert (score.numbers, score.interval) == (None, None)


# The numbers of the first page


def test_the_page_has_every_document_as_the_results_have_it(tmp_path):
    keys = [f"p{number // 2}" for number in range(24)]
    make_results(tmp_path / "m", {("xquad", "en"): answers(24, 9), ("xquad", "zh"): answers(24, 17)}, clusters=keys)
    bits = [(10.0 + number, 4.0 + number) for number in range(9)]
    texts = {("bpb", "en"): [(8.0, 4.0)] * 9, ("bpb", "zh"): bits}
    make_results(tmp_path / "b", texts, metric="bits_per_byte,none", model="other")
    front = front_values(board_of(tmp_path), {})
    json.dumps(front)
    by_name = {contest["benchmark"]: contest for contest in front["contests"]}
    for column, right in zip(by_name["xquad"]["columns"], (9, 17), strict=True):
        ((row, value, _),) = column["shown"]
        assert front["rows"][row]["name"] == "tiny"
        assert decoded(column, row) == answers(24, right)
        assert column["weights"] is None
        assert value == pytest.approx(column["factor"] * right / 24, abs=1e-5)
        # Parallel documents share their clusters between languages.
        assert column["clusters"] == [number // 2 for number in range(24)]
    _, column = by_name["bpb"]["columns"]
    ((row, value, _),) = column["shown"]
    weights = np.frombuffer(base64.b64decode(column["weights"]), "<f4").tolist()
    assert decoded(column, row) == [n for n, _ in bits]
    assert weights == [d for _, d in bits]
    assert value == pytest.approx(sum(n for n, _ in bits) / sum(d for _, d in bits), abs=1e-5)
    assert (by_name["bpb"]["higher"], by_name["bpb"]["unit"]) == (False, "bits per byte")


def test_the_largest_columns_lose_their_documents_first(tmp_path):
    make_lm_eval(tmp_path / "a", {"xquad_zh": answers(80, 9), "xnli_zh": answers(24, 9)}, model="a")
    board = board_of(tmp_path)
    whole = {contest["benchmark"]: contest for contest in front_values(board, {})["contests"]}
    assert not any("unpaired" in contest for contest in whole.values())
    size = len(whole["xnli"]["columns"][0]["scores"]["0"])
    found = {contest["benchmark"]: contest for contest in front_values(board, {}, budget=size)["contests"]}
    assert found["xnli"] == whole["xnli"]
    assert found["xquad"]["unpaired"]
    assert found["xquad"]["columns"][0]["scores"] == {}
    assert found["xquad"]["columns"][0]["shown"] == whole["xquad"]["columns"][0]["shown"]


def test_changes_stand_beside_the_scores_of_their_documents(tmp_path):
    make_folder(tmp_path / "o")
    make_results_file(tmp_path / "p", {"xquad_en": 0.5}, documents=8)
    front = front_values(board_of(tmp_path), {})
    changes = {contest["label"]: contest["changes"] for contest in front["contests"]}
    assert changes["8 documents"] == []
    assert [change["label"] for change in changes["24 documents"]] == ["LS under", "LS gen"]
    row, languages, delta, low, high, own, others = changes["24 documents"][0]["values"][0]
    assert front["rows"][row]["name"] == "tiny"
    assert delta == pytest.approx(sum(languages.values()) / 2, abs=1e-5)
    assert delta == pytest.approx(own - others, abs=1e-5)
    assert low < delta < high


@pytest.mark.parametrize("pivot", ["en", "zh"])
@pytest.mark.parametrize("reported", [True, False])
def test_changes_are_told_by_mask_language(tmp_path, pivot, reported):
    folder = make_folder(tmp_path / "o")
    folder = folder if pivot == "en" else with_pivot(folder, tmp_path / "p")
    matrix, report = MatrixFolder(folder), folder / "report.json"
    if reported:
        report.write_text(as_json(read_results(folder)))
    else:
        report.unlink(missing_ok=True)
    means = {}
    for entry in matrix.manifest.cells:
        numbers = [numerator / size for numerator, size in matrix.cell(entry.identity).score.documents]
        means[entry.setting, entry.mask_language, entry.language] = 100 * sum(numbers) / len(numbers)

    def changed(mask, language):
        return means["LS under", mask, language] - means[None, None, language]

    (change,) = (one for one in read_all([folder])[0][0].changes if one.setting == "LS under")
    masks = {mask for setting, mask, _ in means if setting == "LS under"}
    assert len(masks) == 2
    expected = {mask: changed(mask, pivot) - changed(mask, mask) for mask in masks}
    assert change.by_language == pytest.approx(expected)


def test_the_site_knows_where_neurons_sit(tmp_path):
    make_folder(tmp_path / "in" / "o")
    leaderboard([tmp_path / "in"], out=tmp_path / "site")
    text = (tmp_path / "site" / "index.html").read_text()
    front = json.loads(text.split('id="front">')[1].split("</script>")[0])
    # `make_set` has 2 + layer neurons in each of three structures.
    assert front["rows"][0]["layers"] == {language: [6, 9, 12, 15] for language in ("zh", "es")}
    assert front["rows"][0]["family"] == "llama"
    (page,) = (tmp_path / "site" / "models").glob("*/index.html")
    assert "share of neurons in the set by layer and structure" in page.read_text()
    assert (page.parent / "neurons.csv").read_text().splitlines()[0].startswith("language,layer,stage,q,v,up")
    assert f"../../compare/index.html#a={front['rows'][0]['slug']}" in page.read_text()


# Ranks


def slow_ranks(numbers):
    """Return ranks, with every pair by itself: `numbers` are by model and language the answers, one cluster each."""
    names = sorted(numbers)
    better = {name: [] for name in names}
    for one, other in itertools.permutations(names, 2):
        pairs = [(np.array(numbers[one][key]), np.array(numbers[other][key])) for key in numbers[one]]
        difference = np.mean([a.mean() - b.mean() for a, b in pairs])
        parts = [((a - a.mean()) - (b - b.mean())) / len(a) / len(pairs) for a, b in pairs]
        keys = [[f"{number} {n}" for n in range(len(a))] for number, (a, _) in enumerate(pairs)]
        clustering = Clustering([np.full(len(a), 1 / len(a)) for a, _ in pairs], keys)
        found = estimate(difference, clustering, parts, [a - b for a, b in pairs])
        if found.low is not None and found.low > 0:
            better[one].append(other)
    return {
        name: (1 + sum(name in worse for worse in better.values()), len(names) - len(better[name])) for name in names
    }


def test_ranks_are_those_of_all_pairs(tmp_path):
    generator = np.random.default_rng(3)
    numbers = {
        f"m{number}": {
            language: (generator.random(count) < 0.3 + 0.12 * number).astype(float).tolist()
            for language, count in (("en", 40), ("zh", 30), ("es", 30))
        }
        for number in range(5)
    }
    for name, of in numbers.items():
        make_lm_eval(tmp_path / name, {f"xquad_{language}": values for language, values in of.items()}, model=name)
    make_lm_eval(tmp_path / "half", {"xquad_en": answers(40, 40)}, model="half")
    results = leaderboard([tmp_path])
    for languages in (["en", "zh", "es"], ["zh"]):
        chosen = {name: {key: of[key] for key in languages} for name, of in numbers.items()}
        found = results.ranking("xquad", languages).ranked
        assert {row.label: (row.rank.best, row.rank.worst) for row in found.rows} == slow_ranks(chosen)
        means = {name: 100 * np.mean([np.mean(values) for values in of.values()]) for name, of in chosen.items()}
        assert {row.label: row.mean for row in found.rows} == pytest.approx(means)
        assert [row.mean for row in found.rows] == sorted((row.mean for row in found.rows), reverse=True)
        assert found.unranked == ("half",)
    assert results.ranking("xquad", ["en"]).ranked.rows[0].label == "half"
    frame = results.ranking("xquad").to_pandas()
    assert list(frame["rank"]) == [str(row.rank) for row in results.ranking("xquad").ranked.rows]
    assert list(frame.columns)[-3:] == ["en", "es", "zh"]
    assert "half" in results.ranking("xquad")._repr_html_()
    assert "xquad" in results._repr_html_()


def test_scores_without_samples_are_told_apart_by_their_errors(tmp_path):
    # Errors are 5 points: 20 points are 2.8 errors of the difference, 10 are 1.4.
    for name, value in (("a", 0.7), ("b", 0.6), ("c", 0.5)):
        make_results_file(tmp_path / name, {"xquad_zh": value}, model=name)
    found = rank(board_of(tmp_path), "xquad")
    assert {row.label: str(row.rank) for row in found.rows} == {"a": "1–2", "b": "1–3", "c": "2–3"}


def test_a_wrong_choice_is_one_line_that_names_what_there_is(tmp_path):
    make_results_file(tmp_path, {"xquad_zh": 0.5})
    board = board_of(tmp_path)
    with pytest.raises(InputError, match=r"no such benchmark; found nope; expected xquad"):
        rank(board, "nope")
    with pytest.raises(InputError, match=r"no scores of xquad in all of these languages; found zh de; expected zh"):
        rank(board, "xquad", ["zh", "de"])
    with pytest.raises(InputError, match="asked like this"):
        rank(board, "xquad", prompting="chat template")
    with pytest.raises(InputError, match="no languages"):
        rank(board, "xquad", [])


# Words


def test_a_page_says_what_was_done_to_neurons(tmp_path):
    folder = make_folder(tmp_path / "in")
    masked = {"neurons": "zh", "total": 9, "digest": "ab" * 32, "intervention": "scale:0.5"}
    make_results_file(tmp_path / "in" / "m", {"xquad_zh": 0.5}, model="tiny", masked=masked)
    leaderboard([tmp_path / "in"], out=tmp_path / "site")
    (page,) = (tmp_path / "site" / "tasks").glob("*/index.html")
    assert "What changes when neurons are deactivated" in page.read_text()
    assert "tiny, scale:0.5 of 9 neurons of zh [abababab]" in page.read_text()
    assert "without scale" not in page.read_text()
    manifest = folder / "manifest.json"
    content = json.loads(manifest.read_text())
    for row in content["presets"][0]["settings"]:
        row["intervention"] = "scale:0.5"
    manifest.write_text(json.dumps(content))
    leaderboard([tmp_path / "in"], out=tmp_path / "site")
    assert "What changes when neurons are scaled by 0.5" in page.read_text()
    assert "when neurons are deactivated" not in page.read_text()


def test_neurons_of_other_weights_of_a_name_are_led_to(tmp_path):
    for number, fingerprint in enumerate("fg"):
        manifest = make_folder(tmp_path / "in" / fingerprint) / "manifest.json"
        text = manifest.read_text().replace('"fingerprint": "f"', f'"fingerprint": "{fingerprint * 32}"')
        manifest.write_text(text)
        os.utime(manifest, (1e9 + number, 1e9 + number))
    leaderboard([tmp_path / "in"], out=tmp_path / "site")
    (page,) = (tmp_path / "site" / "models").glob("*/index.html")
    said = " ".join(page.read_text().split())
    assert "These are of the weights gggggggg, which have the newest results;" in said
    assert '<a href="neurons-2.csv">neurons-2.csv</a> has those of the weights ffffffff.' in said
    assert page.with_name("neurons-2.csv").is_file()
