"""How models are asked: arguments as users write them, what they do to a task, and what is refused before a load."""

import dataclasses
import html
import pickle

import pytest
from helpers.chat_models import PLAIN, STRICT, chat_tokenizer
from helpers.manifests import edited_manifest
from lm_eval.utils import handle_arg_string

import mwork_eval as mw
from mwork_eval.application.model_args import model_args_of
from mwork_eval.application.prompting_arguments import gen_kwargs_of, prompting_of
from mwork_eval.cli.main import main
from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.evaluation.answer_language import judge_version
from mwork_eval.evaluation.evaluate import prepare_tasks
from mwork_eval.evaluation.prompting import Prompting
from mwork_eval.evaluation.sampling import Sample
from mwork_eval.files.key_values import parse_key_values, plain_value
from mwork_eval.lm.chat import Chat
from mwork_eval.lm.model_identity import told_of_loading
from mwork_eval.matrix.cell_plan import TaskSource
from mwork_eval.matrix.identity import identity_of
from mwork_eval.neurons.files import save_neuron_set
from mwork_eval.versions import software_versions

TASKS = ("xquad_en", "xcsqa_zh", "bpb_zh")
TODAY = {
    "xcsqa_zh": "939f8f95c9e441936cc38f984bff48d5bc162c09b6366f89d0d14526de5b8f19",
    "xquad_en": "c93db13efab5eedae25f407945fbed3dd0425033fdc06ed01bb103738a85e317",
    "bpb_zh": "7707bd9571855904791b914d209d24c021fa07145194339e6bf74e169edb7e58",
}
"""Digests of the requests of two documents each, as they were before prompting could be chosen."""


@pytest.mark.parametrize(
    "text", ["+7", "-1e3", "FALSE", "None", "1_0", "nan", "+-5", "²", "'1'", '"', "x'", "", "0x1", "1.", "inf", "٣"]
)
def test_values_are_read_as_lm_eval_reads_them(text):
    assert repr(plain_value(text)) == repr(handle_arg_string(text))


def prepare(prompting=None, names=TASKS, limit=2):
    return prepare_tasks(names, data="embedded", sample=Sample(limit), prompting=prompting or Prompting())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("temperature=0.7,do_sample=true", {"temperature": 0.7, "do_sample": True}),
        ('until=["\\n", "a,b"],max_gen_toks=5', {"until": ["\n", "a,b"], "max_gen_toks": 5}),
        ("peft=org/name,revision2=none,x='3'", {"peft": "org/name", "revision2": None, "x": "3"}),
        ('{"chat_template_args": {"tone": "mild"}}', {"chat_template_args": {"tone": "mild"}}),
        ('chat_template_args={"tone": true}', {"chat_template_args": {"tone": True}}),
        ("a=1=2, b = 4", {"a": "1=2", "b": 4}),
        ("until=it's,top_k=5", {"until": "it's", "top_k": 5}),
        ("", {}),
    ],
)
def test_arguments_are_read_as_lm_eval_reads_them(text, expected):
    assert parse_key_values("gen_kwargs", text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("temperature", "cannot read `gen_kwargs`; found temperature; expected key=value,... or a JSON object"),
        ("a=1,a=2", "`gen_kwargs` has an argument twice; found a"),
        ('{"a": ', "cannot read `gen_kwargs`"),
        ("until=[oh", "cannot read `gen_kwargs`"),
        ("a={[1]: 2}", "cannot read `gen_kwargs`"),
        ("a=" + "[" * 100_000, "cannot read `gen_kwargs`"),
        ("until='oh,top_k=5", "cannot read `gen_kwargs`"),
    ],
)
def test_arguments_that_cannot_be_read_are_one_error(text, message):
    with pytest.raises(InputError) as error:
        parse_key_values("gen_kwargs", text)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"apply_chat_template": 3}, "unusable apply_chat_template; found 3; expected True, or the name of a template"),
        ({"system_instruction": 3}, "unusable system_instruction; found 3; expected a text"),
        ({"num_fewshot": -1}, "unusable num_fewshot; found -1"),
        ({"fewshot_as_multiturn": True}, "`fewshot_as_multiturn` needs turns; found no `apply_chat_template`"),
        (
            {"gen_kwargs": {"nothing": 1}},
            "unknown gen_kwargs; found nothing; expected lm-eval's until and max_gen_toks",
        ),
        ({"gen_kwargs": {"max_gen_toks": 0}}, "unusable max_gen_toks among gen_kwargs; found 0; expected a whole"),
        (
            {"gen_kwargs": {"do_sample": "yes"}},
            "unusable do_sample among gen_kwargs; found 'yes'; expected true or fal",
        ),
        ({"gen_kwargs": {"temperature": "hot"}}, "unusable temperature among gen_kwargs; found 'hot'; expected a numb"),
        ({"gen_kwargs": {"until": [3]}}, "unusable until among gen_kwargs"),
        ({"gen_kwargs": 3}, "unusable gen_kwargs; found 3; expected a mapping such as"),
    ],
)
def test_what_cannot_be_asked_is_one_error(given, message):
    with pytest.raises(InputError) as error:
        prompting_of(**given)
    assert str(error.value).startswith(message)


