-- The load: one POST, repeated by every connection. What to send comes from bench/load.py by environment.
-- With BENCH_STRICT=1 every answer's status is looked at (which costs the load's core time); without it,
-- wrk's own count of statuses above 399 stands. The last line written is the result, as JSON.

wrk.method = "POST"
wrk.body = os.getenv("BENCH_BODY")
wrk.headers["Content-Type"] = "application/json"
local token = os.getenv("BENCH_TOKEN")
if token then
  wrk.headers["Authorization"] = "Bearer " .. token
end

local workers = {}

function setup(thread)
  workers[#workers + 1] = thread
end

other_statuses = 0

if os.getenv("BENCH_STRICT") then
  function response(status)
    if status ~= 200 then
      other_statuses = other_statuses + 1
    end
  end
end

function done(summary, latency)
  local errors = summary.errors
  local strict = 0
  for _, worker in ipairs(workers) do
    strict = strict + (worker:get("other_statuses") or 0)
  end
  io.write(string.format(
    '\n{"requests": %d, "bad": %d, "broken": %d, "seconds": %.6f, "p50_ms": %.4f, "p99_ms": %.4f}\n',
    summary.requests,
    math.max(errors.status, strict),
    errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6,
    latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3
  ))
end
