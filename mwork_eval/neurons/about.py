"""What scores, neuron sets and deltas say of themselves: what the tool reads of it, in types."""

from typing import Any

from mwork_eval.files.json_values import FileValue


class TunedOnValue(FileValue):
    """What stored stage boundaries were chosen on."""

    task: str
    documents: int
    items: tuple[str, ...] | None = None
    tasks: tuple[str, ...] = ()


class StagesValue(FileValue):
    """Stored stage boundaries."""

    understanding: int
    generation: int
    tuned_on: TunedOnValue


class CorpusValue(FileValue):
    """What is said of a corpus."""

    digest: str | None = None
    name: str | None = None


class About(FileValue):
    """The entries that are read again; those of earlier versions may lack any, and others may be there."""

    model: str | None = None
    fingerprint: str | None = None
    language: str | None = None
    method: str | None = None
    corpus: CorpusValue | None = None
    documents: int | None = None
    tokens: int | None = None
    stages: StagesValue | None = None
    selection: dict[str, Any] | None = None

    @property
    def values(self) -> dict[str, Any]:
        """All entries of the file, also those not named here, as JSON values."""
        return self.model_dump(mode="json", exclude_unset=True)
