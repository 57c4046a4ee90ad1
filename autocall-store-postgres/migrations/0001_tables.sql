-- What autocall keeps. Instants are milliseconds since 1970 UTC; 9223372036854775807 is "never".
-- Columns whose name ends in _bx are keyed hashes; `sealed` is encrypted (see autocall-sql, seal.rs).

CREATE TABLE tenants (
    tenant     bigint PRIMARY KEY,
    version    bigint NOT NULL CHECK (version > 0),
    name       text NOT NULL,
    active     bigint NOT NULL CHECK (active IN (0, 1)),
    created_at bigint NOT NULL,
    body       jsonb
);

CREATE TABLE tenant_marks (
    tenant bigint PRIMARY KEY REFERENCES tenants,
    feed   bigint NOT NULL,
    audit  bigint NOT NULL
);

CREATE TABLE tenant_keys (
    tenant    bigint NOT NULL REFERENCES tenants,
    number    bigint NOT NULL,
    wrapped   bytea NOT NULL,
    active_at bigint NOT NULL,
    PRIMARY KEY (tenant, number)
);

CREATE TABLE campaigns (
    tenant  bigint NOT NULL REFERENCES tenants,
    id      uuid NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    name    text NOT NULL,
    state   text NOT NULL CHECK (state IN ('draft', 'scheduled', 'running', 'paused', 'finished')),
    key_no  bigint NOT NULL,
    sealed  bytea NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE campaign_totals (
    tenant     bigint NOT NULL,
    campaign   uuid NOT NULL,
    due_at     bigint NOT NULL,
    created_at bigint NOT NULL,
    dialing    bigint NOT NULL DEFAULT 0,
    waiting    bigint NOT NULL DEFAULT 0,
    offering   bigint NOT NULL DEFAULT 0,
    bridged    bigint NOT NULL DEFAULT 0,
    message    bigint NOT NULL DEFAULT 0,
    closing    bigint NOT NULL DEFAULT 0,
    open       bigint NOT NULL DEFAULT 0,
    calling    bigint NOT NULL DEFAULT 0,
    closed     bigint NOT NULL DEFAULT 0,
    spent_micros bigint NOT NULL DEFAULT 0,
    ledger     jsonb,
    PRIMARY KEY (tenant, campaign),
    FOREIGN KEY (tenant, campaign) REFERENCES campaigns (tenant, id)
);
CREATE INDEX campaign_totals_due ON campaign_totals (tenant, due_at) WHERE due_at < 9223372036854775807;

CREATE TABLE pools (
    tenant  bigint NOT NULL REFERENCES tenants,
    id      uuid NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    name    text NOT NULL,
    PRIMARY KEY (tenant, id)
);

-- A campaign may name a pool before its first agent exists, so there is no key to pools.
CREATE TABLE campaign_pools (
    tenant   bigint NOT NULL,
    pool     uuid NOT NULL,
    campaign uuid NOT NULL,
    -- The campaign's part, as its settings say: what another campaign of the pool must know.
    priority bigint NOT NULL DEFAULT 5,
    weight   bigint NOT NULL DEFAULT 1,
    ahead    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, pool, campaign),
    FOREIGN KEY (tenant, campaign) REFERENCES campaigns (tenant, id)
);
CREATE INDEX campaign_pools_campaign ON campaign_pools (tenant, campaign);

-- What pacing has learned; losing a row costs a cold start.
CREATE TABLE campaign_lessons (
    tenant   bigint NOT NULL,
    campaign uuid NOT NULL,
    version  bigint NOT NULL CHECK (version > 0),
    at       bigint NOT NULL,
    learned  bytea NOT NULL,
    PRIMARY KEY (tenant, campaign),
    FOREIGN KEY (tenant, campaign) REFERENCES campaigns (tenant, id)
);

