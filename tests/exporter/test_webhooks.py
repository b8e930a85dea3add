"""The section `webhooks`: what it may say, and that no fault shows an address or a secret."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from exporter.config.load import ConfigError, load
from exporter.config.webhooks import WebhookEntry

BOTS = "bots: [{name: a, type: demo}, {name: b, type: demo}]\n"
GOOD = "{name: ledger, kinds: [trades, reports], url_env: LEDGER_URL, secret_env: LEDGER_SECRET"
URL = "https://hooks.example.org/in/my-own-path?key=4711"
SECRET = "whsec_" + base64.b64encode(b"not to be seen by anybody else").decode()
ENVIRON = {"LEDGER_URL": URL, "LEDGER_SECRET": SECRET}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "monitoring.yml"


def faults(file: Path, webhooks: str, environ: dict[str, str] | None = None) -> list[str]:
    file.write_text(f"{BOTS}webhooks:\n{webhooks}\n")
    with pytest.raises(ConfigError) as caught:
        load(file, ENVIRON if environ is None else environ)
    assert not any(part in str(caught.value) for part in (URL, "my-own-path", SECRET, SECRET[6:]))
    return [fault.removeprefix(f"{file}:") for fault in caught.value.faults]


def test_what_it_may_say(file: Path) -> None:
    file.write_text(f"{BOTS}webhooks:\n- {GOOD}, bots: [b]}}\n- {GOOD.replace('ledger', 'x-2')}, bots: all}}\n")
    first, second = load(file, ENVIRON).webhooks
    assert first == WebhookEntry.model_construct(
        name="ledger",
        kinds=("trades", "reports"),
        url_env="LEDGER_URL",
        secret_env="LEDGER_SECRET",
        bots=("b",),
    )
    assert (second.name, second.bots) == ("x-2", None)
    for nothing in ("webhooks:\n", "webhooks: []\n", ""):
        file.write_text(BOTS + nothing)
        assert load(file, {}).webhooks == ()


def test_the_exporter_needs_no_variable_of_a_webhook(file: Path) -> None:
    file.write_text(f"{BOTS}webhooks: [{GOOD}}}]")
    assert len(load(file).webhooks) == 1


def test_all_faults_at_once_with_their_lines(file: Path) -> None:
    found = faults(
        file,
        "- {name: my ledger, kinds: [trade], url_env: LEDGER_URL, secret_env: LEDGER_SECRET}\n"
        f"- name: b\n  kinds: []\n  url_env: {URL}\n  secret_env: {SECRET}\n"
        f"- {GOOD}, bots: [a, c], url: '{URL}', secret: {SECRET}}}\n"
        f"- {GOOD}, bots: [], colour: red}}",
    )
    variable = "(not shown): must be the name of a variable, which is set in .env, such as LEDGER_URL"
    stands = "(not shown): stands in .env; name its variable here, such as"
    assert sorted(found) == sorted(
        [
            "3: webhooks[0].name is my ledger: must be 1 to 40 letters, digits, - or _, such as ledger",
            "3: webhooks[0].kinds is [trade]: must be a list of some of trades, alerts, reports, each once",
            "5: webhooks[1].kinds is []: must be a list of some of trades, alerts, reports, each once",
            f"6: webhooks[1].url_env is {variable}",
            f"7: webhooks[1].secret_env is {variable}",
            f"8: webhooks[2].url is {stands} url_env: LEDGER_URL",
            f"8: webhooks[2].secret is {stands} secret_env: LEDGER_SECRET",
            "8: webhooks[2].bots[1] is c: no such bot; there are: a, b",
            "9: webhooks[3].bots is []: must be all, or a list of bots' names",
            "9: webhooks[3].colour is (not shown): unknown key; see docs/configuration.md for those that are known",
            "9: webhooks[3].name is ledger: is the name of webhooks[2] already; each needs its own",
        ]
    )


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"LEDGER_SECRET": SECRET}, "url_env: LEDGER_URL is not set; set it in .env"),
        ({"LEDGER_URL": "", "LEDGER_SECRET": SECRET}, "url_env: LEDGER_URL is not set; set it in .env"),
        ({"LEDGER_URL": URL}, "secret_env: LEDGER_SECRET is not set; set it in .env"),
        *[
            ({**ENVIRON, "LEDGER_URL": wrong}, "url_env: LEDGER_URL in .env isn't an address: allowed is one that ")
            for wrong in (
                "ftp" + URL,
                "hooks.example.org",
                "https://",
                URL + " x",
                URL + "\n",
                "http://x:0/",
                "http://ü/",
            )
        ],
        *[
            ({**ENVIRON, "LEDGER_SECRET": wrong}, f"secret_env: LEDGER_SECRET in .env {why}")
            for wrong, why in [
                (SECRET[6:], "doesn't begin with whsec_; make one: echo "),
                (SECRET[:20], "isn't whsec_ and 24 to 64 bytes in base64; make one: echo "),
                (SECRET + "ü", "isn't whsec_ and 24 to 64 bytes in base64; make one: echo "),
                ("whsec_" + "AAAA" * 22, "isn't whsec_ and 24 to 64 bytes in base64; make one: echo "),
            ]
        ],
    ],
)
def test_a_wrong_variable_is_said_without_its_value(file: Path, environ: dict[str, str], told: str) -> None:
    if environ.get("LEDGER_URL", "").endswith("\n"):
        environ = {**environ, "LEDGER_URL": URL + "\nx"}
    (fault,) = faults(file, f"- {GOOD}}}", environ)
    assert fault.startswith(f"3: webhooks[0].{told}")


@pytest.mark.parametrize("section", ["1", f"{{url: '{URL}'}}", f"'{URL}'", "[1]", "[[]]", "[null]", "[{}]"])
def test_another_shape_is_refused(file: Path, section: str) -> None:
    file.write_text(f"{BOTS}webhooks: {section}\n")
    with pytest.raises(ConfigError, match="webhooks") as caught:
        load(file, {})
    assert "my-own-path" not in str(caught.value)
