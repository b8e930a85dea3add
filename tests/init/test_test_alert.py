"""`make test-alert`: what is tested, and how a channel's error is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from init.run import run
from init.test_alert.log import Log
from init.test_alert.plan import plan
from init.test_alert.words import clean, secrets, told

TOKEN = "123456:the-token"
SLACK = "https://hooks.slack.com/services/T0ABCDE/B0ABCDE/the-secret"
ENVIRON = {
    "TELEGRAM_BOT_TOKEN": TOKEN,
    "TELEGRAM_CHAT_ID": "42,-1001",
    "SLACK_WEBHOOK_URL": SLACK,
    "SMTP_HOST": "mail.example.org",
    "SMTP_FROM": "a@example.org",
    "SMTP_TO": "b@example.org,c@example.org",
    "HEARTBEAT_URL": "https://heartbeat.example.org/the-uuid",
}
ALL = [
    "Email, to b@example.org",
    "Email, to c@example.org",
    "Heartbeat",
    "Inbox",
    "Slack, #trading-alerts",
    "Telegram, chat -1001",
    "Telegram, chat 42",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What init writes for Alertmanager, with all channels."""
    run(ENVIRON, tmp_path)
    return tmp_path / "alertmanager"


def add(folder: Path, **receiver: Any) -> None:
    """Adds a receiver to the rendered file."""
    path = folder / "alertmanager.yml"
    document = yaml.safe_load(path.read_text())
    document["receivers"].append({"name": "another", **receiver})
    path.write_text(yaml.safe_dump(document))


def notify(channel: str, role: str) -> dict[str, Any]:
    return {"url": f"http://responder:8080/api/v1/notify/{channel}/{role}", "send_resolved": channel == "sms"}


def test_each_channel_is_tested_once_though_many_receivers_have_it(folder: Path) -> None:
    planned = plan(folder)
    assert sorted(target.label for target in planned.targets) == ALL
    names = [receiver["name"] for receiver in planned.document["receivers"]]
    assert names == ["nowhere", *(target.receiver for target in planned.targets)]
    assert [route["receiver"] for route in planned.document["route"]["routes"]] == names[1:]
    assert "inhibit_rules" not in planned.document


def test_a_channel_is_tested_as_it_is_set_up(folder: Path) -> None:
    source = yaml.safe_load((folder / "alertmanager.yml").read_text())
    for key in ("telegram_configs", "slack_configs"):
        theirs = [config for receiver in source["receivers"] for config in receiver.get(key, [])]
        ours = [config for receiver in plan(folder).document["receivers"] for config in receiver.get(key, [])]
        assert ours
        assert all(config in theirs for config in ours)
    assert plan(folder).document["global"] == source["global"]


def test_channels_that_are_not_known_here_are_tested_too(folder: Path) -> None:
    add(
        folder,
        discord_configs=[{"webhook_url_file": "/x/discord_webhook_url"}],
        webhook_configs=[{"url_file": "/x/webhook_url"}, {"url": "http://mine:1/hook"}],
        telegram_configs=[{"chat_id": 7, "message_thread_id": 3}],
        email_configs=[{"to": "anna@example.org, b@example.org"}],
        pushover_configs=[{"user_key_file": "/x"}],
    )
    told = {target.label for target in plan(folder).targets} - set(ALL)
    assert told == {"Discord", "Webhook", "Telegram, chat 7:3", "Email, to anna@example.org", "Pushover"}


def test_sms_and_phone_are_asked_of_the_responder(folder: Path) -> None:
    channels = [notify("sms", "manager"), notify("phone", "manager"), notify("sms", "administrator")]
    add(folder, webhook_configs=channels)
    planned = plan(folder)
    assert sorted(target.label for target in planned.targets) == ALL
    assert [target.title for target in planned.by_responder] == ["SMS", "Phone"]
    assert planned.responder_url == "http://responder:8080"
    assert planned.token_file == folder / "secrets" / "responder_token"


def test_one_alone(folder: Path) -> None:
    assert [target.label for target in plan(folder, "slack").targets] == ["Slack, #trading-alerts"]
    assert not plan(folder, "pigeon").targets


def test_secrets_are_not_told(folder: Path) -> None:
    (folder.parent / "responder" / "contacts.json").write_text('{"sms_url": "twilio://ACsid:smstoken@+49/{to}"}')
    hidden = secrets(folder.parent)
    for text in (
        f'telebot: Post "https://api.telegram.org/bot{TOKEN}/sendMessage": dial tcp: i/o timeout',
        f"wrong token {TOKEN}",
        f"lookup of {SLACK}: no",
        "there is no T0ABCDE/B0ABCDE/the-secret",
        "twilio refuses smstoken of ACsid",
    ):
        shown = clean(text, hidden)
        for part in (TOKEN, "the-secret", "B0ABCDE", "smstoken"):
            assert part not in shown
    assert clean("chat 42 of hooks.slack.com", hidden) == "chat 42 of hooks.slack.com"


def test_an_error_is_one_line() -> None:
    assert clean(" a\n b\x1b[31m\t", []) == "a b [31m"
    assert len(clean("x" * 1000, [])) == 301


@pytest.mark.parametrize(
    ("title", "error", "hint"),
    [
        ("Telegram", "telegram: Unauthorized (401)", "TELEGRAM_BOT_TOKEN is wrong"),
        ("Telegram", "telegram: Forbidden: bot was blocked by the user (403)", "The bot may not write there"),
        ("Telegram", "telegram: Bad Request: chat not found (400)", "TELEGRAM_CHAT_ID is wrong"),
        ("Slack", "unexpected status code 404: no_service", "SLACK_WEBHOOK_URL is wrong"),
        ("Email", '*smtp.plainAuth auth: 535 "5.7.8 no"', "SMTP_USERNAME and SMTP_PASSWORD"),
        ("Email", 'failed to send RCPT: 550 "5.1.1 no such user"', "refuses this address for good"),
        ("Email", "551 User not local", "refuses this address for good"),
        ("Email", "553 5.7.1 Sender address rejected", "refuses this address for good"),
        ("Email", "dial tcp: lookup mail: no such host", "The name is not found"),
        ("Webhook", "unexpected status code 503", "a fault of its own"),
        ("Slack", "context deadline exceeded", "Time-out"),
        ("Discord", "unexpected status code 302", "set the final address"),
        ("Webhook", "unexpected status code 401", "WEBHOOK_TOKEN is missing or wrong"),
    ],
)
def test_what_an_error_means_is_told_after_it(title: str, error: str, hint: str) -> None:
    line = told(title, error, [])
    assert line.startswith(error)
    assert hint in line
    assert told(title, "something new", []) == "something new"


@pytest.mark.parametrize("error", ["554 5.7.1 Rejected", "dial tcp 192.0.2.1:587: something new", "552 Too large"])
def test_a_mail_servers_refusal_is_no_fault_that_goes_away(error: str) -> None:
    assert told("Email", error, []) == error


def test_what_the_log_does_not_know_is_kept() -> None:
    log = Log()
    for line in ("sh: alertmanager: not found", '{"msg": 1}', '{"level": "ERROR", "msg": "no", "err": "port"}', "[]"):
        log.take(line)
    assert log.rest == ["sh: alertmanager: not found", "no: port", "[]"]
