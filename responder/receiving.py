"""What programs send: their token, and Alertmanager's message, checked."""

from __future__ import annotations

import logging
from typing import NoReturn

from flask import abort, jsonify, make_response, request
from pydantic import ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from responder.access.login import is_program
from responder.metrics import Metrics
from responder.webhook import Notification

MAX_BODY_BYTES = 1024 * 1024
MAX_FAULTS = 10

log = logging.getLogger(__name__)


def check_token(token: str, metrics: Metrics) -> None:
    """Ends the request with 401 unless it has the token that senders need."""
    if not is_program(token):
        metrics.error("unauthorized")
        _refuse(401, {"error": "The header Authorization must be `Bearer TOKEN`, with the token of --token-file."})


def notification(token: str, metrics: Metrics) -> Notification:
    """The message in the request; ends it with 401, 413 or 400 where there is none."""
    check_token(token, metrics)
    try:
        received = Notification.model_validate_json(request.get_data())
    except RequestEntityTooLarge:
        metrics.error("too_large")
        log.warning("A message of over %s bytes was refused", MAX_BODY_BYTES)
        _refuse(413, {"error": f"The body is over {MAX_BODY_BYTES} bytes: lower max_alerts in alertmanager.yml."})
    except ValidationError as error:
        metrics.error("invalid")
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}" for fault in error.errors()]
        log.warning("A message was refused: %s", "; ".join(faults[:MAX_FAULTS]))
        _refuse(400, {"error": "This isn't a webhook message of Alertmanager.", "faults": faults[:MAX_FAULTS]})
    if received.truncated_alerts:
        log.warning("Alertmanager left %s alerts out of a message", received.truncated_alerts)
    return received


def _refuse(code: int, answer: dict[str, object]) -> NoReturn:
    abort(make_response(jsonify(answer), code))
