"""Group `model`: how the model that predicts for a bot does. Scraped every 120 s."""

from __future__ import annotations

from exporter.metrics.families import Families, Family
from exporter.state import Model

# State key → gauge.
GAUGES: dict[str, Family] = {
    "accuracy": Family("trading_bot_model_accuracy", "Share of the predictions that were right, 0 to 1."),
    "precision": Family("trading_bot_model_precision", "Share of the predicted positives that were some, 0 to 1."),
    "recall": Family("trading_bot_model_recall", "Share of the positives that were predicted, 0 to 1."),
    "f1_score": Family("trading_bot_model_f1_score", "Harmonic mean of precision and recall, 0 to 1."),
    "auc": Family("trading_bot_model_auc", "Area under the ROC curve, 0 to 1; 0.5 is chance."),
    "prediction_confidence": Family(
        "trading_bot_model_prediction_confidence", "Confidence of the predictions, 0 to 1."
    ),
    "prediction_uncertainty": Family(
        "trading_bot_model_prediction_uncertainty", "Uncertainty of the predictions, in the model's own measure."
    ),
    "predictions_per_hour": Family("trading_bot_model_predictions_per_hour", "Predictions an hour."),
    "prediction_time": Family("trading_bot_model_prediction_seconds", "How long a prediction takes."),
    "last_prediction_time": Family(
        "trading_bot_model_last_prediction_timestamp_seconds", "When the last prediction was made, in Unix seconds."
    ),
    "last_retraining": Family(
        "trading_bot_model_last_retraining_timestamp_seconds", "When the model was last trained, in Unix seconds."
    ),
    "retraining_frequency": Family("trading_bot_model_retrainings_per_day", "Trainings a day."),
    "loaded": Family("trading_bot_model_loaded", "Whether the model is loaded: 1, or 0."),
    "drift_detected": Family("trading_bot_model_drift_detected", "Whether the bot sees its model drift: 1, or 0."),
    "drift_score": Family(
        "trading_bot_model_drift_score", "How far today's data is from that of the training, in the bot's own measure."
    ),
    "data_quality_score": Family(
        "trading_bot_model_data_quality_score", "Quality of the data that the model works on, 0 to 1."
    ),
    "missing_data_rate": Family("trading_bot_model_missing_data_ratio", "Share of the data that is missing, 0 to 1."),
    "outlier_rate": Family("trading_bot_model_outlier_ratio", "Share of the data that are outliers, 0 to 1."),
    "data_freshness": Family("trading_bot_model_data_age_seconds", "Age of the data that the model works on."),
}
FAMILIES = tuple(GAUGES.values())


def collect(families: Families, name: str, model: Model) -> None:
    """Add a bot's series."""
    for key, family in GAUGES.items():
        value = getattr(model, key)
        families.add(family, int(value) if isinstance(value, bool) else value, name)
