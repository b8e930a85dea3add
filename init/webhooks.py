"""The file that tells the responder its webhooks: monitoring.yml's, with the addresses and secrets of .env."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from exporter.config.load import ConfigError, load_webhooks
from exporter.config.webhooks import address, secret
from init.faults import Faults


@dataclass(frozen=True)
class Rendered:
    """The file's text, and a line for the user, without an address or a secret."""

    text: str
    line: str


def render(monitoring: Path, environ: Mapping[str, str]) -> Rendered:
    """Reads and checks the section. Raises Faults with all that is wrong in it."""
    try:
        found = load_webhooks(monitoring, environ)
    except ConfigError as error:
        raise Faults(error.faults) from error
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
    line = f"on, {told}" if told else "left out. To tell programs of trades, alerts or reports, see docs/webhooks.md"
    return Rendered(json.dumps(webhooks), f"Webhooks by kind: {line}")
