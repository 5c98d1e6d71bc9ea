-- What PostgreSQL says in its own way: rows are locked where SQLite has one writer anyway. A hold before its
-- account, several accounts in the order of their ids: nobody waits in a circle.

-- name: account_by_owner
SELECT id, balance_micro, held_micro, unassigned_micro, due_ms, person, blocked_ms, spent_day, spent_micro,
       entries, month
FROM account WHERE issuer = :issuer AND subject = :subject
FOR NO KEY UPDATE;

-- name: account_by_id
SELECT id, balance_micro, held_micro, unassigned_micro, due_ms, person, blocked_ms, spent_day, spent_micro,
       entries, month
FROM account WHERE id = :id
FOR NO KEY UPDATE;

-- name: hold_by_id
SELECT account_id, amount_micro, state, charged_micro, available_micro
FROM hold WHERE id = :id
FOR NO KEY UPDATE;

-- name: due_holds
-- Another process that sweeps takes other holds. By account, so that two sweeps never wait for each other.
SELECT id, expires_ms FROM (
    SELECT id, expires_ms, account_id FROM hold
    WHERE state = 'open' AND expires_ms <= :now_ms
    ORDER BY expires_ms LIMIT 100
    FOR NO KEY UPDATE SKIP LOCKED
) AS due ORDER BY account_id, expires_ms;

-- name: holds_of_others
SELECT id, expires_ms FROM (
    SELECT id, expires_ms, account_id FROM hold
    WHERE state = 'open' AND node <> :node
    ORDER BY expires_ms LIMIT 100
    FOR NO KEY UPDATE SKIP LOCKED
) AS others ORDER BY account_id, expires_ms;

-- name: open_hold
SELECT account_id, amount_micro, cost_guess_nano_usd FROM hold WHERE id = :id AND state = 'open'
FOR NO KEY UPDATE;

-- name: quick_reserve
-- One statement at READ COMMITTED: whoever waited for the row sees it anew, so the guards hold for what is there
-- when it is this statement's turn. The same id twice breaks the hold's key, and takes the account's change along.
WITH paid AS (
    UPDATE account
    SET held_micro = held_micro + :amount_micro
    WHERE issuer = :issuer AND subject = :subject
      AND blocked_ms IS NULL
      AND due_ms > relevo_now_ms()
      AND person >= :person
      AND (:amount_micro = 0 OR balance_micro - held_micro >= :amount_micro)
      AND (:daily_limit_micro = 0
           OR held_micro + :amount_micro
              + CASE WHEN spent_day = relevo_now_ms() / 86400000 THEN spent_micro ELSE 0 END
              <= :daily_limit_micro)
    RETURNING id, balance_micro - held_micro AS available_micro, relevo_now_ms() AS now_ms
), held AS (
    INSERT INTO hold (
        id, account_id, task, amount_micro, state, cost_guess_nano_usd, node, expires_ms, opened_ms
    )
    SELECT :id, id, :task, :amount_micro, 'open', :cost_guess_nano_usd, :node, now_ms + :ttl_ms, now_ms
    FROM paid
)
SELECT CAST(:amount_micro AS bigint), available_micro FROM paid;

-- name: quick_close
-- First the hold is locked and seen open as it is now (the lock waits, then looks again): whoever comes second
-- gets no row. Then the account changes, and what is left of it goes into the hold. `due_ms` may be older than
-- the wait for the account; what fell due meanwhile is rolled with the next use.
WITH ours AS MATERIALIZED (
    SELECT h.id, h.account_id, h.amount_micro
    FROM hold AS h JOIN account AS a ON a.id = h.account_id
    WHERE h.id = :id AND h.state = 'open' AND a.due_ms > relevo_now_ms()
    FOR NO KEY UPDATE OF h
), paid AS (
    UPDATE account AS a
    SET balance_micro = a.balance_micro - :charge_micro,
        held_micro = a.held_micro - ours.amount_micro,
        unassigned_micro = a.unassigned_micro + :charge_micro,
        spent_day = relevo_now_ms() / 86400000,
        spent_micro = :charge_micro
            + CASE WHEN a.spent_day = relevo_now_ms() / 86400000 THEN a.spent_micro ELSE 0 END,
        entries = a.entries + 1
    FROM ours
    WHERE a.id = ours.account_id
    RETURNING a.id, ours.id AS hold_id, a.entries, a.balance_micro,
              a.balance_micro - a.held_micro AS available_micro, relevo_now_ms() AS now_ms
), ended AS (
    UPDATE hold
    SET state = 'settled', charged_micro = :charge_micro, available_micro = paid.available_micro,
        closed_ms = paid.now_ms
    FROM paid
    WHERE hold.id = paid.hold_id
), entered AS (
    INSERT INTO entry (
        account_id, seq, kind, amount_micro, balance_micro, house, hold_id, grant_id, at_ms, actor, reason
    )
    SELECT id, entries, 'charge', -CAST(:charge_micro AS bigint), balance_micro, 'sales', hold_id, NULL, now_ms,
           'relevo', ''
    FROM paid
), costed AS (
    INSERT INTO cost (hold_id, number, provider, upstream_model, nano_usd, borne_by, estimated)
    SELECT hold_id, CAST(:number AS bigint), CAST(:provider AS text), CAST(:upstream_model AS text),
           CAST(:nano_usd AS bigint), CAST(:borne_by AS text), CAST(:estimated AS bigint)
    FROM paid
    WHERE CAST(:number AS bigint) IS NOT NULL
)
SELECT CAST(:charge_micro AS bigint), available_micro FROM paid;
