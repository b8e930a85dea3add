"""A server that speaks Twilio's protocol for SMS and calls, and keeps what it is sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import pytest
from apprise.plugins.twilio import NotifyTwilio

from tests.channels import HttpServer, Request

SID = "AC0123456789abcdef0123456789abcdef"
AUTH = "fedcba9876543210fedcba9876543210"
FROM = "+15551234567"
ANNA, BEN, ME = "+4915112345678", "+4915112345679", "+4915112345670"
SMS_URL = f"twilio://{SID}:{AUTH}@{FROM}/{{to}}"
PHONE_URL = f"{SMS_URL}?method=call"


class TwilioServer(HttpServer[dict[str, str]]):
    """Messages.json and Calls.json of one account. A message is the request's form and its `path`."""

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Leads Apprise here."""
        for name in ("notify_sms_url", "notify_call_url"):
            address = getattr(NotifyTwilio, name).replace("https://api.twilio.com", self.url)
            monkeypatch.setattr(NotifyTwilio, name, address)

    def answer(self, request: Request) -> tuple[int, str]:
        login = base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
        if login != f"{SID}:{AUTH}":
            return 401, self.refusal(401, {})
        form = {name: values[0] for name, values in parse_qs(request.body.decode(), strict_parsing=True).items()}
        self.keep({"path": request.path, **form})
        return 201, json.dumps({"sid": "SM1", "status": "queued"})

    def refusal(self, status: int, details: Mapping[str, Any]) -> str:
        return json.dumps({"code": 20003, "message": f"Authentication Error for {SID}", "status": status, **details})


def contacts(**changes: Any) -> dict[str, Any]:
    """contacts.json."""
    return {
        "sms_url": SMS_URL,
        "phone_url": PHONE_URL,
        "roles": {
            "manager": [{"name": "Anna", "phone": ANNA, "sms": ANNA}, {"name": "Ben", "phone": "", "sms": BEN}],
            "administrator": [{"name": "Me", "phone": "", "sms": ME}],
            "technical_lead": [],
        },
        **changes,
    }
