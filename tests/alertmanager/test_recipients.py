"""Mail to several: a recipient whom the mail server refuses keeps nobody else from being told."""

from __future__ import annotations

from pathlib import Path

from tests.alertmanager.harness import Alerting, bot_down
from tests.channels import SmtpServer

MONITORING = """
contacts:
  manager:
    - {name: Gone, email: gone@example.org}
    - {name: Anna, email: anna@example.org}
"""
# Of another bot: the critical would hold back a warning of the same.
STEP = {
    "bot": "other",
    "alertname": "EscalationNoResponse",
    "severity": "warning",
    "escalation": "step_1",
    "role": "manager",
}


def test_one_refused_recipient_keeps_nobody_else_from_being_told(tmp_path: Path) -> None:
    with SmtpServer() as smtp:
        smtp.unknown = {"old@example.org", "gone@example.org"}
        settings = smtp.settings | {"SMTP_TO": "old@example.org,you@example.org"}
        with Alerting(tmp_path, settings, monitoring=MONITORING) as alerting:
            alerting.post([bot_down(), bot_down(labels=STEP)])
            you = smtp.wait_for(lambda mail: mail.recipients == ["you@example.org"])
            anna = smtp.wait_for(lambda mail: mail.recipients == ["anna@example.org"])
            assert "BotDown" in you.text
            assert you.parsed["To"] == "you@example.org"
            assert "EscalationNoResponse" in anna.text
            assert "550" in alerting.log("alertmanager")
