"""Prometheus's word on whether an incident is over, and the values of series."""

from __future__ import annotations

import math
from collections.abc import Collection

import requests
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from responder.alertmanager import Incident

TIMEOUT_SECONDS = 3
QUERY_SECONDS = 10


class _Active(BaseModel):
    state: str
    labels: dict[str, str]


class Rule(BaseModel):
    """A rule of alerts, with those that are pending or fire."""

    name: str
    health: str
    last_evaluation: AwareDatetime = Field(alias="lastEvaluation")
    alerts: list[_Active]

    @property
    def is_evaluated(self) -> bool:
        """Whether its list of alerts can be believed."""
        return self.health == "ok" and self.last_evaluation.year > 1


class _Group(BaseModel):
    rules: list[Rule]


class _Data(BaseModel):
    groups: list[_Group]


class _Answer(BaseModel):
    data: _Data


class _Sample(BaseModel):
    metric: dict[str, str]
    value: tuple[float, float]


class _Vector(BaseModel):
    result: list[_Sample]


class _Values(BaseModel):
    data: _Vector


class PrometheusError(Exception):
    """Prometheus doesn't answer, or not as it should; the text says which."""


class Prometheus:
    """One Prometheus."""

    def __init__(self, url: str) -> None:
        """Nothing is asked yet."""
        self._url = url.rstrip("/") + "/api/v1"

    def values(self, query: str, at: float) -> list[tuple[dict[str, str], float]]:
        """What a query gives at a moment, as labels and value; what isn't a finite number is left out.

        Raises PrometheusError.
        """
        form = {"query": query, "time": f"{at:.3f}"}
        try:
            answer = requests.post(f"{self._url}/query", form, timeout=QUERY_SECONDS, allow_redirects=False)
            answer.raise_for_status()
            samples = _Values.model_validate_json(answer.content).data.result
        except requests.HTTPError as error:
            raise PrometheusError(f"Prometheus answers {error.response.status_code} to a query.") from error
        except requests.RequestException as error:
            raise PrometheusError(f"Prometheus doesn't answer ({type(error).__name__}).") from error
        except ValidationError as error:
            raise PrometheusError("What answers is not Prometheus: its answer has another form.") from error
        return [(sample.metric, sample.value[1]) for sample in samples if math.isfinite(sample.value[1])]

    def rules(self, names: Collection[str]) -> list[Rule] | None:
        """The rules of the alerts of these names; None where Prometheus doesn't answer."""
        arguments = {"type": "alert", "rule_name[]": sorted(names)}
        try:
            answer = requests.get(f"{self._url}/rules", arguments, timeout=TIMEOUT_SECONDS, allow_redirects=False)
            groups = _Answer.model_validate_json(answer.content).data.groups
        except (requests.RequestException, ValidationError):
            return None
        return [rule for group in groups for rule in group.rules]

    def fires(self, incident: Incident, names: Collection[str]) -> bool | None:
        """Whether one of the alerts of these names fires for the incident; None where Prometheus doesn't tell.

        Without names all are asked.
        It doesn't tell just after a start, when an alert that fired before is pending or not yet evaluated. The series
        ALERTS couldn't tell that apart.
        """
        rules = self.rules(names)
        if rules is None:
            return None
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
        asked = set(names) or {rule.name for rule in rules}
        return False if asked and not states and evaluated >= asked else None
