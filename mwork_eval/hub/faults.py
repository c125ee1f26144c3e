"""What goes wrong on the way to the hub, each in one line that says what to do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from mwork_eval.errors import InputError, NotReachedError, shortened
from mwork_eval.hub.reference import HubReference

_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")
_LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"


@contextmanager
def told_in_one_line(reference: HubReference, path: str = "") -> Iterator[None]:
    """Turn what the hub's client raises in a block into errors of ours.

    Args:
        reference: What was asked for.
        path: The file within the repository that was asked for, if it was one.

    Raises:
        InputError: If the hub refuses.
        NotReachedError: If there is no way to it, or not now.
    """
    from huggingface_hub import errors

    try:
        yield
    except InputError:
        raise
    except (errors.HfHubHTTPError, errors.EntryNotFoundError, errors.LocalTokenNotFoundError, OSError) as error:
        raise fault(error, reference, path) from error
    except ValueError as error:  # what the client refuses, and a second download that failed: its cause tells more
        again = "Force download failed" in str(error) and isinstance(error.__cause__, Exception)
        raise fault(error.__cause__ if again else error, reference, path) from error  # type: ignore[arg-type]
    except Exception as error:
        # Downloads by chunks are compiled code, whose errors are of no class of the client's.
        if not (is_transport(error) or isinstance(error, RuntimeError) or "hub" in type(error).__module__):
            raise
        raise fault(error, reference, path) from error


def fault(error: Exception, reference: HubReference, path: str = "") -> InputError:
    """Return the error of ours for one of the hub's client."""
    from huggingface_hub import constants, errors, get_token

    shown = f"{path} of {reference.repository}" if path else str(reference)
    host = _without_secrets(constants.ENDPOINT)
    status = error.response.status_code if isinstance(error, errors.HfHubHTTPError) else None
    if isinstance(error, errors.GatedRepoError):
        hint = f"ask for access at {host}/{reference.repository}, and {_LOG_IN}"
        return InputError(f"the repository {reference.repository} is gated", found="no access", hint=hint)
    if isinstance(error, errors.RevisionNotFoundError):
        found = reference.revision or "no default branch"
        return InputError(
            f"no such revision of {reference.repository}", found=found, expected="a branch, tag or commit"
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        hint = f"if it is private, {_LOG_IN}"
        return InputError(f"no repository {reference.repository} on {host}", found="none, or none for you", hint=hint)
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return InputError(f"no file {path} in {reference.repository}", found=f"{reference.revision or 'main'} without")
    if isinstance(error, errors.LocalTokenNotFoundError) or status == 401:
        found = "no token" if get_token() is None else "a token that is not valid"
        return InputError(f"{host} does not know who you are", found=found, hint=_LOG_IN)
    if status == 403:
        hint = f"a token that may write to {reference.repository} is needed: {_LOG_IN}"
        return InputError(f"{host} refuses access to {reference.repository}", found=_said(error), hint=hint)
    if status == 412 or status == 409:
        hint = "begin anew"
        return InputError(f"{reference.repository} was changed meanwhile", found=_said(error), hint=hint)
    if status is not None and status < 500 and status not in (408, 429):
        return InputError(f"{host} refuses what is asked of {reference.repository}", found=_said(error))
    if is_offline() and is_unreachable(error):
        hint = "fetch it once without HF_HUB_OFFLINE=1"
        return NotReachedError(f"{shown} is not in the cache", found="HF_HUB_OFFLINE=1", hint=hint)
    if status is None and not is_unreachable(error):
        return InputError(f"{shown} cannot be had from the hub", found=_said(error))
    hint = "try again later" + ("; files that are in the cache are used with HF_HUB_OFFLINE=1" if path else "")
    return NotReachedError(f"{host} is not reached for {shown}", found=_said(error), hint=hint)


def is_unreachable(error: BaseException | None) -> bool:
    """Tell whether an error says that there is no way to the hub now, be it this machine's or the hub's fault."""
    from huggingface_hub import errors

    if isinstance(error, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled) or is_transport(error):
        return True
    if isinstance(error, errors.HfHubHTTPError):
        return error.response.status_code >= 500 or error.response.status_code in (408, 429)
    # The client's word for a download that ended too early.
    return isinstance(error, OSError) and "Consistency check failed" in str(error)


def is_transport(error: BaseException | None) -> bool:
    """Tell whether an error is one of connections; the client's HTTP library changed its name between versions."""
    return any(kind.__name__ == "TransportError" for kind in type(error).__mro__)


def is_offline() -> bool:
    """Tell whether nothing may be asked of the hub: HF_HUB_OFFLINE=1."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _said(error: BaseException) -> str:
    """Return the reason an error gives: what the server said, else its cause, in one line."""
    from huggingface_hub import errors

    cause = error.__cause__
    if isinstance(error, errors.LocalEntryNotFoundError):
        if cause is None:
            return "no answer, and nothing in the cache"
        error = cause
    said = getattr(error, "server_message", None) or str(error)
    lines = [line.strip() for line in str(said).splitlines() if line.strip()]
    status = f"status {error.response.status_code}: " if isinstance(error, errors.HfHubHTTPError) else ""
    return shortened(_without_secrets(status + (" ".join(lines) or type(error).__name__)))


def _without_secrets(text: str) -> str:
    """Return a text without the token, and without a name and password in an address."""
    from huggingface_hub import get_token

    token = get_token()
    return _CREDENTIALS.sub("", text.replace(token, "…") if token else text)
