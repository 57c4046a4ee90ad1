-- Calls on their way, in the server's own tables, with rows as large as its own.
CREATE SEQUENCE bench_n;
CREATE FUNCTION bench_id(n bigint) RETURNS uuid LANGUAGE sql STABLE AS
$$ SELECT (lpad(to_hex((extract(epoch FROM current_date) * 1000)::bigint), 12, '0') || '70008' || lpad(to_hex(n), 15, '0'))::uuid $$;
INSERT INTO tenants (tenant, version, name, active, created_at) VALUES (1, 1, 'bench', 1, 0);
INSERT INTO tenant_marks (tenant, feed, audit) VALUES (1, 0, 0);
INSERT INTO campaigns (tenant, id, version, name, state, key_no, sealed) VALUES (1, bench_id(0), 1, 'bench', 'running', 1, '\x00');
INSERT INTO campaign_totals (tenant, campaign, due_at, created_at) VALUES (1, bench_id(0), 9223372036854775807, 0);
INSERT INTO leads (tenant, id, campaign, key_no, sealed, created_at)
SELECT 1, bench_id(n), bench_id(0), 1, decode(repeat('ab', 200), 'hex'), 0 FROM generate_series(1, 20000) n;
INSERT INTO call_queue (tenant, lead, version, campaign, state, lane, due_at, ord, attempts, priority, print, changed_at, body)
SELECT 1, bench_id(n), 1, bench_id(0), 'calling', 384, 0, n, 0, 1, 0, 0, '{}' FROM generate_series(1, 20000) n;
INSERT INTO calls_live (tenant, id, version, campaign, lead, attempt, stage, due_at, created_at, class, to_bx, key_no, sealed, body)
SELECT 1, bench_id(n), 1, bench_id(0), bench_id(n), 1, 'dialing', 9, 0, 0, decode(md5(n::text), 'hex'), 1,
       decode(repeat('ab', 300), 'hex'), '{"legs":[],"stage":"dialing"}' FROM generate_series(1, 20000) n;
