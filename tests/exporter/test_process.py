"""A bot's process: real ones that burn CPU, take memory, have children and end; pid files and names."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import psutil
import pytest

from exporter.sources import process as module
from exporter.sources.process import ProcessSource, names_in
from exporter.state import BotState, SourceError
from tests.exporter.helpers import soon, wait_until

ROOT = Path("/")
READY = "print('ready', flush=True); "
WAIT = READY + "import sys; sys.stdin.read()"
BURN = READY + "\nwhile True: pass"

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start Python with arguments, or with the text of a program, and wait until it says that it is ready."""
    running = []

    def begin(*arguments: str, code: str = "") -> subprocess.Popen[bytes]:
        command = ["nice", sys.executable, *(arguments or ("-c", code))]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        running.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        return child

    yield begin
    for child in running:
        for descendant in psutil.Process(child.pid).children(recursive=True) if child.poll() is None else ():
            descendant.kill()
        child.kill()
        child.communicate()


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readings 0.1 s apart are not the same any more, and no test sees the processes of the one before."""
    monkeypatch.setattr(module, "SAME_WITHIN", 0.1)
    module._latest.cache_clear()


@pytest.fixture
def pid_file(tmp_path: Path) -> Path:
    return tmp_path / "bot.pid"


def of_pid(pid_file: Path, pid: int) -> ProcessSource:
    pid_file.write_text(f"{pid}\n")
    return ProcessSource(ROOT, pid_file, None)


def read(source: ProcessSource) -> BotState:
    return source.read("process", soon())


def cpu(source: ProcessSource) -> float:
    return read(source).system.cpu_usage or 0


def memory(source: ProcessSource) -> float:
    state = read(source)
    assert state.system.memory_bytes is not None
    return state.system.memory_bytes


def fault(source: ProcessSource) -> SourceError:
    with pytest.raises(SourceError) as raised:
        read(source)
    return raised.value


def test_memory_at_once_and_cpu_from_the_second_reading_on(start: Start, pid_file: Path) -> None:
    source = of_pid(pid_file, start(code=WAIT).pid)
    system = read(source).system
    assert system.cpu_usage is None
    assert system.memory_bytes is not None
    assert system.memory_usage == pytest.approx(system.memory_bytes / psutil.virtual_memory().total)
    assert 2**20 < system.memory_bytes < 2**28
    wait_until(lambda: read(source).system.cpu_usage is not None)
    assert 0 <= cpu(source) <= 1


def test_memory_is_what_ps_says(start: Start, pid_file: Path) -> None:
    child = start(code=WAIT)
    kib = int(subprocess.run(["ps", "-o", "rss=", str(child.pid)], capture_output=True, check=True).stdout)
    assert memory(of_pid(pid_file, child.pid)) == pytest.approx(kib * 1024, rel=0.1)


def test_a_busy_process(start: Start, pid_file: Path) -> None:
    source = of_pid(pid_file, start(code=BURN).pid)
    read(source)
    wait_until(lambda: cpu(source) > 0.2)


def test_never_above_one_core(start: Start, pid_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = of_pid(pid_file, start(code=WAIT).pid)
    read(source)
    monkeypatch.setattr(module, "_load", lambda _: (10_000.0, 10**15))
    wait_until(lambda: cpu(source) == 1)
    assert read(source).system.memory_usage == 1
    monkeypatch.setattr(module, "_load", lambda _: (1.0, 1))
    wait_until(lambda: cpu(source) == 0)


def test_children_count(start: Start, pid_file: Path) -> None:
    """Their memory and CPU, and those of their own children."""
    grandchild = "x = bytearray(b'x') * 80_000_000; " + BURN
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}])"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    source = of_pid(pid_file, start(code=parent).pid)
    wait_until(lambda: memory(source) > 80_000_000)
    wait_until(lambda: cpu(source) > 0.2)


def test_children_that_have_ended_count(start: Start, pid_file: Path) -> None:
    """Many short ones are there at no reading; what they used is their parent's."""
    burn = "import time\nwhile time.process_time() < 0.02: pass"
    parent = READY + f"import subprocess, sys\nwhile True: subprocess.run([sys.executable, '-S', '-c', {burn!r}])"
    source = of_pid(pid_file, start(code=parent).pid)
    read(source)
    wait_until(lambda: cpu(source) > 0.2)


