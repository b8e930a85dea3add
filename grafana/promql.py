"""The queries' common parts. `$bot`, `$pair` and `$currency` are the dashboard's variables.

Three rules hold for all of them:
- The exporter's series may come from more than one target for a while (a move, a shard), so each begins with `max by`.
- The newest value of up to 5 minutes is taken, which hides a missed scrape; but only of a bot that answers now
  (`trading_bot_info` is gone within seconds when it doesn't), so that an old value is never shown as a current one.
- Money is never added up across currencies, nor demo or dry-run money with real money.
"""

from __future__ import annotations

# Currencies worth thousands: two decimals would show an account's result as 0.00.
COINS = "BTC|XBT|ETH|BNB"

BOT = 'bot=~"$bot"'
ANSWERING = f"trading_bot_info{{{BOT}}}"
# Each bot's own limit of drawdown.
DRAWDOWN_LIMIT = f'max by (bot) (bot:threshold{{{BOT},threshold="max_drawdown",severity="critical"}})'


# Grafana ends the time shown at a full step, which at a month is two hours; timelines draw what came since.
UNTIL_NOW = "@ end() offset -$__interval"
# All of the time shown.
SHOWN = f"[$__range] {UNTIL_NOW}"

# How a bot stands, as a number: the lower, the more somebody should look.
DOWN, STALLED, ERROR, UNWATCHED, UNKNOWN, RELOADING, STOPPED, PAUSED, RUNNING = range(9)
STATES = {
    "error": ERROR,
    "unknown": UNKNOWN,
    "reloading": RELOADING,
    "stopped": STOPPED,
    "paused": PAUSED,
    "running": RUNNING,
}
# The worst first: the alphabet has warnings last.
RANK = " or ".join(
    f'label_replace(vector({rank}), "severity", "{severity}", "", "")'
    for rank, severity in enumerate(("critical", "warning", "info"), 1)
)


def of_bot(metric: str, **labels: str) -> str:
    """The metric's series of the chosen bots."""
    matchers = [BOT, *(f'{label}="{value}"' for label, value in labels.items())]
    return f"{metric}{{{','.join(matchers)}}}"


def latest(metric: str, by: str = "bot", **labels: str) -> str:
    """The newest value of each bot, answering or not.

    Args:
        by: the labels to keep, separated by commas.
        labels: what other labels must be.
    """
    return f"max by ({by}) (last_over_time({of_bot(metric, **labels)}[5m]))"


def current(metric: str, by: str = "bot", **labels: str) -> str:
    """The newest value of each bot that answers."""
    return f"({latest(metric, by, **labels)} and on (bot) {ANSWERING})"


def drawn(metric: str, **labels: str) -> str:
    """What charts draw of each bot that answers, with mode and currency: recorded by prometheus/rules/dashboards.yml.

    Args:
        metric: as the exporter names it.
        labels: what other labels must be.
    """
    return of_bot(f"bot:{metric.removeprefix('trading_bot_')}:answering", **labels)


def recorded(metric: str, by: str = "bot", **labels: str) -> str:
    """The value that a rule last recorded for each bot; `by` and `labels` as for `latest`."""
    return f"max by ({by}) ({of_bot(metric, **labels)})"


def in_step(selector: str, choose: str = "max") -> str:
    """The highest (or `min`: the lowest) value from each step to the next: there a timeline draws it.

    Where nothing was read in between, as from the newest on, it is the last value; `+ 0` takes its name away, which
    the other doesn't have, or they would be two series.
    """
    return f"({choose}_over_time({selector}[$__interval] offset -$__interval) or {selector} + 0)"


def none_known(selector: str, label: str, text: str) -> str:
    """0, with the text as the label, where the time shown has none of these series: a timeline has no empty state."""
    return told_in_label(f"max(absent_over_time({selector}{SHOWN}))", label, text)


def told_in_label(absent: str, label: str, text: str) -> str:
    """0, with the text as the label, where `absent` gives anything."""
    return f'0 * label_replace({absent}, "{label}", "{text}", "", "")'


