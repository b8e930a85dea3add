"""Nobody answers: each contact is told in time, by their channels, once; and nobody after an acknowledgement.

Prometheus with the real rules, Alertmanager with the rendered routes, the responder, and a service for SMS and calls
that takes what it is sent. Bots in pairs begin at once: of one somebody answers.
"""

from __future__ import annotations

from tests.e2e.ladder import ROLES, Ladder
from tests.e2e.side_by_side import side_by_side
from tests.stack import wait_for


def only(ladder: Ladder, bot: str, *roles: str) -> None:
    """Nobody but these roles was told of a bot."""
    assert {role for role in ROLES if ladder.told(role, bot)} == set(roles), bot


@side_by_side
def test_step_after_step_until_somebody_answers(ladder: Ladder) -> None:
    """A critical alert: the manager by no_response, then the technical lead, then the emergency contact."""
    bots = ("nobody-answers", "answered-at-once", "answered-late")
    for bot in bots:
        ladder.exporter.add(bot)
        ladder.say(bot, "network_latency_seconds", 5)
    ladder.acknowledge("answered-at-once", "high_network_latency")
    for bot in ("nobody-answers", "answered-late"):
        ladder.wait_told("manager", bot, "phone", "sms")
    only(ladder, "nobody-answers", "manager")
    ladder.acknowledge("answered-late", "high_network_latency")
    ladder.wait_told("technical_lead", "nobody-answers", "phone", "email")
    only(ladder, "nobody-answers", "manager", "technical_lead")
    ladder.wait_told("emergency_contact", "nobody-answers", "phone", "sms", "email")
    ladder.wait_told("manager", "nobody-answers", "phone", "sms")
    ladder.outlast()
    ladder.wait_told("technical_lead", "nobody-answers", "phone", "email")
    ladder.wait_told("emergency_contact", "nobody-answers", "phone", "sms", "email")
    only(ladder, "nobody-answers", "manager", "technical_lead", "emergency_contact")
    only(ladder, "answered-at-once")
    only(ladder, "answered-late", "manager")
    ladder.wait_told("manager", "answered-late", "phone", "sms")


@side_by_side
def test_a_bot_that_stays_down(ladder: Ladder) -> None:
    """After ten minutes: the manager, for that is when BotDown escalates, and at once the emergency contact."""
    for bot in ("stays-down", "down-but-answered"):
        ladder.exporter.add(bot)
        ladder.say(bot, "up", 0)
    ladder.acknowledge("down-but-answered", "bot_down")
    ladder.wait_told("manager", "stays-down", "phone", "sms")
    ladder.wait_told("emergency_contact", "stays-down", "phone", "sms", "email")
    ladder.outlast()
    ladder.wait_told("manager", "stays-down", "phone", "sms")
    ladder.wait_told("emergency_contact", "stays-down", "phone", "sms", "email")
    only(ladder, "down-but-answered")


@side_by_side
def test_a_drawdown_far_beyond_its_limit(ladder: Ladder) -> None:
    """The risk manager, after five minutes."""
    for bot in ("falls", "falls-but-answered"):
        ladder.exporter.add(bot)
        ladder.say(bot, "drawdown_ratio", 0.12)
    ladder.acknowledge("falls-but-answered", "high_drawdown")
    for bot in ("falls", "falls-but-answered"):
        ladder.say(bot, "drawdown_ratio", 0.2)
    ladder.wait_told("risk_manager", "falls", "phone", "sms", "email")
    ladder.outlast(4)  # its cooldown is twice as long
    ladder.wait_told("risk_manager", "falls", "phone", "sms", "email")
    only(ladder, "falls-but-answered")


@side_by_side
def test_an_alert_that_keeps_coming_back(ladder: Ladder) -> None:
    """The technical lead, at its third firing within the hour; acknowledged, it isn't told again."""
    bot = "comes-back"
    ladder.exporter.add(bot)
    for firing in range(3):
        only(ladder, bot)
        ladder.say(bot, "up", 0)
        wait_for(f"it fires, {firing + 1}", lambda: "BotDown" in ladder.alerts(bot))
        if firing < 2:
            ladder.say(bot, "up", 1)
            wait_for(f"it ends, {firing + 1}", lambda: not ladder.alerts(bot))
    ladder.wait_told("technical_lead", bot, "phone", "email")
    ladder.outlast()
    ladder.acknowledge(bot, "bot_down")
    wait_for("all of it is held back", lambda: set(ladder.alerts(bot).values()) == {"suppressed"})
    ladder.outlast()
    assert ladder.told("technical_lead", bot) == {"phone": 1, "email": 1}


@side_by_side
def test_a_warning_is_told_the_manager_by_email_alone(ladder: Ladder) -> None:
    """HighMemoryUsage, after ten minutes."""
    for bot in ("warns", "warns-but-answered"):
        ladder.exporter.add(bot)
        ladder.say(bot, "memory_usage_ratio", 0.85)
    ladder.acknowledge("warns-but-answered", "high_memory_usage", "warning")
    ladder.wait_told("manager", "warns", "email")
    ladder.outlast()
    ladder.wait_told("manager", "warns", "email")
    only(ladder, "warns", "manager")
    only(ladder, "warns-but-answered")
