"""`make test-alert` with the real Alertmanager, against channels that take the message, refuse it or don't answer."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from init.run import run
from tests.alertmanager.harness import Alerting
from tests.binaries import binary
from tests.channels import HttpServer, Request, SlackServer, SmtpServer, TelegramServer, WebhookServer
from tests.stack import ROOT

LINKS = {"GRAFANA_URL": "http://localhost:3000", "RESPONDER_URL": "http://localhost:8080"}
SECRETS = (
    TelegramServer.TOKEN,
    "wrong-token",
    SmtpServer.PASSWORD,
    "not the password",
    SlackServer.PATH.rpartition("/")[2],
    "wrong-secret",
    "secret-uuid",
)


@dataclass
class Told:
    """What the command printed, by the part before the colon."""

    code: int
    text: str

    def __getitem__(self, label: str) -> str:
        found = [line for line in self.text.splitlines() if line.startswith(f"{label}: ")]
        assert len(found) == 1, self.text
        return found[0].removeprefix(f"{label}: ")


def send(out: Path, folder: Path, settings: Mapping[str, str], *arguments: str) -> Told:
    """Both steps, as `make test-alert` has them done without containers."""
    command = [binary("alertmanager"), f"--config.file={out}/alertmanager/test-alert.yml", "--cluster.listen-address="]
    # Each time a new one: from an old one Alertmanager would know that all is told.
    storage = folder / "data" / str(time.monotonic_ns())
    command += [f"--storage.path={storage}", "--web.listen-address=127.0.0.1:0"]
    command += ["--web.external-url=http://localhost:9093", "--log.format=json", "--log.level=debug"]
    output = ""
    for step, more in (("prepare", []), ("send", ["--command", *command])):
        done = subprocess.run(
            [sys.executable, "-m", "init.test_alert", step, "--out", str(out), *arguments, *more],
            cwd=ROOT,
            env={**os.environ, **LINKS, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        output += done.stdout
    return Told(done.returncode, output)


class Responder(HttpServer[Request]):
    """A responder that has sent one SMS and couldn't send the other."""

    ANSWER = (
        {"contact": "administrator/Me", "delivered": True, "error": ""},
        {"contact": "administrator/Anna", "delivered": False, "error": "twilio: the number is not valid"},
    )

    def answer(self, request: Request) -> tuple[int, str]:
        self.keep(request)
        return 200, json.dumps({"contacts": self.ANSWER} if request.path.endswith("/test/sms") else {})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Told]]]:
    """Runs with different faults, side by side and beside the good one: they wait most of the time."""
    with ExitStack() as exits:
        telegram, closed = (exits.enter_context(TelegramServer()) for _ in range(2))
        closed.refuse(403, 1000, description="Forbidden: bot was blocked by the user")
        slack, smtp = exits.enter_context(SlackServer()), exits.enter_context(SmtpServer())
        responder = exits.enter_context(Responder())
        silent = exits.enter_context(socket.create_server(("127.0.0.1", 0)))
        nowhere = "http://127.0.0.1:1"
        address = {"RESPONDER_ADDRESS": responder.url.removeprefix("http://")}
        cases: dict[str, dict[str, str]] = {
            "wrong": {
                **telegram.settings,
                "TELEGRAM_BOT_TOKEN": "123456:wrong-token",
                "SLACK_WEBHOOK_URL": f"{slack.url}/services/T000/B000/wrong-secret",
                **smtp.settings,
                "SMTP_PASSWORD": "not the password",
                "HEARTBEAT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}/secret-uuid",
            },
            "lost": {
                **telegram.settings,
                "TELEGRAM_CHAT_ID": "4711,42",
                "SLACK_WEBHOOK_URL": f"{nowhere}/services/T000/B000/wrong-secret",
                **smtp.settings,
                "SMTP_HOST": "mail.invalid",
                "RESPONDER_ADDRESS": "127.0.0.1:1",
            },
            "closed": closed.settings,
            "unreached": {**telegram.settings, "TELEGRAM_API_URL": nowhere},
        }

        def told(name: str, folder: Path) -> Told:
            settings = {**LINKS, **address, **cases[name]}
            run(settings, folder / "out")
            if name == "closed":
                _add_sms_and_phone(folder / "out" / "alertmanager" / "alertmanager.yml", responder.url)
            return send(folder / "out", folder, settings)

        with ThreadPoolExecutor() as pool:
            yield {name: pool.submit(told, name, tmp_path_factory.mktemp(name)) for name in cases}


