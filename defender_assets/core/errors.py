"""Errors that a user can act on, and redaction of secrets. Errors of single lines are data: see `tables.parsing`."""

import re

_SIGNED = re.compile(
    r"(?i)(?P<name>\bsig|signature|accountkey|account_key|sharedaccesskey|sharedaccesssignature|authorization|password)"
    r"(?P<sep>\s*[=:]\s*)(?P<value>(?!…)[^\s&;,'\"}\])>]+(?:\s(?<=Bearer\s)\S+)?)"
)
# hosts of webhooks
SLACK_HOST = r"hooks\.slack\.com"
TEAMS_DOMAIN = r"(?:logic\.azure|powerplatform|webhook\.office)\.com"
# an account's key or signature, or a webhook's URL
_SECRET = re.compile(
    r"(?i)accountkey=|sharedaccess\w+=|(?:^|[?&;])sig=|[a-z0-9+/]{86}==|"
    rf"(?:^|://)(?:{SLACK_HOST}|[\w.-]+\.{TEAMS_DOMAIN})[:/]"
)
_LONGEST_SHOWN = 40
# delta-rs prints coloured arrows
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Python, Polars and delta-rs word it differently
_REFUSAL = re.compile(r"(?i)permission ?denied|read-only file ?system|operation not permitted")
GRANT_LAKE = "give this user read permission for the lake, and write permission to change it"
"""What to do about a lake on disk that the system does not let this user read or write."""


class DefenderAssetsError(Exception):
    """An error whose text is one line with the thing, the value and the fix, without secrets.

    Signatures are removed here too, because a wrong value or an answer that is quoted may have one.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(_without_signatures(text))


class SettingsError(DefenderAssetsError):
    """A setting is missing or wrong."""


class ExportError(DefenderAssetsError):
    """The export account or directory could not be read."""


class UnreadableError(ExportError):
    """The export answers, but refuses this blob or folder. Other parts of it may be readable."""


class LakeError(DefenderAssetsError):
    """The lake could not be read or written."""


class LakeConflictError(LakeError):
    """Other writers committed first at every attempt; nothing was written, try again later."""


class TriageError(DefenderAssetsError):
    """A statement about a lead is not valid, or the lead is not known. Nothing was stated."""


class ReconciliationError(DefenderAssetsError):
    """Lines or records are unaccounted for: a bug in the parser. Nothing was committed; raw has every byte."""


def is_panic(error: BaseException) -> bool:
    """Return whether a library written in Rust has panicked, which pyo3 raises as a BaseException of each library."""
    return type(error).__name__ == "PanicException"


def system_refusal(reason: str) -> str | None:
    """Return why the system let this user not read or write a file, in two or three words; None for another reason.

    >>> system_refusal('Could not create local directory: /lake Error: Os { code: 13, kind: PermissionDenied }')
    'Permission denied'
    >>> system_refusal("No space left on device")
    """
    found = _REFUSAL.search(reason)
    if found is None:
        return None
    return "Permission denied" if "denied" in found[0].lower() else found[0].capitalize()


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Return the text on one line, without colours, the secrets, and anything that looks like a signature or key."""
    text = _COLOUR.sub("", text)
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return _without_signatures(" ".join(text.split()))


def _without_signatures(text: str) -> str:
    return _SIGNED.sub(r"\g<name>\g<sep>***", text)


def chain_shows_secret(error: BaseException, secrets: tuple[str, ...]) -> bool:
    """Return whether the text of an error, or of one that it was raised from or after, has a secret or a signature."""
    seen: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in seen:
        seen.append(link)
        text = str(link)
        if _SIGNED.search(text) or any(secret in text for secret in secrets if secret):
            return True
        link = link.__cause__ or link.__context__
    return False


def contains_secret(text: str) -> bool:
    """Return whether a text looks like a connection string, a key, a SAS or a webhook's URL."""
    return _SECRET.search(text) is not None


def quoted(value: str) -> str:
    """Return a wrong value of a setting for an error; only its length if it may be a misplaced secret.

    >>> quoted("soon")
    "'soon'"
    >>> quoted("https://hooks.slack.com/services/T0/B0/x")
    'a text of 40 characters, not shown'
    """
    if len(value) > _LONGEST_SHOWN or contains_secret(value):
        return f"a text of {len(value)} characters, not shown"
    return f"'{value}'"
