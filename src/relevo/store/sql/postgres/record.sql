-- name: insert_request
-- A batch whose outcome was lost with its connection is written again: rows that are there stay as they are.
INSERT INTO request (
    id, started_at_ms, issuer, subject, task, outcome, code, http_status, ms, charged_micro, demo
)
VALUES (
    :id, :started_at_ms, :issuer, :subject, :task, :outcome, :code, :http_status, :ms, :charged_micro, :demo
)
ON CONFLICT (id) DO NOTHING;

-- name: insert_attempt
INSERT INTO attempt (
    request_id, number, provider, upstream_model, outcome, code, phase, http_status, upstream_code, detail, ms,
    input_tokens, output_tokens, cached_input_tokens, reasoning_output_tokens, cost_nano_usd
)
VALUES (
    :request_id, :number, :provider, :upstream_model, :outcome, :code, :phase, :http_status, :upstream_code,
    :detail, :ms, :input_tokens, :output_tokens, :cached_input_tokens, :reasoning_output_tokens, :cost_nano_usd
)
ON CONFLICT (request_id, number) DO NOTHING;

-- name: delete_old
-- A bounded piece at a time; another process that prunes takes other rows.
DELETE FROM request WHERE seq IN (
    SELECT seq FROM request WHERE started_at_ms < :before_ms
    ORDER BY started_at_ms LIMIT 1000
    FOR UPDATE SKIP LOCKED
)
RETURNING 1;
