"""Brings the stack up, to its present configuration, and down; tells its state."""

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

import requests
from requests.auth import HTTPBasicAuth

from native import binaries, ports, private
from native.applied import PROCESSES, Applied
from native.errors import StackError
from native.settings import RELOADABLE, SERVICES, Service, Settings
from native.supervisor import Process, Supervisor
from past.wanted import MARK

START_SECONDS = 60
RELOAD_SECONDS = 15
LAST_RELOAD = "prometheus_config_last_reload_"  # whether it went well, and when one last did
LOG_LINES = 12
FAILED = ("BACKOFF", "EXITED", "FATAL", "UNKNOWN")
LATE = ("prometheus", "grafana")  # Prometheus asks the exporter for the bots as it starts, and then only every 30 s
PAST = (
    "For a first look, the demo bot's past 30 days are being made; they show in a minute or two. "
    "If not: make logs SERVICE=past"
)
PURPOSE = {
    "grafana": "dashboards; user admin, password as told above",
    "prometheus": "metrics and rules",
    "alertmanager": "alerts and silences; user and password as for Grafana",
    "responder": "inbox: every message; password as told above",
    "exporter": "the bots",
}


class Stack:
    """The stack of one project folder."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is touched until a method is called."""
        self.settings = settings
        self.supervisor = Supervisor(settings)

    def up(self) -> None:
        """Starts what doesn't run and applies what has changed. Raises StackError, leaving nothing half-started."""
        with self._locked():
            running = self.supervisor.runs()
            before = Applied.read(self.settings) if running else Applied()
            # Without a record of its ports, what runs is taken to have those of now.
            ports.check(self.settings, before.ports or (dict(self.settings.ports) if running else {}))
            binaries.fetch_all(self.settings.stack, _say)
            grafana_fault = self._fetch_grafana()
            services = [service for service in SERVICES if service.name != "grafana" or not grafana_fault]
            self._prepare()
            now = Applied.now(self.settings)
            changed = now.changed(before)
            if running and PROCESSES in changed:
                _say("What the processes are started with has changed: restarting them.")
                self.supervisor.stop()
                running = False
            if running:
                self._apply(services, changed)
            else:
                self._start(services)
            now.write(self.settings)
        self._print_addresses(services)
        self._make_past()
        if grafana_fault:
            _say(grafana_fault)

    def down(self) -> None:
        """Stops everything; data, logs and passwords stay."""
        with self._locked():
            if self.supervisor.runs():
                self.supervisor.stop()
                _say("Stopped. Data and passwords are kept in .stack.")
            else:
                _say("Nothing runs.")

    def status(self) -> bool:
        """Prints a line for each component; True when all that was started is healthy."""
        if not self.supervisor.runs():
            _say("Nothing runs. Start it with `make up`.")
            return False
        self.settings = replace(self.settings, ports=Applied.read(self.settings).ports or self.settings.ports)
        processes = self.supervisor.processes()
        states = {service.name: self._state(service, processes[service.name]) for service in SERVICES}
        for service in SERVICES:
            since = processes[service.name].since
            started = datetime.fromtimestamp(since).astimezone().strftime("since %Y-%m-%d %H:%M:%S") if since else ""
            address = self._shown(service)
            _say(f"{service.title:<13} {states[service.name]:<13} {address:<22} {started}".rstrip())
        return all(state in ("healthy", "not started") for state in states.values())

    def logs(self, name: str | None, lines: int, follow: bool) -> None:
        """Becomes `tail` on the log of one component, or of all. Raises StackError where there is no log."""
        names = [name] if name else [service.name for service in SERVICES]
        files = [f".stack/log/{one}.log" for one in names if (self.settings.stack / "log" / f"{one}.log").exists()]
        if not files:
            raise StackError("There are no logs yet. Start the stack with `make up`.")
        os.chdir(self.settings.root)
        os.execvp("tail", ["tail", "-n", str(lines), *(["-F"] if follow else []), *files])  # noqa: S606, S607

    def _fetch_grafana(self) -> str:
        """Gets Grafana; the sentence why not, where it can't be had."""
        try:
            binaries.fetch_grafana(self.settings.stack, self.settings.environment, _say)
        except StackError as error:
            return str(error)
        return ""

    def check(self) -> None:
        """Validates monitoring.yml with the variables of .env. Raises StackError with its faults."""
        _say(self._check())

    def _check(self) -> str:
        # As the exporter will run: a bot's password that only the shell has is missing here already.
        command = [self.settings.environment["PYTHON"], "-m", "exporter", "check", "--config", "monitoring.yml"]
        # A webhook's variable may be one of those that no process gets.
        for_init = {name: value for name, value in self.settings.environment.items() if name.startswith(RELOADABLE)}
        return self._run(command, {**for_init, **self._processes()})

    def _processes(self) -> dict[str, str]:
        """The environment of what runs."""
        return {**self.settings.inherited, **self.settings.process_environment}

    def _prepare(self) -> None:
        """Checks the configuration and makes what the processes read; `init` has Alertmanager's part checked itself."""
        self._check()
        init = [self.settings.environment["PYTHON"], "-m", "init", "--out", ".stack/out"]
        init += ["--prometheus-data", ".stack/data/prometheus"]
        _say(self._run(init, self.settings.environment))
        promtool = [".stack/bin/promtool", "check", "config", ".stack/out/prometheus/prometheus.yml"]
        self._run(promtool, self._processes())

    def _run(self, command: list[str], environment: Mapping[str, str]) -> str:
        done = subprocess.run(  # noqa: S603
            command,
            cwd=self.settings.root,
            env={**environment, "PATH": f"{self.settings.bin}{os.pathsep}{environment.get('PATH', os.defpath)}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            # promtool also tells what is right.
            faults = [line for line in done.stdout.splitlines() if line.strip() and "SUCCESS" not in line]
            shown = [line for line in dict.fromkeys(faults) if not line.startswith("Checking")]
            raise StackError("\n".join(shown) or f"{' '.join(command)} failed with exit {done.returncode}.")
        return done.stdout.strip()

    def _start(self, services: list[Service]) -> None:
        begun = time.monotonic()
        for name in ("log", "run", *(f"data/{service.name}" for service in SERVICES)):
            (self.settings.stack / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self.supervisor.start()
            self._bring_up(services)
        except BaseException:
            if self.supervisor.runs():
                self.supervisor.stop()
            raise
        _say(f"All is healthy, {time.monotonic() - begun:.0f} s after its start.")

    def _make_past(self) -> None:
        """Starts what makes the demo bot's past, where `init` has noted that it is wanted; nothing waits for it."""
        if (self.settings.stack / "data" / "prometheus" / MARK).exists():
            self.supervisor.start_process("past")
            _say(PAST)

    def _apply(self, services: list[Service], changed: list[str]) -> None:
        """Starts what had died or was missing, and reloads what has a changed file."""
        before = self.supervisor.processes()
        stopped = [service.name for service in services if before[service.name].state not in ("RUNNING", "STARTING")]
        self._bring_up(services)
        reloaded = [service for service in services if service.name in changed and service.name not in stopped]
        for service in reloaded:
            self.reload(service)
        if stopped:
            _say(f"Started again: {', '.join(stopped)}.")
        if reloaded:
            _say(f"Reloaded with a changed configuration: {', '.join(service.name for service in reloaded)}.")
        if not stopped and not reloaded:
            _say("All runs already; nothing has changed.")

    def _bring_up(self, services: list[Service]) -> None:
        """Starts what doesn't run, Prometheus and Grafana once the others answer, and waits until all do."""
        self._wait([service for service in services if service.name not in LATE])
        self._wait([service for service in services if service.name in LATE])

    def _wait(self, services: list[Service]) -> None:
        """Returns when each service answers; raises StackError with the end of the log of one that can't."""
        for service in services:
            self.supervisor.start_process(service.name)
        pids: dict[str, int] = {}
        deadline = time.monotonic() + START_SECONDS
        waiting = list(services)
        while waiting := [service for service in waiting if not self._healthy(service)]:
            processes = self.supervisor.processes()
            for service in waiting:
                process = processes[service.name]
                ended = process.state in FAILED or pids.setdefault(service.name, process.pid) != process.pid
                if ended or time.monotonic() > deadline:
                    what = "ended at its start" if ended else f"is not healthy after {START_SECONDS} s"
                    raise StackError(f"{service.title} {what}. Its last lines:\n{self._last_lines(service)}")
            time.sleep(0.2)

    def _healthy(self, service: Service) -> bool:
        try:
            return requests.get(self.settings.url(service) + service.ready_path, auth=self._auth(service), timeout=3).ok
        except OSError:  # of requests too; or there is no password yet, of a version that had none
            return False

    def _auth(self, service: Service) -> HTTPBasicAuth | None:
        """User and password for a service that asks for them at any address; as bytes, or it would write Latin-1."""
        if service.name != "alertmanager":
            return None
        password = (self.settings.out / "prometheus" / "alertmanager_password").read_bytes()
        return HTTPBasicAuth(b"admin", password)

    def _state(self, service: Service, process: Process) -> str:
        if process.state in ("RUNNING", "STARTING"):
            return "healthy" if self._healthy(service) else "not healthy"
        if process.state == "STOPPED" and not process.since:
            return "not started"
        return "restarting" if process.state == "BACKOFF" else process.state.lower()

    def _last_lines(self, service: Service) -> str:
        try:
            text = (self.settings.stack / "log" / f"{service.name}.log").read_text(encoding="utf-8", errors="replace")
        except OSError:
            text = ""
        return "\n".join(f"  {line}" for line in text.splitlines()[-LOG_LINES:]) or "  (it wrote nothing)"

    def reload(self, service: Service) -> None:
        """Has a running service read its configuration anew. Raises StackError with its words when it refuses."""
        try:
            if service.name == "prometheus":
                refusal = self._hang_up(service)
            else:
                answer = requests.post(f"{self.settings.url(service)}/-/reload", auth=self._auth(service), timeout=30)
                refusal = "" if answer.ok else answer.text.strip()
        except requests.RequestException as error:
            raise StackError(f"{service.title} did not answer to a reload: {error}") from error
        if refusal:
            raise StackError(f"{service.title} refused its new configuration and keeps the old: {refusal}")

    def _hang_up(self, service: Service) -> str:
        """Reloads Prometheus by a signal: the address for it would also let any web page end it. Its words if refused.

        A signal has no answer, so what Prometheus tells of its last reload is watched.
        """
        before = self._last_reload(service)
        self.supervisor.signal(service.name, "HUP")
        deadline = time.monotonic() + RELOAD_SECONDS
        while (now := self._last_reload(service)) == before and time.monotonic() < deadline:
            time.sleep(0.2)
        refused = now == before or now["prometheus_config_last_reload_successful"] != "1"
        return f"its last lines:\n{self._last_lines(service)}" if refused else ""

    def _last_reload(self, service: Service) -> dict[str, str]:
        text = requests.get(f"{self.settings.url(service)}/metrics", timeout=10).text
        return dict(line.split(" ", 1) for line in text.splitlines() if line.startswith(LAST_RELOAD))

    def _shown(self, service: Service) -> str:
        return f"http://localhost:{self.settings.ports[service.name]}"

    def _print_addresses(self, services: list[Service]) -> None:
        for service in reversed(services):
            _say(f"  {service.title:<13} {self._shown(service):<22} {PURPOSE[service.name]}")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keeps a second `up` or `down` of this project out while one is at work."""
        private.make(self.settings.stack)
        path = self.settings.stack / "lock"
        try:
            lock = path.open("w", encoding="ascii")
            path.chmod(0o600)  # who may open it can hold it
        except OSError as error:
            raise StackError(f"{path} can't be written: {error.strerror}. Run this as its owner.") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StackError("Another `make up` or `make down` is at work here. Wait for its end.") from error
            yield


def _say(line: str) -> None:
    print(line, flush=True)
