"""Source `demo`: a simulated bot, for a first look and for drills.

Each pair is traded in turns of one day, offset against each other so that positions are open at any time. A turn's
trades lie within it and follow from the seed and the turn's number alone, so the same seed tells the same story at
every start. Regimes of several days (good, mixed, bad) give winning runs and, now and then, a drawdown.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple
from zoneinfo import ZoneInfo

from exporter.figures.histogram import RESPONSE_TIME_BUCKETS, Buckets
from exporter.figures.history import History, Trade
from exporter.sources import DOCUMENT, Group, Part
from exporter.sources.demo_values import MARKETS, markets_at, model_at, response_time, system_at
from exporter.state import Bot, BotState, Position, Regime, Trading

DAY = 86400
CAPITAL = 10_000.0
STAKE = 900.0
FEE = 0.001
STOP = 0.03
PAIRS = tuple(MARKETS)
REGIME_DAYS = 3


class _Regime(NamedTuple):
    """How trades go for some days: the chance of a win, and typical profit and loss as ratios of the stake."""

    name: Regime
    wins: float
    win: float
    loss: float


# A cycle of regimes would be seen as one; the weights make the good ones the more frequent.
_REGIMES = (
    _Regime("bull", 0.56, 0.011, 0.010),
    _Regime("sideways", 0.50, 0.008, 0.008),
    _Regime("calm", 0.51, 0.005, 0.005),
    _Regime("volatile", 0.50, 0.017, 0.017),
    _Regime("bear", 0.44, 0.009, 0.011),
)
_WEIGHTS = (5, 4, 3, 2, 2)
# A day's luck is that of all pairs: without it hundreds of trades would even out, and no day be a bad one.
_LUCK = 0.25


@dataclass(frozen=True, slots=True)
class _Deal:
    """A trade of the simulation, open or closed."""

    id: int
    pair: str
    opened_at: float
    closed_at: float
    profit_ratio: float
    wobble: float

    def ratio_at(self, now: float) -> float:
        """Profit ratio while open: on its way to the final one, less the fees at first, never below the stop."""
        share = (now - self.opened_at) / (self.closed_at - self.opened_at)
        sway = self.wobble * math.sin(math.pi * share) * math.sin(7 * share + self.id)
        return max(-2 * FEE * (1 - share) + self.profit_ratio * share + sway, -STOP)


class DemoSource:
    """A simulated bot.

    Args:
        seed: the story that is told.
        since: Unix seconds at which the bot's history begins.
        zone: the time zone of days, weeks and months.
    """

    groups: Mapping[Group, Part] = DOCUMENT

    def __init__(self, seed: int, since: float, zone: ZoneInfo) -> None:
        self._seed = seed
        self._since = since
        self._history = History(zone)
        self._told = since  # the time up to which closed trades are in the history
        self._turns: dict[int, tuple[int, list[_Deal]]] = {}  # by pair, the last one asked for, and its number
        self._responses = Buckets(RESPONSE_TIME_BUCKETS)
        self._responded: int | None = None  # the second up to which response times are counted

    def read(self, part: Part, deadline: float) -> BotState:  # noqa: ARG002 - all is computed at once
        """The bot's state now."""
        return self.state_at(time.time())

    def state_at(self, now: float) -> BotState:
        """The bot's state at a time in Unix seconds; times must not go back further than the latest asked for."""
        bot = Bot(
            name="Demo bot",
            exchange="simulated",
            strategy="RegimeWalk",
            version="1",
            mode="demo",
            currency="USDT",
            status="running",
            started_at=self._since,
            last_activity=now - now % 5,
            data_updated_at=now - now % 60,
        )
        self._tell(now)
        self._respond(now)
        trades = self._history.summary(now, CAPITAL)
        return BotState(
            bot=bot,
            trading=Trading(
                initial_capital=CAPITAL,
                balance=CAPITAL + trades.profit,
                pending_orders=int(now // 600) % 3,
                max_exposure=STAKE * len(PAIRS),
            ),
            model=model_at(self._seed, now),
            markets=markets_at(self._seed, now, self._regime(math.floor(now / DAY)).name),
            system=system_at(self._seed, now),
            response_times=self._responses.value(),
            trades=trades,
            positions=tuple(_position(d, now) for d in self._deals(now, now) if d.opened_at <= now < d.closed_at),
        )

    def _tell(self, now: float) -> None:
        """Close the deals that ended since the last time."""
        deals = self._deals(self._told, now)
        self._history.add(_trade(deal) for deal in deals if self._told < deal.closed_at <= now)
        self._told = max(self._told, now)

    def _respond(self, now: float) -> None:
        """Measure a response time every ten seconds since the last time, or for an hour where that is longer ago."""
        until = math.floor(now / 10) * 10
        since = until if self._responded is None else max(self._responded, until - 3600)
        for second in range(since, until, 10):
            self._responses.observe(response_time(self._seed, second))
        self._responded = max(until, since)

    def _deals(self, start: float, end: float) -> Iterator[_Deal]:
        """The deals of all turns that touch a span of time, none opened before the history begins."""
        for number, pair in enumerate(PAIRS):
            shift = number * DAY / len(PAIRS)
            for turn in range(math.floor((start - shift) / DAY), math.floor((end - shift) / DAY) + 1):
                if self._turns.get(number, (None,))[0] != turn:
                    deals = self._turn(number, pair, turn, turn * DAY + shift)
                    self._turns[number] = turn, [d for d in deals if d.opened_at >= self._since]
                yield from self._turns[number][1]

    def _regime(self, turn: int) -> _Regime:
        return self._random("regime", turn // REGIME_DAYS).choices(_REGIMES, _WEIGHTS)[0]

    def _turn(self, number: int, pair: str, turn: int, start: float) -> Iterator[_Deal]:
        regime = self._regime(turn)
        luck = self._random("luck", turn).uniform(-_LUCK, _LUCK)
        chance = self._random(pair, turn)
        opened, count = start, 0
        while True:
            opened += 300 + chance.expovariate(1 / 9000)
            closed = opened + min(max(chance.lognormvariate(math.log(5400), 0.8), 240), 8 * 3600)
            if closed >= start + DAY:
                return
            won = chance.random() < regime.wins + luck
            ratio = chance.uniform(0.3, 1.7) * (regime.win if won else -regime.loss)
            if chance.random() < 0.01:
                ratio = 0.0
            count += 1
            identity = (turn * len(PAIRS) + number) * 1000 + count
            yield _Deal(identity, pair, opened, closed, max(ratio, -STOP), chance.uniform(0.002, 0.012))
            opened = closed

    def _random(self, *names: object) -> random.Random:
        return random.Random(":".join(map(str, (self._seed, *names))))  # noqa: S311 - a story, not a secret


def _trade(deal: _Deal) -> Trade:
    return Trade(
        id=deal.id,
        closed_at=deal.closed_at,
        profit=round(deal.profit_ratio * STAKE, 2),
        opened_at=deal.opened_at,
        profit_ratio=deal.profit_ratio,
        pair=deal.pair,
        size=STAKE,
        fees=2 * FEE * STAKE,
    )


def _position(deal: _Deal, now: float) -> Position:
    ratio = deal.ratio_at(now)
    return Position(
        pair=deal.pair,
        side="long",
        size=STAKE,
        profit=round(ratio * STAKE, 2),
        profit_ratio=ratio,
        stop_distance_ratio=ratio + STOP,
    )
