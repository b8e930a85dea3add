"""Makes the golden messages anew, by the real Alertmanager: python -m tests.alertmanager.golden

Each kind of message is there as each channel receives it: tests/alertmanager/golden/KIND.CHANNEL.txt, the email's HTML
part as KIND.email.html. Look at what changed before you commit it.
"""

from __future__ import annotations

import copy
import datetime as dt
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import Any

import requests

from tests.alertmanager.golden_alerts import BEGIN, END, Kind, kinds
from tests.alertmanager.harness import SHORT, Alerting
from tests.channels import DiscordServer, Mail, SlackServer, SmtpServer, TelegramServer
from tests.stack import wait_for

FOLDER = Path(__file__).parent / "golden"
ZONE = "Asia/Kolkata"  # never changes its clocks
CHANNELS = ("telegram", "slack", "discord", "email")
_GROUP_BY = ["alertname", "bot", "condition", "severity", "escalation", "sla", "milestone", "over"]
_GROUP_BY_OF_REPORTS = ["alertname", "condition", "severity"]


class OnlyAlertmanager(Alerting):
    """Without the responder, which has no part in this."""

    def _start_all(self) -> None:
        self._start("alertmanager")


@dataclass
class Servers:
    """What the messages are sent to. A kind is told from the others by its chat, channel, user name or address."""

    telegram: TelegramServer
    slack: SlackServer
    discord: DiscordServer
    email: SmtpServer
    names: list[str]

    @property
    def settings(self) -> dict[str, str]:
        """The variables of .env."""
        return {**self.telegram.settings, **self.slack.settings, **self.email.settings}

    def route(self, document: dict[str, Any], which: Mapping[str, Kind]) -> None:
        """Puts a receiver with every channel for each kind into a rendered configuration."""
        rendered = document["receivers"]
        models = {
            key: next(receiver[key][0] for receiver in rendered if key in receiver)
            for key in ("telegram_configs", "slack_configs", "email_configs")
        }
        discord = {"title": '{{ template "discord.title" . }}', "message": '{{ template "discord.message" . }}'}
        discord |= {"webhook_url": self.discord.url + DiscordServer.PATH}
        document["inhibit_rules"] = []
        document["route"] = {"receiver": "nobody", "group_by": _GROUP_BY, **SHORT, "routes": []}
        document["receivers"] = [{"name": "nobody"}]
        for number, (name, kind) in enumerate(which.items(), 1):
            telegram = {key: value for key, value in models["telegram_configs"].items() if key != "chat_id_file"}
            to_all = {
                "telegram_configs": [{**telegram, "chat_id": number, "send_resolved": True}],
                "slack_configs": [{**models["slack_configs"], "channel": f"#{name}", "send_resolved": True}],
                "email_configs": [{**models["email_configs"], "to": f"{name}@example.org", "send_resolved": True}],
                "discord_configs": [{**discord, "username": name, "send_resolved": True}],
            }
            route: dict[str, Any] = {
                "receiver": name,
                "matchers": [f"{k}={_quoted(v)}" for k, v in kind.matchers.items()],
            }
            if name.startswith("report"):
                route["group_by"] = _GROUP_BY_OF_REPORTS
            document["route"]["routes"].append(route)
            document["receivers"].append({"name": name, **copy.deepcopy(to_all)})

    def count(self, name: str) -> int:
        """How many messages of a kind have come on the channel that has the fewest."""
        return min(len(messages) for messages in self._of(name).values())

    def files(self, name: str) -> dict[str, str]:
        """The last message of a kind, by the name of its file."""
        last = {channel: messages[-1] for channel, messages in self._of(name).items()}
        (slack,) = last["slack"]["attachments"]
        (discord,) = last["discord"]["embeds"]
        mail: Mail = last["email"]
        assert slack["fallback"] == slack["title"]
        assert not last["discord"]["content"], "only an embed pings nobody"
        link = f"link: {slack['title_link']}\n" if "title_link" in slack else ""
        texts = {
            f"{name}.telegram.txt": last["telegram"]["text"],
            f"{name}.slack.txt": f"title: {slack['title']}\n{link}color: {slack['color']}\n\n{slack['text']}",
            f"{name}.discord.txt": f"title: {discord['title']}\n\n{discord['description']}",
            f"{name}.email.txt": f"Subject: {mail.subject}\n\n{mail.text}",
            f"{name}.email.html": mail.html,
        }
        return {file: text.replace("\r\n", "\n").rstrip("\n") + "\n" for file, text in texts.items()}

    def _of(self, name: str) -> dict[str, list[Any]]:
        number = self.names.index(name) + 1
        return {
            "telegram": [m for m in self.telegram.messages if int(m["chat_id"]) == number],
            "slack": [m for m in self.slack.messages if m["channel"] == f"#{name}"],
            "discord": [m for m in self.discord.messages if m["username"] == name],
            "email": [m for m in self.email.messages if parseaddr(m.recipients[0])[1] == f"{name}@example.org"],
        }


def messages(folder: Path) -> dict[str, str]:
    """What each channel receives of each kind of message, by the name of its file; `folder` is for the processes."""
    which = kinds()
    with ExitStack() as exits:
        servers = Servers(
            telegram=exits.enter_context(TelegramServer(chats=tuple(range(1, len(which) + 1)))),
            slack=exits.enter_context(SlackServer()),
            discord=exits.enter_context(DiscordServer()),
            email=exits.enter_context(SmtpServer()),
            names=list(which),
        )
        alertmanager = exits.enter_context(
            OnlyAlertmanager(folder, servers.settings, lambda document: servers.route(document, which), zone=ZONE)
        )
        # All alerts of a group must be there when it is told, so it is held back till then.
        silence = _silence_all(alertmanager)
        alerts = [{"startsAt": BEGIN.isoformat(), **alert} for kind in which.values() for alert in kind.alerts]
        alertmanager.post(alerts)
        url = alertmanager.url("alertmanager")
        wait_for("all alerts", lambda: _grouped(url) == len(alerts))
        requests.delete(f"{url}/api/v2/silence/{silence}", timeout=10).raise_for_status()
        wait_for("the messages", lambda: all(servers.count(name) for name in which), every=0.05)
        ended = [name for name, kind in which.items() if kind.over]
        for name in ended:
            ends = {"startsAt": BEGIN.isoformat(), "endsAt": END.isoformat()}
            alertmanager.post([{**alert, **ends} for alert in which[name].alerts])
        wait_for("the ends", lambda: all(servers.count(name) >= 2 for name in ended), every=0.05)
        return {file: text for name in which for file, text in servers.files(name).items()}


def _silence_all(alertmanager: Alerting) -> str:
    now = dt.datetime.now(dt.UTC)
    silence = {
        "matchers": [{"name": "alertname", "value": ".+", "isRegex": True}],
        "startsAt": now.isoformat(),
        "endsAt": (now + dt.timedelta(hours=1)).isoformat(),
        "createdBy": "golden",
        "comment": "until all are there",
    }
    answer = requests.post(f"{alertmanager.url('alertmanager')}/api/v2/silences", json=silence, timeout=10)
    answer.raise_for_status()
    return str(answer.json()["silenceID"])


def _grouped(url: str) -> int:
    groups = requests.get(f"{url}/api/v2/alerts/groups", timeout=10).json()
    return sum(len(group["alerts"]) for group in groups)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def main() -> None:
    """Writes the files, and removes those of kinds that are gone."""
    with tempfile.TemporaryDirectory() as folder:
        made = messages(Path(folder))
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.iterdir():
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    print(f"{len(made)} messages in {FOLDER}.")


if __name__ == "__main__":
    main()
