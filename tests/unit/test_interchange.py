"""Neuron sets in the files of other tools: what an index means there."""

import json
import random

import pytest
import torch
import transformers
from helpers.foreign_files import INNER, LAYERS, WIDTH, expertise, foreign_configuration, masks, members, saved

import mwork_eval as mw
from mwork_eval.digests import digest_of_file
from mwork_eval.interchange.registry import FORMATS, find_format
from mwork_eval.models.fit import check_fit
from mwork_eval.neurons.neuron_set import NeuronSet


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return foreign_configuration(tmp_path_factory.mktemp("configurations"))


@pytest.fixture(scope="module")
def shape(model):
    return mw.inspect(model).shape


def test_a_mask_is_rows_of_gate_which_are_our_up(tmp_path, model):
    path = saved(masks([[0, 11], [3]], [[], [2, 5]]), tmp_path / "X.neuron.pth")
    sets = mw.import_sets(path, "lape", ["en", "zh"], model=model, out=tmp_path / "out")
    assert {code: members(one) for code, one in sets.items()} == {
        "en": {(0, "up"): [0, 11], (1, "up"): [3]},
        "zh": {(1, "up"): [2, 5]},
    }
    assert mw.read_neurons(tmp_path / "out", "all") == sets
    about = sets["zh"].about
    assert about["origin"] == {"format": "lape", "file": "X.neuron.pth", "digest": digest_of_file(path)}
    assert (about["language"], about["method"]) == ("zh", "imported")
    assert "fingerprint" not in about
    mw.export_sets(sets, "lape", out=tmp_path / "again.pth", languages="zh,en")
    again = torch.load(tmp_path / "again.pth", weights_only=True)
    assert [[layer.tolist() for layer in layers] for layers in again] == [[[], [2, 5]], [[0, 11], [3]]]
    assert {layer.dtype for layers in again for layer in layers} == {torch.int64}


def test_the_languages_of_a_mask_are_given_and_fit(tmp_path, model):
    path = saved(masks([[0], [1]], [[2], [3]]), tmp_path / "X.neuron.pth")
    with pytest.raises(mw.InputError, match=r"neurons of 2 languages.*found none given.*`languages`"):
        mw.import_sets(path, "lape", model=model)
    with pytest.raises(mw.InputError, match=r"neurons of 2 languages.*found 3 \(en,zh,fr\)"):
        mw.import_sets(path, "lape", "en,zh,fr", model=model)
    with pytest.raises(mw.InputError, match=r"neurons of 2 languages.*found 32"):
        mw.import_sets(path, "clas-bench", model=model)


@pytest.mark.parametrize("name", ["clas-bench", "manipulation"])
def test_a_script_with_a_fixed_order_names_its_languages(name, tmp_path, model):
    order = find_format(name).order
    assert len(order) == len(set(order)) == {"clas-bench": 32, "manipulation": 21}[name]
    path = saved(masks(*([[number % INNER], [0]] for number in range(len(order)))), tmp_path / "mask-1")
    sets = mw.import_sets(path, name, model=model)
    assert [members(one)[0, "up"] for one in sets.values()] == [[number % INNER] for number in range(len(order))]
    assert list(sets) == list(order)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (masks([[0], [INNER]]), f"found index {INNER} in en, layer 1, up; expected 0 to {INNER - 1}"),
        (masks([[0], [-1]]), "found index -1"),
        (masks([[0], [1], [2]]), "found 3 layers of en; expected the 2 layers"),
        (masks([[4, 4], [1]]), "an index twice"),
        ([[torch.ones(2), torch.ones(2)]], r"a tensor float32 \[2\]"),
        ([[torch.zeros(1, dtype=torch.int64).expand(2**40), torch.ones(0)]], "a tensor int64"),
        ([[torch.zeros(1, 1, dtype=torch.int64), torch.ones(0)]], "a tensor int64"),
        ({"en": []}, "found a dict"),
        ([], "found a list"),
        (torch.ones(3), "found a Tensor"),
    ],
)
def test_what_does_not_fit_the_model_is_told(value, message, tmp_path, model):
    path = saved(value, tmp_path / "X.neuron.pth")
    with pytest.raises(mw.InputError, match=message):
        mw.import_sets(path, "lape", "en", model=model)


def kinit_file(path, **results):
    languages = ["deu_Latn", "zho_Hans"]
    found = {
        key: {"selected_indices_by_language": dict(zip(languages, of, strict=True))} for key, of in results.items()
    }
    params = {"top_rate": 0.01, "filter_rate": 0.95}
    return saved({"method": "lape", "languages": languages, "params": params, "results": found}, path)


