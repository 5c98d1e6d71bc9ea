-- What `relevo ledger verify` recomputes. Every statement gives one row a difference: whose, what stands there, what
-- should. No row means that it adds up.

-- name: audit_balance
SELECT a.issuer, a.subject, 'balance', a.balance_micro, coalesce(sum(e.amount_micro), 0)
FROM account AS a LEFT JOIN entry AS e ON e.account_id = a.id
GROUP BY a.id, a.issuer, a.subject, a.balance_micro
HAVING a.balance_micro <> coalesce(sum(e.amount_micro), 0);

-- name: audit_held
SELECT a.issuer, a.subject, 'held', a.held_micro, coalesce(sum(h.amount_micro), 0)
FROM account AS a LEFT JOIN hold AS h ON h.account_id = a.id AND h.state = 'open'
GROUP BY a.id, a.issuer, a.subject, a.held_micro
HAVING a.held_micro <> coalesce(sum(h.amount_micro), 0);

-- name: audit_grants
-- What grants have left, less what is still to be taken from them, is the balance.
SELECT a.issuer, a.subject, 'grants', coalesce(sum(g.remaining_micro), 0), a.balance_micro + a.unassigned_micro
FROM account AS a LEFT JOIN credit_grant AS g ON g.account_id = a.id
GROUP BY a.id, a.issuer, a.subject, a.balance_micro, a.unassigned_micro
HAVING coalesce(sum(g.remaining_micro), 0) <> a.balance_micro + a.unassigned_micro;

-- name: audit_entry_count
SELECT a.issuer, a.subject, 'entries without a gap', a.entries, count(e.seq)
FROM account AS a LEFT JOIN entry AS e ON e.account_id = a.id
GROUP BY a.id, a.issuer, a.subject, a.entries
HAVING a.entries <> count(e.seq) OR a.entries <> coalesce(max(e.seq), 0);

-- name: audit_running_balance
SELECT a.issuer, a.subject, 'balance after an entry', r.balance_micro, r.running
FROM (
    SELECT account_id, balance_micro, sum(amount_micro) OVER (PARTITION BY account_id ORDER BY seq) AS running
    FROM entry
) AS r JOIN account AS a ON a.id = r.account_id
WHERE r.balance_micro <> r.running;

-- name: audit_charges
SELECT a.issuer, a.subject, 'charge of hold ' || h.id, h.charged_micro, coalesce(-e.amount_micro, 0)
FROM hold AS h JOIN account AS a ON a.id = h.account_id LEFT JOIN entry AS e ON e.hold_id = h.id
WHERE h.charged_micro <> coalesce(-e.amount_micro, 0)
   OR (h.charged_micro <> 0 AND h.state <> 'settled') OR (e.hold_id IS NOT NULL AND e.kind <> 'charge');

-- name: audit_grant_entries
SELECT a.issuer, a.subject, 'entry of a ' || g.kind || ' grant', g.amount_micro, coalesce(max(e.amount_micro), 0)
FROM credit_grant AS g JOIN account AS a ON a.id = g.account_id
LEFT JOIN entry AS e ON e.grant_id = g.id AND e.kind = g.kind
GROUP BY g.id, g.kind, g.amount_micro, a.issuer, a.subject
HAVING count(e.seq) <> 1 OR max(e.amount_micro) <> g.amount_micro;

-- name: audit_acts
SELECT a.issuer, a.subject, 'act ' || t.key, t.moved_micro, t.after_micro - t.before_micro
FROM act AS t JOIN account AS a ON a.id = t.account_id
WHERE t.moved_micro <> t.after_micro - t.before_micro;

-- name: audit_stale_holds
SELECT a.issuer, a.subject, 'hold ' || h.id || ' open past its time', h.expires_ms, CAST(:now_ms AS BIGINT)
FROM hold AS h JOIN account AS a ON a.id = h.account_id
WHERE h.state = 'open' AND h.expires_ms < :now_ms - :grace_ms;

-- name: audit_costs
SELECT a.issuer, a.subject, 'cost of open hold ' || h.id, c.nano_usd, 0
FROM cost AS c JOIN hold AS h ON h.id = c.hold_id JOIN account AS a ON a.id = h.account_id
WHERE h.state = 'open';

-- name: audit_counts
SELECT (SELECT count(*) FROM account), (SELECT count(*) FROM entry), (SELECT count(*) FROM hold),
       (SELECT count(*) FROM hold WHERE state = 'open'), (SELECT coalesce(sum(balance_micro), 0) FROM account);

-- name: audit_houses
-- The other side of every entry: what the house's accounts hold. With all balances of users it sums to 0.
SELECT house, -sum(amount_micro) FROM entry GROUP BY house ORDER BY house;