def test_examples_are_turns_only_with_a_template_and_by_default_then():
    assert not prompting_of().as_turns
    assert prompting_of(True).as_turns
    assert not prompting_of(True, fewshot_as_multiturn=False).as_turns
    assert prompting_of(False, "", None, False, {}) == dataclasses.replace(Prompting(), fewshot_as_multiturn=False)
    assert gen_kwargs_of("top_k=5") == {"top_k": 5}


@pytest.mark.parametrize(
    ("given", "how", "message"),
    [
        ({"dtype": "float32"}, {}, "model_args are further arguments of mwork-hf; found dtype"),
        ({"tokenizer": "x"}, {"tokenizer": object()}, "model_args are further arguments of mwork-hf; found tokenizer"),
        ({"max_length": "long"}, {}, "unusable max_length among model_args; found 'long'; expected a whole number"),
        ({"max_length": 0}, {}, "unusable max_length among model_args; found 0"),
        ({"trust_remote_code": "maybe"}, {}, "unusable trust_remote_code among model_args; found 'maybe'"),
        ({"peft": "x"}, {"in_memory": True}, "these model_args are of a model that is loaded by its name; found peft"),
        ("max_length=8", {}, "unusable model_args; found 'max_length=8'; expected a mapping"),
    ],
)
def test_model_args_that_cannot_be_used_are_one_error(given, how, message):
    with pytest.raises(InputError) as error:
        model_args_of(given, **{"in_memory": False} | how)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"token": "hf_abc"}, "token"),
        ({"use_auth_token": "x", "max_length": 8}, "use_auth_token"),
        ({"peft": "https://user:pass@example.org/adapter"}, "peft"),
        ({"subfolder": "hf_abcdefghijklmnopqrst"}, "subfolder"),
        ({"download": {"headers": {"a": "b"}}}, "download"),
        ({"quantization_config": {"files": ["hf_abcdefghijklmnopqrst"]}}, "quantization_config"),
    ],
)
def test_credentials_are_refused_and_not_shown(given, named):
    with pytest.raises(InputError) as error:
        model_args_of(given, in_memory=False)
    assert f"credentials must not; found {named}; expected none; set the environment variable HF_TOKEN" in str(
        error.value
    )
    assert not any(secret in str(error.value) for secret in ("hf_a", "pass@", "{"))


def test_where_to_look_for_credentials_may_be_said():
    given = {"token": True, "use_auth_token": None, "think_end_token": "</think>", "add_bos_token": True}
    assert model_args_of(given, in_memory=False) == given


def test_what_a_model_was_loaded_with_is_part_of_its_identity_where_it_cannot_be_seen():
    given = {"attn_implementation": "eager", "max_length": 8, "batch_size": 4, "trust_remote_code": True, "peft": None}
    assert told_of_loading(given) == {"attn_implementation": "eager"}
    assert told_of_loading({"revision": "main", "tokenizer": None, "device": "cpu"}) == {}


