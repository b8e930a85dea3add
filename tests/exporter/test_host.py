"""The host's load: against the kernel's own numbers, from a container's view, and with what can't be read."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from types import SimpleNamespace

import psutil
import pytest

from exporter import host as module
from exporter.host import Host, HostState, on_host
from exporter.metrics import host as metrics
from exporter.metrics.families import Families
from tests.exporter.helpers import Samples, wait_until

REPOSITORY = Path(__file__).resolve().parents[2]


class Clock:
    """Seconds that pass only when they are let."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def own_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a test that looks elsewhere, psutil looks at this machine again."""
    monkeypatch.setattr(psutil, "PROCFS_PATH", "/proc")


MEMORY = (
    "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 250 kB\nBuffers: 0 kB\nCached: 0 kB\n"
    "Active: 1 kB\nInactive: 1 kB\nShmem: 0 kB\n"
)
CPU = "cpu  {user} 0 {system} {idle} {iowait} 0 0 0 {guest} 0\nbtime 1795255243\n"
HEAD = "Inter-|   Receive |  Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes packets\n"


class FakeRoot:
    """A host's root file system as it is mounted in a container."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "proc/1/net").mkdir(parents=True)
        (path / "proc/net").mkdir()
        (path / "sys/class/net").mkdir(parents=True)
        (path / "proc/meminfo").write_text(MEMORY)
        self.cpu()
        self.network({"eth0": (1, 2)})

    def cpu(self, user: int = 0, system: int = 0, idle: int = 0, iowait: int = 0, guest: int = 0) -> None:
        text = CPU.format(user=user, system=system, idle=idle, iowait=iowait, guest=guest)
        (self.path / "proc/stat").write_text(text)

    def network(self, interfaces: dict[str, tuple[int, int]]) -> None:
        """Bytes that each interface of the host received and sent."""
        lines = [
            f"{name:>6}: {receive} 5 0 0 0 0 0 0 {transmit} 5 0 0 0 0 0 0\n"
            for name, (receive, transmit) in interfaces.items()
        ]
        (self.path / "proc/1/net/dev").write_text(HEAD + "".join(lines))
        (self.path / "proc/net/dev").write_text(HEAD + "  eth0: 777 5 0 0 0 0 0 0 777 5 0 0 0 0 0 0\n")

    def card(self, name: str, *, master: str | None = None) -> None:
        (self.path / "sys/class/net" / name / "device").mkdir(parents=True)
        if master:
            (self.path / "sys/class/net" / name / "master").symlink_to(f"../{master}")

    def virtual(self, name: str) -> None:
        (self.path / "sys/class/net" / name).mkdir()


@pytest.fixture
def root(tmp_path: Path) -> FakeRoot:
    (tmp_path / "host").mkdir()
    return FakeRoot(tmp_path / "host")


def test_this_machine() -> None:
    state = Host(Path("/"), ["/"]).read()
    assert state.problems == ()
    assert state.cpu_usage is None, "nothing was measured yet"
    assert state.memory_usage is not None
    assert 0 < state.memory_usage < 1
    disk = os.statvfs("/")
    used = disk.f_blocks - disk.f_bfree
    assert state.disk_usage["/"] == pytest.approx(used / (used + disk.f_bavail), rel=0.01)


def test_the_disk_is_as_df_says() -> None:
    line = subprocess.run(["df", "-P", "/"], capture_output=True, text=True, check=True).stdout.splitlines()[1]
    percent = int(line.split()[4].rstrip("%"))  # df rounds up
    assert percent - 1.5 <= Host(Path("/"), ["/"]).read().disk_usage["/"] * 100 <= percent + 0.5


def test_cpu_is_what_was_not_idle_since_the_reading_before(root: FakeRoot, clock: Clock) -> None:
    root.cpu(user=100, system=100, idle=1000, iowait=100)
    host = Host(root.path, [])
    assert host.read().cpu_usage is None
    root.cpu(user=130, system=110, idle=1050, iowait=110)
    clock.now += 10
    assert host.read().cpu_usage == pytest.approx(0.4)
    root.cpu(user=130, system=110, idle=1150, iowait=110)
    clock.now += 10
    assert host.read().cpu_usage == 0


def test_cpu_counts_a_guests_time_once(root: FakeRoot, clock: Clock) -> None:
    """The kernel has it in user too."""
    host = Host(root.path, [])
    root.cpu(user=50, guest=50, idle=50)
    clock.now += 10
    assert host.read().cpu_usage == pytest.approx(0.5)


@pytest.mark.parametrize("after", [{"idle": 900, "user": 110}, {"idle": 1050, "user": 40}])
def test_cpu_stays_within_0_and_1_when_a_count_steps_back(root: FakeRoot, clock: Clock, after: dict[str, int]) -> None:
    root.cpu(user=50, idle=1000)
    host = Host(root.path, [])
    root.cpu(**after)
    clock.now += 10
    usage = host.read().cpu_usage
    assert usage is None or 0 <= usage <= 1


def test_readings_within_a_second_are_the_same(root: FakeRoot, clock: Clock) -> None:
    host = Host(root.path, [])
    clock.now += 10
    root.cpu(user=1, idle=1)
    first = host.read()
    root.cpu(user=100, idle=1)
    clock.now += 0.9
    assert host.read() is first
    clock.now += 0.1
    assert host.read().cpu_usage == 1


def test_who_waited_for_a_reading_takes_it(root: FakeRoot, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a disk that hangs each takes 2 s; else those that wait would queue for longer and longer."""
    host = Host(root.path, [])
    measure = host._measure

    def slow(now: float) -> HostState:
        clock.now += 2
        return measure(now)

    monkeypatch.setattr(host, "_measure", slow)
    assert host.read() is host.read()


