"""One message over HTTP: posted once, and what the receiver said in words without its address. When: `rounds`."""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from threading import get_ident
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from defender_assets.outputs.notifications.webhooks import Webhook

CONNECT_SECONDS, READ_SECONDS = 5, 10
LONGEST_WAIT = timedelta(days=1)
# what is wrong with this message, rather than with the receiver
_REFUSALS = {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}


@dataclass(frozen=True)
class Answer:
    """What came of a message. `refused`: this message was, others may pass. `wait`: the receiver named a pause."""

    delivered: bool
    words: str
    refused: bool = False
    wait: timedelta | None = None


def post(webhook: Webhook, payload: Mapping[str, Any], now: datetime) -> Answer:
    """Post a message once: no retry, no redirect; no answer counts as not delivered.

    An error of the HTTP library holds the address, so only its kind is told.
    """
    try:
        with _unlogged(), requests.Session() as session:
            response = session.post(
                webhook.url,
                json=payload,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                # of what a receiver answers beyond its status, the beginning is read and never told
                stream=True,
            )
            status, after = response.status_code, response.headers.get("Retry-After")
            page = _is_page(response)
            response.close()
    except (requests.RequestException, OSError, ValueError) as error:
        return Answer(delivered=False, words=f"no answer ({type(error).__name__})")
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES and page:
        words = f"answered {status} with a page, as a proxy or a login does and a receiver does not"
        return Answer(delivered=False, words=words)
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Answer(delivered=True, words=f"answered {status}")
    hint = _HINTS.get(status // 100 if status // 100 == _REDIRECT else status, "")
    return Answer(
        delivered=False, words=f"answered {status}{hint}", refused=status in _REFUSALS, wait=pause_asked(after, now)
    )


def _is_page(response: requests.Response) -> bool:
    """Return whether the answer is an HTML page; the receivers answer nothing, or a word (Slack's is called HTML)."""
    if "html" not in response.headers.get("Content-Type", "").lower():
        return False
    try:
        # what comes at once: a receiver that trickles would hold the round up
        begins = response.raw.read1(_BEGINNING, decode_content=True)
    except (HTTPError, OSError, ValueError):
        # the status has been told, and that is what counts
        return False
    return bool(_PAGE.match(begins))


def pause_asked(after: str | None, now: datetime) -> timedelta | None:
    """Return the pause that `Retry-After` asks for, in seconds or until a date (RFC 9110, 10.2.3); a day at most."""
    if after is None:
        return None
    text = after.strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=min(int(text[:9]), 10**6)), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(moment - now, timedelta(0)), LONGEST_WAIT)


_BEGINNING, _PAGE = 512, re.compile(rb"(?i)\s*<(?:!doctype|html|head|\?xml|meta|script)")
_REDIRECT = 3
_HINTS = {
    _REDIRECT: " (a redirect, which is not followed: set the address that it leads to)",
    HTTPStatus.BAD_REQUEST: " (the receiver refuses the message)",
    HTTPStatus.UNAUTHORIZED: " (is the address complete, signature included?)",
    HTTPStatus.FORBIDDEN: " (is the address complete, signature included?)",
    HTTPStatus.NOT_FOUND: " (was the webhook deleted?)",
    HTTPStatus.GONE: " (was the webhook deleted?)",
    HTTPStatus.TOO_MANY_REQUESTS: " (too many messages)",
}


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keep the lines of the HTTP library out of the log meanwhile: they hold the path, which is the secret."""
    thread = get_ident()
    # filters are not inherited: both say the path
    library = [logging.getLogger(f"urllib3.{name}") for name in ("connection", "connectionpool")]

    def silent(line: logging.LogRecord) -> bool:
        return line.thread != thread

    for logger in library:
        logger.addFilter(silent)
    try:
        yield
    finally:
        for logger in library:
            logger.removeFilter(silent)