def test_templates_are_found_by_name():
    several = chat_tokenizer({"default": PLAIN, "strict": STRICT})
    assert (Chat.of(several, True).name, Chat.of(several, "strict").text) == ("default", STRICT)
    assert Chat.of(chat_tokenizer(), True).name is None
    history = [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}]
    assert Chat.of(several, True).render(history) == "<s><system>S</s><user>Q</s><assistant>"
    # A template without a system role gets the rest; arguments reach it.
    assert Chat.of(several, "strict", {"tone": "mild"}).render(history) == "[user] Q (mild)"
    for tokenizer, asked, message in (
        (several, "nope", "no chat template of this name; found nope; expected one of default strict"),
        (chat_tokenizer(), "nope", "no chat template of this name; found nope; expected `apply_chat_template` without"),
        (chat_tokenizer({"a": PLAIN, "b": PLAIN}), True, "several chat templates and no default; found a b"),
        (chat_tokenizer({}), True, "the tokenizer has no chat template"),
    ):
        with pytest.raises(InputError, match=message):
            Chat.of(tokenizer, asked)


def test_without_prompting_requests_and_identities_are_those_of_today():
    tasks = prepare()
    assert {name: task.digest for name, task in tasks.items()} == TODAY
    sources = {"model": "m", "mask": None, "task": "xquad_en", "versions": software_versions()}
    whole = {**sources, "requests": TODAY["xquad_en"], "judge": judge_version()}
    assert identity_of("m", None, tasks["xquad_en"]) == f"{digest_of(sources)[:16]}-{digest_of(whole)[:32]}"
    # No more than the task's own number of examples, which is none.
    assert prepare(Prompting(num_fewshot=0))["xquad_en"].prompting is None


def test_prompting_is_part_of_the_second_half_of_an_identity_where_it_changes_requests():
    asked = Prompting(True, "S", 1, gen_kwargs={"max_gen_toks": 3}).with_tokenizer(chat_tokenizer())
    ways = [
        Prompting(),
        asked,
        dataclasses.replace(asked, fewshot_as_multiturn=False),
        dataclasses.replace(asked, num_fewshot=2),
        dataclasses.replace(asked, system_instruction="T"),
        dataclasses.replace(asked, gen_kwargs={"max_gen_toks": 4}),
        asked.with_tokenizer(chat_tokenizer(STRICT)),
    ]
    prepared = [prepare(way) for way in ways]
    identities = [{name: identity_of("m", None, task) for name, task in tasks.items()} for tasks in prepared]
    assert len({of["xquad_en"] for of in identities}) == 7
    assert len({of["xcsqa_zh"] for of in identities}) == 6  # a choice has no arguments of generation
    assert len({of["bpb_zh"] for of in identities}) == 1  # whole texts have no prompt
    assert len({of["xquad_en"].partition("-")[0] for of in identities}) == 1  # equal requests have one answer
    arguments = prepared[1]["xquad_en"].task.instances[0].args[1]
    assert arguments["max_gen_toks"] == 3
    assert arguments["until"]  # the task's own


def test_without_examples_it_does_not_matter_whether_they_would_be_turns():
    turns = Prompting(True).with_tokenizer(chat_tokenizer())
    prompted = [prepare(dataclasses.replace(turns, fewshot_as_multiturn=way), ["xquad_en"]) for way in (None, False)]
    assert len({identity_of("m", None, of["xquad_en"]) for of in prompted}) == 1
    assert prompted[0]["xquad_en"].prompting is not None


def test_workers_get_the_same_requests():
    asked = Prompting(True, "S", 1).with_tokenizer(chat_tokenizer())
    source = TaskSource(("xquad_en",), "embedded", Sample(2), prompting=asked)
    sent = pickle.loads(pickle.dumps(source))
    assert sent.prepare()["xquad_en"].digest == source.prepare()["xquad_en"].digest != TODAY["xquad_en"]


