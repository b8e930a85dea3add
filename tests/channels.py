"""Local servers that speak Telegram's, Slack's, Discord's and SMTP's protocols, and keep what they are sent.

with TelegramServer() as telegram:
    start_alertmanager(telegram.settings)  # the variables of .env that lead there
    message = telegram.wait_for(lambda message: "BotDown" in message["text"])
"""

from __future__ import annotations

import email
import email.policy
import json
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Generic, Self, TypeVar

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.serving import Serving

T = TypeVar("T")


class Inbox(Generic[T]):
    """The messages that came, oldest first; waiting for one doesn't poll."""

    def __init__(self) -> None:
        self._messages: list[T] = []
        self._changed = threading.Condition()

    @property
    def messages(self) -> list[T]:
        """A copy of what has come so far."""
        with self._changed:
            return list(self._messages)

    def keep(self, message: T) -> None:
        """Adds a message."""
        with self._changed:
            self._messages.append(message)
            self._changed.notify_all()

    def clear(self) -> None:
        """Forgets what has come."""
        with self._changed:
            self._messages.clear()

    def wait_for(self, predicate: Callable[[T], bool], timeout: float = 20) -> T:
        """The first message that fits; an AssertionError shows what came instead within `timeout` seconds."""
        return self.wait_for_count(predicate, 1, timeout)[0]

    def wait_for_count(self, predicate: Callable[[T], bool], count: int, timeout: float = 20) -> list[T]:
        """The first `count` messages that fit."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while len(found := [message for message in self._messages if predicate(message)]) < count:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    came = "\n".join(str(message)[:500] for message in self._messages) or "nothing"
                    raise AssertionError(f"{len(found)} of {count} messages within {timeout:g} s; there came: {came}")
                self._changed.wait(remaining)
            return found[:count]


@dataclass(frozen=True)
class Request:
    """What an HTTP client asked."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class HttpServer(Inbox[T], Serving):
    """An HTTP server on a free port of 127.0.0.1; subclasses say how to answer a POST."""

    def __init__(self) -> None:
        super().__init__()
        self.refusals: list[tuple[int, dict[str, Any]]] = []
        self._listen(0)

    def _listen(self, port: int) -> None:
        self._server = _Server(("127.0.0.1", port), _handler(self._post))

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def refuse(self, status: int, times: int = 1, **details: Any) -> None:
        """Answers the next requests with this status; they are not kept."""
        self.refusals += [(status, details)] * times

    def answer(self, request: Request) -> tuple[int, str]:
        """Keeps the message of a request and returns status and body."""
        raise NotImplementedError

    def refusal(self, status: int, details: Mapping[str, Any]) -> str:
        """The body of a refusal."""
        return f"refused with {status} {dict(details) or ''}"

    def _post(self, request: Request) -> tuple[int, str]:
        if self.refusals:
            status, details = self.refusals.pop(0)
            return status, self.refusal(status, details)
        return self.answer(request)


class TelegramServer(HttpServer[dict[str, Any]]):
    """Telegram's Bot API: sendMessage. A message is the request's JSON: chat_id, text, parse_mode …"""

    TOKEN = "123456:test-token"
    LIMIT = 4096

    def __init__(self, chats: tuple[int, ...] = (4711,)) -> None:
        super().__init__()
        self.chats = chats

    @property
    def settings(self) -> dict[str, str]:
        """The variables of .env."""
        chats = ",".join(map(str, self.chats))
        return {"TELEGRAM_BOT_TOKEN": self.TOKEN, "TELEGRAM_CHAT_ID": chats, "TELEGRAM_API_URL": self.url}

    def answer(self, request: Request) -> tuple[int, str]:
        if request.path == f"/bot{self.TOKEN}/getMe":
            return 200, json.dumps({"ok": True, "result": {"id": 123456, "is_bot": True, "first_name": "Test"}})
        if request.path != f"/bot{self.TOKEN}/sendMessage":
            return 401, self.refusal(401, {})
        message = json.loads(request.body)
        if int(message["chat_id"]) not in self.chats:
            return 400, self.refusal(400, {"description": "Bad Request: chat not found"})
        if len(message["text"].encode("utf-16-le")) // 2 > self.LIMIT:
            return 400, self.refusal(400, {"description": "Bad Request: message is too long"})
        self.keep(message)
        chat = {"id": int(message["chat_id"]), "type": "private"}
        result = {"message_id": len(self.messages), "date": int(time.time()), "chat": chat, "text": message["text"]}
        return 200, json.dumps({"ok": True, "result": result})

    def refusal(self, status: int, details: Mapping[str, Any]) -> str:
        body: dict[str, Any] = {"ok": False, "error_code": status, "description": f"Refused with {status}"}
        if status == 429:
            body["parameters"] = {"retry_after": 1}
        return json.dumps({**body, **details})


