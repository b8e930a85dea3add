"""The alerts of the golden messages: those of our rules, by promtool's tests, of bots with all sorts of names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

import yaml

from tests.alertmanager.harness import ROOT

BEGIN = dt.datetime(2025, 1, 15, 8, 33, 27, tzinfo=dt.UTC)
END = BEGIN + dt.timedelta(minutes=47, seconds=13)

# Names that no bot should have, by what they try.
HOSTILE = {
    "html": "<script>alert(1)</script><b onclick=x>&amp;\"'",
    "slack": "<!channel> <@U024BE7LH> *bold* _it_ ~gone~ `code` & <http://evil.example.org|Acknowledge>",
    "discord": "@everyone @here <@12345678901234567> <@&42> <#7> **bold** [Silence](http://evil.example.org) # > || \\",
    "template": "{{ .Labels }} %s $1 ${1} \\u0040 `id` \"double\" 'single'",
    "lines": "first\nFIRING\r\n\tthird\x00\x07\x1b[31m\x85\u2028last",
    "emoji": "🤖👩‍👩‍👧 ünïcödé 日本語 \u202emoc.live\u2066 עברית \u200f\ufeff",
    "url": 'a&severity=info&bot=other#")|>/../?x=%0d%0aSet-Cookie: y',
    "long": "x" * 10_000,
    "long_markup": "<&\"'*_@`" * 1_250,
    "long_emoji": "🤖" * 3_000,
    "name": "a_very_long_name_of_a_bot_without_any_space_in_it_that_goes_on_and_on_and_on_and_on_and_on",
}


@dataclass(frozen=True)
class Kind:
    """Alerts that are one message; `over` makes it the end of them. Matched by the labels that all have."""

    alerts: tuple[Mapping[str, Any], ...]
    over: bool = False

    @property
    def matchers(self) -> dict[str, str]:
        """What tells these alerts from those of the other kinds."""
        first, *others = [alert["labels"] for alert in self.alerts]
        names = ("alertname", "bot", "escalation")
        return {name: first.get(name, "") for name in names if all(first.get(name) == o.get(name) for o in others)}


def kinds() -> dict[str, Kind]:
    """Every kind of message, by the name of its files."""
    down, dead = from_rules("messages", "BotDown")[0], "grid-eth"
    no_response = [a for a in from_rules("messages", "EscalationNoResponse") if a["labels"]["bot"] == "grid-btc"]
    report = from_rules("messages_report", "DailySummary")
    disks = from_rules("host", "HighDiskUsage")
    step_2 = no_response[1]
    later = (BEGIN + dt.timedelta(minutes=3)).isoformat()
    warnings = [disk for disk in disks if disk["labels"]["severity"] == "warning"]
    own = {"alertname": "FundingRate", "severity": "warning", "pair": "BTC/USDT"}
    texts = {"summary": "Funding costs more than the trades earn.", "description": "0.11 % for 8 hours, limit 0.05 %."}
    return {
        "critical": Kind((down,)),
        "warning": Kind(from_rules("messages", "LowWinRate")),
        "info": Kind(from_rules("messages", "BotStopped")),
        "milestone": Kind(from_rules("messages", "MilestoneReached")),
        "resolved": Kind((renamed(down, dead),), over=True),
        "resolved_after_long": Kind((told_over(renamed(down, "grid-sol")),)),
        "escalation_resolved_after_long": Kind((told_over(renamed(step_2, "grid-sol")),)),
        "report": Kind(report),
        "report_of_60": Kind(tuple(weekly(renamed(report[0], f"grid-{number:02}")) for number in range(60))),
        "escalation": Kind((step_2,)),
        "escalation_drawdown": Kind(from_rules("messages", "EscalationDrawdown")),
        "escalation_resolved": Kind((renamed(step_2, dead),), over=True),
        "host_disks": Kind((warnings[0], {**warnings[1], "startsAt": later})),
        "own": Kind(({"labels": own, "annotations": texts},)),
        "bare": Kind(({"labels": {"alertname": "Bare", "shelf": "<7>"}, "annotations": {}},)),
        "hostile_everywhere": Kind((everywhere("<&\"'*_@`|>#[]()\\"),)),
        "hostile_quotes": Kind((everywhere('"' * 20),)),
        **{f"hostile_{name}": Kind((renamed(down, bot),)) for name, bot in HOSTILE.items()},
    }


def from_rules(file: str, name: str) -> tuple[dict[str, Any], ...]:
    """The alerts of this name that promtool's first test in a file expects last, as Prometheus sends them."""
    document = yaml.safe_load((ROOT / "tests" / "rules" / f"{file}.yml").read_text())
    tests = document["tests"][0]["alert_rule_test"]
    expected = [test["exp_alerts"] for test in tests if test["alertname"] == name and test.get("exp_alerts")][-1]
    return tuple(
        {
            "labels": {"alertname": name, **alert["exp_labels"]},
            "annotations": {key: text for key, text in alert["exp_annotations"].items() if text},
        }
        for alert in expected
    )


def renamed(alert: Mapping[str, Any], bot: str) -> dict[str, Any]:
    """The same of another bot, as the rules' templates would write it."""
    old = alert["labels"]["bot"]
    annotations = {key: text.replace(old, bot) for key, text in alert["annotations"].items()}
    annotations["dashboard_url"] = alert["annotations"]["dashboard_url"].replace(old, quote_plus(bot))
    return {"labels": {**alert["labels"], "bot": bot}, "annotations": annotations}


def told_over(alert: Mapping[str, Any]) -> dict[str, Any]:
    """The end of it as the responder tells it, where Alertmanager has forgotten the beginning."""
    annotations = {**alert["annotations"], "lasted": "5 h 3 min", "ended": END.isoformat(), "of": "f1"}
    return {"labels": {**alert["labels"], "over": "late"}, "annotations": annotations}


def everywhere(markup: str) -> dict[str, Any]:
    """All that an alert may say at its longest, each character one that a channel must escape; so are its links."""
    labels = {"alertname": f"Markup{markup * 2}", "condition": "markup", "severity": "critical", "bot": markup * 4}
    texts = dict.fromkeys(("summary", "description", "bot_status", "recommended_actions"), markup * 300)
    address = "http://localhost:3000/" + "a" * 220
    return {"labels": labels, "annotations": {**texts, "dashboard_url": address, "runbook_url": f"{address}b"}}


def weekly(alert: Mapping[str, Any]) -> dict[str, Any]:
    """The same in the report of the week."""
    labels = {**alert["labels"], "alertname": "WeeklySummary", "condition": "weekly_summary"}
    replace = {"24 hours": "7 days", "DailySummary": "WeeklySummary"}
    annotations = dict(alert["annotations"])
    for old, new in replace.items():
        annotations = {key: text.replace(old, new) for key, text in annotations.items()}
    return {"labels": labels, "annotations": annotations}
