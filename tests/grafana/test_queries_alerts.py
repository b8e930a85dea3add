"""What the queries of the boards on alerts and the stack answer, on a real Prometheus engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.grafana.evaluate import IS_NUMBER, Case, evaluate, queries

ALERTS, STACK = (queries(f"trading-bot-{name}") for name in ("alerts", "stack"))
DOWN = 'alertname="BotDown",bot="a",condition="bot_down",severity="critical"'
DISK = 'alertname="HighDiskUsage",condition="high_disk_usage",severity="warning",path="/data"'


def _incident() -> dict[str, str]:
    """A bot is down from minute 10 on, Anna looks after it from minute 20 on; a disk fills up; a bot needs no bot."""
    of_down = DOWN.replace("alertname", "alert")
    step = f'{of_down},alertname="EscalationNoResponse",escalation="step_1",role="manager"'
    last = f'{of_down},alertname="EscalationBotDown",escalation="system_down",role="emergency_contact"'
    return {
        f'ALERTS{{{DOWN},alertstate="firing"}}': "_x10 1x90",
        f"ALERTS_FOR_STATE{{{DOWN}}}": "_x10 600x90",
        f"alert:firing_since:timestamp_seconds{{{DOWN}}}": "_x10 600x90",
        f'ALERTS{{{step},alertstate="firing"}}': "_x30 1x70",
        f"ALERTS_FOR_STATE{{{step}}}": "_x30 1800x70",
        f'ALERTS{{{last},alertstate="firing"}}': "_x15 1x85",
        f"ALERTS_FOR_STATE{{{last}}}": "_x15 900x85",
        f'ALERTS{{{DISK},alertstate="firing"}}': "1x100",
        f"ALERTS_FOR_STATE{{{DISK}}}": "0x100",
        'trading_bot_acknowledged_timestamp_seconds{bot="a",by="Anna",condition="bot_down",severity="critical"}': (
            "_x20 1200x80"
        ),
        'bot:last_alive:timestamp_seconds{bot="a"}': "540x100",
        'bot:threshold{bot="a",threshold="bot_down_time",severity="critical"}': "60x100",
        'bot:threshold{threshold="disk_usage",severity="warning"}': "0.8x100",
        'trading_bot_host_disk_usage_ratio{path="/data"}': "0.85x100",
        'trading_bot_host_disk_usage_ratio{path="/"}': "0.2x100",
    }


def test_an_incident_has_value_limit_age_and_who_looks_after_it(tmp_path: Path) -> None:
    down = DOWN
    # One without a bot has a link to all bots.
    disk = 'about="/data",bot="All",' + DISK.replace(',path="/data"', "")
    oldest = disk.replace('bot="All",', "")
    of_down = 'alert="BotDown",bot="a",condition="bot_down",severity="critical"'
    ladder = 'alert="BotDown",bot="a",severity="critical"'
    cases: list[Case] = [
        ("Firing A", "15m", {"{}": 1}),
        ("Firing B", "15m", {"{}": 1}),
        ("Nobody looks after A", "15m", {"{}": 2}),
        ("Nobody looks after A", "25m", {"{}": 1}),
        ("Longest unanswered A", "25m", {f"{{{oldest}}}": 1500}),
        ("Escalated A", "12m", {"{}": 0}),
        ("Escalated A", "18m", {"{}": 1}),
        # Acknowledged ones go on as conditions, but tell nobody.
        ("Escalated A", "35m", {"{}": 0}),
        ("Escalations C", "18m", {f'{{escalation="system_down",role="emergency_contact",{of_down}}}': 1}),
        ("Escalations C", "25m", {f'{{escalation="system_down",role="emergency_contact",{of_down}}}': 0}),
        ("Escalations over time A", "18m", {f'{{escalation="system_down",{ladder}}}': 1}),
        ("Escalations over time A", "25m", {f'{{escalation="system_down",{ladder}}}': 2}),
        ("Firing now A", "25m", {f"{{{down}}}": 1, f"{{{disk}}}": 1}),
        # Critical ones first.
        ("Firing now B", "25m", {f"{{{down}}}": 1, f"{{{disk}}}": 2}),
        ("Firing now C", "25m", {f"{{{down}}}": 900, f"{{{disk}}}": 1500}),
        ("Firing now D", "15m", {}),
        ("Firing now D", "25m", {f'{{by="Anna",{down}}}': 1200000}),
        ("Firing now E", "35m", {f"{{{down}}}": 2}),
        ("Firing now F", "25m", {f'{{measured="960 s",{down}}}': 1, f'{{measured="85 %",{disk}}}': 1}),
        ("Firing now G", "25m", {f'{{limit="60 s",{down}}}': 1, f'{{limit="80 %",{disk}}}': 1}),
    ]
    evaluate(tmp_path, ALERTS, _incident(), cases)


def test_nobody_looks_after_nothing(tmp_path: Path) -> None:
    """None is 0 where rules are evaluated, and unknown where none is."""
    rules = {'bot:threshold{bot="a",threshold="bot_down_time",severity="critical"}': "60x100"}
    evaluate(
        tmp_path,
        ALERTS,
        rules,
        [
            ("Firing A", "30m", {"{}": 0}),
            ("Nobody looks after A", "30m", {"{}": 0}),
            (f"Longest unanswered A{IS_NUMBER}", "30m", {"{}": 0}),
            ("Firing now A", "30m", {}),
            # A timeline has no empty state: a row says it.
            ("Alerts over time A", "30m", {'{alertname="no alert known"}': 0}),
            ("Escalations over time A", "30m", {'{alert="no escalation known"}': 0}),
        ],
    )
    names = ("Firing A", "Nobody looks after A", "Longest unanswered A", "Escalated A")
    evaluate(tmp_path, ALERTS, {"other": "1x100"}, [(name, "30m", {}) for name in names])


def test_marks_are_found_from_a_step_before_their_alert(tmp_path: Path) -> None:
    """Grafana's steps are coarse, and the newest may be a quarter of an hour ago. The value is the time in ms."""
    of_it = '{alertname="BotDown",bot="a",severity="critical"}'
    wanted: dict[str, dict[str, float]] = {"8m": {}, "9m": {of_it: 600000}, "12m": {of_it: 600000}}
    for name in ("Alerts: critical", "Alerts: critical (target)"):
        evaluate(tmp_path, ALERTS, _incident(), [(name, at, expected) for at, expected in wanted.items()])


