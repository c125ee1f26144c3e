"""Edits on the way into vLLM, without vLLM: what workers are sent, make and report, and what is made of that."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from mwork_eval.checkpoints.edit import Edit
from mwork_eval.errors import InputError
from mwork_eval.vllm_plugin.proof import check_reports
from mwork_eval.vllm_plugin.stream import edited
from mwork_eval.vllm_plugin.wire import from_wire, to_wire

SHAPES = {"a": (4, 3), "b": (4,), "c": (2, 4, 3), "d": (3, 4)}


def tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {name: torch.randn(shape) for name, shape in (SHAPES | {"e": (2, 2)}).items()}


def edits():
    at = torch.tensor
    return {
        "a": (Edit(1, (at([0, 2]),)), Edit(1, (at([3]),), torch.tensor([[1.5, -2.0, 0.25]], dtype=torch.bfloat16))),
        "b": (Edit(None, (at([1]),)),),
        "c": (Edit(2, (at([1, 1]), at([0, 3]))),),
        "d": (Edit(0, (at([2]),)),),
    }


def by_hand() -> dict[str, torch.Tensor]:
    made = tensors()
    made["a"][0] = made["a"][2] = 0
    made["a"][3] = torch.tensor([1.5, -2.0, 0.25])
    made["b"][1] = 0
    made["c"][1, 0] = made["c"][1, 3] = 0
    made["d"][:, 2] = 0
    return made


def test_a_stream_is_edited_and_its_tensors_are_not():
    given, report = tensors(), {}
    passed = dict(edited(given.items(), to_wire(edits(), SHAPES), report))
    assert list(passed) == list(given)
    for name, expected in by_hand().items():
        assert torch.equal(passed[name], expected), name
        assert torch.equal(given[name], tensors()[name])
    assert passed["e"] is given["e"]
    assert report == {"met": {"a": 1, "b": 1, "c": 1, "d": 1}, "shapes": {}}


def test_files_that_tensors_are_mapped_from_stay(tmp_path):
    save_file(tensors(), tmp_path / "m.safetensors")
    before = (tmp_path / "m.safetensors").read_bytes()
    dict(edited(load_file(tmp_path / "m.safetensors").items(), to_wire(edits(), SHAPES), {}))
    assert (tmp_path / "m.safetensors").read_bytes() == before


def test_what_is_sent_is_plain_and_comes_back():
    sent = to_wire(edits(), SHAPES)
    json.dumps(sent, default=lambda value: list(value) if isinstance(value, bytes) else pytest.fail(str(type(value))))
    back = from_wire(sent)
    assert back["a"][1].values.dtype == torch.bfloat16
    for name, of_it in edits().items():
        for one, other in zip(of_it, back[name], strict=True):
            assert one.along == other.along
            assert all(map(torch.equal, one.at, other.at))
            assert (one.values is None) == (other.values is None)
            assert one.values is None or torch.equal(one.values, other.values)


def report_of(*names: str, **shapes) -> dict:
    report = {}
    stream = [(name, tensor) for name, tensor in tensors().items() if name in names]
    list(edited([*stream, *((name, torch.zeros(shape)) for name, shape in shapes.items())], SENT, report))
    return report


SENT = to_wire(edits(), SHAPES)


def test_each_rank_may_be_brought_a_part():
    check_reports(SENT, [report_of("a", "b", "e"), report_of("a", "c", "d")])  # experts c and d are the second's
    check_reports(SENT, [report_of("a", "b", "c", "d")] * 2)  # tensor parallel: each rank reads all
    check_reports((), [None])


@pytest.mark.parametrize(
    ("reports", "told"),
    [
        (lambda: [report_of("a", "b"), report_of("a", "c")], "did not read tensors that hold neurons.*found no d;"),
        (lambda: [report_of("a", "b", "c", "d", b=(4,)), report_of()], "loads tensors more than once.*found b;"),
        (lambda: [report_of("a", "b", "c", d=(4, 4))], r"another shape than its checkpoint; found d \[4, 4\]"),
        (lambda: [report_of("a", "b", "c", "d"), None], "found 1 of 2 workers without a report"),
        (lambda: [report_of()], "found no a, b, c and 1 more; expected all 4"),
    ],
)
def test_what_was_not_made_once_is_an_error(reports, told):
    with pytest.raises(InputError, match=told):
        check_reports(SENT, reports())


def test_a_tensor_of_another_shape_is_passed_on_as_it_is():
    other = torch.ones(4, 4)
    assert dict(edited([("d", other)], SENT, {}))["d"] is other
