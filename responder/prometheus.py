"""Prometheus's word on whether an incident is over."""

from __future__ import annotations

from collections.abc import Collection

import requests
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from responder.alertmanager import Incident

TIMEOUT_SECONDS = 3


class _Active(BaseModel):
    state: str
    labels: dict[str, str]


class _Rule(BaseModel):
    name: str
    last_evaluation: AwareDatetime = Field(alias="lastEvaluation")
    alerts: list[_Active]


class _Group(BaseModel):
    rules: list[_Rule]


class _Data(BaseModel):
    groups: list[_Group]


class _Answer(BaseModel):
    data: _Data


class Prometheus:
    """One Prometheus."""

    def __init__(self, url: str) -> None:
        """Nothing is asked yet."""
        self._url = url.rstrip("/") + "/api/v1/rules"

    def fires(self, incident: Incident, names: Collection[str]) -> bool | None:
        """Whether one of the alerts of these names fires for the incident; None where Prometheus doesn't tell.

        It doesn't tell just after a start, when an alert that fired before is pending or not yet evaluated. The series
        ALERTS couldn't tell that apart.
        """
        arguments = {"type": "alert", "rule_name[]": sorted(names)}
        try:
            answer = requests.get(self._url, arguments, timeout=TIMEOUT_SECONDS, allow_redirects=False)
            groups = _Answer.model_validate_json(answer.content).data.groups
        except (requests.RequestException, ValidationError):
            return None
        rules = [rule for group in groups for rule in group.rules]
        wanted = incident.labels.items()
        states = {
            active.state
            for rule in rules
            for active in rule.alerts
            if all(active.labels.get(name, "") == value for name, value in wanted)
        }
        if "firing" in states:
            return True
        evaluated = {rule.name for rule in rules if rule.last_evaluation.year > 1}
        return False if names and not states and evaluated >= set(names) else None
