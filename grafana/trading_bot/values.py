"""Values, and columns of tables, that more than one panel of the dashboard shows."""

from __future__ import annotations

from grafana import promql, style
from grafana.promql import current
from grafana.style import set_
from grafana.tables import Label, coloured_text, named

# The share of its limit that a drawdown has used up.
LIMIT_STEPS = ((0.5, style.INFO), (0.8, style.WARNING), (1.0, style.CRITICAL))

RESULTS = {"win": style.SUCCESS, "loss": style.ORANGE, "draw": style.INFO}
NO_TRADES = "no closed trades yet"
# Green from nothing lost on, orange below: a loss is no failure, so it isn't red.
PROFIT = style.steps(style.ORANGE, (0, style.SUCCESS))
# The row's currency; a bot that states none shows in each such row.
CURRENCY = ',currency=~"$currency|"'

DRAWDOWN = current("trading_bot_drawdown_ratio")
OF_LIMIT = f"{DRAWDOWN} / on (bot) {promql.DRAWDOWN_LIMIT}"
TRADES = current("trading_bot_trades_total", by="bot, result")

# A click on a bot's name shows that bot alone.
BOT = Label(
    "Bot",
    "bot",
    [
        set_("custom.minWidth", 120),
        set_(
            "links",
            [
                {
                    "title": "Only ${__value.text}",
                    "url": "/d/trading-bot?var-bot=${__value.raw:percentencode}"
                    "&${datasource:queryparam}&${exchange:queryparam}&${__url_time_range}",
                }
            ],
        ),
    ],
)
MODE = Label(
    "Mode",
    "mode",
    [
        *coloured_text(),
        named({mode: (mode.replace("_", " "), colour) for mode, colour in style.MODES.items()}),
        set_("custom.width", 75),
    ],
)
