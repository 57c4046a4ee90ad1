\set n random(1, 20000)
BEGIN;
SELECT version FROM calls_live WHERE tenant = 1 AND id = bench_id(:n) FOR NO KEY UPDATE;
UPDATE calls_live SET version = version + 1, ringing_at = 1, due_at = due_at + 1, sealed = decode(repeat('cd', 300), 'hex'), body = '{"legs":[],"stage":"dialing","ringing":1}' WHERE tenant = 1 AND id = bench_id(:n);
COMMIT;