def test_results_by_key_are_united_or_chosen(tmp_path, model):
    path = kinit_file(
        tmp_path / "lape_selected_neurons.pt",
        mlp_over_threshold_rate=([[1, 2], []], [[3], []]),
        mlp_grad_average_activations=([[2, 5], []], [[], [4]]),
        attn_q_proj_over_threshold_rate=([[15], []], [[], []]),
        attn_v_proj_over_threshold_rate=([[], [7]], [[], [0]]),
    )
    sets = mw.import_sets(path, "kinit", model=model)
    assert {code: members(one) for code, one in sets.items()} == {
        "de": {(0, "up"): [1, 2, 5], (0, "q"): [15], (1, "v"): [7]},
        "zh-Hans": {(0, "up"): [3], (1, "up"): [4], (1, "v"): [0]},
    }
    assert sets["de"].about["origin"]["says"]["params"] == {"top_rate": 0.01, "filter_rate": 0.95}
    (one,) = mw.import_sets(path, "kinit", "zh", model=model, key="mlp_over_threshold_rate").items()
    assert (one[0], members(one[1])) == ("zh", {(0, "up"): [3]})
    with pytest.raises(mw.InputError, match="no results 'mlp'; found mlp_over"):
        mw.import_sets(path, "kinit", model=model, key="mlp")
    with pytest.raises(mw.InputError, match="no neurons of fr"):
        mw.import_sets(path, "kinit", "fr", model=model)
    with pytest.raises(mw.InputError, match="`key` for lape"):
        mw.import_sets(path, "lape", model=model, key="mlp")


def test_text_sets_count_k_and_v_among_query_heads(tmp_path, model):
    path = tmp_path / "zh.txt"
    up = "{0: {np.int64(3), np.int64(7)}, 1: set()}"
    # Query heads 0 and 1 share head 0 of k, 2 and 3 share head 1.
    keys = "{0: {0, 5, 4, 13}, 1: [9]}"
    path.write_text(f"{up}\n{up}\n{{0: set(), 1: {{15}}}}\n{keys}\n{{1: {{np.int32(15)}}}}\n")
    (found,) = mw.import_sets(path, "damo", "zh", model=model).values()
    expected = {(0, "up"): [3, 7], (1, "q"): [15], (1, "k"): [5], (1, "v"): [7]}
    slow = set()
    for index in (0, 5, 4, 13):
        query_head, channel = divmod(index, WIDTH)
        slow.add([0, 0, 1, 1][query_head] * WIDTH + channel)
    assert members(found) == {**expected, (0, "k"): sorted(slow)}
    out = tmp_path / "again.txt"
    mw.export_sets({"zh": found}, "damo", out=out, model=model)
    assert mw.import_sets(out, "damo", "zh", model=model) == {"zh": found}
    # Every query head that shares the row is named.
    assert out.read_text().splitlines()[4] == "{0: set(), 1: {11, 15}}"
    with pytest.raises(mw.InputError, match=r"how wide heads are.*`model`"):
        mw.import_sets(path, "damo", "zh", like=found)
    with pytest.raises(mw.InputError, match=r"how wide heads are.*`model`"):
        mw.export_sets({"zh": found}, "damo", out=out)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["{}"] * 4, "found 4 lines"),
        (["{}", "{}", "{}", "{}", "__import__('os')"], "no dictionary"),
        (["{0: {open}}", "{}", "{}", "{}", "{}"], "integers"),
        (["{0: {1, 2, 0: {3}}", "{}", "{}", "{}", "{}"], "cannot be read"),
        (["{0: {1}, 0: {2}}", "{}", "{}", "{}", "{}"], "cannot be read"),
        (["{0: {-1}}", "{}", "{}", "{}", "{}"], "integers"),
        (["{2: {1}}", "{}", "{}", "{}", "{}"], "layer 2 of up"),
        (["{0: {12}}", "{}", "{}", "{}", "{}"], "index 12 in layer 0, up"),
        (["{}", "{}", "{}", "{0: {16}}", "{}"], "index 16 in layer 0, k among query heads; expected 0 to 15"),
        (["{" * 100_000, "{}", "{}", "{}", "{}"], "no dictionary"),
        (["{}"] * 5, "no neuron of zh"),
    ],
)
def test_a_text_that_is_no_text_set_is_told(lines, message, tmp_path, model):
    path = tmp_path / "zh.txt"
    path.write_text("\n".join(lines))
    with pytest.raises(mw.InputError, match=message):
        mw.import_sets(path, "damo", "zh", model=model)


