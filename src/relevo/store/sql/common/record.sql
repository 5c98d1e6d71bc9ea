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
    first_token_ms, input_tokens, output_tokens, cached_input_tokens, reasoning_output_tokens,
    usage_estimated, cost_nano_usd
)
VALUES (
    :request_id, :number, :provider, :upstream_model, :outcome, :code, :phase, :http_status, :upstream_code,
    :detail, :ms, :first_token_ms, :input_tokens, :output_tokens, :cached_input_tokens,
    :reasoning_output_tokens, :usage_estimated, :cost_nano_usd
)
ON CONFLICT (request_id, number) DO NOTHING;

-- name: delete_old
-- A bounded piece at a time, so that the writer is never held up for long.
DELETE FROM request WHERE id IN (SELECT id FROM request WHERE started_at_ms < :before_ms LIMIT 1000)
RETURNING 1;

-- name: requests_after
-- What came after a place in the record, in its order: nothing is passed over, however much there is.
SELECT seq, id, started_at_ms, issuer, subject, task, outcome, code, http_status, ms, charged_micro, demo
FROM request
WHERE seq > :after
  AND (CAST(:subject AS TEXT) IS NULL OR subject = :subject)
  AND (CAST(:issuer AS TEXT) IS NULL OR issuer = :issuer)
  AND (:failed = 0 OR outcome = 'failed' OR EXISTS (
        SELECT 1 FROM attempt WHERE request_id = request.id AND outcome = 'failed'))
ORDER BY seq
LIMIT :limit;

-- name: latest_requests
-- The newest rows, newest first. An empty filter matches everything.
SELECT seq, id, started_at_ms, issuer, subject, task, outcome, code, http_status, ms, charged_micro, demo
FROM request
WHERE (CAST(:subject AS TEXT) IS NULL OR subject = :subject)
  AND (CAST(:issuer AS TEXT) IS NULL OR issuer = :issuer)
  AND (:failed = 0 OR outcome = 'failed' OR EXISTS (
        SELECT 1 FROM attempt WHERE request_id = request.id AND outcome = 'failed'))
ORDER BY seq DESC
LIMIT :limit;

-- name: attempts_of
SELECT number, provider, upstream_model, outcome, code, phase, http_status, upstream_code, detail, ms,
       first_token_ms, cost_nano_usd,
       input_tokens, output_tokens, cached_input_tokens, reasoning_output_tokens, usage_estimated
FROM attempt
WHERE request_id = :request_id
ORDER BY number;
