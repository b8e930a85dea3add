"""What the queries of the board on SLA and health answer, on a real Prometheus engine."""

from __future__ import annotations

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