def test_many_threads_get_one_reading() -> None:
    host = Host(Path("/"), ["/"])
    states: list[HostState] = []
    threads = [threading.Thread(target=lambda: states.append(host.read())) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, states))) == 1


def test_memory_is_what_programs_can_not_have(root: FakeRoot) -> None:
    assert Host(root.path, []).read().memory_usage == pytest.approx(0.75)


def test_in_a_container_the_network_is_the_hosts(root: FakeRoot) -> None:
    """{root}/proc/net is the reader's own, of the container."""
    root.network({"lo": (9, 9), "eth0": (10, 20)})
    root.card("eth0")
    assert Host(root.path, []).read().network_bytes == {"receive": 10, "transmit": 20}


def test_physical_traffic_counts_once(root: FakeRoot) -> None:
    names = ("lo", "docker0", "br-1a2b", "veth12", "virbr0", "bond0", "eth0.5", "tun0")
    root.network({"enp1s0": (10, 100), "wlp2s0": (20, 200)} | dict.fromkeys(names, (1, 1)))
    for name in names:
        root.virtual(name)
    root.card("enp1s0", master="bond0")
    root.card("wlp2s0")
    assert Host(root.path, []).read().network_bytes == {"receive": 30, "transmit": 300}


def test_a_card_that_is_a_part_of_another_counts_with_it(root: FakeRoot) -> None:
    """As a cloud machine's fast path, whose traffic its eth0 counts too."""
    root.network({"eth0": (50, 60), "enP1s1": (40, 50)})
    root.card("eth0")
    root.card("enP1s1", master="eth0")
    assert Host(root.path, []).read().network_bytes == {"receive": 50, "transmit": 60}


def test_without_a_device_the_cards_go_by_name(root: FakeRoot) -> None:
    names = ("lo", "eth0.7", "veth1", "docker0", "br0", "tun0")
    root.network({"eth0": (5, 6)} | dict.fromkeys(names, (1, 1)))
    assert Host(root.path, []).read().network_bytes == {"receive": 5, "transmit": 6}
    root.network({"lo": (1, 1), "docker0": (1, 1)})
    state = Host(root.path, []).read()
    assert state.network_bytes == {}
    assert state.problems == ("network: no interface of the host is a network card (see docs/host.md)",)


