"""Alertmanager's API: the alerts it has, and silences."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import requests
import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel
from requests.auth import HTTPBasicAuth

from responder.acknowledge.memory import Memory, memory
from responder.links import quoted
from responder.times import duration
from responder.webhook import BEGAN, ENDED, OF, OVER

T = TypeVar("T")

TIMEOUT_SECONDS = 3
MARK = "acknowledgement"  # the annotation of our silences; its value is the acknowledgement's number
LATE = "late"  # the value of the label `over`: an end that is told late, for itself


class AlertmanagerError(Exception):
    """Alertmanager doesn't answer, or not as it should; the text says which."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


@dataclass(frozen=True)
class Incident:
    """What an acknowledgement is for. An empty label is one that the alerts don't have: a host has no bot."""

    condition: str
    bot: str
    severity: str

    @property
    def labels(self) -> dict[str, str]:
        """The labels by name, empty ones too."""
        return {"condition": self.condition, "bot": self.bot, "severity": self.severity}


class Alert(_Model):
    """An alert that fires now."""

    fingerprint: str
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    starts_at: AwareDatetime
    generator_url: str = Field(alias="generatorURL", default="")


class _State(_Model):
    state: str


class _Matcher(_Model):
    name: str
    value: str
    is_regex: bool
    is_equal: bool = True


class _Config(_Model):
    original: str


class _Status(_Model):
    config: _Config


