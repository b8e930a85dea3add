"""What the native way to run is started with: .env, ports, addresses, and where its files are."""

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from shlex import quote

import yaml
from dotenv.parser import Original, parse_stream

from native.errors import StackError

ROOT = Path(__file__).resolve().parent.parent
SOCKET_LENGTH = 90  # a Unix socket's path holds 107 bytes, and supervisord first makes one with a suffix

# Read by `python -m init` alone: no process gets them, and a change needs no restart.
RELOADABLE = (
    *("TELEGRAM_", "SLACK_", "SMTP_", "DISCORD_", "WEBHOOK_", "SMS_", "PHONE_", "HEARTBEAT_"),
    *("GRAFANA_ADMIN_PASSWORD", "RESPONDER_PASSWORD"),
)
# What a process takes from the shell; the rest of it, tokens of other programs for one, is no business of theirs.
INHERITED = re.compile(r"PATH|HOME|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR")


@dataclass(frozen=True)
class Service:
    """A component that listens: its name, default port and the path that answers 200 once it can do its work."""

    name: str
    default_port: int
    ready_path: str

    @property
    def title(self) -> str:
        """The name as people write it."""
        return self.name.capitalize()

    @property
    def port_variable(self) -> str:
        """The variable in .env that moves its port."""
        return f"{self.name.upper()}_PORT"


SERVICES = (
    Service("exporter", 8000, "/-/ready"),
    Service("responder", 8080, "/-/ready"),
    Service("alertmanager", 9093, "/-/ready"),
    Service("prometheus", 9090, "/-/ready"),
    Service("grafana", 3000, "/api/health"),
)


@dataclass(frozen=True)
class Settings:
    """Everything resolved: folders, the port of each service, and environments.

    `environment` is for this command and for `python -m init`, `process_environment` for what goes on running,
    `inherited` what that gets of the shell besides: no reason to restart it when it differs.
    """

    root: Path
    ports: Mapping[str, int]
    environment: Mapping[str, str]
    process_environment: Mapping[str, str]
    inherited: Mapping[str, str]

    @property
    def stack(self) -> Path:
        """The folder of all that is made while running: bin, out, data, log, run."""
        return self.root / ".stack"

    @property
    def bin(self) -> Path:
        """The folder of the binaries that were found or fetched."""
        return self.stack / "bin"

    @property
    def out(self) -> Path:
        """What `python -m init` writes."""
        return self.stack / "out"

    @property
    def socket(self) -> Path:
        """supervisord's control socket; in the temporary folder where the project's own path is too long for one."""
        near = self.stack / "run" / "supervisor.sock"
        if len(os.fsencode(near)) <= SOCKET_LENGTH:
            return near
        digest = sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"trading-bot-monitoring-{os.getuid()}-{digest}" / "supervisor.sock"

    def url(self, service: Service) -> str:
        """Where the service answers on this machine."""
        return f"http://127.0.0.1:{self.ports[service.name]}"


def read_env(path: Path) -> dict[str, str]:
    """The variables of a .env file; no file gives none. Raises StackError naming each line that can't be read."""
    if not path.exists():
        return {}
    try:
        with path.open(encoding="utf-8-sig") as stream:
            bindings = list(parse_stream(stream))
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"{path.name} can't be read: {error}") from error
    bad = [str(_line(binding.original)) for binding in bindings if binding.error]
    if bad:
        raise StackError(f"{path.name}, line {', '.join(bad)}: not NAME=value. Correct it, or put a # before it.")
    return {binding.key: binding.value for binding in bindings if binding.key and binding.value is not None}


def _line(original: Original) -> int:
    """The line of a binding's first character; the parser counts from the empty lines before it."""
    blank = len(original.string) - len(original.string.lstrip())
    return original.line + original.string[:blank].count("\n")


def load(root: Path = ROOT, shell: Mapping[str, str] | None = None) -> Settings:
    """Resolves .env and the shell's environment, which wins. Raises StackError for an impossible port."""
    shell = os.environ if shell is None else shell
    dotenv = read_env(root / ".env")
    given = {**dotenv, **shell}
    ports = _ports(given)
    made = {
        "PYTHON": sys.executable,
        "RETENTION": given.get("RETENTION") or "30d",
        "DASHBOARDS_PATH": str(root / "grafana" / "dashboards"),
    }
    for service in SERVICES:
        upper = service.name.upper()
        made[f"{upper}_PORT"] = str(ports[service.name])
        made[f"{upper}_ADDRESS"] = f"127.0.0.1:{ports[service.name]}"
        made[f"{upper}_URL"] = given.get(f"{upper}_URL") or f"http://localhost:{ports[service.name]}"
    made |= _grafana(root, ports["grafana"], made["GRAFANA_URL"])
    environment = {**given, **made}
    ours = [name for name in dotenv if name not in made and not name.startswith(RELOADABLE)]
    process = {**{name: given[name] for name in ours}, **made}
    # For the `env` that starts all but the exporter: bots' passwords have any name.
    process["WITHOUT_DOTENV"] = " ".join(f"-u {quote(name)}" for name in ours if not INHERITED.fullmatch(name))
    inherited = {name: value for name, value in shell.items() if INHERITED.fullmatch(name)}
    settings = Settings(root, ports, environment, process, inherited)
    process["SUPERVISOR_SOCKET"] = str(settings.socket)
    return settings


def _ports(given: Mapping[str, str]) -> dict[str, int]:
    ports: dict[str, int] = {}
    for service in SERVICES:
        text = given.get(service.port_variable) or str(service.default_port)
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
            raise StackError(f"{service.port_variable} in .env is {text!r}: a port is a number from 1 to 65535.")
        if int(text) in ports.values():
            other = next(name for name, port in ports.items() if port == int(text))
            raise StackError(
                f"{service.port_variable} is {text}, which {other} has too: give each service its own port."
            )
        ports[service.name] = int(text)
    return ports


def _grafana(root: Path, port: int, public_url: str) -> dict[str, str]:
    """Grafana's settings: those of docker-compose.yml, so that both ways are one, with this machine's paths."""
    compose = yaml.safe_load((root / "docker-compose.yml").read_text(encoding="utf-8"))
    shared = {
        name: str(value)
        for name, value in compose["services"]["grafana"]["environment"].items()
        if name.startswith("GF_") and "/" not in str(value)
    }
    stack = root / ".stack"
    return shared | {
        "GF_SERVER_HTTP_ADDR": "127.0.0.1",
        "GF_SERVER_HTTP_PORT": str(port),
        "GF_SERVER_ROOT_URL": public_url,
        "GF_SECURITY_ADMIN_PASSWORD": f"$__file{{{stack / 'out' / 'grafana' / 'admin_password'}}}",
        "GF_PATHS_DATA": str(stack / "data" / "grafana"),
        "GF_PATHS_LOGS": str(stack / "data" / "grafana" / "log"),
        "GF_PATHS_PLUGINS": str(stack / "data" / "grafana" / "plugins"),
        "GF_PATHS_PROVISIONING": str(root / "grafana" / "provisioning"),
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(root / "grafana" / "dashboards" / "trading-bot.json"),
    }
