"""An engine of vLLM whose weights are edited, and which proves each time that it has the weights it should have."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from vllm import SamplingParams, TokensPrompt

from mwork_eval.errors import InputError
from mwork_eval.lm.vllm.fault import EngineFaultError
from mwork_eval.lm.vllm.weights import BASE, WeightState
from mwork_eval.resources import embedded_folder
from mwork_eval.vllm_plugin.names import RELOAD, REPORT
from mwork_eval.vllm_plugin.proof import check_reports
from mwork_eval.vllm_plugin.wire import to_wire

log = logging.getLogger(__name__)

_SHORT, _LONG = 40, 600
"""Characters of a text in a probe."""

Probe = tuple[tuple[float, ...], ...]
"""Log-probabilities of the tokens of some texts."""


class ProvenEngine:
    """Changes the weights of an engine in place, from a state that has been proven to one that will be.

    Whenever a state is reached again, a probe must give the same numbers, bit by bit, as it did the first time. Edits
    are only ever made to the checkpoint as it is, once that has been proven. Before the first change the engine shows
    that it can load weights again at all: of some models it cannot, and then every state gets an engine of its own.

    Attributes:
        llm: The engine.
    """

    def __init__(
        self,
        llm: Any,
        started: WeightState,
        start: Callable[[WeightState], Any],
        probes: tuple[Sequence[Sequence[int]], Sequence[Sequence[int]]],
    ) -> None:
        """Take an engine and prove what it was started with.

        Args:
            llm: The engine, with our loader and worker extension.
            started: The weights its first load was told to make.
            start: Ends the engine and starts another one with the weights it is given.
            probes: Tokens of the texts of a probe, and of longer ones for where the first tells two states not apart.

        Raises:
            InputError: If an edit was not made.
        """
        self.llm = llm
        self._start, (self._rows, self._more) = start, probes
        self._one_each = False
        self._fault: str | None = None
        self._now: str | None = None
        self._known: dict[str, Probe] = {}
        self._take(started)

    def load(self, state: WeightState, otherwise: WeightState = BASE) -> None:
        """Bring the engine into a state.

        Args:
            state: The weights it should have.
            otherwise: Those it gets if it cannot.

        Raises:
            InputError: If an edit cannot be made.
            EngineFaultError: If it does not answer as it should.
        """
        if self._fault is not None:
            raise EngineFaultError(self._fault, hint="start a new engine")
        if state.name == self._now:
            return
        if not (self._loads_again or self._one_each):
            self._show_that_it_loads_again()
        try:
            self._change(state)
        except EngineFaultError:
            raise
        except InputError:
            self._now = None
            self._change(otherwise)
            raise

    def restart(self, state: WeightState) -> None:
        """Start another engine in place of this one.

        Args:
            state: The weights it should have.

        Raises:
            InputError: If an edit was not made.
        """
        self.llm = self._start(state)
        self._take(state)

    def _take(self, state: WeightState) -> None:
        """Prove what an engine was started with, and know nothing of another one before it."""
        self._fault = self._now = None
        self._loads_again, self._started = False, state
        check_reports(state.edits, self.llm.collective_rpc(REPORT))
        self._known = {state.name: self._probe(self._rows)}
        self._now = state.name

    def _show_that_it_loads_again(self) -> None:
        try:
            self._switch(self._started)
            self._loads_again = True
        except EngineFaultError:
            log.warning("%s; every mask gets an engine of its own instead, which takes longer", self._fault)
            self._one_each = True

    def _change(self, state: WeightState) -> None:
        if self._one_each:
            self.restart(state)
            return
        if self._now != BASE.name:
            self._switch(BASE)
        if state.name != BASE.name:
            self._switch(state)
            if self._known[state.name] == self._known[BASE.name]:
                self._look_closer(state)

    def _switch(self, state: WeightState) -> None:
        self._now = None
        try:
            reports = self.llm.collective_rpc(RELOAD, args=(to_wire(state.edits, state.shapes),))
            emptied = self.llm.reset_prefix_cache()
        except Exception as error:  # whatever vLLM, its workers and what they import raise
            reason = f"{type(error).__name__}: {error}"
            raise self._faulty("vLLM cannot load its weights again", reason, "weights loaded in place") from error
        check_reports(state.edits, reports)
        if not emptied:
            raise self._faulty(
                "vLLM keeps what it computed with other weights", "a prefix cache in use", "an empty one"
            )
        probe, same = self._probe(self._rows), "the same numbers as before, bit by bit"
        if (known := self._known.setdefault(state.name, probe)) != probe:
            found = f"{_differing(probe, known)} with {state.name[:24]}"
            raise self._faulty("vLLM does not answer as it did with the same weights", found, same)
        self._now = state.name

    def _look_closer(self, state: WeightState) -> None:
        """Say whether longer texts tell a state from the checkpoint as it is, where the probe does not."""
        edited = self._probe(self._more)
        self._switch(BASE)
        longer = "nothing" if edited == self._probe(self._more) else "something"
        self._switch(state)
        log.warning(
            "what was changed in %d tensors, all of which vLLM has read, changes nothing in %d short texts and %s in "
            "longer ones",
            len(state.edits),
            len(self._rows),
            longer,
        )

    def _probe(self, rows: Sequence[Sequence[int]]) -> Probe:
        asked = SamplingParams(temperature=0, prompt_logprobs=0, max_tokens=1, detokenize=False)
        answers = self.llm.generate([TokensPrompt(prompt_token_ids=list(row)) for row in rows], asked, use_tqdm=False)
        return tuple(
            tuple(of[token].logprob for token, of in zip(row[1:], answer.prompt_logprobs[1:], strict=True))
            for row, answer in zip(rows, answers, strict=True)
        )

    def _faulty(self, what: str, found: str, expected: str) -> EngineFaultError:
        self._fault = what
        hint = "start a new engine, or write the masked checkpoint with `export(out=FOLDER)` and load that"
        return EngineFaultError(what, found=found, expected=expected, hint=hint)


def probe_texts() -> tuple[list[str], list[str]]:
    """Return short and longer texts of several languages."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((embedded_folder() / "corpus").glob("*.txt"))]
    return [text[:_SHORT] for text in texts], [text[:_LONG] for text in texts]


def _differing(found: Probe, expected: Probe) -> str:
    pairs = [pair for rows in zip(found, expected, strict=True) for pair in zip(*rows, strict=True)]
    apart = [abs(new - old) for new, old in pairs if new != old]
    return f"{len(apart)} of {len(pairs)} log-probabilities other, by up to {max(apart):.2g},"