class Silence(_Model):
    """A silence; `expired` ones are still listed for some days."""

    id: str
    status: _State
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    updated_at: AwareDatetime
    matchers: list[_Matcher]
    annotations: dict[str, str] = Field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether it silences, or is about to."""
        return self.status.state != "expired"

    @property
    def removed(self) -> bool:
        """Whether somebody ended it: one that ran out was changed long before its end."""
        return not self.holds and self.ends_at - self.updated_at < dt.timedelta(seconds=5)

    def acknowledges(self, incident: Incident) -> bool:
        """Whether the responder made it, for just this incident."""
        equal = {matcher.name: matcher.value for matcher in self.matchers if matcher.is_equal and not matcher.is_regex}
        return MARK in self.annotations and equal == incident.labels and len(self.matchers) == len(equal)


_ALERTS = TypeAdapter(list[Alert])
_SILENCE = TypeAdapter(Silence)
_SILENCES = TypeAdapter(list[Silence])
_ANSWER = TypeAdapter(dict[str, str])
_STATUS = TypeAdapter(_Status)


class Alertmanager:
    """One Alertmanager. Each method raises AlertmanagerError where it doesn't answer as it should."""

    def __init__(self, url: str, password_file: Path | None = None) -> None:
        """The file with the password of the user admin is read at each call: it may change."""
        self._url = url.rstrip("/") + "/api/v2"
        self._password_file = password_file

    def alerts(self, incident: Incident | None = None) -> list[Alert]:
        """What fires, of an incident or at all, silenced ones and escalations too; just after a start, nothing.

        Without the ends that are told as alerts.
        """
        filters = [*(_filters(incident.labels) if incident else []), f"{OVER}!={quoted(LATE)}"]
        return self._checked(_ALERTS, self._call("GET", "/alerts", params={"filter": filters}))

    def end(self, alerts: Sequence[Alert], ended_at: Mapping[str, dt.datetime] | None = None) -> None:
        """Tells that these alerts have ended: Alertmanager forgets the end of one that ended under a silence.

        They ended now, or when `ended_at` says, by fingerprint.
        """
        now = dt.datetime.now(dt.UTC)
        if document := [_posted(alert, (ended_at or {}).get(alert.fingerprint, now)) for alert in alerts]:
            self._call("POST", "/alerts", json=document)

    def tell_over(
        self, incident: Incident, alerts: Sequence[Alert], ended_at: Mapping[str, dt.datetime], told_within: float
    ) -> None:
        """Tells the end of alerts whose beginning Alertmanager no longer knows, as alerts with the label `over`.

        Where something holds it back, it may be called again before `told_within` has passed: nothing is told twice.
        Each such alert ends by itself, and a silence that comes before then keeps that from being told.

        Args:
            incident: what they are of.
            alerts: those that have ended.
            ended_at: when, by fingerprint.
            told_within: the seconds in which Alertmanager has told it; its `group_wait` and something more.
        """
        after = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=told_within)
        self._hush_over(incident, after)
        until = after + dt.timedelta(seconds=told_within)
        told = []
        for alert in alerts:
            ended = ended_at[alert.fingerprint]
            lasted = duration((ended - alert.starts_at).total_seconds())
            said = {BEGAN: alert.starts_at.isoformat(), ENDED: ended.isoformat(), OF: alert.fingerprint}
            annotations = {**alert.annotations, **said, "lasted": lasted}
            changes = {"labels": {**alert.labels, OVER: LATE}, "annotations": annotations}
            told.append(_posted(alert.model_copy(update=changes), until))
        self._call("POST", "/alerts", json=told)

    def hush_over(self, incident: Incident) -> None:
        """Keeps from being told what `tell_over` had told of it, as far as it wasn't told yet."""
        self._hush_over(incident, dt.datetime.now(dt.UTC))

    def _hush_over(self, incident: Incident, after: dt.datetime) -> None:
        """A silence of what `tell_over` tells, from then on; the one that there is, is moved."""
        labels = {**incident.labels, OVER: LATE}
        document = {
            "matchers": _matchers(labels),
            "startsAt": after.isoformat(),
            "endsAt": (after + dt.timedelta(hours=26)).isoformat(),  # beyond the longest group_interval
            "createdBy": "responder",
            "comment": "An end was told late, by a message of its own; that this message ends is no news.",
            "annotations": {MARK: OVER},
        }
        for silence in self._silences(labels):
            if silence.annotations.get(MARK) == OVER and silence.holds:
                # What can't be moved, because it has begun, Alertmanager ends and replaces.
                document["id"] = silence.id
        self._call("POST", "/silences", json=document)

    def memories(self, alerts: Sequence[Alert]) -> list[Memory]:
        """How long the end of each of these alerts can be told, by the routes that it has now."""
        status = self._checked(_STATUS, self._call("GET", "/status"))
        try:
            config = _parsed(status.config.original)
            return [memory(config, alert.labels) for alert in alerts]
        except (yaml.YAMLError, LookupError, TypeError, ValueError) as error:
            raise AlertmanagerError(f"Alertmanager's routes can't be understood: {error}") from error

    def silence(self, silence_id: str) -> Silence | None:
        """The silence; None where Alertmanager knows none of this id."""
        answer = self._call("GET", f"/silence/{silence_id}", missing=True)
        return None if answer is None else self._checked(_SILENCE, answer)

    def set_silence(
        self, incident: Incident, number: int, person: str, seconds: float, old: Silence | None = None
    ) -> str:
        """Silences an incident for its acknowledgement of this number, or renews its old silence; returns the id."""
        now = dt.datetime.now(dt.UTC)
        document = {
            "matchers": _matchers(incident.labels),
            "startsAt": (old.starts_at if old else now).isoformat(),
            "endsAt": (now + dt.timedelta(seconds=seconds)).isoformat(),
            "createdBy": person,
            "comment": "Acknowledged. The responder lifts this when it is over; take it back on its page.",
            "annotations": {MARK: str(number)},
        }
        if old:
            document["id"] = old.id
        answer = self._call("POST", "/silences", json=document)
        return self._checked(_ANSWER, answer)["silenceID"]

    def remove_silences(self, incident: Incident) -> None:
        """Ends the silences of its acknowledgement: all, should a lost answer have left a second one."""
        for silence in self._silences(incident.labels):
            if silence.holds and silence.acknowledges(incident):
                self._call("DELETE", f"/silence/{silence.id}", missing=True)

    def _silences(self, labels: Mapping[str, str]) -> list[Silence]:
        return self._checked(_SILENCES, self._call("GET", "/silences", params={"filter": _filters(labels)}))

    def _call(self, method: str, path: str, *, missing: bool = False, **arguments: Any) -> bytes | None:
        try:
            answer = requests.request(
                method,
                self._url + path,
                auth=self._auth(),
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
                **arguments,
            )
        except requests.RequestException as error:
            raise AlertmanagerError(f"Alertmanager doesn't answer ({type(error).__name__}).") from error
        if missing and answer.status_code == 404:
            return None
        if answer.status_code == 401:
            raise AlertmanagerError("Alertmanager refuses the password of --alertmanager-password-file.")
        if answer.status_code != 200:
            raise AlertmanagerError(f"Alertmanager answers {answer.status_code}: {answer.text[:200].strip()}")
        return answer.content

    def _auth(self) -> HTTPBasicAuth | None:
        if self._password_file is None:
            return None
        try:
            # As bytes: text would be sent as Latin-1.
            return HTTPBasicAuth(b"admin", self._password_file.read_bytes().strip())
        except OSError as error:
            raise AlertmanagerError(f"{self._password_file} can't be read; `python -m init` makes it.") from error

    @staticmethod
    def _checked(adapter: TypeAdapter[T], content: bytes | None) -> T:
        try:
            return adapter.validate_json(content or b"")
        except ValidationError as error:
            raise AlertmanagerError("What answers is not Alertmanager: its answer has another form.") from error


def _posted(alert: Alert, ends_at: dt.datetime) -> dict[str, Any]:
    """An alert as Alertmanager takes it."""
    return {
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": alert.starts_at.isoformat(),
        "endsAt": ends_at.isoformat(),
        "generatorURL": alert.generator_url,
    }


def _matchers(labels: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in labels.items()]


def _filters(labels: Mapping[str, str]) -> list[str]:
    return [f"{name}={quoted(value)}" for name, value in labels.items()]


@lru_cache(maxsize=1)
def _parsed(config: str) -> Any:
    """It is long, and is asked for again and again."""
    return yaml.safe_load(config)
