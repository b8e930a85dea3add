#!/usr/bin/env bash
# Starts and stops the stack, in containers where a Docker engine answers, else without (native/).
#
#   stack.sh up                  start, wait until all is healthy, print the addresses; apply what has changed
#   stack.sh down                stop everything; data and passwords are kept
#   stack.sh status              a line for each component
#   stack.sh logs [COMPONENT]    the last lines; FOLLOW=1 goes on with what comes
#   stack.sh mute, unmute        mute the alerts of BOT for the time FOR; end that
#   stack.sh test-alert          send a test message through each channel, or by CHANNEL alone; tells what became of each
#   stack.sh venv [dev]          make .venv, with the tools for tests where asked
#
# MODE=docker or MODE=native forces a way to run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

own_image=trading-bot-monitoring
components='grafana prometheus alertmanager responder exporter'
start_seconds=180
reload_seconds=15
past_line="For a first look, the demo bot's past 30 days are being made; they show in a minute or two. If not: make logs SERVICE=past"

capital() { printf '%s%s' "$(tr '[:lower:]' '[:upper:]' <<<"${1:0:1}")" "${1:1}"; }
say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

# --- which way -------------------------------------------------------------------------------------------------------

# Why containers can't be used; nothing where they can.
docker_fault() {
  command -v docker >/dev/null || { say "Docker is not installed (docs.docker.com/engine/install)."; return; }
  docker info >/dev/null 2>&1 ||
    { say "Docker's engine does not answer: is it started, and may this user use it (group docker)?"; return; }
  docker compose version >/dev/null 2>&1 ||
    say "Docker has no compose plugin (docs.docker.com/compose/install)."
}

# The folder of the checkout that runs in Docker, nothing where none does. It may be another than this one: compose tells
# projects apart by their name, and all checkouts have the same.
docker_folder() {
  local container
  [ -z "$(docker_fault)" ] || return 0
  container=$(docker compose ps -q 2>/dev/null | sed -n 1p)
  [ -z "$container" ] ||
    docker inspect --format '{{index .Config.Labels "com.docker.compose.project.working_dir"}}' "$container"
}
docker_runs() { [ "$(docker_folder)" -ef . ]; }
# The folder of another checkout that runs in Docker; nothing where none does.
docker_elsewhere() {
  local folder
  folder=$(docker_folder)
  [ "$folder" -ef . ] || say "$folder"
}
native_runs() {
  local pid
  pid=$(cat .stack/run/supervisord.pid 2>/dev/null) && kill -0 "$pid" 2>/dev/null || return 1
  # After a crash of the machine the number can be another's.
  [ ! -r "/proc/$pid/cmdline" ] || grep -q supervisord "/proc/$pid/cmdline"
}

# The way that runs now, else nothing.
running() { if native_runs; then say native; elif docker_runs; then say docker; fi; }

# The way to start.
choose() {
  local now way folder
  now=$(running)
  way=$(choose_way "$now") || exit 1
  if [ "$way" = docker ] && [ -z "$now" ]; then
    folder=$(docker_elsewhere)
    [ -z "$folder" ] || die "Another checkout of this project runs in Docker, under the name that this one would have: $folder
Stop that first: make -C '$folder' down (if the folder is gone: docker compose down).
To run both, give this one in .env a COMPOSE_PROJECT_NAME, and ports, of its own."
  fi
  say "$way"
}

choose_way() {
  local now=$1 fault
  case ${MODE:-} in
    '') [ -z "$now" ] || { say "$now"; return; }
        fault=$(docker_fault)
        # History, inbox and password belong to a way: the one of the last time, not whichever can be had today.
        if [ -z "$fault" ] && [ -d .stack/data/prometheus ]; then
          say "Without containers, as before. To change that: make up MODE=docker" >&2
          say native; return
        fi
        [ -n "$fault" ] || { say docker; return; }
        say "$fault Starting without containers." >&2
        say native; return ;;
    docker) fault=$(docker_fault); [ -z "$fault" ] || die "$fault Without it: make up MODE=native" ;;
    native) ;;
    *) die "MODE is '$MODE': it can be docker or native, or be left out." ;;
  esac
  [ -z "$now" ] || [ "$now" = "$MODE" ] || die "The stack runs already, the other way (MODE=$now). First: make down"
  say "$MODE"
}

# An editor makes .env as it makes any file.
tell_readable_env() {
  [ -z "$(find -L .env -maxdepth 0 \( -perm -g=r -o -perm -o=r \) 2>/dev/null)" ] ||
    say "Others on this machine may read .env, which holds secrets. Close it: chmod 600 .env" >&2
}

