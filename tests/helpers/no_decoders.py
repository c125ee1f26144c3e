"""Types that have a head for causal language models in transformers and are no decoders of text, with the reason."""

_BY_REASON = {
    "an encoder with a head for causal language models": [
        *("bert", "bert-generation", "big_bird", "camembert", "data2vec-text", "electra", "ernie", "megatron-bert"),
        *("reformer", "rembert", "roberta", "roberta-prelayernorm", "roc_bert", "roformer", "xlm", "xlm-roberta"),
        *("xlm-roberta-xl", "xmod", "xlnet"),
    ],
    "a decoder that attends to an encoder": [
        *("bart", "bigbird_pegasus", "blenderbot", "blenderbot-small", "marian", "mbart", "mvp", "pegasus", "plbart"),
        *("prophetnet", "trocr", "whisper"),
    ],
    "no layer has attention": ["falcon_mamba", "mamba", "mamba2", "rwkv", "xlstm"],
    "it writes sound, not text": ["moshi", "musicgen", "musicgen_melody", "moss_transcribe_diarize"],
    "its text decoder is a type of its own, and attends to images": ["git", "mllama"],
    "its text decoder is another type": ["got_ocr2"],
    "it reads bytes and patches of them, not tokens": ["blt"],
    "its input is a matrix of segments, not a text": ["cpmant"],
    "its layers run several times for a token": ["hrm_text"],
    "it drafts for another model, whose states it reads": ["gemma4_assistant", "gemma4_unified_assistant"],
    "it needs the package timm; its decoder is gemma3n_text": ["gemma3n"],
}

NO_DECODERS = {name: reason for reason, names in _BY_REASON.items() for name in names}
"""The reasons by type."""
