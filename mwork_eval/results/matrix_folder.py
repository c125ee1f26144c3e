"""A results folder of `mwork ablate` or `mwork run`: its manifest, read once, its cells, and their documents."""

from pathlib import Path

from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.results.scored_document import ScoredDocument
from mwork_eval.results.store import CellStore, load_manifest
from mwork_eval.results.stored_cell import StoredCell
from mwork_eval.results.task_score import TaskScore, lm_eval_digest


class MatrixFolder:
    """A results folder, of which nothing is read twice.

    Attributes:
        path: The folder.
        manifest: What its matrix consists of.
    """

    def __init__(self, path: Path) -> None:
        """Read the manifest.

        Raises:
            InputError: If the folder has none, or it is damaged.
        """
        self.path, self.manifest = path, load_manifest(path)
        self._store = CellStore(path)
        self._cells: dict[str, StoredCell | None] = {}

    def cell(self, identity: str) -> StoredCell | None:
        """Return what the head of a cell says; None if it is not computed.

        Raises:
            InputError: If its file is damaged.
        """
        if identity not in self._cells:
            self._cells[identity] = self._store.read(identity)
        return self._cells[identity]

    def score(self, identity: str) -> TaskScore | None:
        """Return the score of a cell; None if it is not computed.

        Raises:
            InputError: If its file is damaged.
        """
        cell = self.cell(identity)
        return None if cell is None else cell.score

    def documents(self, cell: StoredCell, *, with_content: bool = False) -> list[ScoredDocument]:
        """Read what a cell's documents are known by, in the order of its scores.

        Raises:
            InputError: If its samples are damaged, or not those its score was computed from.
        """
        path, (_, _, filter_name) = self._store.path(cell.identity), cell.metric.partition(",")
        try:
            numbered = [
                (int(sample["doc_id"]), ScoredDocument.of(sample, with_content=with_content))
                for sample in self._store.samples(cell.identity)
                if sample["filter"] == filter_name
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} is damaged", found=f"{type(error).__name__} {error}") from error
        documents = [document for _, document in sorted(numbered, key=lambda pair: pair[0])]
        digest = digest_of([[document.document, document.prompt, document.target] for document in documents])
        if len(documents) != len(cell.documents) or digest != cell.documents_digest:
            raise InputError(
                f"{path} is damaged",
                found=f"{len(documents)} samples",
                expected=f"those of the {len(cell.documents)} documents scored",
            )
        return documents

    def lm_eval_digest(self, cell: StoredCell) -> str:
        """Return lm-eval's digest of a cell's samples: from its head or, for cells that lack it, from the samples.

        Raises:
            InputError: If its samples are needed and damaged.
        """
        if cell.about.task_hash is not None:
            return cell.about.task_hash
        try:
            return lm_eval_digest(self._store.samples(cell.identity))
        except KeyError as error:
            raise InputError(
                f"{self._store.path(cell.identity)} is damaged", found=f"samples without {error}"
            ) from error
