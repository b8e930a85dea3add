"""Sending through Apprise, which knows Twilio and some hundred services more.

It is imported when something is sent, not before: without SMS and phone it costs nothing. Of its services only the one
that is used is loaded, where its module has the name of its scheme (twilio, vonage, plivo …): all of them are 10 MB.
"""

from __future__ import annotations

import importlib
import logging
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from responder.outbox.courier import DeliveryError
from responder.outbox.hiding import of_login, without

if TYPE_CHECKING:
    from apprise import AppriseAsset, NotifyBase

# A service that answers late has sent it, and would send it again: so it has more than Apprise's 4 s to answer.
READ_SECONDS = 15
SEND_SECONDS = 30
HIDDEN = "…"
_ANY_NUMBER = "+15005550006"
# What may stand in an address and is no secret, though it is said in errors.
_PLAIN = re.compile(r"sms|call|text|yes|no|true|false|\d{1,2}(\.\d+)?", re.IGNORECASE)


def send(url: str, number: str, text: str) -> None:
    """Returns when the service has taken it, else raises DeliveryError, whose text has no part of `url` or `number`."""
    try:
        _send(url, number, text)
    except DeliveryError as error:
        raise DeliveryError(hide(str(error), url, number)) from None
    except Exception as error:  # what it says is unknown, and may hold the address
        raise DeliveryError(f"Apprise failed: {type(error).__name__}") from None


def is_taken(url: str) -> bool:
    """Whether Apprise knows the service and takes the form of its address; the service itself isn't asked."""
    import apprise

    _hush()
    try:
        _service(url.replace("{to}", quote(_ANY_NUMBER, safe="")), apprise.AppriseAsset())
    except DeliveryError:
        return False
    return True


def hide(text: str, url: str, number: str) -> str:
    """The text without any part of the address that may be a secret, and without the number."""
    try:
        authority = urlsplit(url).netloc
    except ValueError:
        authority = ""
    rest = url.partition("://")[2] or url
    parts = {url, rest, authority, number, number.lstrip("+")}
    for part in re.split(r"[/?&#]", rest):
        _, _, value = part.rpartition("=")
        parts |= {part if "=" not in part else value, *re.split(r"[:@]", value)}
    user, _, password = authority.rpartition("@")[0].partition(":")
    if user:
        parts |= {*of_login(user, password)}
    secrets = (part for part in parts if len(part) > 1 and part != "{to}" and not _PLAIN.fullmatch(part))
    return without(text, secrets, HIDDEN)


def _send(url: str, number: str, text: str) -> None:
    if "{to}" not in url:
        raise DeliveryError("its address in .env has no {to}, where the number goes")
    import apprise

    from exporter.sources.hard_end import hard_end
    from responder.people import bounded

    _hush().setLevel(logging.WARNING)
    # No redirects: they would carry the log-in along. No time limit of its own: see responder/people/bounded.py.
    asset = apprise.AppriseAsset(app_id="Trading bots", http_redirects=False, async_mode=False, service_timeout=0)
    address = url.replace("{to}", quote(number, safe=""))
    if "rto=" not in address:
        address += f"{'&' if '?' in address else '?'}rto={READ_SECONDS}"
    service = _service(address, asset)
    # Without a number that it understands, Twilio's would send to the sender's own.
    if not getattr(service, "targets", True):
        raise DeliveryError("the service doesn't take the number; it must look like +4915112345678")
    sender = apprise.Apprise(asset=asset)
    sender.add(service)
    bounded.bind()
    with hard_end(time.monotonic() + SEND_SECONDS):
        result = sender.notify(text, body_format=apprise.NotifyFormat.TEXT)
    if not result:
        told = " ".join(entry.message for entry in result.logs() if entry.level in ("WARNING", "ERROR", "CRITICAL"))
        raise DeliveryError(told or f"the service did not take it ({result.status.name.lower()})")


def _hush() -> logging.Logger:
    """Apprise's log, which tells nobody any more: it tells addresses, some with their secrets."""
    import apprise

    logger = logging.getLogger(apprise.LOGGER_NAME)
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger


def _service(address: str, asset: AppriseAsset) -> NotifyBase:
    import apprise

    schema = address.partition("://")[0].lower()
    if not re.fullmatch(r"[a-z0-9]+", schema):
        raise DeliveryError("its address in .env doesn't begin like twilio://")
    service = None
    if plugin := _plugin(schema):
        parts = plugin.parse_url(address)
        if parts:
            try:
                service = plugin(**{**parts, "asset": asset})
            except (apprise.exception.AppriseException, TypeError) as error:
                raise DeliveryError(f"its address in .env is not right: {error}") from None
    else:
        service = apprise.Apprise.instantiate(address, asset=asset)
    if service is None:
        raise DeliveryError(f"its address in .env, {schema}://…, is none that Apprise takes")
    return service


def _plugin(schema: str) -> type[NotifyBase] | None:
    """The service, if its module is named like its scheme."""
    from apprise import NotifyBase

    try:
        module = importlib.import_module(f"apprise.plugins.{schema}")
    except ImportError:
        return None
    own = [value for value in vars(module).values() if getattr(value, "__module__", "") == module.__name__]
    services = [value for value in own if isinstance(value, type) and issubclass(value, NotifyBase)]
    return next((service for service in services if service.enabled and schema in _schemes(service)), None)


def _schemes(plugin: type[NotifyBase]) -> set[str]:
    schemes: set[str] = set()
    for names in (plugin.protocol, plugin.secure_protocol):
        schemes |= {names} if isinstance(names, str) else set(names or ())
    return schemes
