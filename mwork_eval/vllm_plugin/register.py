"""The entry point `vllm.general_plugins`, which vLLM calls in every process it starts."""

from mwork_eval.vllm_plugin.names import LOAD_FORMAT


def register() -> None:
    """Make the loader known to vLLM; more than once does no harm."""
    from vllm.model_executor.model_loader import _LOAD_FORMAT_TO_MODEL_LOADER, register_model_loader

    from mwork_eval.vllm_plugin.loader import MworkLoader

    if _LOAD_FORMAT_TO_MODEL_LOADER.get(LOAD_FORMAT) is not MworkLoader:
        register_model_loader(LOAD_FORMAT)(MworkLoader)
