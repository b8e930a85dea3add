"""Channels that fail for some messages and not for others."""

from __future__ import annotations

import json
import re
from collections import Counter
from contextlib import ExitStack
from typing import Any, Self

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.channels import HttpServer, Mail, Request, SlackServer, SmtpServer, T, TelegramServer, WebhookServer


def mentions(text: str, bot: str) -> bool:
    """Whether a text is about a bot, not one whose name is longer."""
    return bool(re.search(rf"(?<![\w-]){re.escape(bot)}(?![\w-])", text))


def words(document: Any) -> str:
    """All texts of a JSON document."""
    if isinstance(document, dict | list):
        return "\n".join(map(words, document.values() if isinstance(document, dict) else document))
    return str(document)


class Trouble(HttpServer[T]):
    """A server that fails for what has a certain word in it."""

    def __init__(self) -> None:
        super().__init__()
        self.trouble: dict[str, int] = {}  # by word the status; 0 breaks off the connection
        self.failed: Counter[str] = Counter()
        self._closed = False

    def close(self) -> None:
        """Nobody listens any more, and what is connected is broken off."""
        self._closed = True
        super().__exit__()

    def open(self) -> None:
        """Somebody listens again, at the same port."""
        self._closed = False
        self._listen(self._server.server_port)
        super().__enter__()

    def _post(self, request: Request) -> tuple[int, str]:
        if self._closed:
            raise ConnectionResetError
        for word, status in self.trouble.items():
            if word in request.body.decode():
                self.failed[word] += 1
                if not status:
                    raise ConnectionResetError
                return status, self.refusal(status, {})
        return super()._post(request)


class TroubledTelegram(Trouble[dict[str, Any]], TelegramServer):
    def __init__(self) -> None:
        super().__init__()
        self.chats = (4711,)


class TroubledSlack(Trouble[dict[str, Any]], SlackServer):
    pass


class TroubledWebhook(Trouble[Request], WebhookServer):
    pass


class TroubledSmtp(SmtpServer):
    def __init__(self) -> None:
        super().__init__()
        self.trouble: dict[str, int] = {}
        self.failed: Counter[str] = Counter()

    def close(self) -> None:
        """Nobody listens any more."""
        self.__exit__()

    def open(self) -> None:
        """Somebody listens again, at the same port."""
        self.__enter__()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Called by aiosmtpd with a whole mail."""
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        text = Mail("", [], content, "", False).text
        for word, status in self.trouble.items():
            if word in text:
                self.failed[word] += 1
                return f"{status} Not now" if status else "421 Closing"
        return await super().handle_DATA(server, session, envelope)


class Channels:
    """A server for each of NAMES. A context manager."""

    # But for SMS and calls: those are the responder's.
    NAMES = ("telegram", "slack", "email", "discord", "webhook", "inbox")

    def __init__(self) -> None:
        self.telegram, self.slack, self.email = TroubledTelegram(), TroubledSlack(), TroubledSmtp()
        self.discord, self.webhook, self.inbox = TroubledWebhook(), TroubledWebhook(), TroubledWebhook()
        self._exits = ExitStack()

    @property
    def settings(self) -> dict[str, str]:
        """The variables of .env."""
        others = {"DISCORD_WEBHOOK_URL": self.discord.url, "WEBHOOK_URL": self.webhook.url}
        others["RESPONDER_ADDRESS"] = self.inbox.url.removeprefix("http://")
        return {**self.telegram.settings, **self.slack.settings, **self.email.settings, **others}

    def texts(self, channel: str) -> list[str]:
        """What people read there, oldest first."""
        if channel == "telegram":
            return [message["text"] for message in self.telegram.messages]
        if channel == "email":
            return [mail.text for mail in self.email.messages]
        if channel == "discord":
            return [words(json.loads(request.body)) for request in self.discord.messages]
        return [words(message) for message in self.slack.messages]

    def alerts(self, channel: str, bot: str) -> list[dict[str, Any]]:
        """The alerts of a bot as the inbox or the webhook received them."""
        server: TroubledWebhook = getattr(self, channel)
        found = [alert for request in server.messages for alert in json.loads(request.body)["alerts"]]
        return [alert for alert in found if alert["labels"].get("bot") == bot]

    def told(self, channel: str, bot: str) -> list[str]:
        """What a channel told of a bot, such as ["firing", "resolved"]."""
        if channel in ("inbox", "webhook"):
            return [alert["status"] for alert in self.alerts(channel, bot)]
        return [_status(text) for text in self.texts(channel) if mentions(text, bot)]

    def __enter__(self) -> Self:
        for name in self.NAMES:
            self._exits.enter_context(getattr(self, name))
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()


def _status(text: str) -> str:
    (status,) = [status for status in ("FIRING", "RESOLVED") if status in text]
    return status.lower()
