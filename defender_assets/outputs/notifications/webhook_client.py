"""HTTP client for webhooks: posts a message once and describes the answer without the address, which is a secret."""

import logging
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from threading import Thread, get_ident
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from defender_assets.outputs.notifications.webhooks import Webhook

CONNECT_SECONDS, READ_SECONDS = 5, 10
POST_SECONDS = 12.0
"""For a post as a whole. With the 15 seconds of a round before it, two destinations fit into a tick of Dagster (60)."""
MAX_RETRY_AFTER = timedelta(days=1)
# the fault is in this message, not in the receiver
_REFUSALS = {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
_PAGE_BYTES, _PAGE = 512, re.compile(rb"(?i)\s*<(?:!doctype|html|head|\?xml|meta|script)")
_HINTS: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: " (the receiver refuses the message)",
    HTTPStatus.UNAUTHORIZED: " (is the address complete, signature included?)",
    HTTPStatus.FORBIDDEN: " (is the address complete, signature included?)",
    HTTPStatus.NOT_FOUND: " (was the webhook deleted?)",
    HTTPStatus.GONE: " (was the webhook deleted?)",
    HTTPStatus.TOO_MANY_REQUESTS: " (too many messages)",
}
_REDIRECT_HINT = " (redirects are not followed: set the address that it leads to)"


@dataclass(frozen=True)
class Answer:
    """What the receiver answered. `refused`: only this message is at fault, others may pass."""

    delivered: bool
    description: str
    refused: bool = False
    retry_after: timedelta | None = None


def post(webhook: Webhook, payload: Mapping[str, Any], now: datetime) -> Answer:
    """Post a message once, without retries or redirects; no answer within POST_SECONDS counts as not delivered.

    The post has a thread of its own: timeouts of sockets begin again with each byte, and names are looked up without.
    A thread that is given up ends with its connection.
    """
    answer: Future[Answer] = Future()

    def run() -> None:
        try:
            answer.set_result(_post(webhook, payload, now))
        except BaseException as error:  # noqa: BLE001 (raised where the answer is awaited)
            answer.set_exception(error)

    # a daemon, because the end of the process must not wait for a receiver
    Thread(target=run, name="post", daemon=True).start()
    try:
        return answer.result(POST_SECONDS)
    except TimeoutError:
        return Answer(delivered=False, description=f"no answer within {POST_SECONDS:g} seconds")


def _post(webhook: Webhook, payload: Mapping[str, Any], now: datetime) -> Answer:
    try:
        with _urllib3_silenced(), requests.Session() as session:
            response = session.post(
                webhook.url,
                json=payload,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                # only the beginning of the body is read, and it is never shown
                stream=True,
            )
            status, retry_after = response.status_code, response.headers.get("Retry-After")
            is_page = _is_html_page(response)
            response.close()
    except (requests.RequestException, OSError, ValueError) as error:
        # the error's message contains the address
        return Answer(delivered=False, description=f"no answer ({type(error).__name__})")
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        page = " with an HTML page, as a proxy or a login does and a receiver does not" if is_page else ""
        return Answer(delivered=not is_page, description=f"answered {status}{page}")
    is_redirect = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    return Answer(
        delivered=False,
        description=f"answered {status}{_REDIRECT_HINT if is_redirect else _HINTS.get(status, '')}",
        refused=status in _REFUSALS,
        retry_after=parse_retry_after(retry_after, now),
    )


def parse_retry_after(header: str | None, now: datetime) -> timedelta | None:
    """Return the wait that `Retry-After` asks for, in seconds or until a date (RFC 9110, 10.2.3); at most a day."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=min(int(text[:9]), 10**6)), MAX_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(moment - now, timedelta(0)), MAX_RETRY_AFTER)


def _is_html_page(response: requests.Response) -> bool:
    """Return whether the body is an HTML page; receivers answer nothing or a word, which Slack sends as text/html."""
    if "html" not in response.headers.get("Content-Type", "").lower():
        return False
    try:
        # only what is there already: a receiver that sends slowly must not delay the round
        return bool(_PAGE.match(response.raw.read1(_PAGE_BYTES, decode_content=True)))
    except (HTTPError, OSError, ValueError):
        # the status is known, and it decides
        return False


@contextmanager
def _urllib3_silenced() -> Iterator[None]:
    """Drop this thread's log lines of urllib3: they contain the path, which is the secret."""
    thread = get_ident()
    # filters are not inherited, and both loggers name the path
    loggers = [logging.getLogger(f"urllib3.{name}") for name in ("connection", "connectionpool")]

    def of_other_threads(line: logging.LogRecord) -> bool:
        return line.thread != thread

    for logger in loggers:
        logger.addFilter(of_other_threads)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(of_other_threads)
