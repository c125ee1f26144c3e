"""Find the neurons that carry Chinese, switch them off, and measure what breaks: about two minutes on two CPU cores."""

import mwork_eval as mw

model, tokenizer = mw.load_model("gemma3-270m")  # or any causal model of transformers that is in memory
found = mw.detect(model, tokenizer, {"en": "embedded", "zh": "embedded"})  # or lists of texts, files, hub corpora
neurons = found.select(fraction=0.01)["zh"]  # Chinese's and not English's; a NeuronSet

prompt = tokenizer("水在零度会", return_tensors="pt")
with mw.deactivated(model, neurons):  # bit-identical afterwards, also after an exception
    print(tokenizer.decode(model.generate(**prompt, max_new_tokens=20, do_sample=False)[0]))

results = mw.evaluate(model, tokenizer, ["xquad_zh", "bpb_zh"], neurons=neurons, data="embedded", limit=8)
print(results["results"]["bpb_zh"])  # lm-eval's own dict

masks = {"zh": neurons}
matrix = mw.ablate(
    model, tokenizer, masks, preset="existence", tasks=["bpb"], data="embedded", limit=8, seeds=[1, 2, 3]
)
print(matrix.table("existence", "bpb"))  # also to_pandas() and figure("changes"); a notebook shows `matrix` alone