class SlackServer(HttpServer[dict[str, Any]]):
    """Slack's incoming webhook. A message is the request's JSON: channel, username, attachments …"""

    PATH = "/services/T000/B000/secret-of-the-test"

    @property
    def settings(self) -> dict[str, str]:
        """The variables of .env."""
        return {"SLACK_WEBHOOK_URL": self.url + self.PATH}

    def answer(self, request: Request) -> tuple[int, str]:
        if request.path != self.PATH:
            return 404, "no_service"
        self.keep(json.loads(request.body))
        return 200, "ok"


class DiscordServer(HttpServer[dict[str, Any]]):
    """Discord's webhook, with its limits. A message is the request's JSON: username, content, embeds …"""

    PATH = "/api/webhooks/1/secret-of-the-test"
    LIMITS: ClassVar = {"title": 256, "description": 4096, "content": 2000}

    @property
    def settings(self) -> dict[str, str]:
        """The variables of .env."""
        return {"DISCORD_WEBHOOK_URL": self.url + self.PATH}

    def answer(self, request: Request) -> tuple[int, str]:
        if request.path != self.PATH:
            return 404, '{"message": "Unknown Webhook", "code": 10015}'
        message = json.loads(request.body)
        (embed,) = message["embeds"]
        for name, limit in self.LIMITS.items():
            if len((message | embed)[name].encode("utf-16-le")) // 2 > limit:
                return 400, json.dumps({name: [f"Must be {limit} or fewer in length."]})
        self.keep(message)
        return 204, ""


class WebhookServer(HttpServer[Request]):
    """Anything that is sent a POST, such as a heartbeat service."""

    def answer(self, request: Request) -> tuple[int, str]:
        self.keep(request)
        return 200, "ok"


@dataclass(frozen=True)
class Mail:
    """A mail as it was received."""

    sender: str
    recipients: list[str]
    source: bytes
    username: str
    encrypted: bool

    @cached_property
    def parsed(self) -> EmailMessage:
        """The mail, parsed."""
        return email.message_from_bytes(self.source, policy=email.policy.default)

    @property
    def subject(self) -> str:
        """The decoded subject."""
        return str(self.parsed["Subject"])

    @property
    def text(self) -> str:
        """The text part."""
        return self._part("plain")

    @property
    def html(self) -> str:
        """The HTML part."""
        return self._part("html")

    def _part(self, kind: str) -> str:
        part = self.parsed.get_body((kind,))
        return str(part.get_content()) if part is not None else ""


class SmtpServer(Inbox[Mail]):
    """A mail server that asks for a log-in by PLAIN; with a TLS context it offers STARTTLS."""

    USERNAME = "monitoring"
    PASSWORD = "pass $word with \"quotes\" and 'more'"

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.refusals: list[str] = []
        self.unknown: set[str] = set()
        self._tls = tls
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    @property
    def settings(self) -> dict[str, str]:
        """The variables of .env."""
        return {
            "SMTP_HOST": "localhost" if self._tls else "127.0.0.1",
            "SMTP_PORT": str(self.port),
            "SMTP_FROM": "monitoring@example.org",
            "SMTP_TO": "trader@example.org",
            "SMTP_USERNAME": self.USERNAME,
            "SMTP_PASSWORD": self.PASSWORD,
            "SMTP_REQUIRE_TLS": "true" if self._tls else "false",
        }

    def refuse(self, answer: str = "451 Try again later", times: int = 1) -> None:
        """Answers the next mails with this; they are not kept."""
        self.refusals += [answer] * times

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Called by aiosmtpd for each recipient; those in `unknown` are refused for good."""
        if address in self.unknown:
            return "550 5.1.1 No such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Called by aiosmtpd with a whole mail."""
        if self.refusals:
            return self.refusals.pop(0)
        # Here, not by aiosmtpd's `auth_required`: that warns about a log-in without TLS at each connection.
        if not session.authenticated or session.auth_data is None:
            return "530 Authentication required"
        user = session.auth_data.login.decode()
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        self.keep(Mail(envelope.mail_from or "", envelope.rcpt_tos, content, user, session.ssl is not None))
        return "250 Kept"

    def _authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any) -> AuthResult:
        good = data == LoginPassword(self.USERNAME.encode(), self.PASSWORD.encode())
        return AuthResult(success=good, handled=False, auth_data=data if good else None)

    def __enter__(self) -> Self:
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            ready_timeout=10,
            authenticator=self._authenticate,
            auth_require_tls=self._tls is not None,
            auth_exclude_mechanism=["LOGIN"],
            tls_context=self._tls,
            require_starttls=self._tls is not None,
        )
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *arguments: Any) -> None:
        # A client that is stopped in the middle is no news.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*arguments)


def _handler(post: Callable[[Request], tuple[int, str]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, text = post(Request(self.path, dict(self.headers), body))
            content = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if text.startswith("{") else "text/plain")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: Any) -> None:
            """Stays silent: what came is looked at by the tests."""

    return Handler
