#!/usr/bin/env bash
# The app with all it needs, on this machine and without an account anywhere:
#   ./run.sh after     relevo, sign-in, stand-ins for the providers, the app
#   ./run.sh before    the same app as it was: keys and provider calls in the browser
# With GEMINI_API_KEY, DASHSCOPE_API_KEY or DEEPSEEK_API_KEY set, `after` asks the real providers.
set -euo pipefail
cd "$(dirname "$0")"
app=${1:-after}
case "$app" in before | after) ;; *) echo "usage: ./run.sh before|after" >&2; exit 2 ;; esac
relevo=${RELEVO:-$([ -x ../../.venv/bin/relevo ] && echo "$PWD/../../.venv/bin/relevo" || echo relevo)}

trap 'kill $(jobs -p) 2>/dev/null' EXIT
node auth-server/server.js &
node providers/server.js &

providers=http://127.0.0.1:${PROVIDERS_PORT:-9900}
if [ "$app" = before ]; then
    # Invented, and in two parts so that nothing in this file looks like a key.
    export VITE_GEMINI_API_KEY="AI""zaSyInventedForTheExampleApp000000000"
    export VITE_QWEN_API_KEY="sk-""1nvented0for0the0example0app0001"
    export VITE_DEEPSEEK_API_KEY="sk-""1nvented0for0the0example0app0002"
    export VITE_GEMINI_URL=$providers/gemini VITE_QWEN_URL=$providers/qwen VITE_DEEPSEEK_URL=$providers/deepseek
else
    if [ -z "${GEMINI_API_KEY:-}${DASHSCOPE_API_KEY:-}${DEEPSEEK_API_KEY:-}" ]; then
        export GEMINI_API_KEY=invented DASHSCOPE_API_KEY=invented DEEPSEEK_API_KEY=invented
        export GEMINI_BASE_URL=$providers/gemini/v1beta/openai
        export QWEN_BASE_URL=$providers/qwen/compatible-mode/v1 DEEPSEEK_BASE_URL=$providers/deepseek
    fi
    mkdir -p after/data
    (cd after && exec "$relevo" serve) &
fi

cd "$app"
[ -d node_modules ] || npm ci
npm run dev