CREATE TABLE agents (
    tenant   bigint NOT NULL,
    id       uuid NOT NULL,
    version  bigint NOT NULL CHECK (version > 0),
    pool     uuid NOT NULL,
    status   text NOT NULL CHECK (status IN ('available', 'away', 'offline')),
    state    text NOT NULL CHECK (state IN ('idle', 'reserved', 'ringing', 'talking', 'wrap_up')),
    since    bigint NOT NULL,
    free     bigint NOT NULL CHECK (free IN (0, 1)),
    standing bigint NOT NULL CHECK (standing IN (0, 1)),
    due_at   bigint NOT NULL,
    key_no   bigint NOT NULL,
    sealed   bytea NOT NULL,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, pool) REFERENCES pools (tenant, id),
    CHECK ((free = 1) = (status = 'available' AND state = 'idle'))
);
CREATE INDEX agents_pool ON agents (tenant, pool);
CREATE INDEX agents_free ON agents (tenant, pool, since, id) WHERE free = 1;
CREATE INDEX agents_due ON agents (tenant, due_at) WHERE due_at < 9223372036854775807;

CREATE TABLE leads (
    tenant      bigint NOT NULL,
    id          uuid NOT NULL,
    campaign    uuid NOT NULL,
    list        uuid,
    number_bx   bytea,
    name_bx     bytea,
    external_bx bytea,
    country     text,
    state       text,
    timezone    text,
    kind        text,
    postal_code text,
    key_no      bigint NOT NULL,
    sealed      bytea NOT NULL,
    created_at  bigint NOT NULL,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, campaign) REFERENCES campaigns (tenant, id)
);
CREATE INDEX leads_number ON leads (tenant, number_bx, campaign);
CREATE INDEX leads_campaign ON leads (tenant, campaign, id);
CREATE INDEX leads_name ON leads (tenant, name_bx) WHERE name_bx IS NOT NULL;
CREATE INDEX leads_external ON leads (tenant, external_bx) WHERE external_bx IS NOT NULL;

CREATE TABLE lead_numbers (
    tenant    bigint NOT NULL,
    number_bx bytea NOT NULL,
    lead      uuid NOT NULL,
    PRIMARY KEY (tenant, number_bx, lead),
    FOREIGN KEY (tenant, lead) REFERENCES leads (tenant, id) ON DELETE CASCADE
);
CREATE INDEX lead_numbers_lead ON lead_numbers (tenant, lead);

-- Where each lead stands. Open leads are called in the order of the partial index.
CREATE TABLE call_queue (
    tenant      bigint NOT NULL,
    lead        uuid NOT NULL,
    version     bigint NOT NULL CHECK (version > 0),
    campaign    uuid NOT NULL,
    state       text NOT NULL CHECK (state IN ('open', 'calling', 'closed')),
    lane        bigint NOT NULL CHECK (lane BETWEEN 0 AND 1023),
    due_at      bigint NOT NULL,
    ord         bigint NOT NULL,
    attempts    bigint NOT NULL CHECK (attempts >= 0),
    priority    bigint NOT NULL CHECK (priority BETWEEN 0 AND 3),
    last        text,
    blocked_by  text,
    callback_at bigint,
    print       bigint NOT NULL,
    changed_at  bigint NOT NULL,
    body        jsonb NOT NULL,
    PRIMARY KEY (tenant, lead),
    FOREIGN KEY (tenant, lead) REFERENCES leads (tenant, id) ON DELETE CASCADE,
    -- Appointments have the lanes below 64; see the core's planning.
    CHECK ((lane < 64) = (callback_at IS NOT NULL))
);
-- Kinds: 1 leads by what they wait for, 2 open leads by lane, 3 quotas.
CREATE TABLE campaign_counts (
    tenant   bigint NOT NULL,
    campaign uuid NOT NULL,
    kind     bigint NOT NULL CHECK (kind BETWEEN 1 AND 3),
    key      text NOT NULL,
    n        bigint NOT NULL,
    at       bigint NOT NULL,
    PRIMARY KEY (tenant, campaign, kind, key),
    FOREIGN KEY (tenant, campaign) REFERENCES campaigns (tenant, id)
);