def test_readings_close_together_are_the_same(start: Start, pid_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAME_WITHIN", 3600.0)
    source = of_pid(pid_file, start(code=BURN).pid)
    first = read(source)
    assert read(source) is first
    monkeypatch.setattr(module, "SAME_WITHIN", 0.0)
    assert read(source) is not first


def test_the_pid_file_is_read_anew(start: Start, pid_file: Path) -> None:
    """After a restart, CPU counts from the new process's first reading."""
    source = of_pid(pid_file, start(code=BURN).pid)
    read(source)
    wait_until(lambda: cpu(source) > 0)
    pid_file.write_text(str(start(code=WAIT).pid))
    wait_until(lambda: read(source).system.cpu_usage is None)


# It doesn't say what is there: a link may lead to a secret.
NOT_A_PID = "not a pid; the bot must write its number there alone"
# The text of the pid file, and how the sentence goes on.
NO_PID = {
    "empty": (b"", NOT_A_PID),
    "text": (b"running\n", NOT_A_PID),
    "negative": (b"-5", NOT_A_PID),
    "fraction": (b"1.5", NOT_A_PID),
    "two": (b"12 13", NOT_A_PID),
    "other digits": ("١٢".encode(), NOT_A_PID),
    "long": (b"1" * 50_000_000, NOT_A_PID),
    "zero": (b"0", "pid 0 is no bot's on the host"),
    "of a container": (b"1\n", "pid 1 is no bot's on the host; for one in a container give its name"),
    "too large": (b"9999999999", "there is no process 9999999999; is the bot running, does it write its pid there?"),
}


@pytest.mark.parametrize("what", NO_PID)
def test_a_pid_file_without_a_pid(pid_file: Path, what: str) -> None:
    text, words = NO_PID[what]
    pid_file.write_bytes(text)
    error = fault(ProcessSource(ROOT, pid_file, None))
    assert error.reason == "missing"
    assert str(error).startswith(f"{pid_file}: {words}")


def test_no_pid_file(pid_file: Path) -> None:
    source = ProcessSource(ROOT, pid_file, None)
    words = "does the bot write its pid there, may it be read?"
    assert str(fault(source)) == f"{pid_file}: No such file or directory; {words}"
    pid_file.mkdir()
    assert str(fault(source)) == f"{pid_file}: Is a directory; {words}"
    pid_file.rmdir()
    os.mkfifo(pid_file)
    assert str(fault(source)) == f"{pid_file}: Is a pipe or a device, not a file; {words}"
    pid_file.unlink()
    pid_file.symlink_to("/dev/zero")
    assert str(fault(source)) == f"/dev/zero: Is a pipe or a device, not a file; {words}"


def test_a_process_that_is_gone_and_one_that_nobody_buried(start: Start, pid_file: Path) -> None:
    child = start(code=WAIT)
    source = of_pid(pid_file, child.pid)
    read(source)
    child.kill()
    sentence = f"{pid_file}: there is no process {child.pid}; is the bot running, does it write its pid there?"

    def is_gone() -> bool:
        try:
            read(source)
        except SourceError as error:
            assert (error.reason, str(error)) == ("missing", sentence)
            return True
        return False

    wait_until(is_gone)  # a zombie: its parent, this test, hasn't looked yet
    assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
    child.wait()
    assert is_gone()


def test_a_pid_that_another_process_has_now(start: Start, pid_file: Path) -> None:
    child = start(code=WAIT)
    source = of_pid(pid_file, child.pid)
    os.utime(pid_file, (time.time() - 3600,) * 2)
    error = fault(source)
    assert error.reason == "missing"
    assert str(error) == (
        f"{pid_file}: process {child.pid} began after the file was written, so it is another; is the bot running?"
    )
    pid_file.write_text(str(child.pid))
    read(source)
    os.utime(pid_file, (time.time() - 3600,) * 2)  # as after the clock was set
    source._read_at = float("-inf")
    assert memory(source) > 0


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("/usr/local/bin/my-bot --live", {"my-bot"}),
        ("node /srv/bot.js", {"node"}),
        ("vim bot.py", {"vim"}),
        ("/usr/bin/python3.11 /home/me/bot.py --config x", {"python3.11", "bot.py"}),
        ("python -u -W ignore -Xdev -X dev bot.py x.py", {"python", "bot.py"}),
        ("python -Wignore --check-hash-based-pycs always ./bot.py", {"python", "bot.py"}),
        ("python3 -m freqtrade trade", {"python3", "freqtrade"}),
        ("python3 -um my.bot", {"python3", "my.bot"}),
        ("python3 -mbot", {"python3", "bot"}),
        ("pypy3 bot.py", {"pypy3", "bot.py"}),
        ("/opt/Python bot.py", {"Python", "bot.py"}),
        ("python /venv/bin/freqtrade trade", {"python", "freqtrade"}),
        ("python -c print() bot.py", {"python"}),
        ("python - bot.py", {"python", "-"}),
        ("python -m", {"python"}),
        ("python", {"python"}),
        ("", set()),
    ],
)
def test_names_in_a_command_line(command: str, names: set[str]) -> None:
    assert names_in(command.split()) == names


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / f"bot-{os.getpid()}.py"
    path.write_text(WAIT)
    return path


