"""Where lm-eval finds `mwork-vllm`; without vLLM this is one line that says so, before anything of it is imported."""

from mwork_eval.lm.vllm.installed import check_vllm

check_vllm()

from mwork_eval.lm.vllm.model import MworkVLLM  # noqa: E402

__all__ = ["MworkVLLM"]