def _add_sms_and_phone(path: Path, url: str) -> None:
    document = yaml.safe_load(path.read_text())
    token = {"http_config": {"authorization": {"credentials_file": f"{path.parent}/secrets/responder_token"}}}
    webhooks = [{"url": f"{url}/api/v1/notify/{channel}/administrator", **token} for channel in ("sms", "phone")]
    document["receivers"].append({"name": "by-number", "webhook_configs": webhooks})
    path.write_text(yaml.safe_dump(document))


@dataclass
class Good:
    """A run in which all is well, and what runs beside it."""

    told: Told
    again: Told
    changed: Told
    alerting: Alerting
    channels: dict[str, Any]
    known: list[Any]


@pytest.fixture(scope="module")
def good(runs: dict[str, Future[Told]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Good]:
    assert runs
    with ExitStack() as exits:
        channels = {
            "telegram": exits.enter_context(TelegramServer((4711, -1001))),
            "slack": exits.enter_context(SlackServer()),
            "email": exits.enter_context(SmtpServer()),
        }
        heartbeat = exits.enter_context(WebhookServer())
        settings = {"HEARTBEAT_URL": f"{heartbeat.url}/secret-uuid", **LINKS}
        for channel in channels.values():
            settings |= channel.settings
        folder = tmp_path_factory.mktemp("good")
        alerting = exits.enter_context(Alerting(folder, settings))
        settings["RESPONDER_ADDRESS"] = alerting.url("responder").removeprefix("http://")
        # The harness shortens the waits; here the files are as shipped.
        run(settings, folder / "out")
        told = send(folder / "out", folder, settings)
        known = [
            requests.get(f"{alerting.url('alertmanager')}/api/v2/{kind}", timeout=10).json()
            for kind in ("alerts", "silences")
        ]
        channels["heartbeat"] = heartbeat
        counts = {name: len(channel.messages) for name, channel in channels.items()}
        assert counts == {"telegram": 2, "slack": 1, "email": 1, "heartbeat": 1}, told.text
        again = send(folder / "out", folder, settings, "--only", "inbox")
        del settings["SLACK_WEBHOOK_URL"]
        changed = send(folder / "out", folder, settings, "--only", "heartbeat")
        yield Good(told, again, changed, alerting, channels, known)


def test_all_is_delivered(good: Good) -> None:
    assert [line for line in good.told.text.splitlines() if ": left out" not in line] == [
        "Telegram, chat 4711: delivered",
        "Telegram, chat -1001: delivered",
        "Slack, #trading-alerts: delivered",
        "Email, to trader@example.org: delivered",
        "Heartbeat: delivered",
        "Inbox: delivered",
    ]
    assert good.told.code == 0


def test_the_message_says_that_it_is_a_test_and_has_the_links_of_a_real_one(good: Good) -> None:
    telegram = good.channels["telegram"].messages[0]["text"]
    slack = json.dumps(good.channels["slack"].messages[0], ensure_ascii=False)
    mail = good.channels["email"].messages[0]
    for text in (telegram, slack, mail.subject + mail.text, mail.html):
        assert "TEST" in text
        assert "FIRING" not in text
    for text in (telegram, slack, mail.text, mail.html):
        assert "This is a test of your channels." in text
        assert "http://localhost:3000/d/trading-bot" in text
        assert "/acknowledge" not in text


def test_in_the_inbox_it_is_no_incident(good: Good) -> None:
    messages = good.alerting.inbox()
    assert {message["labels"]["alertname"] for message in messages} == {"TestMessage"}
    assert {message["severity"] for message in messages} == {"none"}
    assert {message["bot"] for message in messages} == {""}


def test_the_alertmanager_that_runs_hears_nothing_of_it(good: Good) -> None:
    assert good.known == [[], []]
    assert "TestMessage" not in good.alerting.log("alertmanager")


def test_one_channel_alone(good: Good) -> None:
    assert good.again == Told(0, "Inbox: delivered\n")


def test_settings_that_are_not_applied_yet_are_told(good: Good) -> None:
    assert good.changed.code == 1
    assert good.changed.text.splitlines() == [
        "Heartbeat: delivered",
        "Tested was what runs, but .env or monitoring.yml says otherwise by now. To apply it: make up",
    ]


@pytest.mark.parametrize(
    ("run", "label", "words"),
    [
        ("wrong", "Telegram, chat 4711", ["(401)", "TELEGRAM_BOT_TOKEN is wrong"]),
        ("wrong", "Slack, #trading-alerts", ["404: no_service", "SLACK_WEBHOOK_URL is wrong"]),
        ("wrong", "Email, to trader@example.org", ["535", "credentials invalid", "SMTP_USERNAME and SMTP_PASSWORD"]),
        ("wrong", "Heartbeat", ["timeout reached (10s)", "Time-out"]),
        ("lost", "Telegram, chat 42", ["chat not found (400)", "TELEGRAM_CHAT_ID is wrong"]),
        ("lost", "Slack, #trading-alerts", ["connection refused", "Nothing listens there"]),
        ("lost", "Email, to trader@example.org", ["mail.invalid", "The name is not found"]),
        ("lost", "Inbox", ["connection refused"]),
        ("closed", "Telegram, chat 4711", ["bot was blocked by the user (403)", "may not write there"]),
        ("closed", "SMS, administrator/Anna", ["twilio: the number is not valid"]),
        ("closed", "Phone", ["the responder answers 200"]),
        ("unreached", "Telegram, chat 4711", ["connection refused"]),
    ],
)
def test_a_fault_is_told_in_the_channels_own_words(
    runs: dict[str, Future[Told]], run: str, label: str, words: list[str]
) -> None:
    assert runs[run].result().code == 1
    told = runs[run].result()[label]
    assert told.startswith("FAILED: ")
    assert [word for word in words if word not in told] == []


def test_the_others_are_delivered_all_the_same(runs: dict[str, Future[Told]]) -> None:
    assert runs["wrong"].result()["Inbox"] == "delivered"
    assert runs["lost"].result()["Telegram, chat 4711"] == "delivered"
    assert runs["closed"].result()["SMS, administrator/Me"] == "delivered"


def test_no_secret_is_told(runs: dict[str, Future[Told]]) -> None:
    for told in runs.values():
        assert [secret for secret in SECRETS if secret in told.result().text] == []


def test_what_is_left_out_is_told_with_how_to_switch_it_on(runs: dict[str, Future[Told]]) -> None:
    told = runs["closed"].result()
    assert told["Slack"] == "left out. To switch it on, set SLACK_WEBHOOK_URL in .env"
    assert told["Heartbeat"].startswith("left out. ")
    assert "left out" not in runs["wrong"].result()["Heartbeat"]


def test_an_alertmanager_that_does_not_start_is_told_with_its_words(tmp_path: Path) -> None:
    run({}, tmp_path / "out")
    (tmp_path / "data").write_text("no folder")
    told = send(tmp_path / "out", tmp_path, {})
    assert told.code == 1
    assert told.text.startswith("Nothing was sent: the Alertmanager for the test did not start.\n")
    assert "data" in told.text.splitlines()[1]


def test_a_channel_that_is_not_set_cannot_be_tested_alone(tmp_path: Path) -> None:
    run({}, tmp_path / "out")
    told = send(tmp_path / "out", tmp_path, {}, "--only", "slack")
    assert told.code == 1
    assert "No channel slack runs. Set it, then: make up." in told.text
