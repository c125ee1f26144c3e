"""The metadata of a card: what the Hub files a repository under."""

import re
from collections.abc import Sequence

from mwork_eval.publishing.base_model import PublishedModel
from mwork_eval.publishing.contents import Contents
from mwork_eval.publishing.model_index import evaluation_results
from mwork_eval.publishing.set_tables import detectors_of, languages_of
from mwork_eval.results.summaries.entries import Score

_TAGS = ("mwork-eval", "neurons", "interpretability", "multilingual")
_TAG = re.compile(r"[\w.+-]{1,64}", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}")
"""What the Hub takes for one; a card with any other is refused as a whole."""


def card_metadata(contents: Contents, model: PublishedModel, own_scores: Sequence[Score]) -> str:
    """Return the YAML block of a card, with its lines of dashes.

    How the repository relates to its base model is left out: it is no adapter, merge, quantisation or fine-tune, and
    the Hub knows no other relation.

    Args:
        contents: What is published.
        model: The base model.
        own_scores: The model's own scores; those on published benchmarks are named.
    """
    from huggingface_hub import ModelCardData

    results = evaluation_results(own_scores)
    languages = list(dict.fromkeys(tag.partition("-")[0] for tag in languages_of(contents)))
    languages = [tag for tag in languages if _LANGUAGE.fullmatch(tag)]
    detectors = [name for name in detectors_of(contents) if _TAG.fullmatch(name)]
    data = ModelCardData(
        base_model=model.hub or model.derived_from,
        language=languages or None,
        library_name="mwork-eval",
        license=model.license,
        license_name=model.license_name if model.license == "other" else None,
        license_link=model.license_link if model.license == "other" else None,
        tags=[*_TAGS, *detectors],
        eval_results=results or None,
        model_name=model.to_load if results else None,
    )
    return f"---\n{data.to_yaml(line_break=chr(10))}\n---\n"
