"""What `python -m init` makes of the section `webhooks` for the responder."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from init.faults import Faults
from init.run import run
from responder.webhooks.subscribers import Subscribers

SECRET = "whsec_" + base64.b64encode(b"not to be seen by anybody else").decode()
ENVIRON = {"LEDGER_URL": "https://ledger.example.org/in/4711", "LEDGER_SECRET": SECRET}
LEDGER = "{name: ledger, kinds: [trades, alerts], url_env: LEDGER_URL, secret_env: LEDGER_SECRET"


@pytest.fixture
def monitoring(tmp_path: Path) -> Path:
    return tmp_path / "monitoring.yml"


def test_the_responder_reads_it(tmp_path: Path, monitoring: Path) -> None:
    monitoring.write_text(f"bots: [{{name: a, type: demo}}]\nwebhooks: [{LEDGER}, bots: [a]}}]")
    lines = run(ENVIRON, tmp_path / "out", monitoring=monitoring)
    file = tmp_path / "out" / "responder" / "webhooks.json"
    assert file.stat().st_mode & 0o777 == 0o600
    (ledger,) = Subscribers(file).all()
    assert ledger.model_dump() == {
        "name": "ledger",
        "kinds": ["trades", "alerts"],
        "url": ENVIRON["LEDGER_URL"],
        "secret": SECRET,
        "bots": ["a"],
    }
    assert "Webhooks by kind: on, ledger (trades, alerts)" in lines
    assert not any(value in line for value in ENVIRON.values() for line in lines)


def test_without_webhooks_there_are_none(tmp_path: Path, monitoring: Path) -> None:
    for section in ("", "webhooks:", "webhooks: []"):
        monitoring.write_text(section)
        lines = run({}, tmp_path / "out", monitoring=monitoring) if section else run({}, tmp_path / "out")
        assert json.loads((tmp_path / "out" / "responder" / "webhooks.json").read_text()) == []
        assert any(line.startswith("Webhooks by kind: left out.") for line in lines)


def test_what_is_wrong_is_said_with_its_line_and_no_value(tmp_path: Path, monitoring: Path) -> None:
    monitoring.write_text(
        f"bots: [{{name: a, type: demo}}]\nwebhooks:\n- {LEDGER}}}\n- {LEDGER}, bots: [b]}}\n"
        f"- {{name: c, kinds: [trades], url_env: '{ENVIRON['LEDGER_URL']}', secret_env: NO_SECRET}}\n"
    )
    with pytest.raises(Faults) as caught:
        run({**ENVIRON, "LEDGER_SECRET": SECRET[:20]}, tmp_path / "out", monitoring=monitoring)
    variable = "must be the name of a variable, which is set in .env, such as LEDGER_URL"
    assert [message.removeprefix(f"{monitoring}:") for message in caught.value.messages] == [
        f"5: webhooks[2].url_env is (not shown): {variable}",
        "4: webhooks[1].name is ledger: is the name of webhooks[0] already; each needs its own",
        "4: webhooks[1].bots[0] is b: no such bot; there are: a",
        *(
            f"{line}: webhooks[{index}].secret_env: LEDGER_SECRET in .env isn't whsec_ and 24 to 64 bytes in base64; "
            'make one: echo "whsec_$(openssl rand -base64 32)"'
            for index, line in ((0, 3), (1, 4))
        ),
        "5: webhooks[2].secret_env: NO_SECRET is not set; set it in .env",
    ]
    assert not (tmp_path / "out").exists()
