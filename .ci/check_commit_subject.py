"""Checks the first line of a commit message: git names the file of the message as the only argument."""

import sys
from pathlib import Path

LONGEST = 72
WRITTEN_BY_GIT = ("Merge ", 'Revert "', "Reapply ", "fixup! ", "squash! ", "amend! ")


def problem(subject: str) -> str | None:
    """What is wrong with a commit subject and how to correct it; None if it is correct."""
    if not subject:
        return "is empty: say what the project now does"
    if subject.startswith(WRITTEN_BY_GIT):
        return None
    if len(subject) > LONGEST:
        return f"has {len(subject)} characters: shorten it to at most {LONGEST}, and give the reason in the body"
    if not subject[0].isupper():
        return "does not begin with a capital letter: begin with a verb in the imperative, such as 'Add'"
    if subject.endswith("."):
        return "ends with a period: remove it"
    return None


def main(message: Path) -> str | None:
    """The complaint about a message file, for `sys.exit`."""
    lines = [line.strip() for line in message.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    subject = next(filter(None, lines), "")
    found = problem(subject)
    return found and f"The commit subject {subject!r} {found}."


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
