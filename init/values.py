"""Reads single values from the environment and remembers every fault."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv6Address
from urllib.parse import urlsplit

from exporter.config.contacts import is_mail_address
from init.faults import Faults

# As the shells of .env files leave them behind: the line's own end and spaces around the value.
_BLANK = " \t\r\n"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# What stands in place of bytes that are no UTF-8.
_UNDECODED = re.compile(r"[\ud800-\udfff]")
_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
# Who logs in, host and port, as Go takes them, which is stricter than Python.
_NETLOC = re.compile(r"(?:[\w.~!$&'()*+,;=:%@-]*@)?(\[[^\[\]]*\]|[^\[\]:@]+)(?::[0-9]*)?", re.ASCII)


def is_host(text: str) -> bool:
    """Whether it is a host's name or an IP address; one with colons stands in brackets."""
    if not text.startswith("["):
        return re.fullmatch(rf"{_LABEL}(?:\.{_LABEL})*\.?", text) is not None
    try:
        return text.endswith("]") and not IPv6Address(text[1:-1]).scope_id
    except ValueError:
        return False


class Reader:
    """Gives typed values by name; an empty variable counts as one that isn't set."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Takes the environment; nothing is read yet."""
        self._environ = environ
        self._faults: list[str] = []

    def fault(self, message: str) -> None:
        """Remembers one fault, once."""
        if message not in self._faults:
            self._faults.append(message)

    def raise_faults(self) -> None:
        """Raises Faults if there were any."""
        if self._faults:
            raise Faults(self._faults)

    def text(self, name: str) -> str:
        """A value without blanks around it; control characters and quotes around it are faults."""
        value = self._environ.get(name, "").strip(_BLANK)
        if self._undecoded(name, value):
            return ""
        if _CONTROL.search(value):
            self.fault(f"{name} has a line break or another control character in it: allowed is one line of text.")
            return ""
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            self.fault(f"{name} has quotes around it that whatever read .env has kept: remove them.")
            return ""
        return value

    def secret(self, name: str) -> str:
        """A secret, kept as it is (`$`, quotes and inner spaces are part of it) but for the line's end."""
        value = self._environ.get(name, "").rstrip("\r\n")
        if not value.strip(_BLANK) or self._undecoded(name, value):
            return ""
        if _CONTROL.search(value):
            self.fault(f"{name} has a line break or another control character in it: allowed is one line of text.")
        elif value != value.strip(_BLANK):
            self.fault(f"{name} begins or ends with a space, which its reader would cut off: remove it.")
        return value

    def _undecoded(self, name: str, value: str) -> bool:
        undecoded = _UNDECODED.search(value) is not None
        if undecoded:
            self.fault(f"{name} has bytes in it that are no UTF-8: save .env as UTF-8.")
        return undecoded

    def parts(self, name: str) -> list[str]:
        """The values of a list that is separated by commas."""
        text = self.text(name)
        parts = [part for part in (part.strip(_BLANK) for part in text.split(",")) if part]
        if text and not parts:
            self.fault(f"{name} has only commas in it: allowed are values separated by commas.")
        return parts

    def complete(self, what: str, names: Sequence[str], *, begun: Sequence[str] = ()) -> bool:
        """Whether all of these are set. It is a fault if some are (or one of `begun`), but not all."""
        missing = [name for name in names if not self._environ.get(name, "").strip(_BLANK)]
        given = [name for name in (*names, *begun) if name not in missing and self._environ.get(name, "").strip(_BLANK)]
        if missing and given:
            verb, them = ("is", "it") if len(missing) == 1 else ("are", "them")
            self.fault(
                f"{' and '.join(missing)} {verb} not set, which {what} needs: "
                f"set {them}, or empty {' and '.join(given)}."
            )
        return not missing

    def port(self, name: str, default: int) -> int:
        """A TCP port."""
        value = self.text(name)
        if not value:
            return default
        if not re.fullmatch(r"[0-9]{1,5}", value) or not 1 <= int(value) <= 65535:
            self.fault(f"{name} is {value!r}: allowed is a port, a whole number from 1 to 65535.")
            return default
        return int(value)

    def boolean(self, name: str, default: bool) -> bool:
        """True or false, in the usual spellings."""
        value = self.text(name).lower()
        if value in ("", "true", "yes", "on", "1"):
            return default if not value else True
        if value not in ("false", "no", "off", "0"):
            self.fault(f"{name} is {value!r}: allowed are true and false.")
        return False

    def url(self, name: str, *, secret: bool = False) -> str:
        """An http(s) address. Braces are refused: Alertmanager would take them for a template."""
        value = self.secret(name) if secret else self.text(name)
        if not value:
            return ""
        shown = "its value isn't" if secret else f"{value!r} isn't"
        try:
            parts = urlsplit(value)
            host = _NETLOC.fullmatch(parts.netloc)
            valid = parts.scheme in ("http", "https") and host is not None and is_host(host[1]) and parts.port != 0
        except ValueError:
            valid = False
        if re.search("%(?![0-9A-Fa-f]{2})", value):
            self.fault(f"{name} has a % in it that no two hexadecimal digits follow: write %25 for a %.")
        elif not valid or not re.fullmatch(r"[!#-;=?-\[\]_a-z~]+", value):
            self.fault(f"{name}: {shown} an address: allowed is one that begins with http:// or https://.")
        return value

    def address(self, name: str, default: str) -> str:
        """Where a service is reached by the others: host:port."""
        value = self.text(name) or default
        match = re.fullmatch(r"(.+):([0-9]{1,5})", value)
        if not match or not is_host(match[1]) or not 1 <= int(match[2]) <= 65535:
            self.fault(f"{name} is {value!r}: allowed is host:port, the port from 1 to 65535.")
        return value

    def mail_address(self, name: str, value: str) -> str:
        """An email address; empty stays empty."""
        if value and not is_mail_address(value):
            self.fault(f"{name} has {value!r}: allowed is an email address such as you@example.org.")
        return value

    def retention(self, name: str) -> None:
        """How long data is kept: Prometheus and the responder don't start with a wrong value."""
        value = self.text(name)
        match = re.fullmatch(r"([1-9][0-9]{0,4})([hdw])", value)
        if value and not (match and 1 <= int(match[1]) * {"h": 1, "d": 24, "w": 168}[match[2]] <= 365 * 24):
            self.fault(f"{name} is {value!r}: allowed is a number and h, d or w, at most 365d, such as 30d.")
