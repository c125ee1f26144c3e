"""By which names this room is known to vLLM."""

LOAD_FORMAT = "mwork"
EXTENSION = "mwork_eval.vllm_plugin.worker.MworkWorker"
SETTING = "mwork"
"""Key of `model_loader_extra_config` under which edits reach a loader; vLLM's own keys stand beside it."""
RELOAD, REPORT = "mwork_reload", "mwork_report"
"""What `collective_rpc` calls on every worker."""
