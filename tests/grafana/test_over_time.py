"""What timelines and their choices answer over the time shown, asked as Grafana asks: both ends at full steps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from past import promtool, record
from tests.bench.month import BINARIES, ask
from tests.grafana.dashboards import FILES, VALUES, expressions, load, panels, substituted

MINUTE, HOUR, DAY = 60, 3600, 86400
# A month's last full step, and 100 minutes of what came since.
END = 1_700_006_400
NOW = END + 100 * MINUTE
MONTH = 30 * DAY
STEPS = {HOUR: 60, DAY: 300, MONTH: 7200}
RULES = 'instance="p",job="prometheus",rule_group="/{};{}"'
assert END % STEPS[MONTH] == 0
RED, GREEN, CLEAR = "#e74c3c", "#2ecc71", "#00000000"


def _series(head: str, value: float, start: int, end: int, step: int = MINUTE) -> str:
    return "".join(f"{head} {value} {time}\n" for time in range(start // step * step, end + 1, step))


def _health(bot: str, start: int, end: int, ill: tuple[int, int] = (0, 0), checks: tuple[str, ...] = ("cpu",)) -> str:
    """A bot's recorded health, with a time in which these checks failed."""
    text = ""
    for name, step in (("bool", 60), ("every5m", 300)):
        head = f'bot:health:{name}{{bot="{bot}"}}'
        text += "".join(
            f"{head} {int(not ill[0] <= time < ill[1])} {time}\n" for time in range(start // step * step, end + 1, step)
        )
    return text + "".join(
        _series(f'bot_check:health:failed{{bot="{bot}",check="{check}"}}', 0, ill[0], ill[1] - 1)
        for check in checks
        if any(ill)
    )


def _alert(name: str, bot: str, start: int, end: int) -> str:
    series = "alert:active_since_timestamp_seconds:max1m"
    about = f'bot="{bot}",condition="{name}",severity="critical"'
    beginning = _series(f'{series}{{alertname="{name}",{about}}}', start, start, end)
    return beginning + _series(f'{series}{{alertname="E",alert="{name}",escalation="step",{about}}}', start, start, end)


def _data() -> Iterator[str]:
    yield _health("new", NOW - HOUR, NOW, (NOW - HOUR, NOW + 1))
    yield _alert("BotDown", "new", NOW - HOUR, NOW)
    yield _series('bot:health:bool{bot="newest"}', 0, NOW - 2 * MINUTE, NOW)
    yield _series('bot_check:health:failed{bot="newest",check="cpu"}', 0, NOW - 2 * MINUTE, NOW)
    for number in range(22):
        yield _alert(f"Old{number:02}", "old", NOW - 20 * DAY, NOW - 20 * DAY + (20 + number) * MINUTE)
    # Stopped on purpose after they had been ill.
    for number in range(12):
        yield _health(f"parked-{number:02}", NOW - 5 * HOUR, NOW - 2 * HOUR, (NOW - 5 * HOUR, NOW - 2 * HOUR))
    yield _health("gone", NOW - 20 * DAY, NOW - 10 * DAY)
    short = END - 5 * DAY + 50 * MINUTE
    yield _health("short", NOW - 10 * DAY, NOW, (short, short + MINUTE))
    # The disk of the host was too full for a day.
    yield _series('bot_check:health:failed{check="disk"}', 0, NOW - 25 * DAY, NOW - 24 * DAY)
    for number in range(14):
        ill = (NOW - 4 * HOUR, NOW - 4 * HOUR + (15 - number) * 10 * MINUTE)
        yield _health(
            f"many-{number:02}", NOW - 6 * HOUR, NOW, ill, ("cpu", "memory", "network") if number == 9 else ("cpu",)
        )
    for number in range(12):
        begun = NOW - (5 * MINUTE if number == 11 else 3 * HOUR)
        left = f'bot_sla:error_budget_left:ratio{{bot="sla-{number:02}",sla="availability"}}'
        yield _series(left, round(0.9 - number / 20, 2), begun, NOW, 240)
    yield _series(
        'bot_sla:error_budget_left:ratio{bot="past",sla="availability"}', 0.5, NOW - 5 * DAY, NOW - 3 * DAY, 240
    )
    for number in (*range(8), 9):
        # The group's file was renamed half an hour ago.
        files = [("a", NOW - 2 * HOUR, NOW - HOUR // 2), ("b", NOW - HOUR // 2, NOW)]
        for file, start, end in files if number == 9 else [("a", NOW - 2 * HOUR, NOW)]:
            of_it = RULES.format(file, f"group-{number}")
            yield _series(f"prometheus_rule_group_last_duration_seconds{{{of_it}}}", number + 1, start, end, 15)
            yield _series(f"prometheus_rule_group_interval_seconds{{{of_it}}}", 20, start, end, 15)
    # The scraping job had another name until half an hour ago.
    for job, start, end in (("old", NOW - 2 * HOUR, NOW - HOUR // 2), ("prometheus", NOW - HOUR // 2, NOW)):
        of_it = RULES.format("a", "group-8").replace('job="prometheus"', f'job="{job}"')
        yield _series(f"prometheus_rule_group_last_duration_seconds{{{of_it}}}", 9, start, end, 15)
        yield _series(f"prometheus_rule_group_interval_seconds{{{of_it}}}", 20, start, end, 15)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("over-time")
    lines = folder / "data.om"
    lines.write_text("".join(_data()) + "# EOF\n")
    promtool.blocks(BINARIES, lines, folder / "data", 1000)
    with record.prometheus(BINARIES, folder / "data") as url:
        yield url


def _ask(url: str, panel: str, seconds: int, bot: str) -> dict[str, dict[int, float]]:
    """What a panel's query gives over the last so many seconds: labels without names, as text → time → value."""
    step = STEPS[seconds]
    values = VALUES | {"bot": bot, "__range": f"{seconds}s", "__interval": f"{step}s"}
    (expression,) = (text for file in FILES for where, text in expressions(load(file)) if where == panel)
    return {
        " ".join(value for _, value in sorted(series["metric"].items())): {
            int(time): float(value) for time, value in series["values"]
        }
        for series in ask(url, substituted(expression, values), (NOW - seconds, NOW, step))
    }


def test_what_began_since_the_last_full_step_is_shown(prometheus: str) -> None:
    for panel, row, value in (
        ("Health over time A", "new", 0),
        ("Failed checks over time A", "new cpu", 0),
        ("Alerts over time A", "BotDown new", 3),
        ("Escalations over time A", "BotDown new step critical", 1),
    ):
        rows = _ask(prometheus, panel, MONTH, "new")
        rows.pop("disk", None)
        assert list(rows) == [row], panel
        assert rows[row][END] == value, panel


@pytest.mark.parametrize("seconds", STEPS)
def test_a_bot_judged_since_two_minutes_is_shown(prometheus: str, seconds: int) -> None:
    for panel, row in (("Health over time A", "newest"), ("Failed checks over time A", "newest cpu")):
        rows = _ask(prometheus, panel, seconds, "newest")
        rows.pop("disk", None)
        assert list(rows) == [row]
        assert rows[row][NOW // STEPS[seconds] * STEPS[seconds]] == 0


def test_a_bot_that_is_ill_now_has_its_band_before_those_judged_earlier_only(prometheus: str) -> None:
    assert list(_ask(prometheus, "Health over time A", HOUR, "parked-.*|new")) == ["new"]


def test_health_of_earlier_only_is_not_an_empty_chart(prometheus: str) -> None:
    assert list(_ask(prometheus, "Health over time A", HOUR, "parked-.*")) == ["no bot judged yet"]


def test_of_many_alerts_those_that_fired_longest_are_shown(prometheus: str) -> None:
    for panel, most, new in (
        ("Alerts over time A", 20, "BotDown new"),
        ("Escalations over time A", 12, "BotDown new step critical"),
    ):
        rows = _ask(prometheus, panel, MONTH, "new|old")
        assert new in rows
        old = {row.split()[0] for row in rows if row != new}
        assert old == {f"Old{number:02}" for number in range(23 - most, 22)}


def test_of_many_bots_those_that_were_ill_longest_are_shown(prometheus: str) -> None:
    """However many checks failed at once, and each for all the time shown."""
    rows = _ask(prometheus, "Health over time A", DAY, "many-.*")
    assert set(rows) == {f"many-{number:02}" for number in range(12)}
    assert {len(values) for values in rows.values()} == {len(rows["many-00"])}
    assert set(rows["many-00"].values()) == {0, 1}
    rows = _ask(prometheus, "Failed checks over time A", DAY, "many-.*")
    assert set(rows) == {"many-00 cpu", "many-01 cpu"}
    assert set(rows["many-00 cpu"].values()) == {0}
    # A minute before it ended it was red, and nothing is known after.
    ended = (NOW - 4 * HOUR + 150 * MINUTE) // 300 * 300
    assert max(rows["many-00 cpu"]) == ended


def test_a_minutes_failure_is_seen_in_a_month(prometheus: str) -> None:
    step = END - 5 * DAY
    rows = _ask(prometheus, "Health over time A", MONTH, "short")
    assert (rows["short"][step], rows["short"][step + 7200]) == (0, 1)
    rows = _ask(prometheus, "Failed checks over time A", MONTH, "short")
    assert rows["short cpu"] == {step: 0}
    # The host's disk is everybody's, and only while it was too full.
    assert set(rows) == {"short cpu", "disk"}
    assert NOW - 26 * DAY < min(rows["disk"]) < max(rows["disk"]) < NOW - 23 * DAY


def test_a_bot_that_is_gone_keeps_its_past(prometheus: str) -> None:
    rows = _ask(prometheus, "Health over time A", MONTH, "gone")
    assert set(rows) == {"gone"}
    assert set(rows["gone"].values()) == {1}
    assert max(rows["gone"]) < NOW - 9 * DAY


def test_the_hosts_disk_is_shown_with_any_bot(prometheus: str) -> None:
    assert list(_ask(prometheus, "Failed checks over time A", MONTH, "nobody")) == ["disk"]


@pytest.mark.parametrize(
    ("panel", "row"),
    [
        ("Health over time A", "no bot judged yet"),
        ("Failed checks over time A", "no failed check known"),
    ],
)
@pytest.mark.parametrize("seconds", [HOUR, DAY])
def test_a_timeline_without_anything_says_so(prometheus: str, panel: str, row: str, seconds: int) -> None:
    rows = _ask(prometheus, panel, seconds, "nobody")
    assert list(rows) == [row]
    assert set(rows[row].values()) == {-1}


@pytest.mark.parametrize("seconds", [HOUR, MONTH])
def test_the_budgets_of_which_least_is_left_are_drawn(prometheus: str, seconds: int) -> None:
    """Also one that is measured since minutes: where its first point is due, it has one."""
    rows = _ask(prometheus, "Error budget left A", seconds, "sla-.*")
    drawn = {number for number in range(2, 12) if seconds == HOUR or number < 11}
    assert set(rows) == {f"sla-{number:02} availability" for number in drawn}
    assert rows["sla-05 availability"][NOW // STEPS[seconds] * STEPS[seconds]] == 0.65
    assert set(_ask(prometheus, "Error budget left B", seconds, "sla-.*")) == {""}


def test_where_no_budget_is_drawn_there_is_no_line_that_it_is_spent(prometheus: str) -> None:
    """So that the panel says why."""
    assert not _ask(prometheus, "Error budget left A", MONTH, "past")
    assert not _ask(prometheus, "Error budget left B", MONTH, "past")


def test_the_groups_that_take_longest_are_drawn(prometheus: str) -> None:
    """Also one whose file has another name since."""
    panel = "Rules: time taken, share of the interval A"
    rows = _ask(prometheus, panel, HOUR, ".*")
    assert set(rows) == {f"group-{number}" for number in range(2, 10)}
    assert set(rows["group-9"].values()) == {0.5}
    assert len(rows["group-9"]) == 61
    assert set(rows["group-2"].values()) == {0.15}


def test_what_fails_is_red_and_what_is_well_is_green() -> None:
    (file,) = (file for file in FILES if file.stem == "trading-bot-sla")
    by_title = {panel["title"]: panel for panel in panels(load(file))}
    for title, colours in (
        ("Health over time", {"0": RED, "1": GREEN, "-1": CLEAR}),
        ("Failed checks over time", {"0": RED, "-1": CLEAR}),
    ):
        options = by_title[title]["fieldConfig"]["defaults"]["mappings"][0]["options"]
        assert {value: option["color"] for value, option in options.items()} == colours
