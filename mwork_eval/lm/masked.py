"""What `mwork-hf` and `mwork-vllm` have in common: a mask, and what they tell of it."""

import logging
from abc import abstractmethod
from typing import Any

from mwork_eval.digests import digest_of
from mwork_eval.errors import InputError
from mwork_eval.interventions.intervention import Intervention
from mwork_eval.interventions.kinds import ZERO, find_kind
from mwork_eval.lm.text_rules import TextRules
from mwork_eval.weight_deltas.delta import WeightDelta

log = logging.getLogger(__name__)

_CACHE_KEY = "mwork-eval identity"
_ANSWERS = "texts begin once, options have tokens"
"""What is new in answers since caches without this word; see docs/decisions/0007-one-beginning.md."""


class Masked(TextRules):
    """A model of lm-eval with a mask, told in the log and in the results, and a cache that knows it.

    Mixed into a model of lm-eval, before its class.

    Attributes:
        model_name: The name it was asked for by.
        masked: What is masked now, as it goes into the results; None if nothing is.
        delta: The delta in the weights, or None.
    """

    model_name: str
    masked: dict[str, Any] | None = None
    delta: WeightDelta | None = None

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Fingerprint of the weights without a mask."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """Digest of what determines an answer besides the mask and the request."""

    def tell_of_mask(self, intervention: Intervention) -> None:
        """Say in the log what has been done to the model."""
        neurons = intervention.neurons
        if not find_kind(intervention.kind).changes_neurons:
            log.warning("%s in %s, %s", intervention.text, self.model_name, intervention.digest[:12])
            return
        log.warning(
            "%s %d of %d neurons of %s (%s), set %s",
            "deactivated" if intervention.kind == ZERO else f"{intervention.text}:",
            len(neurons),
            neurons.shape.switches,
            self.model_name,
            ", ".join(f"{structure} {n}" for structure, n in neurons.by_structure().items()) or "none",
            intervention.digest[:12],
        )

    def get_model_info(self) -> dict[str, Any]:
        """Return lm-eval's information with what was masked; lm-eval puts it into the results' config."""
        base = getattr(super(), "get_model_info", dict)  # not every class of lm-eval has one
        found: dict[str, Any] = base()
        found["mwork"] = {
            "model": self.model_name,
            "fingerprint": self._fingerprint_or_none(),
            "masked": self.masked,
            "truncated": {task: len(documents) for task, documents in sorted(self.truncated.items())},
            "double_bos": self.double_bos,
        }
        if self.delta is not None:
            found["mwork"]["delta"] = {"digest": self.delta.digest, **self.delta.about}
        return found

    def _fingerprint_or_none(self) -> str | None:
        try:
            return self.fingerprint
        except Exception as error:  # whatever offloaded, packed or sharded weights may raise; scores need none
            log.warning("the results carry no fingerprint of the weights: %s", error)
            return None

    def set_cache_hook(self, cache_hook: Any) -> None:
        """Accept lm-eval's `--use_cache` only if it was made by this model under this mask.

        lm-eval keys the cache by request alone, so a masked run would read the baseline's answers.

        Raises:
            InputError: If the cache holds answers of another model or mask.
        """
        identity = digest_of([self.identity, self.masked and self.masked["digest"], _ANSWERS])
        store = cache_hook.dbdict
        if store is not None:
            if len(store) == 0:
                store[_CACHE_KEY] = identity
                store.commit()
            elif store.get(_CACHE_KEY) != identity:
                raise InputError(
                    f"the cache {store.filename} holds answers of another model or mask",
                    found=str(store.get(_CACHE_KEY, "no identity"))[:12],
                    expected=identity[:12],
                    hint="give another use_cache path",
                )
        super().set_cache_hook(cache_hook)
