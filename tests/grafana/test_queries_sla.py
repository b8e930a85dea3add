"""What the queries of the board on SLA and health answer, on a real Prometheus engine."""

from __future__ import annotations

import re
from pathlib import Path

from tests.grafana.evaluate import IS_NUMBER, Case, evaluate, queries

SLA = queries("trading-bot-sla")
BUDGETS = {'sla:budget:ratio{sla="availability"}': "0.001x100", 'sla:budget:ratio{sla="error_rate"}': "0.001x100"}


def test_what_is_not_measured_is_neither_kept_nor_broken(tmp_path: Path) -> None:
    series = BUDGETS | {
        'bot:maintenance{bot="a"}': "0x100",
        'bot:maintenance{bot="b"}': "0x100",
        'bot_sla:met:bool{bot="a",sla="availability"}': "1x100",
        'bot_sla:met:bool{bot="b",sla="availability"}': "0x100",
        'bot_sla:error_budget_left:ratio{bot="a",sla="availability"}': "0.4x100",
        'bot_sla:error_budget_left:ratio{bot="b",sla="availability"}': "-2x100",
    }
    verdicts: dict[str, float] = {
        '{bot="a",sla="availability"}': 1,
        '{bot="b",sla="availability"}': 0,
        '{bot="a",sla="error_rate"}': 2,
        '{bot="b",sla="error_rate"}': 2,
    }
    cases: list[Case] = [
        ("Promises A", "30m", {"{}": 1}),
        ("Promises B", "30m", {"{}": 1}),
        ("Promises C", "30m", {"{}": 2}),
        ("Promises, one by one A", "30m", dict.fromkeys(verdicts, 0.0)),
        ("Promises, one by one B", "30m", verdicts),
        ("Promises, one by one D", "30m", dict.fromkeys(verdicts, 0.999)),
        ("Error budget left, least A", "30m", {'{bot="b",sla="availability"}': -2}),
        # None runs out: NaN, which says so.
        (f"First budget spent in A{IS_NUMBER}", "30m", {"{}": 0}),
    ]
    evaluate(tmp_path, SLA, series, cases)


def test_without_targets_there_is_no_sla(tmp_path: Path) -> None:
    names = ("Promises A", "Promises C", "Error budget left, least A", "First budget spent in A")
    evaluate(tmp_path, SLA, {'bot:maintenance{bot="a"}': "0x100"}, [(name, "30m", {}) for name in names])


def test_checks_that_failed_have_bands_of_the_two_bots_of_which_most_did(tmp_path: Path) -> None:
    series = {
        # Its network fails first, then its data is old.
        'bot_check:health:bool{bot="a",check="network"}': "1x9 0x4 1x84",
        'bot_check:health:bool{bot="a",check="data_freshness"}': "1x14 0x4 1x29 stale _x49",
        'bot_check:health:bool{bot="a",check="memory"}': "1x99",
        'bot_check:health:bool{bot="b",check="cpu"}': "1x19 0x3 1x75",
        'bot_check:health:bool{bot="c",check="cpu"}': "1x24 0 1x74",
    }
    # The query as it is for an hour from 0: what an instant query takes for the end is the end of that hour.
    hour = {"bands": SLA["Failed checks over time A"].replace("@ end()", "@ 3600")}

    def bands(network: float, data: float, cpu: float) -> dict[str, float]:
        names = ('bot="a",check="network"', 'bot="a",check="data_freshness"', 'bot="b",check="cpu"')
        return {f"{{{name}}}": value for name, value in zip(names, (network, data, cpu), strict=True)}

    cases: list[Case] = [
        ("bands", "5m", bands(0, 0, 0)),
        ("bands", "12m", bands(1, 0, 0)),
        ("bands", "17m", bands(0, 1, 0)),
        ("bands", "22m", bands(0, 0, 1)),
        ("bands", "59m", bands(0, 0, 0)),
    ]
    evaluate(tmp_path, hour, series, cases)
    passed = dict.fromkeys(series, "1x99")
    evaluate(tmp_path, hour, passed, [("bands", "30m", {'{bot="no failed check known"}': 0})])


def test_of_many_bots_the_illest_have_a_band_also_while_nobody_judges_them(tmp_path: Path) -> None:
    series = {}
    for n in range(14):
        bot = f'bot="{n:02}"'
        series[f"bot:health:bool{{{bot}}}"] = f"1x20 0x{20 - n} 1x{n + 20} stale"
        series[f'bot_check:health:bool{{{bot},check="cpu"}}'] = f"1x20 0x{20 - n} 1x{n + 20} stale"
        series[f"bot:status:code{{{bot}}}"] = "8x60 6x60"
    shown = [f'{{bot="{n:02}"}}' for n in range(12)]
    name = "Health over time A"
    cases: list[Case] = [(name, "60m", dict.fromkeys(shown, 1.0)), (name, "90m", dict.fromkeys(shown, -1.0))]
    evaluate(tmp_path, SLA, series, cases)
    hour = {name: SLA[name].replace("@ end()", "@ 5400")}
    evaluate(tmp_path, hour, series, [(name, "21m", dict.fromkeys(shown, 0.0))])


def test_the_health_of_bots_that_never_failed_is_shown(tmp_path: Path) -> None:
    """One was stopped on purpose; nobody judges it."""
    series = {
        'bot:status:code{bot="a"}': "8x100",
        'bot:status:code{bot="b"}': "6x100",
        'bot:health:bool{bot="a"}': "1x100",
    }
    evaluate(tmp_path, SLA, series, [("Health over time A", "60m", {'{bot="a"}': 1, '{bot="b"}': -1})])
    evaluate(tmp_path, SLA, {"other": "1x100"}, [("Health over time A", "60m", {'{bot="no bot known"}': -1})])


def test_a_short_failure_between_two_steps_of_weeks_is_not_called_none(tmp_path: Path) -> None:
    weeks = {"bands": re.sub(r"\b60s", "7200s", SLA["Failed checks over time A"])}
    series = {'bot_check:health:bool{bot="a",check="cpu"}': "1x69 0 1x200"}
    evaluate(tmp_path, weeks, series, [("bands", "4h", {'{bot="a",check="cpu"}': 0})])
    during = {"bands": weeks["bands"].replace("@ end()", "@ 14400")}
    evaluate(tmp_path, during, series, [("bands", "0h", {'{bot="a",check="cpu"}': 1})])


def test_suggestions_have_a_text_with_its_unit(tmp_path: Path) -> None:
    about = 'bot="a",category="x",priority="high"'
    series = {
        f'bot_suggestion:measured:value{{{about},suggestion="win_rate",action="analyze_losing_trades"}}': "0.3333x100",
        f'bot_suggestion:measured:value{{{about},suggestion="trades_per_hour",action="review"}}': "0.2x100",
    }
    told: dict[str, float] = {
        '{action="analyze_losing_trades",bot="a",measured="33.33 %",priority="high",suggestion="win_rate"}': 1,
        '{action="review",bot="a",measured="0.2 an hour",priority="high",suggestion="trades_per_hour"}': 1,
    }
    evaluate(tmp_path, SLA, series, [("Suggestions, one by one A", "30m", told)])