tell_elsewhere() {
  local folder
  folder=$(docker_elsewhere)
  [ -z "$folder" ] || say "What runs in Docker is another checkout's: $folder"
}

# --- containers ------------------------------------------------------------------------------------------------------

# "service port" for each port that is published on this machine, as compose reads docker-compose.yml and .env.
published() {
  docker compose config | awk '/^services:/ { on = 1; next } /^[^ ]/ { on = 0 }
    on && /^  [^ ]+:$/ { sub(":", "", $1); service = $1 }
    on && $1 == "published:" { gsub("\"", "", $2); print service, $2 }'
}

holder() {
  local name
  name=$(docker ps --filter "publish=$1" --format '{{.Names}}' | sed -n 1p)
  if [ -n "$name" ]; then
    say " by the container $name"
  elif command -v ss >/dev/null; then
    ss -ltnpH "sport = :$1" 2>/dev/null | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/ by \1 (pid \2)/p' | sed -n 1p
  fi
}

check_ports() {
  local own service port variable taken='' seen=' '
  own=$(docker compose ps --format '{{.Ports}}')
  while read -r service port; do
    variable=$(tr '[:lower:]' '[:upper:]' <<<"$service")_PORT
    if [[ $seen == *" $port "* ]]; then
      taken+="$variable is $port, which another service has too: give each its own port."$'\n'
    elif [[ $own != *":$port->"* ]] && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      taken+="$(capital "$service") needs port $port, which is in use$(holder "$port")."
      taken+=" Stop that, or set $variable in .env to a free port."$'\n'
    fi
    seen+="$port "
  done <<<"$1"
  [ -z "$taken" ] || die "${taken%$'\n'}"
}

# What is mounted into the containers must be readable for their user; a checkout under a strict umask isn't.
check_readable() {
  local first
  first=$({ find . -maxdepth 0 ! -perm -o=rx; find monitoring.yml prometheus alertmanager grafana ! -perm -o=r; } | sed -n 1p)
  [ -z "$first" ] || die "The containers run as a user of their own, who may not read $first ($PWD). Allow it:
  chmod o+rx . && chmod -R o+rX monitoring.yml prometheus alertmanager grafana"
}

