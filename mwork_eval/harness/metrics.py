"""The language-aware metrics under names that any lm-eval task file can use.

    metric_list:
      - {metric: mwork_f1, language: th, aggregation: mean, higher_is_better: true}

Our own tasks compute several measures at once and call the scoring functions directly.
"""

from collections.abc import Callable, Sequence

from lm_eval.api.registry import register_metric

from mwork_eval.harness.scoring import xlsum, xquad

Metric = Callable[..., float]


def _best(scores: Callable[[str, str, str], float]) -> Metric:
    """Make lm-eval's kind of metric (one prediction, several references) of a function of two texts."""

    def metric(references: Sequence[str], predictions: Sequence[str], language: str) -> float:
        return max(scores(reference, predictions[0], language) for reference in references)

    return metric


def _answer_score(name: str) -> Callable[[str, str, str], float]:
    return lambda gold, text, language: xquad.score({"answers": [gold], "language": language}, [text])[name]


def _summary_score(name: str) -> Callable[[str, str, str], float]:
    return lambda gold, text, language: xlsum.score({"summary": gold, "language": language}, [text])[name]


def _register(name: str, scores: Callable[[str, str, str], float]) -> Metric:
    metric: Metric = register_metric(metric=name, higher_is_better=True, aggregation="mean")(_best(scores))
    return metric


contains_answer = _register("mwork_acc", _answer_score("acc"))
exact_match = _register("mwork_exact_match", _answer_score("exact_match"))
f1 = _register("mwork_f1", _answer_score("f1"))
rouge_l = _register("mwork_rougeL", _summary_score("rougeL"))
chrf = _register("mwork_chrf", _summary_score("chrf"))
