"""Who may use Alertmanager: the user admin, with Grafana's password."""

from __future__ import annotations

from pathlib import Path

import bcrypt
import yaml

from init.faults import Faults
from init.yaml import dump

MAX_BYTES = 72  # bcrypt hashes no more


def web_config(path: Path, password: str) -> str:
    """Alertmanager's web configuration; that in `path` is kept as long as its hash is of this password."""
    secret = password.encode()
    if len(secret) > MAX_BYTES:
        raise Faults([f"GRAFANA_ADMIN_PASSWORD is over {MAX_BYTES} bytes long: allowed are {MAX_BYTES}."])
    try:
        text = path.read_text(encoding="utf-8")
        if bcrypt.checkpw(secret, yaml.safe_load(text)["basic_auth_users"]["admin"].encode()):
            return text
    except (OSError, ValueError, TypeError, LookupError, AttributeError, yaml.YAMLError):
        pass  # none yet, or a broken one
    made = bcrypt.hashpw(secret, bcrypt.gensalt(10)).decode()
    return dump({"basic_auth_users": {"admin": made}}, "the password")
