"""lm-eval's `hf` by the rules of what a model is given of a text."""

from typing import Any

import torch
from lm_eval.models.huggingface import HFLM

from mwork_eval.lm.text_rules import TextRules


class TextsHF(TextRules, HFLM):  # type: ignore[misc]
    """`hf` with texts that begin once, options that always have a token, and a count of prompts that are cut."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take every argument of `hf`."""
        super().__init__(*args, **kwargs)
        self._gathered: dict[str, set[int]] | None = None
        size = getattr(self.model.get_input_embeddings(), "num_embeddings", None)
        self._pad = self.tokenizer.pad_token_id or 0
        if size is not None and self._pad >= size:
            # lm-eval adds a padding token that the model has no embedding for.
            self._pad = min(self._end_tokens(), default=0)
            if self._end_tokens():
                self.tokenizer.pad_token_id = self._pad

    def encode_plainly(self, string: str, special: bool, left_truncate_len: int | None, **kwargs: Any) -> list[int]:
        """Encode a text as `hf` does when it is told whether special tokens go around it."""
        return list(HFLM.tok_encode(self, string, special, left_truncate_len, **kwargs))

    def tok_batch_encode(
        self,
        strings: list[str],
        padding_side: str = "left",
        left_truncate_len: int | None = None,
        truncation: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode prompts, each as it would be alone: `hf` looks at the first one to see whether they bring a BOS."""
        if self.backend != "causal" or truncation or padding_side != "left":
            found: tuple[torch.Tensor, torch.Tensor] = super().tok_batch_encode(
                strings, padding_side, left_truncate_len, truncation
            )
            return found
        rows = [self._encode_prompt(string)[-(left_truncate_len or 0) :] for string in strings]
        ids = torch.full((len(rows), max(map(len, rows))), self._pad)
        mask = torch.zeros_like(ids)
        for number, row in enumerate(rows):
            ids[number, -len(row) :], mask[number, -len(row) :] = torch.tensor(row), 1
        return ids, mask

    def tok_decode(self, tokens: Any, skip_special_tokens: bool = True) -> Any:
        """Decode tokens; None, the end of a text where the tokenizer has no token for it, is none."""
        return None if tokens is None else super().tok_decode(tokens, skip_special_tokens=skip_special_tokens)

    @property
    def truncated(self) -> dict[str, set[int]]:
        """Per task, the documents whose prompts lost their beginning, for want of room, since `forget_truncated`."""
        return self._truncated if self._gathered is None else self._gathered

    def forget_truncated(self) -> None:
        """Begin to count anew."""
        super().forget_truncated()
        self._gathered = None

    def gather_object(self, obj: Any, dst: int = 0) -> Any:
        """Gather as `hf` does, and what each process counted too: lm-eval gathers once all requests are answered."""
        if self.world_size > 1:
            parts = super().gather_object(self._truncated, dst)
            if self.rank == dst:
                tasks = {task for part in parts for task in part}
                self._gathered = {task: set[int]().union(*(part.get(task, ()) for part in parts)) for task in tasks}
        return super().gather_object(obj, dst)

    def _end_tokens(self) -> set[int]:
        """Return the ids that end generation by themselves."""
        ids = getattr(getattr(self.model, "generation_config", None), "eos_token_id", None)
        found = {self.eot_token_id, *(ids if isinstance(ids, list) else [ids])}
        return {token for token in found if token is not None}
