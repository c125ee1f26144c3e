"""The loader of `mwork-vllm` inside vLLM, without an engine: which models it edits, and what each rank is brought."""

from types import SimpleNamespace

import pytest
import torch
from helpers.vllm_models import NEEDS_VLLM, save_tiny
from safetensors.torch import load_file

from mwork_eval.checkpoints.edit import Edit
from mwork_eval.errors import InputError
from mwork_eval.vllm_plugin.proof import check_reports
from mwork_eval.vllm_plugin.wire import to_wire

pytestmark = NEEDS_VLLM

UP = "model.layers.1.mlp.up_proj.weight"


def loader(edits, shapes, **setting):
    from vllm.config.load import LoadConfig
    from vllm.model_executor.model_loader import get_model_loader

    from mwork_eval.vllm_plugin.register import register

    register()
    register()
    extra = {"mwork": {"edits": to_wire(edits, shapes), **setting}, "enable_multithread_load": False}
    return get_model_loader(LoadConfig(load_format="mwork", model_loader_extra_config=extra, use_tqdm_on_load=False))


def load(made, folder, runner_type: str = "generate"):
    """The tensors a model is brought, and the report of it."""
    from mwork_eval.vllm_plugin.loader import report_of

    model = torch.nn.Module()
    config = SimpleNamespace(model=str(folder), revision=None, runner_type=runner_type)
    return dict(made.get_all_weights(config, model)), report_of(model)


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return save_tiny("llama", tmp_path_factory.mktemp("models") / "llama")


def test_the_model_is_edited_and_a_draft_model_is_not(llama):
    edits = {UP: (Edit(1, (torch.tensor([2, 7]),)),)}
    stored = load_file(llama / "model.safetensors")
    brought, report = load(loader(edits, {UP: [96, 128]}), llama)
    expected = stored[UP].clone()
    expected[[2, 7]] = 0
    assert torch.equal(brought.pop(UP), expected)
    assert all(torch.equal(tensor, stored[name]) for name, tensor in brought.items())
    assert report == {"met": {UP: 1}, "shapes": {}}
    brought, report = load(loader(edits, {UP: [96, 128]}), llama, "draft")
    assert torch.equal(brought[UP], stored[UP])
    assert report is None


def test_where_nobody_asks_for_reports_a_loader_checks_itself(llama):
    edits = {"model.none": (Edit(1, (torch.tensor([2]),)),)}
    load(loader(edits, {"model.none": [4, 4]}), llama)
    with pytest.raises(InputError, match=r"did not read tensors that hold neurons of the mask; found no model.none"):
        load(loader(edits, {"model.none": [4, 4]}, alone=True), llama)


def test_ranks_of_experts_meet_all_edits_together(tmp_path):
    folder = save_tiny("mixtral", tmp_path / "mixtral")
    stored = load_file(folder / "model.safetensors")
    names = [name for name in stored if "experts." in name and "layers.2." in name]
    assert len(names) > 4
    edits = {name: (Edit(1, (torch.tensor([0]),)),) for name in (UP.replace("mlp.up", "self_attn.q"), *names)}
    shapes = {name: list(stored[name].shape) for name in edits}
    reports = []
    for experts in ({0, 1}, {2, 3}):
        rank = loader(edits, shapes)
        rank.local_expert_ids = experts  # as `load_weights` finds them on that rank
        brought, report = load(rank, folder)
        assert {name for name in names if name in brought} == {
            name for name in names if any(f"experts.{number}." in name for number in experts)
        }
        assert all(not brought[name][0].any() for name in edits if name in brought)
        reports.append(report)
    check_reports(edits, reports)
    with pytest.raises(InputError, match="did not read tensors that hold neurons"):
        check_reports(edits, reports[:1])
