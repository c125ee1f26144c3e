"""Which configurations the tiny models of `architectures` have."""

from typing import Any

FIELDS: dict[str, Any] = {
    # d_model, heads and the feed-forward
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "word_embed_proj_dim"), 32),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "attention_heads"), 4),
    **dict.fromkeys(("swa_num_attention_heads", "linear_num_heads", "linear_num_value_heads"), 4),
    **dict.fromkeys(("num_key_value_heads", "swa_num_key_value_heads", "num_global_key_value_heads"), 2),
    **dict.fromkeys(("linear_num_key_heads",), 2),
    **dict.fromkeys(("head_dim", "swa_head_dim", "global_head_dim", "kv_channels", "query_pre_attn_scalar"), 8),
    **dict.fromkeys(("linear_head_dim", "linear_key_head_dim", "linear_value_head_dim"), 8),
    **dict.fromkeys(("intermediate_size", "n_inner", "ffn_hidden_size", "ffn_dim"), 40),
    **dict.fromkeys(("dense_intermediate_size", "intermediate_size_mlp"), 40),
    "expansion_ratio": 2,
    # experts
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "num_experts_per_token", "moe_topk", "moe_k", "top_k_experts"), 2),
    **dict.fromkeys(("moe_intermediate_size", "expert_ffn_hidden_size"), 12),
    **dict.fromkeys(("shared_expert_intermediate_size", "shared_intermediate_size"), 10),
    "moe_shared_expert_intermediate_size": 10,
    **dict.fromkeys(("n_shared_experts", "num_shared_experts", "moe_num_shared_experts"), 1),
    **dict.fromkeys(("n_group", "topk_group", "num_expert_group"), 1),
    **dict.fromkeys(("first_k_dense_replace", "num_dense_layers", "moe_layer_start_index"), 1),
    "mlp_only_layers": [0],
    "zero_expert_num": 2,
    # multi-head latent attention and its indexer
    "q_lora_rank": 16,
    "kv_lora_rank": 14,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 4,
    "v_head_dim": 8,
    "index_head_dim": 8,
    "index_n_heads": 16,  # few ties at zero, which a longer document breaks in another way
    "index_topk": 6,
    "o_groups": 2,
    "o_lora_rank": 8,
    # positions: windows and chunks shorter than the document
    "max_position_embeddings": 128,
    "n_positions": 128,
    "model_max_length": 128,
    "max_seq_len": 128,
    "rotary_dim": 4,
    **dict.fromkeys(("sliding_window", "sliding_window_size", "window_size", "local_attention"), 6),
    "attention_chunk_size": 10,
    "floor_scale": 8,
    "d_rel": 4,
    "rel_extent": 12,
    # state spaces and linear attention
    "mamba_n_heads": 4,
    "mamba_num_heads": 4,
    "mamba_d_head": 16,
    "mamba_head_dim": 16,
    "mamba_d_ssm": 64,
    "mamba_d_state": 8,
    "ssm_state_size": 8,
    "mamba_dt_rank": 4,
    "mamba_n_groups": 1,
    "n_groups": 1,
    **dict.fromkeys(("mamba_chunk_size", "chunk_size", "block_size"), 8),
    # what else a layer has
    "hidden_size_per_layer_input": 6,
    "laurel_rank": 4,
    "gated_norm_rank": 4,
    "hc_mult": 2,
    "hc_count": 2,
    "hc_lowrank": 4,
    # the vocabulary
    "vocab_size": 96,
    "vocab_size_per_layer_input": 96,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "tie_word_embeddings": False,
    "attention_dropout": 0.0,
}
"""Sizes by the names that configurations call them."""

_LATENT = {"num_key_value_heads": 4, "head_dim": 4}
"""Heads that share a latent vector have as many keys as queries, and `head_dim` is the part that is rotated."""

_BOTH = ["sliding_attention", "full_attention"]
_NORMAL = {"rope_type": "default", "rope_theta": 10000.0}
_FULL_LAST = ["linear_attention", "full_attention"]
_VISION = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
_AUDIO = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_blocks": 1}
_SHARED = {"layer_types": _BOTH, "num_hidden_layers": 4, "num_kv_shared_layers": 2}
_GEMMA4 = {"global_head_dim": 16, "head_dim": 8}
_TIED_BLOCKS = {
    "layers_block_type": ["linear_attention", "hybrid"],
    "num_hidden_layers": 4,
    "tie_word_embeddings": True,  # the switch for all that is tied
}
_WINDOWED = {"num_attention_heads": 4, "num_key_value_heads": 4, "q_lora_rank": 12, "kv_lora_rank": 10, "head_dim": 12}