# Gets the images that are not here; tells in $grafana_fault when Grafana's can't be had, and ends for any other.
grafana_fault=''
pull_images() {
  local image fault
  for image in $(docker compose config --images | sort -u); do
    [[ $image != "$own_image":* ]] || continue
    docker image inspect "$image" >/dev/null 2>&1 && continue
    say "Pulling $image ..."
    fault=$(docker pull -q "$image" 2>&1) && continue
    fault=$(tail -n 1 <<<"$fault")
    [[ $image == grafana/* ]] || die "The image $image can't be pulled: $fault"
    grafana_fault="Grafana could not be had, all else runs: its image can't be pulled ($fault). "
    grafana_fault+="Where there is a network: docker pull $image, then make up again."
  done
}

last_lines() { docker compose logs --no-log-prefix --tail "$2" "$1" 2>&1 | sed 's/^/  /'; }

# The end of the log of each service that did not come up.
show_failed() {
  local service state health code
  while IFS='|' read -r service state health code; do
    case $state-$health-$code in
      running-healthy-* | running--* | created-* | exited-*-0) ;;
      *) say "$service is ${health:-$state}. Its last lines:"
         last_lines "$service" 12 ;;
    esac
  done < <(docker compose ps -a --format '{{.Service}}|{{.State}}|{{.Health}}|{{.ExitCode}}')
}

# POST /-/reload on a port, with one more header; prints the answer's text where the new configuration was refused.
reload() {
  local answer
  exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf 'POST /-/reload HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n%s\r\n\r\n' "${2:-Accept: */*}" >&3
  answer=$(tr -d '\r' <&3)
  exec 3>&-
  [[ ${answer%%$'\n'*} == *' 2'[0-9][0-9]* ]] || { say "${answer#*$'\n\n'}"; return 1; }
}

# The header that Alertmanager asks for.
authorization() {
  local password
  password=$(docker compose exec -T prometheus cat /out/prometheus/alertmanager_password </dev/null)
  printf 'Authorization: Basic %s' "$(printf 'admin:%s' "$password" | base64 | tr -d '\n')"
}

# What Prometheus, on a port, tells of its last reload: whether it went well, and when one last did.
last_reload() {
  exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf 'GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
  grep '^prometheus_config_last_reload_' <&3
  exec 3>&-
}

# Reloads Prometheus by a signal: the address for it would also let any web page end it. A signal has no answer, so what
# Prometheus tells is watched. From inside: after `docker kill` the engine no longer restarts a container that dies.
reload_prometheus() {
  local before now end=$((SECONDS + reload_seconds))
  before=$(last_reload "$1") && docker compose exec -T prometheus sh -c 'kill -HUP 1' </dev/null 2>&1 || return 1
  while now=$(last_reload "$1") && [ "$now" = "$before" ] && ((SECONDS < end)); do sleep 0.2; done
  [ "$now" != "$before" ] && grep -q '_successful 1$' <<<"$now"
}

# Runs a service's command, or another in its place, in a container of its own; prints what it says.
run_once() { docker compose --progress quiet run --rm --no-deps -T "$@" 2>&1; }

docker_up() {
  local ports before services output begun=$SECONDS service port
  ports=$(published) || exit 1
  check_ports "$ports"
  check_readable
  before=$(docker compose ps -q)
  pull_images
  services=$(docker compose config --services | grep -vx past)
  [ -z "$grafana_fault" ] || services=$(grep -v grafana <<<"$services")
  say "Building $own_image ..."
  output=$(docker compose build -q 2>&1) || die "$output"$'\n'"The image $own_image could not be built."
  output=$(run_once exporter python -m exporter check --config /project/monitoring.yml) || die "${output//\/project\//}"
  output=$(run_once init) || die "$output"
  say "$output"
  # shellcheck disable=SC2086
  if ! output=$(docker compose up -d --wait --wait-timeout $start_seconds $services 2>&1); then
    show_failed >&2
    [ -n "$before" ] || docker compose down >/dev/null 2>&1
    die "$(tail -n 1 <<<"$output")"
  fi
  if [ -n "$before" ]; then
    while read -r service port; do
      case $service in
        exporter) output=$(reload "$port") ;;
        alertmanager) output=$(reload "$port" "$(authorization)") ;;
        prometheus) output=$(reload_prometheus "$port") ;;
      esac ||
        die "$(capital "$service") refused its new configuration and keeps the old: $output"$'\n'"$(last_lines "$service" 3)"
    done <<<"$ports"
    say "All is healthy; configuration was read again."
  else
    say "All is healthy, $((SECONDS - begun)) s after the start."
  fi
  addresses "$ports"
  make_past
  [ -z "$grafana_fault" ] || say "$grafana_fault"
}

# Where init has noted it (past/wanted.py): the demo bot's past month, which nothing waits for.
make_past() {
  docker compose exec -T prometheus test -e /prometheus/past.wanted </dev/null || return 0
  docker compose up -d --no-deps past >/dev/null 2>&1 || true
  say "$past_line"
}

addresses() {
  local service port purpose
  for service in $components; do
    [ "$service" != grafana ] || [ -z "$grafana_fault" ] || continue
    port=$(awk -v service="$service" '$1 == service { print $2 }' <<<"$1")
    case $service in
      grafana) purpose='dashboards; user admin, password: docker compose exec grafana cat /out/grafana/admin_password' ;;
      prometheus) purpose='metrics and rules' ;;
      alertmanager) purpose='alerts and silences; user and password as for Grafana' ;;
      responder) purpose='inbox: every message; password as told above' ;;
      exporter) purpose='the bots' ;;
    esac
    printf '  %-13s %-22s %s\n' "$(capital "$service")" "http://localhost:$port" "$purpose"
  done
}

docker_status() {
  local ports service state health status port bad=0
  ports=$(published)
  while IFS='|' read -r service state health status; do
    case $service in init | past) continue ;; esac
    port=$(awk -v service="$service" '$1 == service { print $2 }' <<<"$ports")
    [ "${health:-$state}" = healthy ] || bad=1
    printf '%-13s %-13s %-22s %s\n' "$(capital "$service")" "${health:-$state}" "http://localhost:$port" "$status"
  done < <(docker compose ps -a --format '{{.Service}}|{{.State}}|{{.Health}}|{{.Status}}')
  return $bad
}

