"""The golden messages: that Alertmanager still writes them, and that the emails among them fit a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.alertmanager.golden import CHANNELS, FOLDER, messages
from tests.alertmanager.golden_alerts import HOSTILE, kinds
from tests.channels import DiscordServer
from tests.responder.browser import Browser
from tests.stack import wait_for

EMAILS = sorted(path.name for path in FOLDER.glob("*.html"))
HOSTILE_FILES = ["hostile_everywhere", "hostile_quotes", *(f"hostile_{name}" for name in HOSTILE)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return messages(tmp_path_factory.mktemp("golden"))


@cache
def golden(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def test_each_kind_is_there_on_each_channel(made: dict[str, str]) -> None:
    expected = {f"{kind}.{channel}.txt" for kind in kinds() for channel in CHANNELS}
    expected |= {f"{kind}.email.html" for kind in kinds()}
    assert {path.name for path in FOLDER.iterdir()} == set(made) == expected


@pytest.mark.parametrize("kind", kinds())
def test_alertmanager_writes_what_is_golden(made: dict[str, str], kind: str) -> None:
    for name, text in made.items():
        if name.startswith(f"{kind}."):
            assert text == golden(name), f"{name} differs. Was it meant? python -m tests.alertmanager.golden"


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.txt")))
def test_what_happened_comes_first_and_nothing_is_said_twice(name: str) -> None:
    lines = [line for line in golden(name).splitlines() if line]
    # The alert, then the bot: what a phone shows of it. No sign reverses or hides anything.
    first = re.sub(r"^(Subject|title): |</?b>", "", lines[0])
    assert re.match(r"^[🔴🟠🔵⚪✅] [A-Z]\w+", first), first
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]", golden(name))
    # Of the report of 60 bots only their names differ.
    if not name.startswith("report_of_60"):
        assert len(set(lines)) == len(lines)


@pytest.mark.parametrize("kind", kinds())
def test_no_message_is_longer_than_its_channel_takes(kind: str) -> None:
    assert len(golden(f"{kind}.telegram.txt")) <= 4096
    title, _, description = golden(f"{kind}.discord.txt").partition("\n\n")
    assert len(title.removeprefix("title: ").encode("utf-16-le")) // 2 <= DiscordServer.LIMITS["title"]
    assert len(description.encode("utf-16-le")) // 2 <= DiscordServer.LIMITS["description"]
    assert len(golden(f"{kind}.slack.txt")) < 10_000
    # Gmail shows no more of a mail.
    assert len(golden(f"{kind}.email.html").encode()) < 102_000


@pytest.mark.parametrize("kind", HOSTILE_FILES)
def test_on_discord_nothing_pings_or_formats(kind: str) -> None:
    text = golden(f"{kind}.discord.txt")
    ours = re.sub(r"^\*\*(.*)\*\*$", r"\1", text, flags=re.MULTILINE)
    ours = re.sub(r"(?<!\\)\[(Acknowledge|Dashboard|Runbook|Silence)]\(https?://[^\s()<>]+\)", "", ours)
    assert not re.search(r"@(?!\u200b)", ours)
    without_escaped = re.sub(r"\\.", "", ours)
    assert not re.search(r"[\\*_~`|>#\[\]<]", without_escaped), without_escaped


@pytest.mark.parametrize("kind", HOSTILE_FILES)
def test_on_slack_nothing_pings_or_formats(kind: str) -> None:
    text = golden(f"{kind}.slack.txt").partition("\n\n")[2]
    ours = re.sub(r"<http://(alerts\.example\.org:9093|localhost:\d+)/[^<>|]*\|[\w ?]+>", "", text)
    assert "<" not in ours and ">" not in ours
    assert not re.search(r"[*~`](?!\u200b)", ours)


@pytest.mark.parametrize("channel", CHANNELS)
def test_links_are_there_for_long_names_too(channel: str) -> None:
    for kind in ("hostile_name", "hostile_quotes", "hostile_everywhere"):
        text = golden(f"{kind}.{channel}.txt")
        assert all(word in text for word in ("Acknowledge", "Dashboard", "Runbook", "Silence")), kind


def test_what_is_left_out_is_counted() -> None:
    for channel in (*(f"{channel}.txt" for channel in CHANNELS), "email.html"):
        text = golden(f"report_of_60.{channel}")
        shown = len(re.findall(r"^(?:<div>)?grid-\d\d is running", text, flags=re.MULTILINE))
        assert 10 <= shown < 60 and f"… and {60 - shown} more" in text


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser") / "profile") as browser:
        yield browser


def show(browser: Browser, path: Path, width: int, scheme: str = "light") -> None:
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=True)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.open(path.as_uri())
    loaded = f"location.pathname.endsWith('/{path.name}') && document.readyState == 'complete'"
    wait_for(path.name, lambda: browser.run(loaded), every=0.02)


@pytest.mark.parametrize("name", EMAILS)
def test_an_email_fits_a_phone(browser: Browser, name: str) -> None:
    for width in (320, 390):
        show(browser, FOLDER / name, width)
        assert browser.run("document.documentElement.scrollWidth") == width
        heights = browser.run("[...document.links].map(link => link.getBoundingClientRect().height)")
        assert heights and min(heights) >= 44, "a thumb needs 44 pixels"
        assert not browser.run("document.scripts.length")


def test_an_email_can_be_read_in_the_dark(browser: Browser) -> None:
    """Each text has enough contrast with what is behind it, in both colour schemes."""
    for scheme in ("light", "dark"):
        for kind in ("critical", "report", "escalation", "resolved"):
            show(browser, FOLDER / f"{kind}.email.html", 390, scheme)
            worst = browser.run(CONTRAST)
            assert worst["contrast"] >= 4.5, (scheme, kind, worst)


# The text with the least contrast, by WCAG 2's formula.
CONTRAST = """(() => {
  const rgb = text => text.match(/[0-9.]+/g).map(Number);
  const light = colour => rgb(colour).slice(0, 3).map(c => c / 255)
    .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (rgb(colour)[3] !== 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const own = e => [...e.childNodes].some(n => n.nodeType == 3 && n.textContent.trim());
  return [...document.body.querySelectorAll('*')].filter(e => own(e) && e.offsetHeight)
    .map(e => [light(getComputedStyle(e).color), light(behind(e)), e.textContent.trim().slice(0, 40)])
    .map(([a, b, text]) => ({contrast: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), text}))
    .sort((a, b) => a.contrast - b.contrast)[0];
})()"""
