"""Whether the data of tasks can be reached now: local files, the cache, or the hub; nothing is downloaded."""

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import constants, errors

_BUILDERS = ("json", "csv", "parquet", "text", "arrow")
"""What `datasets` reads files with: no data set of the hub."""
_SECONDS = 5.0
_AT_ONCE = 16

HERE, CACHED, REACHABLE, OFFLINE = "here", "in the cache", "reachable", "offline"
SCRIPT, GATED, GONE, NO_ANSWER, UNTOLD = "a loading script", "gated", "not there", "no answer", "not told"


@dataclass(frozen=True)
class DataSource:
    """Where a task's data come from.

    Attributes:
        path: Data set of the hub, or a builder of local files; None if the configuration does not tell.
        files: Local files, or addresses, that are read.
    """

    path: str | None
    files: tuple[str, ...] = ()


def source_of(config: Mapping[str, Any] | None) -> DataSource:
    """Return where the data of a task come from, as far as its configuration tells."""
    config = config or {}
    files = (config.get("dataset_kwargs") or {}).get("data_files") or ()
    if isinstance(files, Mapping):
        files = list(files.values())
    listed = [files] if isinstance(files, str) else [str(one) for one in files]
    path = config.get("dataset_path")
    return DataSource(path if isinstance(path, str) else None, tuple(listed))


def reach(sources: Iterable[DataSource]) -> dict[DataSource, str]:
    """Tell of each source whether it can be reached now; the hub is asked in parallel, a few seconds at most."""
    distinct = list(dict.fromkeys(sources))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(distinct, pool.map(_reach, distinct), strict=True))


def _reach(source: DataSource) -> str:
    if source.path is None:
        return UNTOLD
    local = source.path in _BUILDERS or Path(source.path).exists()
    addresses = [one for one in source.files if "://" in one]
    if local and not addresses:
        return HERE if all(Path(one).exists() for one in source.files) else GONE
    if not local and is_cached(source.path):
        return CACHED
    if constants.HF_HUB_OFFLINE or os.environ.get("HF_DATASETS_OFFLINE", "0") not in ("", "0"):
        return OFFLINE
    return UNTOLD if local else _ask_the_hub(source.path)


def is_cached(name: str) -> bool:
    """Tell whether `datasets` or the hub's client has a data set in its cache, in some version."""
    home = Path(constants.HF_HOME)
    prepared = Path(os.environ.get("HF_DATASETS_CACHE") or home / "datasets") / name.replace("/", "___")
    snapshots = Path(constants.HF_HUB_CACHE) / f"datasets--{name.replace('/', '--')}" / "snapshots"
    return any(folder.is_dir() and any(folder.iterdir()) for folder in (prepared, snapshots))


def _ask_the_hub(name: str) -> str:
    try:
        found = huggingface_hub.HfApi().dataset_info(name, timeout=_SECONDS)
    except errors.GatedRepoError:
        return GATED
    except errors.RepositoryNotFoundError:
        return GONE
    except Exception:  # the HTTP library's own errors have no common base
        return NO_ANSWER
    if found.gated:
        return GATED
    names = {file.rfilename for file in found.siblings or ()}
    # `datasets` no longer runs scripts.
    return SCRIPT if f"{name.rpartition('/')[2]}.py" in names else REACHABLE