def test_an_escalation_that_was_acknowledged_ends_so(tmp_path: Path) -> None:
    """The acknowledgement's series ends with the alert, what the minute had of the escalation a little later."""
    last = f'{DOWN.replace("alertname", "alert")},alertname="EscalationBotDown",escalation="system_down"'
    series = {
        f'ALERTS{{{last},alertstate="firing"}}': "_x10 1x20 stale",
        f"ALERTS_FOR_STATE{{{last}}}": "_x10 600x20 stale",
        'trading_bot_acknowledged_timestamp_seconds{bot="a",by="Anna",condition="bot_down",severity="critical"}': (
            "_x10 1200x19 stale"
        ),
    }
    of_it = '{alert="BotDown",bot="a",escalation="system_down",severity="critical"}'
    cases: list[Case] = [("Escalations over time A", f"{minute}m", {of_it: 2}) for minute in range(25, 31)]
    evaluate(tmp_path, ALERTS, series, [*cases, ("Escalations over time A", "35m", {of_it: 0})])


def test_past_alerts_are_quiet_between_incidents(tmp_path: Path) -> None:
    series = {
        f'ALERTS{{{DOWN},alertstate="firing"}}': "_x10 1x5 stale _x20 1x5 stale",
        f"ALERTS_FOR_STATE{{{DOWN}}}": "_x10 600x5 stale _x20 2220x5 stale",
    }
    of_it = '{alertname="BotDown",bot="a"}'
    cases: list[Case] = [
        # Chosen are the alerts of all the time shown, so that each has its line from the first step on.
        ("Alerts over time A", "12m", {of_it: 3}),
        ("Alerts over time A", "25m", {of_it: 0}),
        ("Alerts over time A", "40m", {of_it: 3}),
    ]
    evaluate(tmp_path, ALERTS, series, cases)