def test_expertise_names_outputs_of_modules(tmp_path, model):
    path = expertise(
        tmp_path / "expertise_limited_6_both.csv",
        [
            (0.9, "model.layers.0.mlp.gate_proj:0", 4),
            (0.8, "model.layers.0.mlp.up_proj:0", 4),
            (0.85, "model.layers.0.mlp.up_proj:0", 7),
            (0.7, "model.layers.1.self_attn.k_proj:0", 6),
            (0.7, "model.layers.1.self_attn.o_proj:0", 6),
            (0.6, "model.layers.1.mlp.down_proj:0", 3),
            (0.01, "model.layers.0.mlp.up_proj:0", 2),
        ],
    )
    (found,) = mw.import_sets(path, "kojima", "de", model=model).values()
    assert members(found) == {(0, "up"): [2, 4, 7], (1, "k"): [6]}
    assert found.indices[0, "up"].tolist() == [2, 4, 7]  # by the distance from one half: 0.49, 0.4, 0.35
    assert sum(found.about["origin"]["left_out"].values()) == 2
    with pytest.raises(mw.InputError, match="another language; found de; expected fr"):
        mw.import_sets(path, "kojima", "fr", model=model)
    with pytest.raises(mw.InputError, match="sets cannot be written as kojima"):
        mw.export_sets({"de": found}, "kojima", out=tmp_path / "x.csv")
    for row, message in (
        ((0.9, "model.layers.0.mlp.up_proj:0", INNER), f"unit {INNER} of"),
        ((0.9, "model.layers.7.mlp.up_proj:0", 0), r"module 'model\.layers\.7"),
        ((1.9, "model.layers.0.mlp.up_proj:0", 0), r"ap '1\.9'"),
        ((0.9, "model.layers.0.mlp.up_proj:0", "-1"), "unit '-1'"),
    ):
        with pytest.raises(mw.InputError, match=message):
            mw.import_sets(expertise(path, [row]), "kojima", "de", model=model)


