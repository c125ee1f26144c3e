"""What is added to vLLM's workers, for `collective_rpc` to call by name: no function is sent, so nothing is pickled."""

from typing import Any

from mwork_eval.vllm_plugin.loader import report_of
from mwork_eval.vllm_plugin.names import SETTING
from mwork_eval.vllm_plugin.stream import Report
from mwork_eval.vllm_plugin.wire import Plain


class MworkWorker:
    """Becomes a base class of vLLM's worker, whose attributes it uses."""

    vllm_config: Any
    model_runner: Any
    update_config: Any
    reload_weights: Any

    def mwork_report(self) -> Report | None:
        """Return what the last load met on this rank."""
        return report_of(self.model_runner.get_model())

    def mwork_reload(self, edits: Plain) -> Report | None:
        """Load the weights again with other edits, in place.

        Args:
            edits: Plain values of `vllm_plugin.wire`; none for the checkpoint as it is.
        """
        extra = self.vllm_config.load_config.model_loader_extra_config
        changed = {**extra, SETTING: {**extra.get(SETTING, {}), "edits": edits}}
        self.update_config({"load_config": {"model_loader_extra_config": changed}})
        self.reload_weights()
        return self.mwork_report()