def test_found_by_its_script(start: Start, script: Path) -> None:
    source = ProcessSource(ROOT, None, script.name)
    error = fault(source)
    assert (error.reason, str(error)) == (
        "missing",
        f"no process is named '{script.name}'; is the bot running, is it spelt as `ps -ef` shows it?",
    )
    child = start(str(script))
    wait_until(lambda: found(source))
    child.kill()
    child.wait()
    wait_until(lambda: not found(source))
    start(str(script))
    wait_until(lambda: found(source))
    assert read(source).system.memory_bytes is not None


def found(source: ProcessSource) -> bool:
    try:
        read(source)
    except SourceError:
        return False
    return True


def test_found_by_its_module(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"module_{os.getpid()}"
    (tmp_path / f"{name}.py").write_text(WAIT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    start("-m", name)
    assert found(ProcessSource(ROOT, None, name))


def test_found_by_its_program_and_its_name() -> None:
    """Its program is as its command line says; the kernel's name, cut at 15 characters, is another here."""
    program = f"program-with-a-long-name-{os.getpid()}"
    with subprocess.Popen([f"/opt/{program}", "60"], executable="/bin/sleep") as child:
        source = ProcessSource(ROOT, None, program)
        wait_until(lambda: found(source))
        wait_until(lambda: "sleep" in psutil.Process(child.pid).name())
        child.kill()


CALLED = "open('/proc/self/comm', 'w').write('named-by-itself'); "


@pytest.mark.skipif(not Path("/proc/self/comm").exists(), reason="needs a process that names itself, as on Linux")
def test_found_by_a_name_of_its_own_and_its_command_line_is_not_read_whole(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process can have one of any length; psutil reads it whole, for a name of 15 characters too."""
    monkeypatch.setattr(psutil.Process, "cmdline", lambda _: pytest.fail("it was read whole"))
    start(code=CALLED + WAIT)
    assert found(ProcessSource(ROOT, None, "named-by-itself"))


def test_of_a_long_command_line_the_beginning_counts(start: Start, script: Path) -> None:
    start(*["-q"] * 10, str(script))
    source = ProcessSource(ROOT, None, script.name)
    wait_until(lambda: found(source))
    start(*["-q"] * 60, str(script))
    start("-X", "x" * 5000, str(script))
    module._latest.cache_clear()
    assert found(ProcessSource(ROOT, None, script.name)), "the one that can be known"


@pytest.mark.skipif(not Path("/proc/self/comm").exists(), reason="needs a process that names itself, as on Linux")
def test_one_that_nobody_buried_is_not_found(start: Start) -> None:
    child = start(code=CALLED + WAIT)
    source = ProcessSource(ROOT, None, "named-by-itself")
    wait_until(lambda: found(source))
    child.kill()
    wait_until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
    assert "no process is named" in str(fault(ProcessSource(ROOT, None, "named-by-itself")))


def test_parents_in_a_circle_and_long_lines_of_them_come_to_an_end() -> None:
    """A look at all processes takes a while: a number that is given anew meanwhile can make such a circle."""
    processes = module._Processes()
    processes._parents, processes._children = {5: 6, 6: 5}, {5: [6], 6: [5]}
    processes._all = dict.fromkeys(range(5000), psutil.Process())
    assert list(islice(processes._ancestors(5), 10)) == [6]
    assert len(list(islice(processes.descendants(5), 10))) == 1
    processes._children = {pid: [pid + 1] for pid in range(4999)}
    assert len(list(processes.descendants(0))) == 4999


def test_several_of_a_name_are_no_answer(start: Start, script: Path) -> None:
    pids = sorted(start(str(script)).pid for _ in range(3))
    source = ProcessSource(ROOT, None, script.name)
    wait_until(lambda: "names 3 processes" in str(fault(source)))
    error = fault(source)
    assert error.reason == "invalid"
    assert (
        str(error) == f"'{script.name}' names 3 processes (pids {', '.join(map(str, pids))}); give a pid_file instead"
    )


def test_workers_of_the_same_name_are_one_bot(start: Start, script: Path) -> None:
    script.write_text(
        "import os, sys\nif os.fork() or os.fork():\n  os.wait()\nelse:\n"
        "  x = bytearray(b'x') * 80_000_000\n  print('ready', flush=True)\n  sys.stdin.read()"
    )
    start(str(script))
    source = ProcessSource(ROOT, None, script.name)
    wait_until(lambda: found(source))
    wait_until(lambda: memory(source) > 80_000_000)


def test_names_are_compared_only_when_the_process_is_gone(
    start: Start, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(str(script))
    source = ProcessSource(ROOT, None, script.name)
    wait_until(lambda: found(source))
    monkeypatch.setattr(module, "names_in", lambda _: pytest.fail("names were compared again"))
    wait_until(lambda: read(source).system.cpu_usage is not None)


def test_all_bots_share_one_look_at_the_processes(start: Start, script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start(str(script))
    looks, real = [], psutil.pids
    monkeypatch.setattr(psutil, "pids", lambda: looks.append(1) or real())
    monkeypatch.setattr(module, "SAME_WITHIN", 3600.0)
    sources = [ProcessSource(ROOT, None, name) for name in (script.name, *map(str, range(50)))]
    assert [found(source) for source in sources] == [True] + [False] * 50
    assert len(looks) == 1


def test_below_another_root(start: Start, tmp_path: Path, script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container: the host's /proc and pid file, never a signal, which would go to the container's own pids."""
    monkeypatch.setattr(psutil, "PROCFS_PATH", "/proc")
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("a pid of the container"))
    root = tmp_path / "host"
    (root / "run").mkdir(parents=True)
    (root / "var").mkdir()
    (root / "var/run").symlink_to("/run")
    (root / "proc").symlink_to("/proc")
    child = start(str(script))
    (root / "run/bot.pid").write_text(str(child.pid))
    assert found(ProcessSource(root, root / "var/run/bot.pid", None))
    assert found(ProcessSource(root, None, script.name))
    monkeypatch.undo()  # the children are to be ended


def test_a_root_that_is_not_mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "PROCFS_PATH", "/proc")
    error = fault(ProcessSource(tmp_path, None, "bot"))
    assert error.reason == "missing"
    assert str(error) == f"{tmp_path}/proc: No such file or directory; is the host's / mounted at {tmp_path}?"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (psutil.NoSuchProcess(7), "process 7 has just ended; is the bot running?"),
        (psutil.AccessDenied(7), "process 7 may not be looked at; is /proc mounted with hidepid?"),
    ],
)
def test_a_process_that_ends_or_hides_while_it_is_read(
    start: Start, pid_file: Path, monkeypatch: pytest.MonkeyPatch, error: psutil.Error, sentence: str
) -> None:
    def refuse(_: psutil.Process) -> tuple[float, int]:
        raise error

    source = of_pid(pid_file, start(code=WAIT).pid)
    monkeypatch.setattr(module, "_load", refuse)
    raised = fault(source)
    assert (raised.reason, str(raised)) == ("missing", sentence)
    monkeypatch.undo()
    assert memory(source) > 0, "a fault leaves nothing behind"