-- What calls that showed a number came to.
CREATE TABLE caller_counts (
    tenant    bigint NOT NULL REFERENCES tenants,
    number_bx bytea NOT NULL,
    dials     bigint NOT NULL,
    answers   bigint NOT NULL,
    PRIMARY KEY (tenant, number_bx)
);

CREATE INDEX call_queue_due ON call_queue (tenant, campaign, lane, due_at, ord, lead) WHERE state = 'open';
CREATE INDEX call_queue_blocked ON call_queue (tenant, blocked_by) WHERE state = 'open' AND blocked_by IS NOT NULL;
CREATE INDEX call_queue_closed ON call_queue (tenant, changed_at) WHERE state = 'closed';

CREATE TABLE calls_live (
    tenant        bigint NOT NULL,
    id            uuid NOT NULL,
    version       bigint NOT NULL CHECK (version > 0),
    campaign      uuid NOT NULL,
    lead          uuid NOT NULL,
    attempt       bigint NOT NULL,
    stage         text NOT NULL
        CHECK (stage IN ('dialing', 'seeking', 'offering', 'bridged', 'message', 'closing')),
    due_at        bigint NOT NULL,
    created_at    bigint NOT NULL,
    class         bigint NOT NULL,
    ringing_at    bigint,
    answered_at   bigint,
    waiting_since bigint CHECK (waiting_since IS NULL OR stage = 'seeking'),
    agent         uuid CHECK (agent IS NOT NULL OR stage NOT IN ('offering', 'bridged')),
    to_bx         bytea NOT NULL,
    key_no        bigint NOT NULL,
    sealed        bytea NOT NULL,
    body          jsonb NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, lead, attempt),
    FOREIGN KEY (tenant, campaign) REFERENCES campaigns (tenant, id),
    FOREIGN KEY (tenant, lead) REFERENCES leads (tenant, id)
);
CREATE INDEX calls_live_due ON calls_live (tenant, due_at) WHERE due_at < 9223372036854775807;
CREATE INDEX calls_live_pending ON calls_live (tenant, campaign, created_at, id)
    WHERE stage IN ('dialing', 'seeking', 'offering');
CREATE INDEX calls_live_waiting ON calls_live (tenant, campaign, waiting_since) WHERE waiting_since IS NOT NULL;

CREATE TABLE calls_done (
    tenant     bigint NOT NULL,
    id         uuid NOT NULL,
    version    bigint NOT NULL CHECK (version > 0),
    campaign   uuid NOT NULL,
    lead       uuid NOT NULL,
    attempt    bigint NOT NULL,
    created_at bigint NOT NULL,
    agent      uuid,
    to_bx      bytea,
    key_no     bigint NOT NULL,
    sealed     bytea NOT NULL,
    body       jsonb NOT NULL,
    PRIMARY KEY (tenant, id)
) PARTITION BY RANGE (id);
CREATE INDEX calls_done_created ON calls_done (tenant, created_at, id);
CREATE INDEX calls_done_lead ON calls_done (tenant, lead);
CREATE INDEX calls_done_to ON calls_done (tenant, to_bx);

CREATE TABLE records (
    tenant       bigint NOT NULL,
    call         uuid NOT NULL,
    place        bigint NOT NULL,
    campaign     uuid NOT NULL,
    lead         uuid NOT NULL,
    list         uuid,
    agent        uuid,
    attempt      bigint NOT NULL,
    outcome      text NOT NULL,
    reason       text,
    verdict      text,
    to_bx        bytea,
    from_bx      bytea,
    dialled_at   bigint NOT NULL,
    answered_at  bigint,
    connected_at bigint,
    ended_at     bigint NOT NULL,
    settled_at   bigint NOT NULL,
    ring_ms      bigint,
    wait_ms      bigint,
    talk_ms      bigint NOT NULL,
    line_ms      bigint NOT NULL,
    key_no       bigint NOT NULL,
    sealed       bytea NOT NULL,
    PRIMARY KEY (tenant, call)
) PARTITION BY RANGE (call);
CREATE INDEX records_place ON records (tenant, place);
CREATE INDEX records_dialled ON records (tenant, dialled_at);

