"""Models, texts and neuron sets that the public functions are given, checked before a model is loaded or works."""

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any

from mwork_eval.application.arguments import shown_value
from mwork_eval.errors import InputError
from mwork_eval.languages.table import tag_of
from mwork_eval.neurons.neuron_set import NeuronSet
from mwork_eval.neurons.references import find_neurons


def check_tokenizer(tokenizer: Any) -> None:
    """Check that a tokenizer is one of transformers.

    Raises:
        InputError: If it is not.
    """
    if not hasattr(tokenizer, "all_special_ids"):
        found = shown_value(tokenizer) if tokenizer is None or isinstance(tokenizer, str) else type(tokenizer).__name__
        raise InputError("a model in memory needs its tokenizer", found=found, expected="one of transformers")


def check_in_memory(model: Any, what: str) -> None:
    """Check that a model is in memory.

    Args:
        model: What was given.
        what: The function that was called.

    Raises:
        InputError: If it is not; tells how to get one there.
    """
    if isinstance(model, str | PathLike):
        raise InputError(
            f"{what} takes a model in memory",
            found=shown_value(str(model)),
            expected="what load_model gives",
            hint=f'model, tokenizer = mw.load_model("{model}")',
        )
    check_is_model(model, "a model of transformers")


def check_model(model: Any, tokenizer: Any, loading: Mapping[str, Any]) -> None:
    """Check a model that scores texts, and its tokenizer, as far as they are in memory.

    Args:
        model: The model, or its name.
        tokenizer: Its tokenizer; None for that of the name.
        loading: How a model of that name is to be loaded; None for what is not said.

    Raises:
        InputError: If the model is none or has no output head, there is no tokenizer, or a model in memory is to be
            loaded otherwise.
    """
    if isinstance(model, str | PathLike):
        if tokenizer is not None:
            check_tokenizer(tokenizer)
        return
    check_is_model(model)
    check_tokenizer(tokenizer)
    find_head = getattr(model, "get_output_embeddings", None)
    if find_head is not None and find_head() is None:
        raise InputError(
            "the model has no output head",
            found=type(model).__name__,
            expected="a causal language model, as AutoModelForCausalLM loads it",
        )
    if given := [name for name, value in loading.items() if value is not None]:
        raise InputError(
            "a model in memory stays as it is", found=" ".join(given), expected="these for a model given by its name"
        )


def check_texts(texts: Any, name: str = "texts") -> None:
    """Check that texts are given by language, and each language's are a list, a file or the name of a corpus.

    Raises:
        InputError: If they are not.
    """
    if not isinstance(texts, Mapping):
        raise InputError(
            f"unusable {name}",
            found=shown_value(texts),
            expected="a mapping of language to texts, such as {'zh': texts}",
        )
    for language, given in texts.items():
        check_source(given, f"{name} of {language}")


def check_source(given: Any, name: str) -> None:
    """Check that the texts of one language are a list, a file or the name of a corpus.

    Raises:
        InputError: If they are not.
    """
    if isinstance(given, bytes | Mapping) or not isinstance(given, str | PathLike | Iterable):
        raise InputError(
            f"unusable {name}", found=shown_value(given), expected="a list of texts, a file, hub:NAME or embedded"
        )


def check_one_set(neurons: Any, what: str) -> NeuronSet:
    """Return a neuron set that is one.

    Args:
        neurons: What was given.
        what: The function that was called.

    Raises:
        InputError: If it is none; tells how to get one.
    """
    if isinstance(neurons, NeuronSet):
        return neurons
    hint = None
    if isinstance(neurons, str | PathLike):
        hint = f'read it: mw.read_neurons("{neurons}")'
    elif neurons is None:
        hint = 'such as mw.read_neurons("gemma3-270m/zh")'
    elif isinstance(neurons, Mapping):
        hint = f"take one, such as neurons[{next(iter(neurons), 'zh')!r}]"
    raise InputError(f"{what} takes one neuron set", found=shown_value(neurons), expected="a NeuronSet", hint=hint)


def language_of(neurons: NeuronSet) -> str:
    """Return the language a set says it is of.

    Raises:
        InputError: If it says none.
    """
    language = neurons.about.get("language")
    if not language:
        raise InputError("the set names no language", expected="sets by language: give {'zh': set}")
    return str(language)


def sets_by_language(neurons: Mapping[Any, Any], name: str = "neurons") -> dict[str, NeuronSet]:
    """Return sets by language; references of sets are read.

    Raises:
        InputError: If there is none, or one is no set.
    """
    if not neurons:
        raise InputError(f"unusable {name}", found="no set", expected="sets by language, such as {'zh': set}")
    sets: dict[str, NeuronSet] = {}
    for language, given in neurons.items():
        if not isinstance(given, NeuronSet | str | PathLike) or not isinstance(language, str):
            raise InputError(
                f"unusable {name}",
                found=f"{shown_value(given)} for {language!r}",
                expected="a NeuronSet for a language, such as {'zh': set}",
            )
        sets[tag_of(language) or language] = given if isinstance(given, NeuronSet) else find_neurons(str(given))
    return sets


def check_is_model(model: Any, expected: str = "a model of transformers, or the name of one") -> None:
    """Check that an object is a model.

    Raises:
        InputError: If it is not.
    """
    if not hasattr(model, "named_modules"):
        pair = "unpack what load_model gives: model, tokenizer = mw.load_model(...)"
        hint = pair if isinstance(model, tuple) else None
        raise InputError("no model in memory", found=type(model).__name__, expected=expected, hint=hint)
