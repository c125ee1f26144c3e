"""What a user writes for something on the hub, and what cannot be written."""

from pathlib import PureWindowsPath

import pytest
from lm_eval.utils import simple_parse_args_string

from mwork_eval.errors import InputError
from mwork_eval.hub import reference
from mwork_eval.hub.reference import HubReference, is_hub, repositories_of

COMMIT = "0123456789abcdef" * 2 + "01234567"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("hub:user/name", ("user/name", None, "")),
        ("hub:user/name@main", ("user/name", "main", "")),
        ("hub:user/name/zh", ("user/name", None, "zh")),
        ("hub:user/name@v1.0/zh-es", ("user/name", "v1.0", "zh-es")),
        ("hub:user/na_me.2-b/half/zh|ru", ("user/na_me.2-b", None, "half/zh|ru")),
        (f"hub:user/name@{COMMIT}/half/zh", ("user/name", COMMIT, "half/zh")),
        ("hub:user/name@refs%2Fpr%2F1/zh", ("user/name", "refs/pr/1", "zh")),
    ],
)
def test_reference_is_read_and_written_again(text: str, parts: tuple[str, str | None, str]) -> None:
    reference = HubReference.parse(text)
    assert (reference.repository, reference.revision, reference.rest) == parts
    assert str(reference) == text
    assert (reference.commit is not None) == (COMMIT in text)


@pytest.mark.parametrize(
    "text",
    [
        "hub:",
        "hub:name",
        "hub:user/",
        "hub:/name",
        "hub:user//name",
        "hub:user/name/",
        "hub:user/name//zh",
        "hub:user/name/../zh",
        "hub:user/name/a/./zh",
        "hub:user/name/a\\zh",
        "hub:user/name@/zh",
        "hub:user/name@../zh",
        "hub:user/name@main/",
        "hub:user/na me/zh",
        "hub:user/-name",
        "hub:user/name--b",
        "hub:user/name.git",
        "hub:us@er/name/zh",
        f"hub:user/{'n' * 96}",
    ],
)
def test_what_is_no_reference_is_one_line(text: str) -> None:
    with pytest.raises(
        InputError, match=r"no reference to a repository on the hub; found .*expected hub:USER/NAME"
    ) as error:
        HubReference.parse(text)
    assert "\n" not in str(error.value)


def test_paths_are_none_of_the_hub() -> None:
    windows = str(PureWindowsPath("C:/sets/zh.safetensors"))
    assert not any(map(is_hub, ["runs/zh", "gemma3-270m/zh", "./hub:user/name", windows, "HUB:user/name", "hub/zh"]))


def test_pinned_reference_keeps_what_was_meant() -> None:
    reference = HubReference.parse("hub:user/name@main/half/zh-es")
    assert str(reference.pinned(COMMIT)) == f"hub:user/name@{COMMIT}/half/zh-es"
    assert str(reference.pinned(COMMIT, "en")) == f"hub:user/name@{COMMIT}/en"


def test_references_survive_the_arguments_of_lm_eval() -> None:
    """lm-eval splits `--model_args` at commas and equal signs."""
    text = "pretrained=model,neurons=hub:user/name@main/zh,positions=under"
    assert simple_parse_args_string(text)["neurons"] == "hub:user/name@main/zh"


def test_a_reference_that_was_a_path_on_windows_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "_SEPARATOR", "\\")
    path = str(PureWindowsPath("hub:user/sets@main/half/zh"))
    assert HubReference.parse(path) == HubReference("user/sets", "main", "half/zh")


def test_repositories_of_references_are_told_once() -> None:
    commit = "ab" * 20
    given = [
        f"hub:u/n@{commit}/zh",
        f"hub:u/n@{commit}/es",
        "hub:u/n/de",
        "runs/zh",
        "hub:",
        3,
        None,
        f"hub:v/n@{commit}",
    ]
    assert repositories_of(given) == (f"hub:u/n@{commit}", f"hub:v/n@{commit}")