def test_the_networks_count_only_grows(root: FakeRoot, clock: Clock) -> None:
    """One interface's end or new start must not look as if everything had been sent anew."""
    host = Host(root.path, [])
    counts = []
    for interfaces in (
        {"eth0": (1000, 100), "wlan0": (50, 5)},
        {"eth0": (1010, 110)},  # wlan0 is taken away
        {"eth0": (1020, 120), "wlan0": (57, 12)},  # and comes back
        {"eth0": (4, 4), "wlan0": (58, 13)},  # eth0 starts anew
    ):
        root.network(interfaces)
        counts.append(tuple(host.read().network_bytes.values()))
        clock.now += 10
    assert counts == [(1050, 105), (1060, 115), (1077, 132), (1082, 137)]


def test_disks_are_measured_below_the_root_and_named_as_on_the_host(root: FakeRoot) -> None:
    (root.path / "data").mkdir()
    assert set(Host(root.path, ["/", "/data", "/data"]).read().disk_usage) == {"/", "/data"}


def test_links_lead_where_they_lead_on_the_host(root: FakeRoot) -> None:
    (root.path / "run").mkdir()
    (root.path / "var").mkdir()
    (root.path / "var/run").symlink_to("/run")
    (root.path / "var/up").symlink_to("../../../../../../../../run")
    (root.path / "var/twice").symlink_to("/var/run/bot")
    (root.path / "var/loop").symlink_to("/var/loop")
    assert on_host(root.path, root.path / "var/run/bot.pid") == root.path / "run/bot.pid"
    assert on_host(root.path, root.path / "var/up/x") == root.path / "run/x"
    assert on_host(root.path, root.path / "var/twice/x") == root.path / "run/bot/x"
    assert on_host(Path("/"), root.path / "run") == root.path / "run"
    on_host(root.path, root.path / "var/loop")  # it ends