def test_a_process_of_several_gets_its_share_of_the_same_requests():
    asked = Prompting(True, "S", 1).with_tokenizer(chat_tokenizer())
    task = prepare(asked, ["xcsqa_zh"], limit=3)["xcsqa_zh"].task
    whole = [one.args for one in task.instances]
    shares = []
    for rank in (0, 1):
        task.set_fewshot_seed(seed=1234)  # as lm-eval does before it builds
        task.build_all_requests(samples=None, rank=rank, world_size=2, apply_chat_template=False)
        shares.append([one.args for one in task.instances])
    assert len(whole) == 15  # three questions of five options
    assert shares == [whole[:5] + whole[10:], whole[5:10]]


def test_more_examples_than_there_are_is_one_error():
    with pytest.raises(InputError, match=r"too few documents to draw .* from; found \d+; expected 500"):
        prepare(Prompting(num_fewshot=500), ["xquad_en"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--apply-chat-template"], "the tokenizer has no chat template"),
        (["--apply-chat-template", "nope"], "the tokenizer has no chat template"),
        (["--num-fewshot", "500"], "xquad_en has too few documents to draw few-shot examples from; found 5"),
        (["--fewshot-as-multiturn"], "--fewshot-as-multiturn needs turns; found no --apply-chat-template"),
        (["--fewshot-as-multiturn", "perhaps"], "cannot read --fewshot-as-multiturn; found perhaps"),
        (["--gen-kwargs", "nothing=1"], "unknown gen_kwargs; found nothing"),
        (["--gen-kwargs", "top_k"], "cannot read --gen-kwargs; found top_k"),
        (["--model-args", "device=cpu"], "model_args are further arguments of mwork-hf; found device"),
        (["--model-args", "double_bos=true"], "model_args are further arguments of mwork-hf; found double_bos"),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["", "dry"])
def test_commands_refuse_before_a_model_loads(options, message, dry, tiny_llama, sets, tmp_path, monkeypatch):
    from click.testing import CliRunner

    monkeypatch.setattr("mwork_eval.application.model_source.load_for_matrix", None)
    arguments = [
        "ablate", "--model", str(tiny_llama), "--neurons", str(sets), "--preset", "existence", "--tasks", "xquad",
        "--languages", "en,zh", "--data", "embedded", "--limit", "2", "--out", str(tmp_path / "o"), *options, *dry,
    ]  # fmt: skip
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.output.count("\n")) == (2, 1), result.output
    assert result.output.startswith(f"Error: {message}")


@pytest.fixture(scope="module")
def sets(tiny_llama, tmp_path_factory):
    out = tmp_path_factory.mktemp("sets")
    model, tokenizer = mw.load_model(tiny_llama, device="cpu")
    found = mw.detect(model, tokenizer, {"en": "embedded", "zh": "embedded"}, max_docs=4, progress=False)
    for language, neurons in found.select(fraction=0.4).items():
        save_neuron_set(neurons, out / f"{language}.safetensors")
    return out


def test_a_folder_holds_tables_of_one_prompting(tmp_path, sets, tiny_llama):
    model, tokenizer = mw.load_model(tiny_llama, device="cpu")
    how = {"tasks": "xcsqa", "limit": 2, "data": "embedded", "seeds": [1], "out": tmp_path, "progress": False}
    mw.ablate(model, tokenizer, str(sets), preset="existence", system_instruction="S", **how)
    with pytest.raises(InputError, match="made otherwise; found prompts: plain texts; system instruction 'S'"):
        mw.ablate(model, tokenizer, str(sets), preset="understanding", **how)
    shown = html.unescape(mw.read_results(tmp_path)._repr_html_())
    assert "Prompts: plain texts; system instruction 'S' (8de0b3c4)." in shown
    with edited_manifest(tmp_path) as manifest:
        assert manifest["prompting"]["system_instruction"] == "S"
        assert "model_args" not in manifest
