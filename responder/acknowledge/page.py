"""The page that a message's link *Acknowledge* opens. Looking at it changes nothing: link previews look, too."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Flask, abort, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from responder.acknowledge.acknowledger import Acknowledger
from responder.acknowledge.ledger import Acknowledgement
from responder.alertmanager import Alert, AlertmanagerError, Incident

MAX_LABEL = 1000
MAX_NAME = 40
DOUBT = "Alertmanager has nothing of it, as just after a start, and Prometheus doesn't say that it is over."


@dataclass(frozen=True)
class Situation:
    """What the page shows; `fault` says why `alerts` are not known."""

    incident: Incident
    alerts: list[Alert]
    current: Acknowledgement | None
    last_ended: Acknowledgement | None
    fault: str

    @property
    def address(self) -> str:
        """The page itself."""
        labels = {name: value for name, value in self.incident.labels.items() if value}
        return f"{url_for('acknowledge')}?{urlencode(labels)}"


def add_acknowledge_page(app: Flask, acknowledger: Acknowledger) -> None:
    """Adds /acknowledge?condition=…&bot=…&severity=…; without a bot it is for alerts that have none."""

    @app.get("/acknowledge")
    def acknowledge() -> ResponseReturnValue:
        return _page(acknowledger, _incident())

    @app.post("/acknowledge")
    def change() -> ResponseReturnValue:
        incident = _incident()
        name = " ".join(request.form.get("name", "").split())
        if not name or len(name) > MAX_NAME or not name.isprintable():
            return _page(acknowledger, incident, f"Please give your name, of at most {MAX_NAME} characters.", 400)
        session["name"] = name
        try:
            if request.form.get("do") == "take back":
                acknowledger.take_back(incident, name)
            elif acknowledger.acknowledge(incident, name) is None:
                return _page(acknowledger, incident)
        except AlertmanagerError as error:
            return _page(acknowledger, incident, f"{error} Nothing was changed. Please try again.", 503)
        # So that a reload of the page doesn't send the form again.
        return redirect(_look(acknowledger, incident, ask=False).address, 303)


def _incident() -> Incident:
    values = [request.args.get(name, "") for name in ("condition", "bot", "severity")]
    if not values[0] or any(len(value) > MAX_LABEL or "\0" in value for value in values):
        abort(400, "This link is not whole: it must name the condition. Open it anew from the message or the inbox.")
    if values[2] == "none":
        abort(400, "What has the severity none is for machines, such as the heartbeat: nobody can look after it.")
    return Incident(*values)


def _look(acknowledger: Acknowledger, incident: Incident, *, ask: bool = True) -> Situation:
    alerts, fault = [], ""
    try:
        alerts = acknowledger.alerts(incident) if ask else []
        if ask and not alerts and not acknowledger.is_over(incident):
            fault = DOUBT
    except AlertmanagerError as error:
        fault = str(error)
    return Situation(incident, alerts, acknowledger.current(incident), acknowledger.last_ended(incident), fault)


def _page(acknowledger: Acknowledger, incident: Incident, told: str = "", status: int = 200) -> ResponseReturnValue:
    situation = _look(acknowledger, incident)
    if situation.fault:
        status = 503
    page = render_template(
        "acknowledge.html", situation=situation, told=told, name=session.get("name", ""), max_name=MAX_NAME
    )
    return page, status
