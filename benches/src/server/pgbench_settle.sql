\set n random(1, 20000)
BEGIN;
SELECT version FROM call_queue WHERE tenant = 1 AND lead = bench_id(:n) FOR NO KEY UPDATE;
UPDATE call_queue SET version = version + 1, attempts = attempts + 1, changed_at = 1, body = '{"last":"busy"}' WHERE tenant = 1 AND lead = bench_id(:n);
UPDATE calls_live SET version = version + 1, stage = 'closing', sealed = decode(repeat('ef', 300), 'hex') WHERE tenant = 1 AND id = bench_id(:n);
UPDATE campaign_totals SET dialing = dialing - 1, closed = closed + 1 WHERE tenant = 1 AND campaign = bench_id(0);
INSERT INTO calls_done (tenant, id, version, campaign, lead, attempt, created_at, key_no, sealed, body) VALUES (1, bench_id(100000 + nextval('bench_n')), 1, bench_id(0), bench_id(:n), 1, 0, 1, decode(repeat('ab', 300), 'hex'), '{"legs":[]}');
UPDATE tenant_marks SET feed = feed + 1 WHERE tenant = 1;
INSERT INTO records (tenant, call, place, campaign, lead, attempt, outcome, dialled_at, ended_at, settled_at, talk_ms, line_ms, key_no, sealed) VALUES (1, bench_id(100000 + currval('bench_n')), currval('bench_n'), bench_id(0), bench_id(:n), 1, 'busy', 0, 1, 1, 0, 0, 1, decode(repeat('ab', 200), 'hex'));
COMMIT;