OWN: dict[str, dict[str, Any]] = {
    "axk1": _LATENT,
    "axk2": _LATENT,
    "bailing_hybrid": _LATENT,
    "bamba": {"attn_layer_indices": [1]},
    "cohere_compass_text": {"layer_types": _BOTH, "rope_parameters": dict.fromkeys(_BOTH, _NORMAL)},
    "cohere2_moe": {"mlp_layer_types": ["dense", "sparse"], "num_shared_experts": 1},
    "ctrl": {"dff": 40},
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "clip_qkv": 1.5, "rope_theta": 10000.0},
        "ffn_config": {"ffn_hidden_size": 12, "moe_top_k": 2},
    },
    "deepseek_v2": _LATENT,
    "deepseek_v3": _LATENT,
    "deepseek_v32": _LATENT,
    "deepseek_v4": {
        "layer_types": ["heavily_compressed_attention", "compressed_sparse_attention", "sliding_attention"],
        "compress_rates": {"compressed_sparse_attention": 2, "heavily_compressed_attention": 4},
    },
    "dots1": {"layer_types": _BOTH},
    "dots3_note": {
        "vision_config": {
            **{name: value for name, value in _VISION.items() if name != "num_hidden_layers"},
            **{"moe_intermediate_size": 4, "num_local_experts": 2, "adapter_in_dim": 16, "adapter_out_dim": 32},
        },
        "audio_config": _AUDIO
        | {"num_hidden_layers": 1, "downsample_hidden_size": 8}
        | {"adapter_input_size": 16, "adapter_out_dim": 32},
    },
    "dots3_note_text": _LATENT
    | {f"swa_{name}": value for name, value in _WINDOWED.items()}
    | {"swa_qk_nope_head_dim": 8, "swa_v_head_dim": 8, "head_dim": 12, "shared_experts_intermediate_size": 10},
    "gemma3": {"vision_config": _VISION},
    "gemma3n_text": _SHARED | {"activation_sparsity_pattern": [0.5, 0.0, 0.5, 0.0], "altup_num_inputs": 2},
    "gemma4_text": _SHARED | _GEMMA4,
    "gemma4_unified_text": _SHARED | _GEMMA4,
    "glm4_moe_lite": _LATENT,
    "glm_moe_dsa": _LATENT,
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "granitemoehybrid": {"layer_types": _FULL_LAST},
    "hy_v4": _LATENT,
    "inkling_text": {"layer_types": ["hybrid_sliding", "hybrid"], "mlp_layer_types": ["dense", "sparse"]},
    "inkling2_text": {"layer_types": ["hybrid_sliding", "hybrid"]},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "kimi_linear": _LATENT,
    "laguna": {"layer_types": _BOTH, "num_attention_heads_per_layer": [4, 4]},
    "lfm2": {"layer_types": ["conv", "full_attention"], "block_multiple_of": 8},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
    "llama4_text": {"interleave_moe_layer_step": 2, "no_rope_layers": [1, 0]},
    "longcat_flash": _LATENT,
    "mellum": {"layer_types": _BOTH, "mlp_layer_types": ["dense", "sparse"]},
    "minicpm3": _LATENT,
    "minimax_m3_vl_text": {"mlp_layer_types": ["dense", "sparse"]},
    "ministral": {"layer_types": _BOTH},
    "nemotron_h": {"layers_block_type": ["linear_attention", "mlp", "full_attention", "moe"], "num_hidden_layers": 4},
    "olmo": {"clip_qkv": 1.5},
    "phi4_multimodal": {"vision_config": _VISION, "audio_config": _AUDIO | {"ext_pw_out_channel": 16}},
    "qwen4_exp_text": {
        "indexer_n_heads": 2,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 8,
        "indexer_budget": 8,
        "indexer_compress_ratio": 2,
    },
    "recurrent_gemma": {"block_types": ["recurrent", "attention"], "attention_window_size": 6, "lru_width": 32},
    "smollm3": {"no_rope_layers": [1, 0]},
    "youtu": _LATENT,
    "zamba": _TIED_BLOCKS,
    "zamba2": _TIED_BLOCKS,
    "zaya": {"num_experts_per_tok": 1, "router_hidden_size": 8},
}
"""What differs from `FIELDS`, by model type."""

VARIANTS: dict[str, dict[str, Any]] = {
    "bloom:post-norm": {"apply_residual_connection_post_layernorm": True},
    "cohere:head-norms": {"use_qk_norm": True},
    "deepseek_v2:one-query": {"q_lora_rank": None},
    "deepseek_v3:one-query": {"q_lora_rank": None, "attention_bias": True},
    "falcon:groups": {"new_decoder_architecture": True, "num_kv_heads": 2},
    "falcon:positions": {"alibi": True, "multi_query": False, "parallel_attn": False, "bias": True},
    "gemma4_text:experts": {"enable_moe_block": True},
    "gemma4_text:one-projection": {"attention_k_eq_v": True, "num_global_key_value_heads": 1},
    "glm4_moe:head-norms": {"use_qk_norm": True, "attention_bias": True},
    "gpt2:scaled": {"scale_attn_by_inverse_layer_idx": True},
    "gpt_bigcode:heads": {"multi_query": False},
    "gpt_neox:sequential": {"use_parallel_residual": False},
    "llama:biases": {"attention_bias": True, "mlp_bias": True},
    "mimo_v2_flash:biases": {"attention_bias": True},
    "olmo:unclipped": {"clip_qkv": None},
    "opt:post-norm": {"do_layer_norm_before": False},
    "phi:head-norms": {"qk_layernorm": True},
    "qwen2:windows": {"use_sliding_window": True, "layer_types": _BOTH},
    "qwen2_moe:dense-last": {"mlp_only_layers": [1], "qkv_bias": False},
    "stablelm:parallel": {"use_parallel_residual": True, "qk_layernorm": True, "use_qkv_bias": True},
}
"""Members of a type that are built differently, by the name of the type and of what differs."""
