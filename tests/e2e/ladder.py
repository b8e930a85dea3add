"""The whole stack with the real rules and routes, whose ages and cooldowns run faster; a page stands for the exporter.

The page states readings, limits of a few seconds and targets. Of the rules only ages are shortened: `for`,
`keep_firing_for`, and the table of how long an alert waits; what they remember lasts as long as ever.
"""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import requests
import yaml

from tests.channels import SlackServer, SmtpServer, TelegramServer, WebhookServer
from tests.e2e.channels import mentions, words
from tests.e2e.messaging import faster
from tests.e2e.page import Page
from tests.rules.delays import seconds
from tests.stack import Stack, wait_for

SCALE = 100
AGES = "condition:escalates_after:seconds"
TICK = "500ms"

# In seconds, of a faster clock: nobody has answered for 13 minutes, a bot is down for ten.
TARGETS = {"no_response_seconds": 8, "system_down_seconds": 6, "repeated_count": 3}
LIMITS = {
    ("bot_down_time", "critical"): 2,
    ("max_drawdown", "critical"): 0.1,
    ("drawdown_escalation", "critical"): 0.15,
    ("network_latency", "critical"): 2,
    ("memory_usage", "warning"): 0.8,
}
# How a bot is well; by metric, with its group.
WELL = {
    "trading_bot_up": ("bot", 1),
    "trading_bot_drawdown_ratio": ("trading", 0.01),
    "trading_bot_network_latency_seconds": ("system", 0.1),
    "trading_bot_memory_usage_ratio": ("system", 0.1),
}
ROLES = ("manager", "technical_lead", "emergency_contact", "risk_manager")


def number(role: str, channel: str) -> str:
    """The number of a role's contact."""
    return f"+4915112345{ROLES.index(role)}{('phone', 'sms').index(channel)}"


CONTACTS = {
    role: [
        {
            "name": role.title(),
            "phone": number(role, "phone"),
            "sms": number(role, "sms"),
            "email": f"{role.replace('_', '-')}@example.org",
        }
    ]
    for role in ROLES
}


class Exporter(Page):
    """What the exporter would say of bots, by group; and where it is, for Prometheus's discovery."""

    def __init__(self) -> None:
        super().__init__()
        for target, value in TARGETS.items():
            self.set("trading_bot_target", value, target=target)

    def add(self, bot: str) -> None:
        """One more bot, which is well."""
        for (threshold, severity), value in LIMITS.items():
            self.set("trading_bot_threshold", value, bot=bot, threshold=threshold, severity=severity)
        self.set("trading_bot_maintenance", 0, bot=bot)
        for metric, (_group, value) in WELL.items():
            self.set(metric, value, bot=bot)

    def text(self, path: str) -> str:
        url = urlsplit(path)
        if url.path == "/sd":
            return json.dumps([{"targets": [f"127.0.0.1:{self.port}"]}])
        (group,) = parse_qs(url.query)["collect[]"]
        lines = super().text(path).splitlines(keepends=True)
        return "".join(line for line in lines if WELL.get(line.partition("{")[0], ("config",))[0] == group)

    def kind(self, path: str) -> str:
        return "application/json" if path.startswith("/sd") else super().kind(path)


