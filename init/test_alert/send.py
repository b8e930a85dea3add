"""Has the messages sent, and waits for what becomes of each."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import requests

from init.test_alert.log import Log
from init.test_alert.plan import ATTEMPT_SECONDS, Plan, Target

START_SECONDS = 30
# Alertmanager tries again what failed: a fault that goes away by itself is none. Not for longer: a mail server locks
# out whoever comes too often with a wrong password.
RETRY_SECONDS = 4
RESPONDER_SECONDS = 25  # a phone call is set up by a service elsewhere
NO_ANSWER = f"no answer within {ATTEMPT_SECONDS} s"


class NotStarted(Exception):  # noqa: N818 - a state, told to a person
    """The Alertmanager for the test did not start; the text says why."""


@dataclass(frozen=True)
class Outcome:
    """What became of one message; `error` is empty where it was delivered."""

    target: Target
    error: str


def alert(environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The test message. Its links are those of a real one, so that they can be tried out."""
    grafana = environ.get("GRAFANA_URL", "").rstrip("/")
    responder = environ.get("RESPONDER_URL", "").rstrip("/")
    annotations = {
        "summary": "This is a test of your channels. Nothing has happened, and there is nothing to do.",
        "description": "Sent by make test-alert. A real message looks like this one and says here what has happened. "
        "Try its links: they should open on the device on which you read this.",
    }
    annotations |= {"dashboard_url": f"{grafana}/d/trading-bot"} if grafana else {}
    annotations |= {"runbook_url": f"{responder}/runbooks/"} if responder else {}
    # Without a bot, and with a condition of its own: nothing in the inbox to be acknowledged.
    labels = {"alertname": "TestMessage", "condition": "test_message", "severity": "none"}
    return {"labels": labels, "annotations": annotations}


def send(plan: Plan, lines: Iterable[str], host: str, message: Mapping[str, object]) -> list[Outcome]:
    """Sends through each channel of the plan; the outcomes in its order. Raises NotStarted.

    `lines` is the log of the Alertmanager that runs by the plan's configuration, which answers at `host`.
    """
    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(_ask_responder, plan, target) for target in plan.by_responder]
        log = _watch(plan, lines, host, message) if plan.targets else Log()
        own = [Outcome(t, "" if t.receiver in log.delivered else _error(log, t)) for t in plan.targets]
        return own + [outcome for answer in asked for outcome in answer.result()]


def _error(log: Log, target: Target) -> str:
    return log.errors.get(target.receiver) or NO_ANSWER


def _watch(plan: Plan, lines: Iterable[str], host: str, message: Mapping[str, object]) -> Log:
    """Posts the message once Alertmanager answers, and reads its log until each channel's outcome is known."""
    arrived = _queue(lines)
    log = Log()
    end = time.monotonic() + START_SECONDS
    while not log.address:
        line = _next(arrived, end)
        if line is None:
            raise NotStarted("\n".join(log.rest[-5:]) or f"It does not answer within {START_SECONDS} s.")
        log.take(line)
    address = f"http://{host}:{log.address.rpartition(':')[2]}/api/v2/alerts"
    try:
        requests.post(address, json=[message], timeout=10).raise_for_status()
    except requests.RequestException as error:
        raise NotStarted(f"It takes no message: {error}") from error
    now = time.monotonic()
    early, late = now + RETRY_SECONDS, now + ATTEMPT_SECONDS + 1
    while waiting := {target.receiver for target in plan.targets} - log.delivered - log.given_up:
        # Who has answered with an error is waited for a while; who hasn't answered, as long as an attempt may take.
        line = _next(arrived, early if waiting <= log.errors.keys() else late)
        if line is None:
            break
        log.take(line)
    return log


def _queue(lines: Iterable[str]) -> queue.Queue[str | None]:
    """The lines as they come; None is their end."""
    arrived: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        # Closed under our hands, when all is known.
        with contextlib.suppress(ValueError):
            for line in lines:
                arrived.put(line)
        arrived.put(None)

    threading.Thread(target=read, daemon=True).start()
    return arrived


def _next(arrived: queue.Queue[str | None], end: float) -> str | None:
    """The next line; None when there is none before `end`, or none any more."""
    try:
        return arrived.get(timeout=max(0.0, end - time.monotonic()))
    except queue.Empty:
        return None


def _ask_responder(plan: Plan, target: Target) -> list[Outcome]:
    """SMS and phone: the responder tells of each contact what became of it."""
    try:
        token = (plan.token_file or Path("token")).read_text(encoding="utf-8").strip()
        answer = requests.post(
            f"{plan.responder_url}/api/v1/notify/test/{target.title.lower()}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=RESPONDER_SECONDS,
        )
        found = answer.json()
        contacts = found.get("contacts")
        if not answer.ok or not isinstance(contacts, list):
            told = found.get("error", "")
            return [Outcome(target, f"the responder answers {answer.status_code}: {told}".rstrip(": "))]
        outcomes = []
        for contact in contacts:
            one = Target("", target.title, str(contact["contact"]))
            outcomes.append(Outcome(one, "" if contact["delivered"] else str(contact["error"] or "not delivered")))
        return outcomes or [Outcome(target, "nobody has a number for it in `contacts` of monitoring.yml")]
    except requests.Timeout:
        return [Outcome(target, f"the responder gave no answer within {RESPONDER_SECONDS} s")]
    except requests.ConnectionError:
        return [Outcome(target, f"the responder does not answer at {plan.responder_url}")]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return [Outcome(target, f"the responder can't be asked: {error}")]
