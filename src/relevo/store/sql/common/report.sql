-- What `relevo report` adds up. Full scans: for a connection beside the server's own.

-- name: report_holds
-- An answer is a hold that was charged for, or one whose try was borne by its caller (a price of 0). One that was
-- charged for and has no such row is an answer of unknown cost.
SELECT h.task,
       sum(CASE WHEN h.state = 'settled' OR c.served > 0 THEN 1 ELSE 0 END),
       sum(h.charged_micro),
       sum(coalesce(c.served_nano_usd, 0)),
       sum(coalesce(c.lost_nano_usd, 0)),
       sum(CASE WHEN h.state = 'settled' AND coalesce(c.served, 0) = 0 THEN 1 ELSE 0 END)
FROM hold AS h LEFT JOIN (
    SELECT hold_id,
           sum(CASE WHEN borne_by = 'caller' THEN 1 ELSE 0 END) AS served,
           sum(CASE WHEN borne_by = 'caller' THEN nano_usd ELSE 0 END) AS served_nano_usd,
           sum(CASE WHEN borne_by = 'house' THEN nano_usd ELSE 0 END) AS lost_nano_usd
    FROM cost GROUP BY hold_id
) AS c ON c.hold_id = h.id
WHERE h.closed_ms >= :since_ms
GROUP BY h.task ORDER BY h.task;

-- name: report_record
-- Without credits nothing is held and nothing is sold: answers and costs stand in the record.
SELECT r.task, count(*), 0, coalesce(sum(a.cost_nano_usd), 0), 0,
       sum(CASE WHEN a.cost_nano_usd IS NULL THEN 1 ELSE 0 END)
FROM request AS r JOIN attempt AS a ON a.request_id = r.id AND a.outcome = 'ok'
WHERE r.started_at_ms >= :since_ms AND r.task IS NOT NULL
GROUP BY r.task ORDER BY r.task;

-- name: report_moved
SELECT kind, sum(amount_micro) FROM entry WHERE at_ms >= :since_ms GROUP BY kind ORDER BY kind;
