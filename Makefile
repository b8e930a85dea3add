# Trading bot monitoring. `make` alone lists what there is.
MODE ?=
SERVICE ?=
SCENARIO ?=
export MODE

LONG = tests/e2e/test_messages_long.py tests/e2e/test_past.py

.DEFAULT_GOAL := help
.PHONY: help up down status logs check mute unmute test-alert test test-docker test-long test-replay replay lint \
  bench lock venv-dev

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

up: ## start, wait until all is healthy, print the addresses; again: apply changes (MODE=docker|native)
	@./stack.sh up

down: ## stop everything; data and passwords are kept
	@./stack.sh down

status: ## a line for each component
	@./stack.sh status

logs: ## the last lines of the logs (SERVICE=prometheus for one, FOLLOW=1 to go on)
	@FOLLOW=$(FOLLOW) ./stack.sh logs $(SERVICE)

check: ## validate monitoring.yml and .env; tells every fault, those of monitoring.yml with their line
	@./stack.sh venv
	@.venv/bin/python -m native check

mute: ## mute a bot's alerts for a time: BOT=my-bot FOR=2h (BOT=all for all)
	@./stack.sh mute

unmute: ## end that: BOT=my-bot
	@./stack.sh unmute

test-alert: ## send a test message through each channel; tells what became of it (CHANNEL=telegram for one)
	@./stack.sh test-alert

test: venv-dev ## all tests but those in containers: unit, rules, routes, end to end with the real binaries
	@.venv/bin/python -m native tools
	@.venv/bin/python -m pytest -n 3 --dist loadfile --ignore=tests/e2e/test_docker.py $(addprefix --ignore=,$(LONG))

test-long: venv-dev ## what takes minutes to see: channels down for long, Alertmanagers killed, the demo bot's month
	@.venv/bin/python -m native tools
	@.venv/bin/python -m pytest $(LONG)

test-replay: venv-dev ## replay every scenario of tests/replay/scenarios through the rules, and compare
	@.venv/bin/python -m native tools
	@.venv/bin/python -m tests.replay --all

replay: venv-dev ## replay one (SCENARIO=crash): what fires when, and what should; without one: list them
	@.venv/bin/python -m native tools
	@.venv/bin/python -m tests.replay $(SCENARIO)

test-docker: venv-dev ## the tests in containers
	@.venv/bin/python -m pytest tests/e2e/test_docker.py

lint: venv-dev ## style, types, and each configuration file by its own checker
	@.venv/bin/python -m native tools
	.venv/bin/ruff check -q
	.venv/bin/ruff format -q --check
	.venv/bin/mypy
	.venv/bin/yamllint .
	.venv/bin/shellcheck stack.sh tests/pint/run.sh
	.venv/bin/hadolint Dockerfile
	.stack/bin/promtool check rules --lint=all --lint-fatal prometheus/rules/*.yml
	@tests/pint/run.sh
	@$(ALL_CHANNELS) .venv/bin/python -m init --out .stack/lint >/dev/null
	.stack/bin/amtool check-config .stack/lint/alertmanager/alertmanager.yml
	@if docker compose version >/dev/null 2>&1; then set -x; docker compose config -q; fi

ALL_CHANNELS = TELEGRAM_BOT_TOKEN=1:lint TELEGRAM_CHAT_ID=1 SLACK_WEBHOOK_URL=http://localhost/lint \
  SMTP_HOST=localhost SMTP_FROM=lint@localhost SMTP_TO=lint@localhost HEARTBEAT_URL=http://localhost/lint \
  DISCORD_WEBHOOK_URL=http://localhost/lint WEBHOOK_URL=http://localhost/lint WEBHOOK_TOKEN=lint

bench: venv-dev ## how fast and how small
	@.venv/bin/python -m tests.bench

LOCK = --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
  --custom-compile-command "make lock"

lock: ## lock the dependencies of pyproject.toml anew (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv"; exit 1; }
	@uv pip compile -q --upgrade $(LOCK) --extra native -o requirements.lock pyproject.toml
	@uv pip compile -q --upgrade $(LOCK) --extra native --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml

venv-dev:
	@./stack.sh venv dev
