"""Which arguments of `hf` say how a model is asked, rather than which model it is."""

ASKING = (
    "add_bos_token",
    "max_length",
    "prefix_token_id",
    "truncation",
    "think_end_token",
    "enable_thinking",
    "chat_template_args",
)
"""How a text reaches the model and how its answer is read; its weights and its arithmetic stay the same."""
