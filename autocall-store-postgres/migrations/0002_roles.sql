-- Who may do what. The server works as `autocall_app`, which sees one tenant at a time, and as
-- `autocall_directory`, which sees the directory only. Neither can bypass row-level security.

DO $$
DECLARE role text;
BEGIN
    -- Roles belong to the whole server: databases that are set up side by side take turns.
    PERFORM pg_advisory_xact_lock(717171);
    FOREACH role IN ARRAY ARRAY['autocall_app', 'autocall_directory'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE', role);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- another database of this server is being set up at the same time
        END;
        BEGIN
            IF NOT pg_has_role(CURRENT_USER, role, 'MEMBER') THEN
                EXECUTE format('GRANT %I TO CURRENT_USER', role);
            END IF;
        EXCEPTION WHEN unique_violation OR internal_error THEN
            NULL; -- granted at the same time; the store finds out at its start
        END;
    END LOOP;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO autocall_app, autocall_directory', current_schema());
END $$;

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'tenants', 'tenant_marks', 'tenant_keys', 'campaigns', 'campaign_totals', 'campaign_counts', 'caller_counts',
        'pools', 'campaign_pools', 'campaign_lessons', 'agents',
        'leads', 'lead_numbers', 'call_queue', 'calls_live', 'calls_done', 'records', 'dispositions', 'recordings',
        'guards', 'dnc_list', 'dnc_prefixes', 'imports', 'rejections', 'audio', 'documents', 'audit_log',
        'erasures', 'kept'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY one_tenant ON %I TO autocall_app '
            'USING (tenant = (SELECT NULLIF(current_setting(''autocall.tenant'', true), '''')::bigint))', name);
        IF name IN ('audit_log', 'erasures') THEN
            EXECUTE format('GRANT SELECT, INSERT ON %I TO autocall_app', name);
        ELSE
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO autocall_app', name);
        END IF;
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON directory_tenants TO autocall_directory;
GRANT SELECT, INSERT, UPDATE, DELETE ON directory_entries TO autocall_directory;
GRANT SELECT, INSERT, UPDATE, DELETE ON directory_leases TO autocall_directory;
GRANT SELECT, INSERT, UPDATE, DELETE ON directory_wakes TO autocall_directory;
