"""The language-aware metrics under names that any lm-eval task file can use.

    metric_list:
      - {metric: mwork_f1, language: th, aggregation: mean, higher_is_better: true}

``mwork_squad_exact_match`` and ``mwork_squad_f1`` are SQuAD's own and take no language. Our own tasks compute several
measures at once and call the scoring functions directly.
"""

from collections.abc import Callable, Sequence

from lm_eval.api.registry import register_metric

from mwork_eval.benchmarks.answers import squad, xlsum, xquad

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


def _squad(scores: Callable[[str, Sequence[str]], float]) -> Metric:
    def metric(references: Sequence[str], predictions: Sequence[str]) -> float:
        return scores(predictions[0], references)

    return metric


def _register(name: str, metric: Metric) -> Metric:
    registered: Metric = register_metric(metric=name, higher_is_better=True, aggregation="mean")(metric)
    return registered


contains_answer = _register("mwork_acc", _best(_answer_score("acc")))
exact_match = _register("mwork_exact_match", _best(_answer_score("exact_match")))
f1 = _register("mwork_f1", _best(_answer_score("f1")))
rouge_l = _register("mwork_rougeL", _best(_summary_score("rougeL")))
chrf = _register("mwork_chrf", _best(_summary_score("chrf")))
squad_exact_match = _register("mwork_squad_exact_match", _squad(squad.squad_exact_match))
squad_f1 = _register("mwork_squad_f1", _squad(squad.squad_f1))
