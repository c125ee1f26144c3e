"""What a caller sees of long work: bars, nothing, or a way of their own."""

import logging

import pytest
from conftest import make_model, make_tokenizer
from helpers.models_in_memory import neurons_of

import mwork_eval as mw
from mwork_eval.application.progress import Bars, Silent, shown

TEXTS = {"zh": [f"{n} 今天天气很好，我们一起去学校上课。" for n in range(40)]}
SCORED = {"limit": 1, "data": "embedded"}


def enhance(model, tokenizer, **how):
    training = mw.TrainingOptions(batch_size=2)
    return mw.enhance(
        model, tokenizer, neurons_of(model, language="zh"), TEXTS, documents=4, trained_controls=0, tasks="bpb",
        languages="zh", training=training, force=True, **SCORED, **how,
    )  # fmt: skip


VERBS = {
    "detect": lambda *given, **how: mw.detect(*given, TEXTS, max_docs=4, min_tokens=4, max_tokens=24, **how),
    "evaluate": lambda *given, **how: mw.evaluate(*given, "bpb_zh", **SCORED, **how),
    "ablate": lambda model, tokenizer, **how: mw.ablate(
        model, tokenizer, {"zh": neurons_of(model)}, tasks="bpb", seeds=[1], force=True, **SCORED, **how
    ),
    "lens": lambda *given, **how: mw.lens(*given, {"zh": TEXTS["zh"][:2]}, **how),
    "enhance": enhance,
    "tune_layers": lambda model, tokenizer, **how: mw.tune_layers(
        model, tokenizer, {"zh": neurons_of(model)}, task="bpb", limit=2, data="embedded", force=True,
        understanding=[1, 2], generation=[1], **how,
    ),
}  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_nothing_is_shown_if_none_is_asked_for(verb, capfd, caplog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # no repository, as git says to whom it is asked by
    VERBS[verb](make_model("llama"), make_tokenizer(), progress=False)
    assert capfd.readouterr() == ("", "")
    assert "deactivated" not in caplog.text


@pytest.mark.parametrize("verb", ["detect", "lens"])
def test_bars_are_shown_if_nothing_is_said(verb, capfd):
    VERBS[verb](make_model("llama"), make_tokenizer())
    assert f"{verb} · zh" in capfd.readouterr().err


@pytest.mark.parametrize("verb", VERBS)
def test_what_shows_nothing_is_refused_before_the_model_works(verb):
    model = make_model("llama")
    neurons_of(model)

    def works(*_):
        raise AssertionError("the model works before its arguments are known to be good")

    model.model.layers[0].register_forward_pre_hook(works)
    for wrong in (3, "no", Silent):
        with pytest.raises(
            mw.InputError, match=r"unusable progress; .*; expected None for bars, False for none, or an"
        ):
            VERBS[verb](model, make_tokenizer(), progress=wrong)


def test_what_is_said_goes_to_the_log_without_bars(caplog):
    with caplog.at_level(logging.INFO, "mwork_eval"):
        VERBS["detect"](make_model("llama"), make_tokenizer(), progress=False)
    assert any("zh: 4 documents" in message for message in caplog.messages)


def test_every_choice_is_understood():
    own = Silent()
    assert shown(own) is own
    assert [type(shown(choice)) for choice in (None, True, False)] == [Bars, Bars, Silent]