# A test message by each channel, from an Alertmanager of its own: the same image, files and network as the one that runs,
# which hears nothing of it. Its log goes to who asked for it, in a second container, who knows when all is told.
docker_test_alert() {
  local container name url output
  container=$(docker compose ps -q alertmanager)
  [ -n "$container" ] || die "Alertmanager doesn't run. Start it with: make up"
  name=test-alert-${container:0:12}
  url=$(docker inspect --format '{{range .Args}}{{println .}}{{end}}' "$container" | grep '^--web.external-url=')
  output=$(run_once init python -m init.test_alert prepare --out /out --only "${CHANNEL:-}") ||
    die "$output"$'\n'"If this version is new here, first: make up"
  { run_once --name "$name" alertmanager --config.file=/out/alertmanager/test-alert.yml --storage.path=/tmp/data \
      --cluster.listen-address= "$url" --web.route-prefix=/ --log.format=json --log.level=debug </dev/null || true; } | {
    local code=0
    # Compose adds an empty line where the exit code isn't 0.
    run_once init python -m init.test_alert send --out /out --host "$name" --only "${CHANNEL:-}" | sed '/^$/d' || code=1
    docker rm -f "$name" >/dev/null 2>&1
    exit $code
  }
}

# --- without containers ----------------------------------------------------------------------------------------------

find_python() {
  local python
  for python in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { say "$python"; return; }
  done
  die "Python 3.11 or newer is needed, and not found. Install it, or name it: PYTHON=/path/to/python3 make up"
}

# Makes .venv from a lock file, again only when that file has changed.
venv() {
  local lock=requirements${1:+-$1}.lock python output
  if ! .venv/bin/python -c '' 2>/dev/null; then
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
      die "Python's venv is incomplete. On Debian and Ubuntu: apt install python3-venv"
    rm -rf .venv
    output=$("$python" -m venv .venv 2>&1) || { rm -rf .venv; die "$output"; }
  fi
  cmp -s "$lock" ".venv/$lock" && return
  say "Installing the Python packages of $lock into .venv ..."
  output=$(.venv/bin/python -m pip install -q --disable-pip-version-check --no-input --retries 2 --require-hashes \
    -r "$lock" 2>&1) ||
    die "The Python packages could not be installed. Is there a network? pip says:"$'\n'"$(grep -v ^WARNING <<<"$output" | tail -n 3)"
  cp "$lock" ".venv/$lock"
}

# --- the commands ----------------------------------------------------------------------------------------------------

# Alertmanager writes the address of a failed call to Telegram into its log, and the token is a part of it.
# At each reload it warns of what is meant so: lines between which the one that matters is overlooked.
readable() { sed -u -E -e '/repeat_interval is less than group_interval/d' -e 's#/bot[0-9]+:[A-Za-z0-9_-]+#/bot<token>#g'; }

native() { .venv/bin/python -m native "$@"; }

case ${1:-} in
  up)
    tell_readable_env
    mode=$(choose)
    if [ "$mode" = docker ]; then docker_up; else venv; native up; fi ;;
  down)
    case $(running) in
      docker) docker compose down --remove-orphans >/dev/null 2>&1 || die "docker compose down failed: run it to see why."
              say "Stopped. Data and passwords are kept in volumes; docker compose down -v removes them." ;;
      native) native down ;;
      *) say "Nothing runs."; tell_elsewhere ;;
    esac ;;
  status)
    case $(running) in
      docker) docker_status ;;
      native) native status ;;
      *) say "Nothing runs. Start it with: make up"; tell_elsewhere; exit 1 ;;
    esac ;;
  logs)
    follow=${FOLLOW:+1}
    case $(running) in
      docker) docker compose logs --tail 50 ${follow:+-f} ${2:+"$2"} | readable ;;
      *) [ -d .stack/log ] || die "There are no logs yet. Start the stack with: make up"
         native logs ${follow:+--follow} ${2:+"$2"} | readable ;;
    esac ;;
  mute | unmute)
    [ "$1" = mute ] || FOR=off
    [ -n "${BOT:-}" ] && [ -n "${FOR:-}" ] || die "Which bot, and how long? Such as: make mute BOT=my-bot FOR=2h"
    case $(running) in
      docker) docker compose exec -T exporter python -m exporter.mute --config /project/monitoring.yml --data-dir /data \
                -- "$BOT" "$FOR" </dev/null ;;
      native) .venv/bin/python -m exporter.mute --data-dir .stack/data/exporter -- "$BOT" "$FOR" ;;
      *) die "Nothing runs. Start it with: make up" ;;
    esac ;;
  test-alert)
    [ -z "$(running)" ] || say "Sending a test message, which takes up to half a minute ..."
    case $(running) in
      docker) docker_test_alert ;;
      native) native test-alert --only "${CHANNEL:-}" ;;
      *) say "Nothing runs. Start it with: make up" >&2; tell_elsewhere >&2; exit 1 ;;
    esac ;;
  venv) venv "${2:-}" ;;
  *) sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
