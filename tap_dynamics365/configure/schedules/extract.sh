#!/usr/bin/env bash
# Extracts what has changed since the last run. In this folder: .env with the settings, catalog.json,
# and afterwards states.jsonl with the states and output/ with the rows. For cron:
#   15 * * * * /srv/dynamics365/extract.sh >> /srv/dynamics365/log 2>&1
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# Two runs at once would extract the same rows.
exec 9> lock
flock --nonblock 9 || { echo 'The last run has not ended yet.'; exit 0; }

set -a; . ./.env; set +a
mkdir -p output
state=()
if [ -s states.jsonl ]; then
  tail -n 1 states.jsonl > state.json
  state=(--state state.json)
fi
# States are appended as rows arrive in the target, so that the run after a failure continues there.
tap-dynamics365 --config=ENV --catalog catalog.json ${state[@]+"${state[@]}"} |
  target-jsonl --config target.json >> states.jsonl