CREATE TABLE dispositions (
    tenant  bigint NOT NULL,
    call    uuid NOT NULL,
    place   bigint NOT NULL,
    agent   uuid,
    code    text NOT NULL,
    success bigint NOT NULL CHECK (success IN (0, 1)),
    at      bigint NOT NULL,
    PRIMARY KEY (tenant, call)
);
CREATE INDEX dispositions_place ON dispositions (tenant, place);

CREATE TABLE recordings (
    tenant    bigint NOT NULL,
    call      uuid NOT NULL,
    provider  text NOT NULL,
    length_ms bigint NOT NULL,
    made_at   bigint NOT NULL,
    key_no    bigint NOT NULL,
    sealed    bytea NOT NULL,
    PRIMARY KEY (tenant, call, provider)
);
CREATE INDEX recordings_made ON recordings (tenant, made_at);

-- Kinds: 1 number, 2 person, 3 caller id, 4 pool, 5 dials, 6 epoch.
CREATE TABLE guards (
    tenant  bigint NOT NULL,
    kind    bigint NOT NULL CHECK (kind BETWEEN 1 AND 6),
    key     bytea NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    value   jsonb NOT NULL,
    PRIMARY KEY (tenant, kind, key)
);

-- `campaign` is all zeros for an entry of the whole tenant; `sealed` is NULL once its person is erased.
CREATE TABLE dnc_list (
    tenant    bigint NOT NULL REFERENCES tenants,
    number_bx bytea NOT NULL,
    campaign  uuid NOT NULL,
    reason    text NOT NULL,
    source    text NOT NULL,
    until     bigint NOT NULL,
    added_at  bigint NOT NULL,
    times     bigint NOT NULL,
    key_no    bigint NOT NULL,
    sealed    bytea,
    PRIMARY KEY (tenant, number_bx, campaign)
);

CREATE TABLE dnc_prefixes (
    tenant   bigint NOT NULL REFERENCES tenants,
    prefix   text NOT NULL,
    campaign uuid NOT NULL,
    reason   text NOT NULL,
    source   text NOT NULL,
    until    bigint NOT NULL,
    added_at bigint NOT NULL,
    PRIMARY KEY (tenant, prefix, campaign)
);

CREATE TABLE imports (
    tenant     bigint NOT NULL,
    id         uuid NOT NULL,
    version    bigint NOT NULL CHECK (version > 0),
    campaign   uuid NOT NULL,
    list       uuid,
    state      text NOT NULL CHECK (state IN ('running', 'done', 'failed', 'canceled')),
    problem    text,
    bytes      bigint,
    digest     text,
    bytes_done bigint NOT NULL,
    line_done  bigint NOT NULL,
    added      bigint NOT NULL,
    duplicates bigint NOT NULL,
    rejected   bigint NOT NULL,
    started_at bigint NOT NULL,
    ended_at   bigint,
    key_no     bigint NOT NULL,
    sealed     bytea NOT NULL,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, campaign) REFERENCES campaigns (tenant, id)
);

CREATE TABLE rejections (
    tenant bigint NOT NULL,
    import uuid NOT NULL,
    n      bigint NOT NULL,
    body   jsonb NOT NULL,
    PRIMARY KEY (tenant, import, n),
    FOREIGN KEY (tenant, import) REFERENCES imports (tenant, id) ON DELETE CASCADE
);

