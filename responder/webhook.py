"""The body of Alertmanager's webhook (version 4), checked.

{"version": "4", "status": "firing", "receiver": "telegram", "groupKey": "{}:{bot=\\"demo\\"}",
 "externalURL": "http://localhost:9093", "groupLabels": {"bot": "demo"}, "truncatedAlerts": 0,
 "alerts": [{"status": "firing", "labels": {"alertname": "BotDown", "bot": "demo"}, "annotations": {},
             "startsAt": "2026-01-01T10:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "4f2a…"}]}
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

# The label of an end that the responder tells, where Alertmanager has forgotten the beginning; and the annotations by
# which it is found again here.
OVER = "over"
# Alertmanager may take its beginning for that of one that was told just before.
BEGAN, ENDED, OF = "began", "ended", "of"
# Alertmanager sends a message again when the answer was lost; later than this it is a repeat, which is told.
RETRY_SECONDS = 240.0


class _Model(BaseModel):
    # Alertmanager adds keys with time; what isn't known here doesn't matter here.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Alert(_Model):
    """One alert of a notification."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    starts_at: AwareDatetime = Field(alias="startsAt")
    ends_at: AwareDatetime = Field(alias="endsAt")
    generator_url: str = Field(alias="generatorURL", default="")
    fingerprint: Annotated[str, Field(min_length=1, max_length=64)]

    @model_validator(mode="before")
    @classmethod
    def _end_as_such(cls, value: Any) -> Any:
        """An end that the responder told is the end of that alert, for all who read messages here."""
        match value:
            case {
                "labels": {"over": str(), **labels},
                "annotations": {"began": str() as began, "ended": str() as ended, "of": str() as of},
            }:
                times = {"startsAt": began, "endsAt": ended}
                return {**value, **times, "status": "resolved", "labels": labels, "fingerprint": of}
        return value

    @property
    def end(self) -> datetime | None:
        """When it ended; Alertmanager writes the year 1 for one that goes on."""
        return self.ends_at if self.status == "resolved" and self.ends_at.year > 1 else None


class Notification(_Model):
    """A group of alerts, sent together."""

    version: Literal["4"]
    receiver: str
    external_url: str = Field(alias="externalURL", default="")
    group_labels: dict[str, str] = Field(alias="groupLabels", default_factory=dict)
    truncated_alerts: int = Field(alias="truncatedAlerts", default=0)
    alerts: list[Alert] = Field(min_length=1)

    @model_validator(mode="after")
    def _group_as_of_the_alert(self) -> Notification:
        self.group_labels.pop(OVER, None)
        return self
