#!/usr/bin/env bash
# The newcomer's path, timed as it is typed: clone to first recommendation, own ratings to a served page.
#
#   benchmarks/newcomer.sh DATA [--cached]    DATA: a folder with ratings of your own
#
# In a new clone below the folder for temporary files, which is removed at the end. All packages
# are downloaded, but with --cached taken from uv's cache as far as they are there.
set -euo pipefail
data="$(realpath "$1")"
root="$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")"
folder="$(mktemp -d)"
server=""
finish() {
  if [[ -n "$server" ]]; then kill "$server" && wait "$server" || true; fi
  rm -rf "$folder"
}
trap finish EXIT
[[ "${2:-}" == --cached ]] || export UV_CACHE_DIR="$folder/cache"
readonly PORT=8597

# Runs a command and prints the minutes since it began.
step() {
  local began="$EPOCHREALTIME"
  "$@" >"$folder/log" 2>&1 || {
    cat "$folder/log" >&2
    exit 1
  }
  awk -v a="$began" -v b="$EPOCHREALTIME" -v what="${*//$folder\//}" \
    'BEGIN { printf "%6.2f min  %s\n", (b - a) / 60, what }'
}

page() {
  .venv/bin/reelflow serve --output output-own --port "$PORT" &
  server=$!
  until curl -sf "http://127.0.0.1:$PORT/api/v1/ready"; do
    kill -0 "$server"
    sleep 0.2
  done
  curl -sf "http://127.0.0.1:$PORT/"
}

total="$EPOCHREALTIME"
sum() {
  awk -v a="$total" -v b="$EPOCHREALTIME" -v what="$1" \
    'BEGIN { printf "%6.2f min  in all: %s\n", (b - a) / 60, what }'
  total="$EPOCHREALTIME"
}

lscpu | awk -F': +' '/^Model name/ { print $2 }'
echo "$(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg)"
step git clone --quiet "$root" "$folder/reelflow"
cd "$folder/reelflow"
step make setup
step make run
step .venv/bin/reelflow recommend --user 1
sum "clone to first recommendation"
step .venv/bin/reelflow data inspect "$data"
step .venv/bin/reelflow run --data "$data" --output output-own
step page
sum "own ratings to served page"
