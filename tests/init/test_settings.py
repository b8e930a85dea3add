"""The settings of .env: what is accepted, and that every fault is told at once and without a secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from init.faults import Faults
from init.settings import Chat, read

TELEGRAM = {"TELEGRAM_BOT_TOKEN": "123456:AA-secret_token", "TELEGRAM_CHAT_ID": "4711"}
EMAIL = {"SMTP_HOST": "mail.example.org", "SMTP_FROM": "a@example.org", "SMTP_TO": "b@example.org"}


def faults(**environ: str) -> str:
    with pytest.raises(Faults) as caught:
        read(environ)
    return str(caught.value)


def test_nothing_set_is_right() -> None:
    settings = read({})
    assert (settings.telegram, settings.slack, settings.email, settings.heartbeat_url) == (None, None, None, "")
    assert settings.addresses["responder"] == "responder:8080"


def test_empty_counts_as_not_set() -> None:
    assert read(dict.fromkeys((*TELEGRAM, *EMAIL, "SLACK_WEBHOOK_URL", "SMTP_PORT", "HEARTBEAT_URL"), " ")) == read({})


def test_several_chats_and_recipients() -> None:
    settings = read(
        {**TELEGRAM, "TELEGRAM_CHAT_ID": "4711, -1001234567890,4711,"} | {**EMAIL, "SMTP_TO": "a@b.c, d@e.f"}
    )
    assert settings.telegram and settings.telegram.chats == (Chat("4711"), Chat("-1001234567890"))
    assert settings.email and settings.email.recipients == ("a@b.c", "d@e.f")


def test_a_chat_may_have_a_topic() -> None:
    settings = read({**TELEGRAM, "TELEGRAM_CHAT_ID": "-100123:42,-100123,-100123:42"})
    assert settings.telegram and settings.telegram.chats == (Chat("-100123", 42), Chat("-100123"))


def test_the_end_of_a_windows_line_is_cut_off() -> None:
    settings = read({name: f"{value}\r" for name, value in {**TELEGRAM, **EMAIL, "SMTP_PORT": "25"}.items()})
    assert settings.telegram and settings.telegram.token == TELEGRAM["TELEGRAM_BOT_TOKEN"]
    assert settings.email and settings.email.port == 25


@pytest.mark.parametrize("password", ["a$b${c}", "it's", '"quoted"', "app pass word", "back\\slash", "ümläut 🤖", "#x"])
def test_a_password_is_kept_as_it_is(password: str) -> None:
    settings = read({**EMAIL, "SMTP_USERNAME": "u", "SMTP_PASSWORD": password})
    assert settings.email and settings.email.password == password


def test_all_faults_are_told_at_once_with_what_is_allowed() -> None:
    told = faults(
        TELEGRAM_BOT_TOKEN="123456:secret",
        SMTP_PORT="70000",
        SMTP_FROM="nobody",
        SMTP_REQUIRE_TLS="perhaps",
        SLACK_CHANNEL="{{ x }}",
        RETENTION="30 days",
        GRAFANA_URL="ftp://example.org",
        RESPONDER_ADDRESS="responder",
        EXPORTER_PORT="0",
    )
    assert told.splitlines() == [
        "TELEGRAM_CHAT_ID is not set, which Telegram needs: set it, or empty TELEGRAM_BOT_TOKEN.",
        "SLACK_CHANNEL is '{{ x }}': allowed is a name such as #trading-alerts, in .env in quotes.",
        "SMTP_PORT is '70000': allowed is a port, a whole number from 1 to 65535.",
        "SMTP_FROM has 'nobody': allowed is an email address such as you@example.org.",
        "SMTP_REQUIRE_TLS is 'perhaps': allowed are true and false.",
        "SMTP_HOST and SMTP_TO are not set, which email needs: set them, or empty SMTP_FROM.",
        "RESPONDER_ADDRESS is 'responder': allowed is host:port, the port from 1 to 65535.",
        "EXPORTER_PORT is '0': allowed is a port, a whole number from 1 to 65535.",
        "GRAFANA_URL: 'ftp://example.org' isn't an address: allowed is one that begins with http:// or https://.",
        "RETENTION is '30 days': allowed is a number and h, d or w, at most 365d, such as 30d.",
    ]


@pytest.mark.parametrize("name", [*TELEGRAM, *EMAIL])
def test_a_half_configured_channel_is_a_fault(name: str) -> None:
    channel = dict(TELEGRAM if name in TELEGRAM else EMAIL)
    del channel[name]
    assert f"{name} is not set" in faults(**channel)


def test_a_log_in_needs_a_name_a_password_and_a_server() -> None:
    assert "SMTP_PASSWORD is not set" in faults(**EMAIL, SMTP_USERNAME="u")
    assert "SMTP_USERNAME is not set" in faults(**EMAIL, SMTP_PASSWORD="p")
    assert "SMTP_HOST and SMTP_FROM and SMTP_TO are not set" in faults(SMTP_USERNAME="u", SMTP_PASSWORD="p")


@pytest.mark.parametrize(
    "chats", ["@name", "12a", "1.5", "0", "--1", ",", "9223372036854775808", "1 2", "1:", "1:0", "1:2147483648", ":2"]
)
def test_a_chat_is_a_number(chats: str) -> None:
    assert "TELEGRAM_CHAT_ID" in faults(**{**TELEGRAM, "TELEGRAM_CHAT_ID": chats})


@pytest.mark.parametrize(
    "url", ["hooks.example.org", "https://", "http://a b", "http://a/{{x}}", "http://a:99999", "http://[x"]
)
def test_an_address_begins_with_http(url: str) -> None:
    assert "SLACK_WEBHOOK_URL" in faults(SLACK_WEBHOOK_URL=url)


def test_the_responder_has_no_path() -> None:
    for url in ("https://bots.example.org/inbox", "https://bots.example.org/?a=b", "http://h:8080#x"):
        assert "without a path" in str(faults(RESPONDER_URL=url))
    for url in ("https://bots.example.org", "http://127.0.0.1:8080/"):
        assert read({"RESPONDER_URL": url}).responder_url == url


@pytest.mark.parametrize("url", ["https://a/%zz", "https://a/%2", "https://u:%zz@a/", "https://a/?100%"])
def test_a_percent_sign_is_an_escape(url: str) -> None:
    assert "SLACK_WEBHOOK_URL has a % in it that no two" in faults(SLACK_WEBHOOK_URL=url)


# Alertmanager, written in Go, doesn't start with such an address, or sends nothing to it.
@pytest.mark.parametrize(
    "host", ["[:::]", "[::1", "[1.2.3.4]", "[::1]x", "[fe80::1%25eth0]", "--", "-a", "a..b", ".a", "a%41b", "1:2:3"]
)
def test_a_host_is_a_name_or_an_address(host: str) -> None:
    assert "SLACK_WEBHOOK_URL" in faults(SLACK_WEBHOOK_URL=f"https://{host}/x")
    assert "RESPONDER_ADDRESS" in faults(RESPONDER_ADDRESS=f"{host}:8080")
    assert "SMTP_HOST" in faults(**{**EMAIL, "SMTP_HOST": host})


@pytest.mark.parametrize("host", [":::", "::1]", "[]", ":", "1:2"])
def test_a_mail_server_is_a_host_too(host: str) -> None:
    assert "SMTP_HOST" in faults(**{**EMAIL, "SMTP_HOST": host})


@pytest.mark.parametrize(
    "host", ["a", "a_b.c-d.example.org", "example.org.", "192.0.2.1", "[::1]", "[::ffff:192.0.2.1]"]
)
def test_right_hosts(host: str) -> None:
    read({**EMAIL, "SMTP_HOST": host, "RESPONDER_ADDRESS": f"{host}:8080"})
    for rest in ("", "/", ":80", ":/%20x?y=%2F#z"):
        read({"SLACK_WEBHOOK_URL": f"https://{host}{rest}", "WEBHOOK_URL": f"http://me:p%40ss@{host}{rest}"})
    settings = read({**EMAIL, "SMTP_HOST": "2001:db8::1"})
    assert settings.email and settings.email.host == "2001:db8::1"


# Alertmanager's parser refuses them: such a recipient hears of nothing, and with such a sender nobody does.
@pytest.mark.parametrize(
    "address",
    ["bob@example..org", ".you@example.org", "you.@example.org", "a..b@x.org", "a@.x", "a@x.", "a@x.-y", "a@"],
)
def test_a_mail_address_has_no_empty_part(address: str) -> None:
    for name in ("SMTP_FROM", "SMTP_TO"):
        assert f"{name} has {address!r}" in faults(**{**EMAIL, name: address})


@pytest.mark.parametrize("address", ["a.b+c%d_e-f@g-h.i.example.org", "root@localhost", "1@2.3"])
def test_right_mail_addresses(address: str) -> None:
    assert read({**EMAIL, "SMTP_FROM": address, "SMTP_TO": address}).email


@pytest.mark.parametrize("name", ["SMTP_HOST", "SMTP_TO", "SLACK_CHANNEL", "TELEGRAM_CHAT_ID"])
def test_quotes_that_were_kept_are_told(name: str) -> None:
    assert f"{name} has quotes around it" in faults(**{**EMAIL, **TELEGRAM, name: '"x"'})


@pytest.mark.parametrize("name", ["SMTP_HOST", "SMTP_PASSWORD", "TELEGRAM_BOT_TOKEN", "SMTP_TO"])
def test_bytes_that_are_no_text_are_told(name: str) -> None:
    value = b"p\xfcss@example.org".decode(errors="surrogateescape")
    told = faults(**{**EMAIL, **TELEGRAM, "SMTP_USERNAME": "u", "SMTP_PASSWORD": "p", name: value})
    assert f"{name} has bytes in it that are no UTF-8: save .env as UTF-8." in told
    assert told.isprintable() or "\n" in told


def test_a_password_that_would_be_cut_is_refused() -> None:
    assert "SMTP_PASSWORD begins or ends with a space" in faults(**EMAIL, SMTP_USERNAME="u", SMTP_PASSWORD=" p")
    assert "SMTP_PASSWORD has a line break" in faults(**EMAIL, SMTP_USERNAME="u", SMTP_PASSWORD="p\nq")


def test_a_webhook_may_have_a_token() -> None:
    settings = read({"WEBHOOK_URL": "https://a.example.org/x"})
    assert settings.webhook and settings.webhook.token == ""
    settings = read({"WEBHOOK_URL": "https://a.example.org/x", "WEBHOOK_TOKEN": "t"})
    assert settings.webhook and settings.webhook.token == "t"
    assert "WEBHOOK_URL is not set" in faults(WEBHOOK_TOKEN="t")
    assert "WEBHOOK_TOKEN has a space" in faults(WEBHOOK_URL="https://a.example.org/x", WEBHOOK_TOKEN="a b")


@pytest.mark.parametrize("name", ["SMS_URL", "PHONE_URL"])
@pytest.mark.parametrize(
    "url", ["twilio://SID:TOKEN@+4915100000000", "number/{to}", "twilio://a b/{to}", "x://{to}/{to}"]
)
def test_a_service_for_numbers_says_where_the_number_goes(name: str, url: str) -> None:
    told = faults(**{name: url})
    assert f"{name} is not an address of Apprise" in told and url not in told
    assert read({name: f"twilio://{SID}:token@+4915100000000/{{to}}?method=call"})


# Looking for a service that it doesn't know, Apprise loads all that it has.
@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")
@pytest.mark.parametrize("name", ["SMS_URL", "PHONE_URL"])
@pytest.mark.parametrize(
    "url",
    ["twillio://ACdeed:Hunter2@+15005550006/{to}", "twilio://Hunter2:b@+15005550006/{to}", "vonage://Hunter2/{to}"],
)
def test_a_service_that_apprise_does_not_take_is_told_and_not_its_secrets(
    name: str, url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    told = faults(**{name: url})
    assert f"{name} is an address that Apprise doesn't take" in told and "Hunter2" not in told
    assert "Hunter2" not in "".join(capfd.readouterr())


SID = "AC0123456789abcdef0123456789abcdef"
SECRETS = (
    *("TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID", "SLACK_WEBHOOK_URL", "SMTP_PASSWORD", "HEARTBEAT_URL"),
    *("DISCORD_WEBHOOK_URL", "WEBHOOK_URL", "WEBHOOK_TOKEN", "SMS_URL", "PHONE_URL"),
)


@given(
    st.dictionaries(
        st.sampled_from([*SECRETS, "GRAFANA_ADMIN_PASSWORD", "RESPONDER_PASSWORD"]),
        st.tuples(st.text(max_size=3), st.text(max_size=3)).map("Hunter2-Secret".join),
    )
)
def test_no_fault_tells_a_secret(environ: dict[str, str]) -> None:
    try:
        settings = read(environ)
    except Faults as caught:
        assert "Hunter2" not in str(caught)
    else:
        assert "Hunter2" not in repr(settings)


@pytest.mark.parametrize("value", ["", "1h", "30d", "52w", "365d"])
def test_retentions(value: str) -> None:
    read({"RETENTION": value})


@pytest.mark.parametrize("value", ["30", "0d", "366d", "53w", "1y", "d", "-1d", "1.5d", "30D"])
def test_wrong_retentions(value: str) -> None:
    assert f"RETENTION is {value!r}" in faults(RETENTION=value)
