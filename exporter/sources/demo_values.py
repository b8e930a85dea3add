"""What the simulated bot tells of its model, its markets and its machine: calm waves, the same for the same seed."""

from __future__ import annotations

import math
import random
from zlib import crc32

from exporter.state import Market, Model, Regime, System, Trend

_DAY = 86400
# About what a coin costs, and how much of it is traded in a day, in USDT.
MARKETS = {
    "BTC/USDT": (60_000.0, 1.5e9),
    "ETH/USDT": (3_000.0, 8e8),
    "SOL/USDT": (150.0, 4e8),
    "XRP/USDT": (0.6, 2e8),
    "ADA/USDT": (0.5, 6e7),
}


def _wave(seed: int, name: str, now: float, middle: float, swing: float) -> float:
    """A value that moves around its middle, by at most `swing`, over minutes, hours and days."""
    # From 0 to 1: it shifts each name's waves against the others'. Cheap, for a thousand bots have 60,000 waves.
    shift = crc32(f"{seed}:{name}".encode()) / 2**32
    turns = now * (0.8 + 0.4 * shift) / _DAY + shift
    return middle + swing / 3 * (math.sin(turns * 6.28) + math.sin(turns * 31.7) + math.sin(turns * 151.3))


def model_at(seed: int, now: float) -> Model:
    """The model, which is trained each midnight UTC and drifts until the next."""
    trained = now - now % _DAY
    drift = 0.01 + 0.05 * (now - trained) / _DAY

    def wave(name: str, middle: float, swing: float) -> float:
        return _wave(seed, name, now, middle, swing)

    accuracy = wave("accuracy", 0.87, 0.03) - drift / 2
    precision, recall = accuracy + wave("precision", 0.0, 0.02), accuracy - wave("recall", 0.03, 0.02)
    return Model(
        accuracy=accuracy,
        precision=precision,
        recall=recall,
        f1_score=2 * precision * recall / (precision + recall),
        auc=accuracy + 0.06,
        prediction_confidence=wave("confidence", 0.74, 0.05),
        prediction_uncertainty=wave("uncertainty", 0.12, 0.03),
        predictions_per_hour=60.0,
        prediction_time=wave("prediction", 0.03, 0.01),
        last_prediction_time=now - now % 60,
        last_retraining=trained,
        retraining_frequency=1.0,
        loaded=True,
        drift_detected=False,
        drift_score=drift,
        data_quality_score=wave("quality", 0.95, 0.03),
        missing_data_rate=wave("missing", 0.004, 0.003),
        outlier_rate=wave("outliers", 0.01, 0.005),
        data_freshness=now % 60,
    )


def markets_at(seed: int, now: float, regime: Regime) -> tuple[Market, ...]:
    """The markets, all of them in the day's regime, each with a trend of its own."""
    lean = {"bull": 0.015, "bear": -0.015}.get(regime, 0.0)
    swing = {"volatile": 2.0, "calm": 0.5}.get(regime, 1.0)

    def market(symbol: str, price: float, volume: float) -> Market:
        def wave(name: str, middle: float, swing: float) -> float:
            return _wave(seed, symbol + name, now, middle, swing)

        day = wave("day", lean, 0.03 * swing)
        trend: Trend = "up" if day > 0.01 else "down" if day < -0.01 else "sideways"
        return Market(
            symbol=symbol,
            volatility=swing * wave("volatility", 0.018, 0.006),
            liquidity_score=wave("liquidity", 0.8, 0.1),
            price_change_1h=wave("hour", day / 24, 0.006 * swing),
            price_change_24h=day,
            volume_24h=wave("volume", volume, volume / 4),
            volume_change_24h=wave("change", 0.0, 0.3),
            rsi=wave("rsi", 50 + 300 * day, 15),
            macd=price * wave("macd", day / 10, 0.001),
            bollinger_position=wave("bollinger", 0.5 + 5 * day, 0.35),
            support_resistance_strength=wave("support", 0.6, 0.25),
            trend=trend,
            regime=regime,
        )

    return tuple(market(symbol, *about) for symbol, about in MARKETS.items())


def system_at(seed: int, now: float) -> System:
    """The machine that it would run on."""

    def wave(name: str, middle: float, swing: float) -> float:
        return _wave(seed, name, now, middle, swing)

    memory = wave("memory", 0.3, 0.05)
    return System(
        cpu_usage=wave("cpu", 0.2, 0.12),
        memory_usage=memory,
        memory_bytes=round(memory * 2**30),
        network_latency=wave("network", 0.06, 0.03),
        api_latency=wave("api", 0.12, 0.05),
        api_calls_per_minute=wave("calls", 42, 15),
        requests_per_second=wave("requests", 0.7, 0.2),
        error_rate=wave("errors", 0.0005, 0.0004),
        api_error_rate=wave("api errors", 0.001, 0.0008),
        response_time_avg=wave("average", 0.15, 0.04),
        response_time_p95=wave("p95", 0.4, 0.1),
    )


def response_time(seed: int, second: int) -> float:
    """The response time that was measured in a second."""
    return random.Random(f"{seed}:response:{second}").lognormvariate(math.log(0.12), 0.5)  # noqa: S311
