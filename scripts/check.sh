#!/usr/bin/env bash
# The contract of every commit: format, lint, types, layers, fast tests.
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/ruff format --check -q . || { echo "not formatted: make format" >&2; exit 1; }
.venv/bin/ruff check -q .
.venv/bin/mypy
.venv/bin/pytest -m "not slow" "$@"
