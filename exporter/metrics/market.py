"""Group `market`: the markets that a bot watches, as it sees them. Scraped every 60 s."""

from __future__ import annotations

from collections.abc import Sequence

from exporter.metrics.families import Families, Family
from exporter.state import REGIMES, TRENDS, Market

# A bot that watches more markets shows the first ones only, so that one bot can't fill a Prometheus.
MOST_SYMBOLS = 50

PRICE_CHANGE = Family(
    "trading_bot_market_price_change_ratio", "Change of the price over a window, as a fraction.", ("symbol", "window")
)
TREND = Family("trading_bot_market_trend", "The trend: one of them is 1, the others 0.", ("symbol", "trend"))
REGIME = Family("trading_bot_market_regime", "The regime: one of them is 1, the others 0.", ("symbol", "regime"))

# State key → gauge of a symbol.
GAUGES: dict[str, Family] = {
    "volatility": Family(
        "trading_bot_market_volatility_ratio",
        "Volatility over the bot's window, as a fraction.",
        ("symbol",),
    ),
    "liquidity_score": Family(
        "trading_bot_market_liquidity_score", "Liquidity, in the bot's own measure.", ("symbol",)
    ),
    "volume_24h": Family(
        "trading_bot_market_volume_24h", "Volume of the last 24 hours, in the quote currency.", ("symbol",)
    ),
    "volume_change_24h": Family(
        "trading_bot_market_volume_change_ratio",
        "Change of the volume of 24 hours against the 24 before, as a fraction.",
        ("symbol",),
    ),
    "rsi": Family("trading_bot_market_rsi", "Relative strength index, 0 to 100.", ("symbol",)),
    "macd": Family("trading_bot_market_macd", "MACD line, in the price's currency.", ("symbol",)),
    "bollinger_position": Family(
        "trading_bot_market_bollinger_position_ratio",
        "Where the price is between the lower (0) and the upper (1) Bollinger band.",
        ("symbol",),
    ),
    "support_resistance_strength": Family(
        "trading_bot_market_support_resistance_strength",
        "Strength of the nearest support or resistance, in the bot's own measure.",
        ("symbol",),
    ),
}
FAMILIES = (PRICE_CHANGE, TREND, REGIME, *GAUGES.values())


def collect(families: Families, name: str, markets: Sequence[Market]) -> int:
    """Add a bot's series; of a symbol that is named twice, the first market's.

    Returns:
        How many markets' series were cut because the bot has more of them than `MOST_SYMBOLS`.
    """
    by_symbol: dict[str, Market] = {}
    for market in markets:
        by_symbol.setdefault(market.symbol, market)
    for symbol, market in list(by_symbol.items())[:MOST_SYMBOLS]:
        _add(families, name, symbol, market)
    return max(len(by_symbol) - MOST_SYMBOLS, 0)


def _add(families: Families, name: str, symbol: str, market: Market) -> None:
    for key, family in GAUGES.items():
        families.add(family, getattr(market, key), name, symbol)
    families.add(PRICE_CHANGE, market.price_change_1h, name, symbol, "1h")
    families.add(PRICE_CHANGE, market.price_change_24h, name, symbol, "24h")
    for family, stated, known in ((TREND, market.trend, TRENDS), (REGIME, market.regime, REGIMES)):
        for each in known if stated is not None else ():
            families.add(family, int(each == stated), name, symbol, each)
