#!/usr/bin/env bash
# Builds .venv with everything that runs and tests the project, from the hash-locked requirements.
# On a bare Debian it may use apt (as root) for what Python lacks; otherwise it says what to install.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

find_python() {
    for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3 python; do
        if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    say "relevo needs Python 3.11 or newer: install it, or name it: make install PYTHON=/path/to/python3"
    exit 2
}

make_venv() {
    if "$1" -m venv --clear .venv 2>/dev/null; then
        return
    fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "this Python has no venv: installing python3-venv"
        { apt-get install -y -q python3-venv || { apt-get update -q && apt-get install -y -q python3-venv; }; } >&2
        "$1" -m venv --clear .venv
        return
    fi
    say "this Python cannot make a virtual environment: install its venv package (Debian: python3-venv)"
    exit 2
}

# A .venv that works is kept: only what the lock changed is installed again.
if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    python=$(find_python)
    make_venv "$python"
fi
say "installing the locked requirements into .venv ..."
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock >&2
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . >&2
# The sources are compiled once here, so that the first start is as quick as every other.
.venv/bin/python -m compileall -q src >&2
touch .venv/installed
say "installed"