CREATE TABLE audio (
    tenant   bigint NOT NULL REFERENCES tenants,
    id       uuid NOT NULL,
    name     text NOT NULL,
    mime     text NOT NULL,
    bytes    bigint NOT NULL,
    sha256   text NOT NULL,
    added_at bigint NOT NULL,
    content  bytea NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE documents (
    tenant  bigint NOT NULL REFERENCES tenants,
    kind    text NOT NULL,
    key     text NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    until   bigint NOT NULL,
    key_no  bigint NOT NULL,
    sealed  bytea NOT NULL,
    PRIMARY KEY (tenant, kind, key)
);
CREATE INDEX documents_until ON documents (tenant, until) WHERE until < 9223372036854775807;

CREATE TABLE audit_log (
    tenant bigint NOT NULL REFERENCES tenants,
    n      bigint NOT NULL,
    at     bigint NOT NULL,
    actor  text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    detail jsonb NOT NULL,
    PRIMARY KEY (tenant, n)
);

CREATE TABLE erasures (
    tenant bigint NOT NULL REFERENCES tenants,
    n      bigint NOT NULL,
    at     bigint NOT NULL,
    token  text NOT NULL,
    PRIMARY KEY (tenant, n)
);

CREATE TABLE kept (
    tenant   bigint NOT NULL REFERENCES tenants,
    id       uuid NOT NULL,
    what     text NOT NULL,
    citation text NOT NULL,
    until    bigint NOT NULL,
    key_no   bigint NOT NULL,
    sealed   bytea NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX kept_until ON kept (tenant, until);

-- The directory: what must be found before the tenant is known.
CREATE TABLE directory_tenants (
    tenant   bigint PRIMARY KEY,
    name     text NOT NULL UNIQUE,
    named_at bigint NOT NULL
);

CREATE TABLE directory_entries (
    kind    text NOT NULL CHECK (kind IN ('user', 'key', 'refresh', 'invite', 'number', 'account')),
    name    text NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    tenant  bigint NOT NULL,
    until   bigint NOT NULL,
    body    jsonb NOT NULL,
    PRIMARY KEY (kind, name)
);
CREATE INDEX directory_entries_tenant ON directory_entries (tenant, kind, name);
CREATE INDEX directory_entries_until ON directory_entries (until) WHERE until < 9223372036854775807;

CREATE TABLE directory_leases (
    account text PRIMARY KEY,
    tokens  bigint NOT NULL,
    at      bigint NOT NULL
);

CREATE TABLE directory_wakes (
    tenant  bigint PRIMARY KEY,
    look_at bigint NOT NULL,
    quiet   bigint NOT NULL DEFAULT 0
);
CREATE INDEX directory_wakes_look ON directory_wakes (look_at);

-- Ids of calls are UUIDs of version 7: their order is the order of time, so ranges of them are
-- partitions by time. Months are made ahead of time by the store; these two hold the rest.
CREATE TABLE calls_done_early PARTITION OF calls_done
    FOR VALUES FROM (MINVALUE) TO ('019b76da-a800-0000-0000-000000000000');
CREATE TABLE calls_done_rest PARTITION OF calls_done DEFAULT;
CREATE TABLE records_early PARTITION OF records
    FOR VALUES FROM (MINVALUE) TO ('019b76da-a800-0000-0000-000000000000');
CREATE TABLE records_rest PARTITION OF records DEFAULT;

-- Queues churn: let vacuum come early, and leave room on pages for updates in place.
ALTER TABLE call_queue SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
ALTER TABLE calls_live SET (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
ALTER TABLE campaign_totals SET (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
ALTER TABLE campaign_counts SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
ALTER TABLE tenant_marks SET (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
ALTER TABLE guards SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE agents SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

CREATE VIEW users AS SELECT tenant, name AS login, version, until FROM directory_entries WHERE kind = 'user';
CREATE VIEW calls WITH (security_barrier) AS
    SELECT tenant, id, campaign, lead, attempt, stage, agent, created_at FROM calls_live
    UNION ALL SELECT tenant, id, campaign, lead, attempt, 'settled', agent, created_at FROM calls_done;
