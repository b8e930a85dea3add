"""A person with a real browser: from the link in a message to the acknowledgement, and nothing else by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import make_server

from tests.responder.application import PASSWORD, Responder
from tests.responder.browser import Browser
from tests.responder.monitoring import Alerting, fires
from tests.serving import serving
from tests.stack import wait_for


@contextmanager
def opened(app: Flask) -> Iterator[str]:
    """The address of an application on a port of its own."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    with serving(server):
        yield f"http://localhost:{server.port}"


@pytest.fixture
def responder(tmp_path: Path, alerting: Alerting) -> Iterator[str]:
    """Its address."""
    runbooks = Path(__file__).parents[2] / "docs" / "runbooks"
    with opened(Responder(tmp_path, alerting.url, runbooks=runbooks).app) as url:
        yield url


def test_from_the_link_to_the_acknowledgement(tmp_path: Path, alerting: Alerting, responder: str) -> None:
    long = "a_very_long_name_of_a_bot_without_any_space_in_it_that_goes_on_and_on_and_on_and_on_and_on"
    alerting.post(fires(long))
    link = f"{responder}/acknowledge?condition=bot_down&bot={long}&severity=critical"
    with Browser(tmp_path / "profile") as browser:
        browser.open(link)
        browser.wait_text("RESPONDER_PASSWORD")
        assert not browser.is_too_wide()
        browser.fill_in(password="wrong")
        browser.wait_text("That is not the password.")
        browser.fill_in(password=PASSWORD)
        browser.wait_text("FIRING")
        assert not browser.is_too_wide() and not alerting.silences(long)
        browser.fill_in(name="Ann")
        browser.wait_text("✓ Ann acknowledged this")
        assert not browser.is_too_wide() and len(alerting.silences(long)) == 1
        assert browser.run("document.cookie") == "", "no script can read the cookies"
        browser.fill_in(name="Bob")
        browser.wait_text("Bob took that back")
        assert not alerting.silences(long)
        for path in ("/", "/runbooks/BotDown", "/acknowledge"):
            browser.open(responder + path)
            wait_for("the page", lambda path=path: browser.run("location.pathname") == path)  # type: ignore[misc]
            assert not browser.is_too_wide()

        # A page at another port of this machine, which the browser sends the cookie along from.
        mallory = Flask("mallory")
        mallory.add_url_rule("/", view_func=lambda: f'<form method=post action="{link}"><input name=name><button>')
        with opened(mallory) as url:
            browser.open(url)
            wait_for("the page", lambda: browser.run("document.forms.length && location.pathname") == "/")
            browser.fill_in(name="Mallory")
            browser.wait_text("This form was open for too long")
            assert not alerting.silences(long)