def test_a_disk_that_is_not_there(root: FakeRoot, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """The others go on, and it is told once."""
    host = Host(root.path, ["/missing", "/", "/\0"])
    sentence = (
        "disk /missing: No such file or directory; correct `disks` of `host` in monitoring.yml"
        f"; is the host's / mounted at {root.path}, as docs/host.md says?"
    )
    for _ in range(3):
        state = host.read()
        assert set(state.disk_usage) == {"/"}
        assert len(state.problems) == 2
        assert state.problems[0] == sentence
        clock.now += 10
    assert [m for m in caplog.messages if "missing" in m] == [f"host: {sentence}"]
    (root.path / "missing").mkdir()
    assert set(host.read().disk_usage) == {"/missing", "/"}
    clock.now += 10
    (root.path / "missing").rmdir()
    host.read()
    assert [m for m in caplog.messages if "missing" in m] == [f"host: {sentence}"] * 2
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system without a size, as Linux's /proc")
def test_a_file_system_without_a_size_has_no_ratio() -> None:
    state = Host(Path("/"), ["/proc"]).read()
    assert state.disk_usage == {}
    assert state.problems == ("disk /proc: a file system without a size; give a path on a disk",)


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A look at /away hangs until the event is set."""
    free, real = threading.Event(), psutil.disk_usage

    def look(path: str) -> object:
        if path.endswith("/away"):
            assert free.wait(30)
            return SimpleNamespace(used=1, free=3)
        return real(path)

    monkeypatch.setattr(psutil, "disk_usage", look)
    yield free
    free.set()
    wait_until(lambda: not looks())


def looks() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("aside")]


def test_a_disk_that_hangs_holds_up_nobody(hanging: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DISK_SECONDS", 0.05)
    monkeypatch.setattr(module, "SAME_WITHIN", 0.0)
    host = Host(Path("/"), ["/away", "/"])
    for _ in range(4):
        state = host.read()
        assert set(state.disk_usage) == {"/"}
        assert state.problems == ("disk /away: no answer within 0.05 s; is it a network disk that is away?",)
    assert looks() == ["aside /away"], "threads must not pile up"
    hanging.set()
    wait_until(lambda: host.read().disk_usage.get("/away") == 0.25)


def test_a_root_that_is_not_mounted(tmp_path: Path) -> None:
    """What can't be read is absent, not 0."""
    state = Host(tmp_path / "host", ["/"]).read()
    assert (state.cpu_usage, state.memory_usage, state.disk_usage, state.network_bytes) == (None, None, {}, {})
    assert len(state.problems) == 3
    assert all(f"is the host's / mounted at {tmp_path}/host, as docs/host.md says?" in p for p in state.problems)


def test_cpu_that_can_not_be_read_for_a_time(root: FakeRoot, clock: Clock) -> None:
    host = Host(root.path, [])
    (root.path / "proc/stat").unlink()
    clock.now += 10
    state = host.read()
    assert state.cpu_usage is None
    assert f"{root.path}/proc/stat: No such file or directory" in state.problems[0]
    for expected in (None, 0.5):
        root.cpu(*(0, 0, 0) if expected is None else (5, 0, 5))
        clock.now += 10
        assert host.read().cpu_usage == expected


def test_series() -> None:
    families = Families()
    state = HostState(0.5, 0.25, {"/": 0.75, '/a"b': 0.1}, {"receive": 2**40, "transmit": 3}, ())
    metrics.collect(families, state)
    samples = Samples(families.text())
    assert samples.get("trading_bot_host_cpu_usage_ratio") == 0.5
    assert samples.get("trading_bot_host_memory_usage_ratio") == 0.25
    assert samples.of("trading_bot_host_disk_usage_ratio") == {("/",): 0.75, ('/a"b',): 0.1}
    assert samples.get("trading_bot_host_network_bytes_total", direction="receive") == 2**40
    assert samples.get("trading_bot_host_network_bytes_total", direction="transmit") == 3
    assert samples.names == {family.name for family in metrics.FAMILIES}
    assert not any(family.of_bot for family in metrics.FAMILIES)


def test_what_is_not_known_has_no_series() -> None:
    families = Families()
    metrics.collect(families, HostState(None, None, {}, {}, ()))
    assert Samples(families.text()).names == set()


# Other namespaces for processes, network and mounts, the host's / read-only at $1, and no privileges: a container.
CONTAINER = """
set -e
mount --rbind / "$1"
mount --make-rslave "$1"
mount -o remount,bind,ro "$1"
mount -t proc proc /proc
shift
exec "$@"
"""
READ = """
import json, sys
from pathlib import Path
from exporter.host import Host
from exporter.sources.process import ProcessSource
root = Path(sys.argv[1])
state = Host(root, ["/"]).read()
system = ProcessSource(root, None, sys.argv[2]).read("process", 0).system
print(json.dumps([state.memory_usage, state.disk_usage, state.network_bytes, state.problems, system.memory_bytes]))
"""


@pytest.fixture
def mount() -> Iterator[Path]:
    """A folder for a host's /. Anybody may enter it, unlike pytest's own; it is never emptied."""
    folder = Path(mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.rmdir()


def test_from_a_container_without_privileges(mount: Path) -> None:
    """The whole way: namespaces of its own, the host's / mounted, the rights of nobody."""
    if os.geteuid() != 0:
        pytest.skip("only root may make a container's namespaces")
    name = "a-bot-to-be-found"
    command = [sys.executable, "-c", READ, str(mount), name]
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--no-new-privs"]
    tried = subprocess.run([*nobody, sys.executable, "-c", "import exporter.host"], cwd=REPOSITORY, capture_output=True)
    if tried.returncode:
        pytest.skip(f"nobody can't run the exporter from here: {tried.stderr.decode()[-200:]}")
    inside = ["unshare", "--mount", "--pid", "--net", "--kill-child", "--fork", "sh", "-c", CONTAINER, "sh", str(mount)]
    with subprocess.Popen(
        [name, "-c", "import sys; print(1, flush=True); sys.stdin.read()"],
        executable=sys.executable,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as bot:
        assert bot.stdout is not None
        bot.stdout.readline()  # it runs
        before = Host(Path("/"), ["/"]).read()
        done = subprocess.run([*inside, *nobody, *command], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
        after = Host(Path("/"), ["/"]).read()
        bot.communicate()
    if done.stderr.startswith(("unshare:", "mount:")):
        pytest.skip(f"no namespaces here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    memory, disk, network, problems, resident = json.loads(done.stdout)
    assert problems == []
    assert 0 < memory < 1
    assert disk["/"] == pytest.approx(after.disk_usage["/"], rel=0.01)
    for direction in ("receive", "transmit"):
        assert before.network_bytes[direction] <= network[direction] <= after.network_bytes[direction]
    assert resident > 1_000_000