def labelled(expression: str, labels: str, only: str = "") -> str:
    """A value of each bot that answers, with labels of `trading_bot_info`.

    Args:
        expression: with the label `bot`.
        labels: the labels to add, separated by commas.
        only: more matchers of `trading_bot_info`, each with a comma before it.
    """
    return f"{expression} * on (bot) group_left ({labels}) max by (bot, {labels}) (trading_bot_info{{{BOT}{only}}})"


def firing(severity: str = "") -> str:
    """Firing alerts of the chosen bots, and of the stack itself, which have no bot; of one severity, or of any.

    Escalations tell of the same alert again, and Watchdog (severity none) says that all is well: they are left out.
    """
    of_severity = f'severity="{severity}"' if severity else 'severity!="none"'
    return f'ALERTS{{alertstate="firing",escalation="",{of_severity},bot=~"$bot|"}}'


def firing_of_bots() -> str:
    """Firing alerts of the chosen bots, without those of the stack and the machine."""
    return firing().removesuffix("}") + ',bot!=""}'


def firing_since(severity: str = "") -> str:
    """When the conditions of pending and firing alerts, chosen as by `firing`, began: Unix seconds as values."""
    return firing(severity).replace('ALERTS{alertstate="firing",', "ALERTS_FOR_STATE{")


def fired(severity: str = "", escalated: bool = False) -> str:
    """Alerts as by `firing`, or their escalations, of each minute of weeks; the values: when their conditions began."""
    of_severity = f',severity="{severity}"' if severity else ""
    of_kind = 'escalation!=""' if escalated else 'escalation=""'
    return f'alert:active_since_timestamp_seconds:max1m{{{of_kind}{of_severity},bot=~"$bot|"}}'


def ranked(alerts: str) -> str:
    """The alerts, which must have a severity, with 1 for a critical one, 2 for a warning and 3 for an info."""
    return f"({alerts}) * 0 + on (severity) group_left () ({RANK})"


def exact(money: str) -> str:
    """Amounts of each bot, rounded to what counts in its currency, to be shown with as many decimals as are left."""
    coins = f'trading_bot_info{{{BOT},currency=~"{COINS}"}}'
    return f"(round({money}, 0.01) unless on (bot) {coins} or round({money}, 0.000001))"


def of_bots(expression: str, chosen: str) -> str:
    """The values of the bots that `chosen` gives."""
    return f"({expression}) and on (bot) ({chosen})"


def most(count: int, metric: str, **labels: str) -> str:
    """The bots with the largest values drawn: one choice for the whole time shown, so that no line comes and goes."""
    return f"topk({count}, max by (bot) (max_over_time({drawn(metric, **labels)}[$__range] @ end())))"


def strictest(threshold: str, severity: str, metric: str, lowest: str = "min", near: bool = False) -> str:
    """The limit to draw where bots have different ones, as long as there is any value that it could limit.

    Args:
        metric: what it limits.
        lowest: `min`, or `max` where a value must not be below the limit.
        near: only if a value of the time shown came up to a quarter of it. Curves far below it would be flat.
    """
    limit = f"{lowest}({of_bot('bot:threshold', threshold=threshold, severity=severity)})"
    shown = f"{limit} and on () count({drawn(metric)})"
    if near:
        # The limit of now: one moment's comparison instead of all of a chart's.
        now = limit.replace("})", "} @ end())")
        shown += f" and on () ({now} < 4 * max(max_over_time({drawn(metric)}[$__range] @ end())))"
    return shown


def status() -> str:
    """How each bot stands now, as a number from `DOWN` to `RUNNING`; over time it is `bot:status:code`."""
    states = "".join(
        f' or max by (bot) (trading_bot_state{{{BOT},state="{state}"}} == 1) * {code}' for state, code in STATES.items()
    )
    return (
        f"(max by (bot) (trading_bot_up{{{BOT}}} == 0)"
        f' or max by (bot) (ALERTS{{alertname="BotDown",alertstate="firing",escalation="",{BOT}}}'
        f" and on (bot) trading_bot_up == 1) * {STALLED}"
        f"{states}"
        # Configured, but the exporter says nothing of it.
        f" or max by (bot) (bot:threshold{{{BOT}}}) * 0 + {UNWATCHED})"
    )
