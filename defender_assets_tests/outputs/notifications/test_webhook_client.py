"""A post has a deadline as a whole, however slowly its receiver answers."""

import socket
import threading
import time
from datetime import UTC, datetime

import pytest

from defender_assets.outputs.notifications import webhook_client
from defender_assets.outputs.notifications.webhook_client import POST_SECONDS, Answer, post
from defender_assets.outputs.notifications.webhooks import SLACK, Webhook
from defender_assets_tests.support.webhook_receiver import PATH, receiving

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
GIVEN_UP = Answer(delivered=False, description="no answer within 0.3 seconds")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    assert POST_SECONDS < 15
    monkeypatch.setattr(webhook_client, "POST_SECONDS", 0.3)


def posted(url: str) -> Answer:
    begun = time.monotonic()
    answer = post(Webhook(SLACK, url), {"text": "x"}, NOW)
    # far above the deadline and far below the two minutes for which the receivers would go on
    assert time.monotonic() - begun < 30
    return answer


def test_a_receiver_that_sends_its_header_a_byte_at_a_time_is_given_up() -> None:
    with receiving() as receiver:
        receiver.drips = "header"
        assert posted(receiver.url) == GIVEN_UP


def test_a_receiver_whose_status_is_known_delays_nothing_with_its_body() -> None:
    with receiving() as receiver:
        receiver.drips, receiver.body = "body", b"<html>" * 1000
        assert posted(receiver.url).description == "answered 200"


def test_a_receiver_that_accepts_and_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert posted(f"http://127.0.0.1:{silent.getsockname()[1]}{PATH}") == GIVEN_UP


def test_a_name_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def slow(*_: object, **__: object) -> object:
        released.wait(120)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    assert posted("http://receiver.invalid/x") == GIVEN_UP
    released.set()