@pytest.mark.parametrize(
    ("name", "most", "labels", "escalation"),
    [
        pytest.param("Alerts over time A", 20, 'alertname="A{:02}"', "", id="alerts"),
        pytest.param("Escalations over time A", 12, 'alert="A{:02}",escalation="step"', "step", id="escalations"),
    ],
)
def test_of_many_those_that_lasted_longest_have_a_band(
    tmp_path: Path, name: str, most: int, labels: str, escalation: str
) -> None:
    series, wanted = {}, dict[str, float]()
    for n in range(most + 5):
        of_it = f'{labels.format(n)},bot="a",severity="critical"'
        series[f'ALERTS{{{of_it},condition="c{n}",alertstate="firing"}}'] = f"_x{n} 1x{60 - n}"
        series[f'ALERTS_FOR_STATE{{{of_it},condition="c{n}"}}'] = f"_x{n} {n * 60}x{60 - n}"
        if n < most:
            wanted["{" + (of_it if escalation else of_it.replace(',severity="critical"', "")) + "}"] = (
                1 if escalation else 3
            )
    evaluate(tmp_path, ALERTS, series, [(name, "60m", wanted)])


def test_messages_are_counted_where_they_are_sent(tmp_path: Path) -> None:
    series = {
        'alertmanager_notification_requests_total{integration="telegram"}': "0x5 5x100",
        'alertmanager_notification_requests_failed_total{integration="telegram"}': "0x5 2x100",
        'alertmanager_notifications_failed_total{integration="telegram"}': "0x5 1x100",
        'alertmanager_notification_requests_total{integration="webhook"}': "0x5 1x100",
        'alertmanager_notification_requests_failed_total{integration="webhook"}': "0x100",
        'alertmanager_notification_requests_total{integration="pagerduty"}': "0x100",
        'trading_bot_responder_deliveries_total{channel="webhook",result="failed"}': "0x5 3x100",
        'trading_bot_responder_deliveries_total{channel="webhook",result="delivered"}': "0x100",
        'trading_bot_responder_deliveries_waiting{channel="webhook"}': "1x100",
    }
    cases: list[Case] = [
        # Exact in its step, and only there.
        ("Messages over time A", "6m", {'{channel="telegram"}': 3, '{channel="webhook"}': 1}),
        ("Messages over time B", "6m", {'{channel="telegram"}': 2, '{channel="own"}': 3}),
        ("Messages over time A", "7m", {}),
        # Those of the last minute, too.
        ("Messages in the time shown A", "6m", {"{}": 4}),
        ("Messages in the time shown B", "6m", {"{}": 5}),
        ("Messages in the time shown C", "6m", {"{}": 1}),
        ("By channel A", "60m", {'{channel="telegram"}': 5, '{channel="webhook"}': 1, '{channel="own"}': 3}),
        ("By channel C", "60m", {'{channel="telegram"}': 2, '{channel="webhook"}': 0, '{channel="own"}': 3}),
        ("By channel E", "60m", {'{channel="own"}': 1}),
        ("Failing most A", "60m", {'{channel="own"}': 1}),
    ]
    evaluate(tmp_path, ALERTS, series, cases)


def test_the_stack_tells_what_is_down(tmp_path: Path) -> None:
    series = {
        'up{job="exporter",instance="e"}': "1x30 0x70",
        'up{job="prometheus",instance="p"}': "1x100",
        'up{job="bot",instance="a"}': "1x30 0x70",
        'ALERTS{alertname="Watchdog",alertstate="firing",severity="none"}': "1x30 stale",
    }
    cases: list[Case] = [
        ("Components A", "20m", {"{}": 0}),
        ("Components B", "20m", {"{}": 2}),
        ("Watchdog A", "20m", {"{}": 1}),
        ("Components A", "40m", {"{}": 1}),
        ("Collecting A", "40m", {"{}": 2}),
        ("Watchdog A", "40m", {"{}": 0}),
        ("Each component A", "40m", {'{job="exporter",instance="e"}': 0, '{job="prometheus",instance="p"}': 1}),
    ]
    evaluate(tmp_path, STACK, series, cases)


def test_nothing_is_green_where_prometheus_sees_nothing(tmp_path: Path) -> None:
    names = ("Components A", "Rules A", "Collecting A", "Collecting B", "Telling A", "Telling B", "Watchdog A")
    evaluate(tmp_path, STACK, {"other": "1x100"}, [(name, "30m", {}) for name in names])
