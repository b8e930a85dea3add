"""The file that tells the responder its webhooks: monitoring.yml's, with the addresses and secrets of .env."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from exporter.config.webhooks import WEBHOOKS, WebhookEntry, address, faults, secret, unset
from exporter.config.yaml_lines import YamlError, load_with_lines
from init.faults import Faults


@dataclass(frozen=True)
class Rendered:
    """The file's text, and a line for the user, without an address or a secret."""

    text: str
    line: str


def render(monitoring: Path, environ: Mapping[str, str]) -> Rendered:
    """Reads and checks the section. Raises Faults with all that is wrong in it."""
    found = _entries(monitoring, environ)
    webhooks = [
        {
            "name": each.name,
            "kinds": each.kinds,
            "url": address(each.url_env, environ),
            "secret": secret(each.secret_env, environ),
            "bots": each.bots,
        }
        for each in found
    ]
    told = "; ".join(f"{each.name} ({', '.join(each.kinds)})" for each in found)
    line = f"Webhooks: on, {told}" if told else "Webhooks: left out. To switch one on, see docs/webhooks.md"
    return Rendered(json.dumps(webhooks), line)


def _entries(monitoring: Path, environ: Mapping[str, str]) -> tuple[WebhookEntry, ...]:
    try:
        document, lines = load_with_lines(monitoring.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YamlError) as error:
        raise Faults([f"{monitoring} can't be read: {error}"]) from None
    document = document if isinstance(document, dict) else {}
    given = document.get("webhooks")
    bots = document.get("bots")
    names = [str(bot.get("name")) for bot in bots if isinstance(bot, dict)] if isinstance(bots, list) else []
    entries: tuple[WebhookEntry, ...] = ()
    wrong: list[tuple[tuple[int | str, ...], str]] = []
    try:
        entries = WEBHOOKS.validate_python(given)
    except ValidationError as error:
        # Without the value, which may be an address or a secret.
        wrong += [(each["loc"], each["msg"].removeprefix("Value error, ")) for each in error.errors(include_url=False)]
    wrong += [(key, allowed) for key, _, allowed in faults(given, names)]
    wrong += unset(given, environ)
    if wrong:
        raise Faults([_sentence(monitoring, lines, ("webhooks", *key), allowed) for key, allowed in wrong])
    return entries


def _sentence(path: Path, lines: Mapping[tuple[str | int, ...], int], key: tuple[str | int, ...], allowed: str) -> str:
    dotted = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).lstrip(".")
    return f"{path}:{lines.get(key, lines.get(key[:-1], 1))}: {dotted}: {allowed}"
