"""Group `bot`: who a bot is and whether it is alive. Scraped every 10 s."""

from __future__ import annotations

from exporter.metrics.families import Families, Family
from exporter.state import STATUSES, BotState

INFO = Family(
    "trading_bot_info",
    "The bot's own name, exchange, strategy, version, mode (live, dry_run, demo) and account currency.",
    ("name", "exchange", "strategy", "version", "mode", "currency"),
)
UP = Family("trading_bot_up", "Whether the bot's source answers: 1, or 0.")
STATE = Family("trading_bot_state", "The bot's state: one of them is 1, the others 0.", ("state",))
START = Family("trading_bot_start_timestamp_seconds", "When the bot's present run began, in Unix seconds.")
LAST_ACTIVITY = Family(
    "trading_bot_last_activity_timestamp_seconds", "When the bot's loop last went round, in Unix seconds."
)
DATA = Family(
    "trading_bot_data_timestamp_seconds",
    "Until when the market data that the bot works on is current, in Unix seconds.",
)
FAMILIES = (INFO, UP, STATE, START, LAST_ACTIVITY, DATA)


def collect(families: Families, name: str, state: BotState | None) -> None:
    """Add a bot's series; of a bot that can't be read, only that it is not up."""
    families.add(UP, 0 if state is None else 1, name)
    if state is None:
        return
    bot = state.bot
    about = (bot.name or name, bot.exchange, bot.strategy, bot.version, bot.mode, bot.currency)
    families.add(INFO, 1, name, *(value or "" for value in about))
    status = bot.status or "unknown"
    for each in STATUSES:
        families.add(STATE, 1 if each == status else 0, name, each)
    families.add(START, bot.started_at, name)
    families.add(LAST_ACTIVITY, bot.last_activity, name)
    families.add(DATA, bot.data_updated_at, name)