def test_a_fused_output_is_divided_as_the_model_divides_it(tmp_path):
    """BLOOM's rows are head by head, q, k and v of each."""
    folder = tmp_path / "bloom"
    transformers.BloomConfig(vocab_size=32, hidden_size=8, n_layer=1, n_head=2).save_pretrained(folder)
    name = "transformer.h.0.self_attention.query_key_value:0"
    path = expertise(tmp_path / "expertise_limited_3_top.csv", [(0.9, name, unit) for unit in (1, 4, 11, 12, 23)])
    (found,) = mw.import_sets(path, "kojima", "de", model=folder).values()
    slow = {}
    for unit in (1, 4, 11, 12, 23):
        head, inside = divmod(unit, 3 * 4)
        slow.setdefault((0, "qkv"[inside // 4]), []).append(head * 4 + inside % 4)
    assert members(found) == slow


def test_a_list_of_all_units_is_no_set(tmp_path, model):
    modules = {"mlp.up": INNER, "mlp.gate": INNER, "self_attn.q": 16, "self_attn.k": 8, "self_attn.v": 8}
    rows = [
        (0.5, f"model.layers.{layer}.{module}_proj:0", unit)
        for layer in range(LAYERS)
        for module, size in modules.items()
        for unit in range(size)
    ]
    assert len(mw.import_sets(expertise(tmp_path / "x.csv", rows[1:]), "kojima", "de", model=model)["de"]) == 88
    with pytest.raises(mw.InputError, match="lists every unit"):
        mw.import_sets(expertise(tmp_path / "expertise.csv", rows), "kojima", "de", model=model)


@pytest.mark.parametrize("name", ["csv", "json"])
def test_tables_keep_order_and_languages(name, tmp_path, shape):
    de = NeuronSet(shape, {(1, "up"): [7, 2], (0, "o"): [3]}, {"language": "de"})
    yue = NeuronSet(shape, {(0, "k"): [7]}, {"language": "yue"})
    path = tmp_path / f"neurons.{name}"
    mw.export_sets([de, yue], name, out=path)
    found = mw.import_sets(path, name, like=de)
    assert found == {"de": de, "yue": yue}
    assert found["de"].digest == de.digest
    assert mw.import_sets(path, name, "yue", like=de) == {"yue": yue}
    with pytest.raises(mw.InputError, match="no neurons of fr; found de yue"):
        mw.import_sets(path, name, "fr", like=de)


def test_tables_without_languages_are_of_the_one_that_is_given(tmp_path, shape):
    text, rows = tmp_path / "zh.csv", [{"layer": 0, "structure": "up", "index": 3}]
    text.write_text("structure,index,layer\nup,3,0\n")
    (tmp_path / "zh.json").write_text(json.dumps(rows))
    like = NeuronSet(shape, {(0, "up"): [3]})
    assert mw.import_sets(text, "csv", "zh", like=like) == {"zh": like}
    assert mw.import_sets(tmp_path / "zh.json", "json", "zh", like=like) == {"zh": like}
    assert set(mw.import_sets([text, text], "csv", "zh,de", like=like)) == {"zh", "de"}
    with pytest.raises(mw.InputError, match="found 2 files and 1 languages"):
        mw.import_sets([text, text], "csv", "zh", like=like)
    for content, message in (
        ("layer,index\n0,1\n", "no column structure"),
        ("layer,structure,index\n0,up,12\n", "index 12"),
        ("layer,structure,index\n2,up,1\n", "layer 2, up"),
        ("layer,structure,index\n0,mlp,1\n", "layer 0, mlp"),
        ("layer,structure,index\n0,up,1\n0,up,1\n", "an index twice"),
        ("layer,structure,index\n0,up,1.5\n", r"index '1\.5'"),
        ("layer,structure,index\n0,up\n", "2 cells in line 2"),
        ("layer,structure,index\n", "no row"),
        ('layer,structure,index\n0,"up,1\n', "cannot be read"),
    ):
        text.write_text(content)
        with pytest.raises(mw.InputError, match=message):
            mw.import_sets(text, "csv", "zh", like=like)


@pytest.mark.parametrize("name", [name for name in FORMATS if find_format(name).write is not None])
def test_what_is_written_is_read_again(name, tmp_path, model, shape):
    generator, form = random.Random(1), find_format(name)
    held = [structure for structure in ("q", "k", "v", "up") if structure in form.structures]
    places = [(layer, structure) for layer in range(LAYERS) for structure in held]
    languages = form.order or (("de",) if form.one_language else ("de", "ja", "ar"))
    sets = {
        language: NeuronSet(shape, {place: generator.sample(range(8), 3) for place in places}) for language in languages
    }
    left_out = mw.export_sets(sets, name, out=tmp_path / "file", languages=languages, model=model)
    assert left_out == {}
    assert mw.import_sets(tmp_path / "file", name, languages, model=model) == sets


def test_what_a_format_cannot_hold_is_named_and_left_out_only_if_told(tmp_path, shape):
    neurons = NeuronSet(shape, {(0, "q"): [1, 2], (0, "o"): [1], (1, "up"): [4]}, {"language": "de"})
    out = tmp_path / "X.neuron.pth"
    with pytest.raises(mw.InputError, match=r"lape cannot hold all.*1 of o, 2 of q; expected neurons of gate up down"):
        mw.export_sets(neurons, "lape", out=out)
    assert not out.exists()
    assert mw.export_sets(neurons, "lape", out=out, force=True) == {"o": 1, "q": 2}
    assert members(mw.import_sets(out, "lape", "de", like=neurons)["de"]) == {(1, "up"): [4]}
    attention = NeuronSet(shape, {(0, "q"): [1]})
    with pytest.raises(mw.InputError, match="nothing is left"):
        mw.export_sets(attention, "lape", out=out, force=True)


def test_the_model_is_named_in_one_way(tmp_path, model, shape):
    path = saved(masks([[0], [1]]), tmp_path / "X.neuron.pth")
    like = NeuronSet(shape, {(0, "q"): [1]})
    with pytest.raises(mw.InputError, match="neither `model` nor `like`"):
        mw.import_sets(path, "lape", "en")
    with pytest.raises(mw.InputError, match="both `model` and `like`"):
        mw.import_sets(path, "lape", "en", model=model, like=like)
    with pytest.raises(mw.InputError, match="file not found"):
        mw.import_sets(tmp_path / "nothing", "lape", "en", like=like)
    with pytest.raises(mw.InputError, match="unknown format; found 'pickle'; expected lape or"):
        mw.import_sets(path, "pickle", "en", like=like)


def test_masks_of_unknown_weights_want_force(tmp_path, model, shape):
    path = saved(masks([[0], [1]]), tmp_path / "X.neuron.pth")
    (found,) = mw.import_sets(path, "lape", "en", model=model).values()
    with pytest.raises(
        mw.InputError, match=r"not known whether.*X\.neuron\.pth of the format lape.*force=True"
    ) as told:
        check_fit(found, shape, "f" * 64, "tiny")
    assert "None" not in str(told.value)
    check_fit(found, shape, "f" * 64, "tiny", force=True)