class Ladder(Stack):
    """Prometheus, Alertmanager and responder, and who is told by them. A context manager."""

    def __init__(self, folder: Path) -> None:
        self.exporter = Exporter()
        self.telegram, self.slack, self.email = TelegramServer(), SlackServer(), SmtpServer()
        # In place of a service for SMS and calls.
        self.service = WebhookServer()
        # The addresses are Apprise's, for a service that takes JSON.
        service = self.service.url.replace("http://", "json://")
        settings = {"SMS_URL": f"{service}/sms/{{to}}", "PHONE_URL": f"{service}/phone/{{to}}"}
        for channel in (self.telegram, self.slack, self.email):
            settings |= channel.settings
        settings["EXPORTER_ADDRESS"] = f"127.0.0.1:{self.exporter.port}"
        monitoring = {"bots": [{"name": "demo", "type": "demo"}], "contacts": CONTACTS}
        super().__init__(folder, monitoring, settings, short=False)
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        for server in (self.exporter, self.telegram, self.slack, self.email, self.service):
            self._exits.enter_context(server)
        self.exporter.add("metronome")
        self.say("metronome", "up", 0)
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._exits.close()

    def start(self, name: str) -> None:
        if name != "exporter":
            super().start(name)

    def wait_ready(self, name: str, timeout: float = 60) -> None:
        if name != "exporter":
            super().wait_ready(name, timeout)

    def _init(self) -> None:
        super()._init()
        self._edit("prometheus/prometheus.yml", self._faster_prometheus)
        self._edit("alertmanager/alertmanager.yml", lambda config: faster(config["route"]))

    def _faster_prometheus(self, config: dict[str, Any]) -> None:
        self._shorten_prometheus(config)
        config["global"] |= {"scrape_interval": TICK, "scrape_timeout": TICK, "evaluation_interval": TICK}
        for job in config["scrape_configs"]:
            job["scrape_interval"] = job["scrape_timeout"] = TICK
        (pattern,) = config["rule_files"]
        for path in Path(pattern).parent.glob("*.yml"):
            rules = yaml.safe_load(path.read_text())
            for group in rules["groups"]:
                for rule in group["rules"]:
                    _shorten_ages(rule)
            path.write_text(yaml.safe_dump(rules, allow_unicode=True))

    def say(self, bot: str, metric: str, value: float) -> None:
        """A reading of a bot, from now on."""
        self.exporter.set(f"trading_bot_{metric}", value, bot=bot)

    def alerts(self, bot: str) -> dict[str, str]:
        """Alertmanager's alerts of a bot, by name the state."""
        url, filters = f"{self.url('alertmanager')}/api/v2/alerts", {"filter": f'bot="{bot}"'}
        answer = requests.get(url, params=filters, auth=self.auth("alertmanager"), timeout=10).json()
        return {alert["labels"]["alertname"]: alert["status"]["state"] for alert in answer}

    def acknowledge(self, bot: str, condition: str, severity: str = "critical") -> None:
        """What a person does who follows the message's link."""
        wait_for(f"Alertmanager knows of {bot}", lambda: self.alerts(bot))
        page = f"{self.url('responder')}/acknowledge?condition={condition}&bot={bot}&severity={severity}"
        password = (self.folder / ".stack" / "out" / "responder" / "password").read_text()
        with requests.Session() as person:
            for address, given in ((f"{self.url('responder')}/login", {"password": password}), (page, {"name": "Ann"})):
                token = re.search(r'name="csrf_token" value="([^"]+)"', person.get(address, timeout=20).text)
                assert token, address
                answer = person.post(address, data={"csrf_token": token[1], **given}, timeout=20)
                answer.raise_for_status()
        assert "✓ Ann</strong> acknowledged" in answer.text, answer.text

    def told(self, role: str, bot: str) -> dict[str, int]:
        """How often the contact of a role was told of a bot, by channel."""
        sent = [(unquote(request.path), words(json.loads(request.body))) for request in self.service.messages]
        counts = {
            channel: sum(
                path.startswith(f"/{channel}/{number(role, channel)}") and mentions(body, bot) for path, body in sent
            )
            for channel in ("phone", "sms")
        }
        address = CONTACTS[role][0]["email"]
        counts["email"] = sum(address in mail.recipients and mentions(mail.text, bot) for mail in self.email.messages)
        return {channel: count for channel, count in counts.items() if count}

    def wait_told(self, role: str, bot: str, *channels: str) -> None:
        """Waits until the contact of a role was told of a bot, once by each of these channels and by no other."""
        wait_for(f"{role} hears of {bot} by {channels}", lambda: self.told(role, bot) == dict.fromkeys(channels, 1), 60)

    def outlast(self, flushes: int = 2) -> None:
        """Waits for so many cooldowns of five minutes: those of a bot that is down all the time, and told each time."""

        def told() -> int:
            return sum("metronome" in message["text"] for message in self.telegram.messages)

        before = told()
        wait_for(f"{flushes} cooldowns", lambda: told() > before + flushes, 60 + 10 * flushes)


def _shorten_ages(rule: dict[str, Any]) -> None:
    for key in ("for", "keep_firing_for"):
        if key in rule:
            rule[key] = f"{round(seconds(rule[key]) / SCALE * 1000)}ms"
    if rule.get("record") == AGES:
        # One row after the other: `… * 0 + 600`.
        rule["expr"], rows = re.subn(r"\* 0 \+ (\d+)\b", lambda m: f"* 0 + {int(m[1]) / SCALE:g}", rule["expr"])
        assert rows == rule["expr"].count("condition:firing_since"), "the table of ages has another form"
