"""The model that sets were found in: its place on the hub, and the terms under which it can be had."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mwork_eval.errors import InputError
from mwork_eval.hub.client import make_client
from mwork_eval.hub.faults import told_in_one_line
from mwork_eval.hub.reference import HubReference
from mwork_eval.models.default_model import NAME as DEFAULT_MODEL
from mwork_eval.publishing.contents import Weights

DEFAULT_BASE = "google/gemma-3-270m"
DEFAULT_LICENSE = "gemma"
_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_CARD = "README.md"
_SECONDS = 10.0


@dataclass(frozen=True)
class PublishedModel:
    """A base model.

    Attributes:
        name: What it is called in the files; of a folder, its last part.
        hub: Its id on the hub, or None if that is not known.
        fingerprint: Fingerprint of its weights, or None if nothing says it.
        license: Id of its licence, or None if that is not known.
        license_name: Name of a licence that has no id.
        license_link: Where that is.
        derived_from: What the card of a local folder calls its base, or None.
        is_local: Whether it is known as a folder of the writer's alone.
        license_is_given: Whether who publishes chose the licence.
    """

    name: str
    hub: str | None
    fingerprint: str | None
    license: str | None = None
    license_name: str | None = None
    license_link: str | None = None
    derived_from: str | None = None
    is_local: bool = False
    license_is_given: bool = False

    @property
    def is_default(self) -> bool:
        """Whether it is the default model, whose weights are not those on the hub but packed ones, read back."""
        return self.name == DEFAULT_MODEL

    @property
    def is_unlinked(self) -> bool:
        """Whether a reader cannot tell by its name where it is."""
        return self.hub is None and not self.is_default

    @property
    def to_load(self) -> str:
        """What a reader writes to load it."""
        return self.name if self.is_default or self.hub is None else self.hub

    @property
    def shown(self) -> str:
        """What a reader knows it by."""
        return self.hub or self.name


def one_model(weights: Sequence[Weights]) -> Weights:
    """Return the weights that everything was made with.

    Raises:
        InputError: If there are several, or something that does not say its weights is of a model of another name.
    """
    by_fingerprint: dict[str, Weights] = {}
    for one in weights:
        if one.fingerprint is not None:
            by_fingerprint.setdefault(one.fingerprint, one)
    if len(by_fingerprint) > 1:
        found = "; ".join(f"{one.place}: {one.model} {str(one.fingerprint)[:8]}" for one in by_fingerprint.values())
        raise InputError("a repository is of one model's weights", found=found, expected="push one model at a time")
    known = next(iter(by_fingerprint.values()), weights[0])
    for one in weights:
        if one.fingerprint is None and one.model and known.model and not _alike(one.model, known.model):
            raise InputError(
                f"{one.place} is of another model", found=one.model, expected=f"results of {known.model}, as all else"
            )
    return known


def base_model_of(weights: Weights, *, given: str | None, license: str | None) -> PublishedModel:
    """Say what is known of a base model without asking the hub.

    Args:
        weights: What the files say.
        given: Its id on the hub, as who publishes says.
        license: The licence that who publishes chose.

    Raises:
        InputError: If the id cannot be one.
    """
    if given is not None and not _ID.fullmatch(given):
        raise InputError("unusable base model", found=given, expected="an id of the hub such as google/gemma-3-270m")
    recorded = weights.model or "an unnamed model"
    folder = Path(recorded).expanduser()
    is_local = folder.is_dir() or folder.is_absolute() or recorded.startswith((".", "~"))
    hub = given or (recorded if _ID.fullmatch(recorded) and not is_local else None)
    found = PublishedModel(folder.name if is_local else recorded, hub, weights.fingerprint, is_local=is_local)
    if recorded == DEFAULT_MODEL:
        found = replace(found, hub=given or DEFAULT_BASE, license=DEFAULT_LICENSE)
    elif folder.is_dir() and (folder / _CARD).is_file():
        found = _with_terms(found, _metadata(folder / _CARD))
    elif hub is not None:
        found = _with_terms(found, _cached(hub))
    return found if license is None else _licensed(found, license)


def ask_hub(model: PublishedModel) -> PublishedModel:
    """Ask the hub for the licence of a base model, if that is not known; what cannot be reached stays unknown."""
    if model.hub is None or model.license is not None:
        return model
    try:
        with told_in_one_line(HubReference(model.hub)):
            card: Any = make_client().model_info(model.hub, timeout=_SECONDS).card_data
    except InputError:
        return model
    return _with_terms(model, {} if card is None else card.to_dict())


def _licensed(model: PublishedModel, license: str) -> PublishedModel:
    return replace(model, license=license, license_name=None, license_link=None, license_is_given=True)


def _with_terms(model: PublishedModel, metadata: dict[str, Any]) -> PublishedModel:
    license, base = metadata.get("license"), metadata.get("base_model")
    return replace(
        model,
        license=license if isinstance(license, str) else None,
        license_name=_text(metadata.get("license_name")),
        license_link=_text(metadata.get("license_link")),
        derived_from=base if model.is_local and isinstance(base, str) and _ID.fullmatch(base) else None,
    )


def _cached(hub: str) -> dict[str, Any]:
    from huggingface_hub import try_to_load_from_cache

    try:
        path = try_to_load_from_cache(hub, _CARD)
    except ValueError:
        return {}
    return _metadata(Path(path)) if isinstance(path, str) else {}


def _metadata(path: Path) -> dict[str, Any]:
    from huggingface_hub import metadata_load

    try:
        return dict(metadata_load(path) or {})
    except (ValueError, OSError):
        return {}


def _alike(first: str, second: str) -> bool:
    names = [DEFAULT_BASE if name == DEFAULT_MODEL else name for name in (first, second)]
    return len({Path(name).name.lower() for name in names}) == 1


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
