#!/usr/bin/env bash
# Everything: the checks, all Python tests, the JavaScript client.
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/ruff format --check -q . || { echo "not formatted: make format" >&2; exit 1; }
.venv/bin/ruff check -q .
.venv/bin/mypy
if command -v npm >/dev/null 2>&1; then
    npm ci --prefix clients/js --no-audit --no-fund --silent
else
    echo "SKIPPED: the JavaScript client is not tested, because there is no npm (install Node.js 18 or newer)" >&2
fi
.venv/bin/pytest "$@"
