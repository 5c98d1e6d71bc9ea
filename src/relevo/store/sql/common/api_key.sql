-- Statements of API keys. A key itself is nowhere: only its hash.

-- name: insert_api_key
INSERT INTO api_key (id, key_hash, issuer, subject, name, tasks, last4, created_ms, expires_ms)
VALUES (:id, :key_hash, :issuer, :subject, :name, :tasks, :last4, :now_ms, :expires_ms);

-- name: api_key_by_hash
SELECT id, issuer, subject, name, tasks, last4, created_ms, expires_ms, revoked_ms
FROM api_key WHERE key_hash = :key_hash;

-- name: api_key_by_id
SELECT id, issuer, subject, name, tasks, last4, created_ms, expires_ms, revoked_ms
FROM api_key WHERE id = :id;

-- name: api_keys
-- An empty filter matches everything.
SELECT id, issuer, subject, name, tasks, last4, created_ms, expires_ms, revoked_ms
FROM api_key
WHERE (CAST(:issuer AS TEXT) IS NULL OR issuer = :issuer)
  AND (CAST(:subject AS TEXT) IS NULL OR subject = :subject)
ORDER BY created_ms, id;

-- name: revoke_api_key
UPDATE api_key SET revoked_ms = :now_ms WHERE id = :id AND revoked_ms IS NULL;
