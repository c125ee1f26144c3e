"""Whether a text is in the language its corpus claims: offline, with the package lingua (extra `[langid]`)."""

from importlib.util import find_spec

from mwork_eval.errors import InputError
from mwork_eval.languages.judgement import Judgement, can_judge, judge_text


def require() -> None:
    """Fail before any model loads if the package is missing.

    Raises:
        InputError: Names the pip line.
    """
    if find_spec("lingua") is None:
        raise InputError(
            "`check_language` needs a package that is not installed",
            found="no lingua",
            expected="the extra [langid]",
            hint='pip install "mwork-eval[langid]"',
        )


class LanguageCheck:
    """Tells whether texts are in a language. Building it loads nothing; models load when texts need them.

    A text whose language cannot be told passes: it is no text in another language.
    """

    def __init__(self, language: str) -> None:
        """Make a check.

        Args:
            language: Tag of what the texts should be in.

        Raises:
            InputError: If the package is missing, or does not know the language.
        """
        require()
        if not can_judge(language):
            raise InputError(
                "`check_language` cannot tell this language",
                found=language,
                expected="a language with a script of its own, or one that lingua knows",
                hint="leave out `check_language`",
            )
        self._language = language

    def passes(self, text: str) -> bool:
        """Say whether a text is in the language, as far as can be told.

        Args:
            text: The text.
        """
        return judge_text(text, self._language) in (Judgement.ASKED, Judgement.UNDECIDED)
