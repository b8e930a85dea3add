"""Row "Model": can the predictions still be trusted?"""

from __future__ import annotations

from grafana_foundation_sdk.builders import table, timeseries

from grafana import promql, style
from grafana.board import Row
from grafana.panels import lines
from grafana.promql import current, drawn
from grafana.style import set_
from grafana.tables import Value, coloured_text, measure, named, rows
from grafana.trading_bot.curves import of_each_bot
from grafana.trading_bot.values import BOT, MODE

NO_MODEL = "no model reported by this bot"
ACCURACY = "trading_bot_model_accuracy"
LOADED = {"0": ("no", style.CRITICAL), "1": ("yes", style.SUCCESS)}
DRIFT = {"0": ("no", style.SUCCESS), "1": ("yes", style.WARNING)}


def row() -> Row:
    """The row, with ids from 600."""
    return Row(600, "Model", [_models(), _accuracy(), _drift(), _confidence(), _data_quality()], collapsed=True)


def _least(metric: str, count: int = 10) -> str:
    """The bots whose values were smallest."""
    return f"bottomk({count}, min by (bot) (min_over_time({drawn(metric)}[$__range] @ end())))"


def _models() -> table.Panel:
    def ratio(name: str, key: str, decimals: int = 1, width: int = 90) -> Value:
        return Value(name, current(f"trading_bot_model_{key}"), measure(style.RATIO, decimals, width))

    def age(name: str, key: str) -> Value:
        since = current(f"trading_bot_model_{key}_timestamp_seconds")
        return Value(name, f"time() - {since}", measure(style.SECONDS, 0, 125))

    def flag(name: str, key: str, names: dict[str, tuple[str, str]]) -> Value:
        properties = [*coloured_text(), named(names), set_("custom.width", 75)]
        return Value(name, current(f"trading_bot_model_{key}"), properties)

    return rows(
        601,
        "Models, one by one",
        (24, 6),
        "What each bot states of its model now. A low accuracy, a drift, or a last training longer ago than usual: "
        "retrain the model before you trust it with more money. Drift score and uncertainty are in the bot's own "
        "measure. A dash is a value that the bot doesn't state.",
        [
            BOT,
            MODE,
            Value(
                "Loaded",
                current("trading_bot_model_loaded"),
                [*coloured_text(), named(LOADED), set_("custom.width", 75)],
            ),
            ratio("Accuracy", "accuracy", width=105),
            ratio("Precision", "precision"),
            ratio("Recall", "recall", width=75),
            ratio("F1", "f1_score", width=75),
            Value("AUC", current("trading_bot_model_auc"), measure(style.COUNT, 3, 75)),
            Value(
                "Drifts",
                current("trading_bot_model_drift_detected"),
                [*coloured_text(), named(DRIFT), set_("custom.width", 75)],
            ),
            Value("Drift score", current("trading_bot_model_drift_score"), measure(style.COUNT, 3, 100)),
            ratio("Confidence", "prediction_confidence", width=100),
            Value("Uncertainty", current("trading_bot_model_prediction_uncertainty"), measure(style.COUNT, 3, 100)),
            Value("Predictions/h", current("trading_bot_model_predictions_per_hour"), measure(style.COUNT, 1, 110)),
            Value("Takes", current("trading_bot_model_prediction_seconds"), measure(style.SECONDS, 1, 85)),
            age("Last prediction", "last_prediction"),
            age("Last training", "last_retraining"),
            ratio("Data quality", "data_quality_score", width=105),
            ratio("Missing", "missing_data_ratio", 2, 85),
            ratio("Outliers", "outlier_ratio", 2, 85),
            Value("Data age", current("trading_bot_model_data_age_seconds"), measure(style.SECONDS, 0, 85)),
        ],
        # Any value of the model makes a row.
        f'max by (bot, mode) ({promql.ANSWERING}) and on (bot) {{__name__=~"trading_bot_model_.+",{promql.BOT}}}',
        sort_by="Accuracy",
        absent=NO_MODEL,
    )


def _accuracy() -> timeseries.Panel:
    panel = lines(
        602,
        "Accuracy and F1",
        (12, 9),
        "Share of the predictions that were right, and F1 (dashed), the balance of precision and recall; of more than "
        "five bots, the five that were least accurate. Dashed limits are model_accuracy of monitoring.yml. When a "
        "curve falls towards them, retrain the model, and see whether the market has changed.",
        style.RATIO,
        1,
        NO_MODEL,
    )
    metrics = {"accuracy": ACCURACY, "F1": "trading_bot_model_f1_score"}
    limits = [("model_accuracy", "critical"), ("model_accuracy", "warning")]
    return of_each_bot(panel, metrics, limits, "max", chosen=_least(ACCURACY, 5))


def _drift() -> timeseries.Panel:
    panel = lines(
        603,
        "Drift score",
        (12, 9),
        "How far today's data is from that of the training, in the bot's own measure; of more than ten bots, the ten "
        "that drifted most. The dashed line is model_drift of monitoring.yml: above it, retrain the model.",
        style.COUNT,
        3,
        NO_MODEL,
    )
    return of_each_bot(panel, {"": "trading_bot_model_drift_score"}, [("model_drift", "warning")]).min(0)


def _confidence() -> timeseries.Panel:
    metric = "trading_bot_model_prediction_confidence"
    panel = lines(
        604,
        "Confidence of predictions",
        (12, 8),
        "How sure the model is of what it predicts; of more than ten bots, the ten that were least sure. Below the "
        "dashed line (prediction_confidence of monitoring.yml) trade smaller, or wait for a clearer market.",
        style.RATIO,
        1,
        NO_MODEL,
    )
    return of_each_bot(panel, {"": metric}, [("prediction_confidence", "warning")], "max", chosen=_least(metric))


def _data_quality() -> timeseries.Panel:
    metric = "trading_bot_model_data_quality_score"
    panel = lines(
        605,
        "Quality of the model's data",
        (12, 8),
        "Quality of the data that the model works on, from 0 to 100 %; of more than ten bots, the ten with the worst. "
        "Below the dashed line (data_quality_score of monitoring.yml) look at missing values and outliers in the table "
        "above, and at the exchange's candles.",
        style.RATIO,
        1,
        NO_MODEL,
    )
    return of_each_bot(panel, {"": metric}, [("data_quality_score", "warning")], "max", chosen=_least(metric))
