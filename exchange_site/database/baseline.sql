-- applied: contenttypes.0001_initial
-- applied: contenttypes.0002_remove_content_type_name
-- applied: auth.0001_initial
-- applied: auth.0002_alter_permission_name_max_length
-- applied: auth.0003_alter_user_email_max_length
-- applied: auth.0004_alter_user_username_opts
-- applied: auth.0005_alter_user_last_login_null
-- applied: auth.0006_require_contenttypes_0002
-- applied: auth.0007_alter_validators_add_error_messages
-- applied: auth.0008_alter_user_username_max_length
-- applied: auth.0009_alter_user_last_name_max_length
-- applied: auth.0010_alter_group_name_max_length
-- applied: auth.0011_update_proxy_permissions
-- applied: auth.0012_alter_user_first_name_max_length
-- applied: wallets.0001_initial
-- applied: admin.0001_initial
-- applied: admin.0002_logentry_remove_auto_add
-- applied: admin.0003_logentry_add_action_flag_choices
-- applied: procrastinate.0001_initial
-- applied: procrastinate.0002_drop_started_at_column
-- applied: procrastinate.0003_drop_started_at_column
-- applied: procrastinate.0004_drop_procrastinate_version_table
-- applied: procrastinate.0005_fix_procrastinate_fetch_job
-- applied: procrastinate.0006_fix_trigger_status_events_insert
-- applied: procrastinate.0007_add_queueing_lock_column
-- applied: procrastinate.0008_close_fetch_job_race_condition
-- applied: procrastinate.0009_add_defer_job_function
-- applied: procrastinate.0010_add_procrastinate_periodic_defers
-- applied: procrastinate.0011_add_foreign_key_index
-- applied: procrastinate.0012_add_locks_to_periodic_defer
-- applied: procrastinate.0013_fix_procrastinate_defer_periodic_job
-- applied: procrastinate.0014_add_finish_job_and_retry_job_functions
-- applied: procrastinate.0015_add_trigger_on_job_deletion
-- applied: procrastinate.0016_delete_finished_jobs
-- applied: procrastinate.0017_add_checks_to_finish_job
-- applied: procrastinate.0018_add_checks_to_retry_job
-- applied: procrastinate.0019_fix_finish_job_compat_issue
-- applied: procrastinate.0020_add_index_on_procrastinate_jobs
-- applied: procrastinate.0021_add_kwargs_to_defer_periodic_job
-- applied: procrastinate.0022_null_locks_excluded
-- applied: procrastinate.0023_remove_old_finish_job_function
-- applied: procrastinate.0024_job_id_bigint
-- applied: procrastinate.0025_add_models
-- applied: procrastinate.0026_add_job_priority
-- applied: procrastinate.0027_add_periodic_job_priority
-- applied: procrastinate.0028_add_cancel_states
-- applied: procrastinate.0029_add_additional_params_to_retry_job
-- applied: procrastinate.0030_alter_procrastinateevent_options
-- applied: procrastinate.0031_add_indexes_for_fetch_job
-- applied: procrastinate.0032_pre_cancel_notification
-- applied: procrastinate.0033_post_cancel_notification
-- applied: procrastinate.0034_pre_add_heartbeat
-- applied: procrastinate.0035_post_add_heartbeat
-- applied: procrastinate.0036_add_worker_model
-- applied: procrastinate.0037_pre_batch_defer_jobs
-- applied: procrastinate.0038_post_batch_defer_jobs
-- applied: procrastinate.0039_pre_priority_lock_fetch_job
-- applied: procrastinate.0040_pre_retry_failed_job
-- applied: procrastinate.0041_post_retry_failed_job
-- applied: sessions.0001_initial
-- applied: trading.0001_initial
-- applied: trading.0002_held_orders_and_reviews
-- applied: trading.0003_shop
-- applied: trading.0004_pooled_orders
-- applied: trading.0005_fewer_indexes
-- applied: trading.0006_words
-- applied: trading.0007_steps_and_holds
-- applied: trading.0008_losses_and_stops
-- applied: trading.0009_unclear_coins
-- applied: trading.0010_readings_and_suspensions
-- applied: settlement.0001_initial
-- applied: settlement.0002_pauses_findings_and_interventions
-- applied: settlement.0003_polled_queue
-- applied: settlement.0004_fetching_from_a_backlog
-- applied: settlement.0005_words
-- applied: settlement.0006_failing_items
-- applied: settlement.0007_never_emptied
-- applied: settlement.0008_pauses_of_several_kinds
-- applied: settlement.0009_gate
-- applied: settlement.0010_gate_validated
-- applied: settlement.0011_denials
-- applied: settlement.0012_fence
-- applied: settlement.0013_fence_validated
-- applied: settlement.0014_float
-- applied: settlement.0015_float_index
-- applied: settlement.0016_after_a_restore
-- applied: settlement.0017_after_a_restore_validated
-- applied: settlement.0018_balances
-- applied: settlement.0019_balances_validated
-- applied: settlement.0020_purchase_sums
-- applied: settlement.0021_prices_of_any_places
-- applied: settlement.0022_prices_of_any_places_validated
-- applied: settlement.0023_statements_after_a_restore
-- applied: settlement.0024_venues
-- applied: settlement.0025_one_attempt_per_venue
-- applied: trading.0011_readings_validated
-- applied: trading.0012_price_rules
-- applied: trading.0013_price_rules_validated
-- applied: trading.0014_what_a_release_must_know
-- applied: trading.0015_booked_fees_validated
-- applied: trading.0016_headroom
-- applied: trading.0017_rebates
-- applied: trading.0018_rebates_validated
-- applied: trading.0019_times_of_readings
-- applied: trading.0020_shorter_checks
-- applied: trading.0021_shorter_checks_validated
-- applied: trading.0022_decided_reviews
-- applied: wallets.0002_append_only_and_one_asset
-- applied: wallets.0003_freeze_permission
-- applied: wallets.0004_fewer_indexes
-- applied: wallets.0005_known_addresses
-- applied: wallets.0006_stored_times
-- applied: wallets.0007_never_emptied
-- applied: wallets.0008_revocation_and_usernames
-- applied: wallets.0009_security_log
-- applied: wallets.0010_keys_of_usernames
-- applied: wallets.0011_subjects
-- applied: wallets.0012_subjects_of_all
-- applied: wallets.0013_cost_of_inventory
-- applied: wallets.0014_fees
-- applied: wallets.0015_fees_validated
-- applied: wallets.0016_price_improvements
-- applied: wallets.0017_price_improvements_validated
-- applied: wallets.0018_movements_by_time
-- applied: wallets.0019_shorter_checks_of_movements
-- applied: wallets.0020_shorter_checks_of_wallets
-- applied: wallets.0021_shorter_checks_validated
-- applied: wallets.0022_proposals
-- applied: wallets.0023_proven_emails
-- applied: wallets.0024_users_by_email
-- applied: wallets.0025_sessions
-- applied: wallets.0026_second_factors
-- applied: wallets.0027_deposits
-- applied: wallets.0028_movements_of_unassigned_dollars
-- applied: wallets.0029_wallet_of_unassigned_dollars
-- applied: wallets.0030_unassigned_dollars_validated
-- applied: wallets.0031_statements
-- applied: wallets.0032_movements_of_payouts_and_returns
-- applied: wallets.0033_wallets_of_payouts_and_returns
-- applied: wallets.0034_payouts_and_returns_validated
-- applied: wallets.0035_payouts
-- applied: wallets.0036_answers_of_the_bank
-- applied: wallets.0037_answers_of_the_bank_validated
-- applied: wallets.0038_returns
-- applied: wallets.0039_debtors_are_frozen
-- applied: wallets.0040_returns_validated
-- applied: wallets.0041_break_glass
-- applied: wallets.0042_addresses_of_staff
-- applied: wallets.0043_personal_data
-- applied: wallets.0044_each_file_for_each_account
-- applied: wallets.0045_lines_that_contradict
-- applied: wallets.0046_lines_that_contradict_validated
-- applied: wallets.0047_answers_that_a_bank_marks
-- applied: wallets.0048_answers_that_a_bank_marks_validated
-- applied: wallets.0049_references_of_returned_payments
-- applied: wallets.0050_references_of_returned_payments_validated
-- applied: wallets.0051_staff_have_no_wallet
-- applied: wallets.0052_permission_to_export_customers
-- applied: wallets.0053_encrypted_returns
-- applied: wallets.0054_amounts_of_proposals
-- applied: wallets.0055_returns_without_a_line
-- applied: wallets.0056_wallets_of_venues
-- applied: wallets.0057_one_wallet_per_venue
-- applied: wallets.0058_encrypted_words_about_payouts
-- applied: wallets.0059_users_who_are_staff
CREATE TYPE public.procrastinate_job_event_type AS ENUM (
    'deferred',
    'started',
    'deferred_for_retry',
    'failed',
    'succeeded',
    'cancelled',
    'abort_requested',
    'aborted',
    'scheduled',
    'retried'
);
CREATE TYPE public.procrastinate_job_status AS ENUM (
    'todo',
    'doing',
    'succeeded',
    'failed',
    'cancelled',
    'aborting',
    'aborted'
);
CREATE TYPE public.procrastinate_job_to_defer_v1 AS (
	queue_name character varying,
	task_name character varying,
	priority integer,
	lock text,
	queueing_lock text,
	args jsonb,
	scheduled_at timestamp with time zone
);
CREATE FUNCTION public.procrastinate_cancel_job_v1(job_id bigint, abort boolean, delete_job boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status = 'todo'
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        IF abort THEN
            UPDATE procrastinate_jobs
            SET abort_requested = true,
                status = CASE status
                    WHEN 'todo' THEN 'cancelled'::procrastinate_job_status ELSE status
                END
            WHERE id = job_id AND status IN ('todo', 'doing')
            RETURNING id INTO _job_id;
        ELSE
            UPDATE procrastinate_jobs
            SET status = 'cancelled'::procrastinate_job_status
            WHERE id = job_id AND status = 'todo'
            RETURNING id INTO _job_id;
        END IF;
    END IF;
    RETURN _job_id;
END;
$$;
CREATE FUNCTION public.procrastinate_defer_jobs_v1(jobs public.procrastinate_job_to_defer_v1[]) RETURNS bigint[]
    LANGUAGE plpgsql
    AS $$
DECLARE
    job_ids bigint[];
BEGIN
    WITH inserted_jobs AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at)
        SELECT (job).queue_name,
               (job).task_name,
               (job).priority,
               (job).lock,
               (job).queueing_lock,
               (job).args,
               (job).scheduled_at
        FROM unnest(jobs) AS job
        RETURNING id
    )
    SELECT array_agg(id) FROM inserted_jobs INTO job_ids;

    RETURN job_ids;
END;
$$;
CREATE FUNCTION public.procrastinate_defer_periodic_job_v2(_queue_name character varying, _lock character varying, _queueing_lock character varying, _task_name character varying, _priority integer, _periodic_id character varying, _defer_timestamp bigint, _args jsonb) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
	_job_id bigint;
	_defer_id bigint;
BEGIN
    INSERT
        INTO procrastinate_periodic_defers (task_name, periodic_id, defer_timestamp)
        VALUES (_task_name, _periodic_id, _defer_timestamp)
        ON CONFLICT DO NOTHING
        RETURNING id into _defer_id;

    IF _defer_id IS NULL THEN
        RETURN NULL;
    END IF;

    UPDATE procrastinate_periodic_defers
        SET job_id = (
            SELECT COALESCE((
                SELECT unnest(procrastinate_defer_jobs_v1(
                    ARRAY[
                        ROW(
                            _queue_name,
                            _task_name,
                            _priority,
                            _lock,
                            _queueing_lock,
                            _args,
                            NULL::timestamptz
                        )
                    ]::procrastinate_job_to_defer_v1[]
                ))
            ), NULL)
        )
        WHERE id = _defer_id
        RETURNING job_id INTO _job_id;

    DELETE
        FROM procrastinate_periodic_defers
        USING (
            SELECT id
            FROM procrastinate_periodic_defers
            WHERE procrastinate_periodic_defers.task_name = _task_name
            AND procrastinate_periodic_defers.periodic_id = _periodic_id
            AND procrastinate_periodic_defers.defer_timestamp < _defer_timestamp
            ORDER BY id
            FOR UPDATE
        ) to_delete
        WHERE procrastinate_periodic_defers.id = to_delete.id;

    RETURN _job_id;
END;
$$;
CREATE TABLE public.procrastinate_jobs (
    id bigint NOT NULL,
    queue_name character varying(128) NOT NULL,
    task_name character varying(128) NOT NULL,
    lock text,
    args jsonb DEFAULT '{}'::jsonb NOT NULL,
    status public.procrastinate_job_status DEFAULT 'todo'::public.procrastinate_job_status NOT NULL,
    scheduled_at timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    queueing_lock text,
    priority integer DEFAULT 0 NOT NULL,
    abort_requested boolean DEFAULT false NOT NULL,
    worker_id bigint,
    CONSTRAINT check_not_todo_abort_requested CHECK ((NOT ((status = 'todo'::public.procrastinate_job_status) AND (abort_requested = true))))
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='2000', autovacuum_vacuum_cost_delay='0');
CREATE FUNCTION public.procrastinate_fetch_job_v2(target_queue_names character varying[], p_worker_id bigint) RETURNS public.procrastinate_jobs
    LANGUAGE plpgsql
    SET enable_sort TO 'off'
    AS $$
DECLARE
	found_jobs procrastinate_jobs;
BEGIN
    WITH candidate AS (
        SELECT jobs.*
            FROM procrastinate_jobs AS jobs
            WHERE
                -- reject the job if its lock has earlier or higher priority jobs
                NOT EXISTS (
                    SELECT 1
                        FROM procrastinate_jobs AS other_jobs
                        WHERE
                            jobs.lock IS NOT NULL
                            AND other_jobs.lock = jobs.lock
                            AND (
                                -- job with same lock is already running
                                other_jobs.status = 'doing'
                                OR
                                -- job with same lock is waiting and has higher priority (or same priority but was queued first)
                                (
                                    other_jobs.status = 'todo'
                                    AND (
                                        other_jobs.priority > jobs.priority
                                        OR (
                                        other_jobs.priority = jobs.priority
                                        AND other_jobs.id < jobs.id
                                        )
                                    )
                                )
                            )
                )
                AND jobs.status = 'todo'
                AND (target_queue_names IS NULL OR jobs.queue_name = ANY( target_queue_names ))
                AND (jobs.scheduled_at IS NULL OR jobs.scheduled_at <= now())
            ORDER BY jobs.priority DESC, jobs.id ASC LIMIT 1
            FOR UPDATE OF jobs SKIP LOCKED
    )
    UPDATE procrastinate_jobs
        SET status = 'doing', worker_id = p_worker_id
        FROM candidate
        WHERE procrastinate_jobs.id = candidate.id
        RETURNING procrastinate_jobs.* INTO found_jobs;

 RETURN found_jobs;
END;
$$;
CREATE FUNCTION public.procrastinate_finish_job_v1(job_id bigint, end_status public.procrastinate_job_status, delete_job boolean) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF end_status NOT IN ('succeeded', 'failed', 'aborted') THEN
        RAISE 'End status should be either "succeeded", "failed" or "aborted" (job id: %)', job_id;
    END IF;
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = end_status,
            abort_requested = false,
            attempts = CASE status
                WHEN 'doing' THEN attempts + 1 ELSE attempts
            END
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" or "todo" status (job id: %)', job_id;
    END IF;
END;
$$;
CREATE FUNCTION public.procrastinate_notify_queue_abort_job_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    payload TEXT;
BEGIN
    SELECT json_build_object('type', 'abort_job_requested', 'job_id', NEW.id)::text INTO payload;
	PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, payload);
	PERFORM pg_notify('procrastinate_any_queue_v1', payload);
	RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_notify_queue_job_inserted_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    payload TEXT;
BEGIN
    SELECT json_build_object('type', 'job_inserted', 'job_id', NEW.id)::text INTO payload;
	PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, payload);
	PERFORM pg_notify('procrastinate_any_queue_v1', payload);
	RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_prune_stalled_workers_v1(seconds_since_heartbeat double precision) RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY
    DELETE FROM procrastinate_workers
    WHERE last_heartbeat < NOW() - (seconds_since_heartbeat || 'SECOND')::INTERVAL
    RETURNING procrastinate_workers.id;
END;
$$;
CREATE FUNCTION public.procrastinate_register_worker_v1() RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY
    INSERT INTO procrastinate_workers DEFAULT VALUES
    RETURNING procrastinate_workers.id;
END;
$$;
CREATE FUNCTION public.procrastinate_retry_job_v1(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
BEGIN
    SELECT abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status = 'doing'
    FOR UPDATE
    INTO _abort_requested;
    IF _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    END IF;

    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" status (job id: %)', job_id;
    END IF;
END;
$$;
CREATE FUNCTION public.procrastinate_retry_job_v2(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
    _current_status procrastinate_job_status;
BEGIN
    SELECT status, abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status IN ('doing', 'failed')
    FOR UPDATE
    INTO _current_status, _abort_requested;
    IF _current_status = 'doing' AND _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status IN ('doing', 'failed')
        RETURNING id INTO _job_id;
    END IF;

    IF _job_id IS NULL THEN
        RAISE 'Job was not found or has an invalid status to retry (job id: %)', job_id;
    END IF;

END;
$$;
CREATE FUNCTION public.procrastinate_trigger_abort_requested_events_procedure_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'abort_requested'::procrastinate_job_event_type);
    RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_trigger_function_scheduled_events_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type, at)
        VALUES (NEW.id, 'scheduled'::procrastinate_job_event_type, NEW.scheduled_at);

	RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_trigger_function_status_events_insert_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'deferred'::procrastinate_job_event_type);
	RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_trigger_function_status_events_update_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    WITH t AS (
        SELECT CASE
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND NEW.status = 'doing'::procrastinate_job_status
                THEN 'started'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'deferred_for_retry'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'failed'::procrastinate_job_status
                THEN 'failed'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'succeeded'::procrastinate_job_status
                THEN 'succeeded'::procrastinate_job_event_type
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND (
                    NEW.status = 'cancelled'::procrastinate_job_status
                    OR NEW.status = 'failed'::procrastinate_job_status
                    OR NEW.status = 'succeeded'::procrastinate_job_status
                )
                THEN 'cancelled'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'aborted'::procrastinate_job_status
                THEN 'aborted'::procrastinate_job_event_type
            WHEN OLD.status = 'failed'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'retried'::procrastinate_job_event_type
            ELSE NULL
        END as event_type
    )
    INSERT INTO procrastinate_events(job_id, type)
        SELECT NEW.id, t.event_type
        FROM t
        WHERE t.event_type IS NOT NULL;
	RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_unlink_periodic_defers_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE procrastinate_periodic_defers
    SET job_id = NULL
    WHERE job_id = OLD.id;
    RETURN OLD;
END;
$$;
CREATE FUNCTION public.procrastinate_unregister_worker_v1(worker_id bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    DELETE FROM procrastinate_workers
    WHERE id = worker_id;
END;
$$;
CREATE FUNCTION public.procrastinate_update_heartbeat_v1(worker_id bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE procrastinate_workers
    SET last_heartbeat = NOW()
    WHERE id = worker_id;
END;
$$;
CREATE FUNCTION public.settlement_refuse_account_move_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'account moves are append-only: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION public.settlement_refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.outcome IS NULL AND NEW.outcome IS NOT NULL
       AND (to_jsonb(NEW) - '{outcome,detail,venue_answer,decided_at}'::text[])
         = (to_jsonb(OLD) - '{outcome,detail,venue_answer,decided_at}'::text[]) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'interventions are append-only: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION public.settlement_refuse_excess_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'excesses are append-only: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION public.settlement_refuse_own_batch() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF EXISTS (SELECT FROM trading_order WHERE batch_id = NEW.batch_id AND customer_id = NEW.requested_by_id) THEN
        RAISE EXCEPTION 'nobody_decides_about_their_own_orders' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION public.trading_date_limit() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.created_at := statement_timestamp();
    RETURN NEW;
END $$;
CREATE FUNCTION public.trading_date_rule() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.created_at := statement_timestamp();
    RETURN NEW;
END $$;
CREATE FUNCTION public.trading_keep_decided_review() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'the review of order % is decided: % is refused', OLD.order_id, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION public.trading_keep_maxima_alike() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.largest_amount := coalesce(NEW.largest_amount, nullif(NEW.maximum, 1000000));
    ELSIF NEW.maximum IS DISTINCT FROM OLD.maximum AND NEW.largest_amount IS NOT DISTINCT FROM OLD.largest_amount THEN
        NEW.largest_amount := nullif(NEW.maximum, 1000000);
    END IF;
    NEW.maximum := least(coalesce(NEW.largest_amount, greatest(1000000, NEW.minimum)), 999999999999);
    RETURN NEW;
END $$;
CREATE FUNCTION public.trading_name_customer_of_review() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.customer_id := (SELECT customer_id FROM trading_order WHERE id = NEW.order_id);
    RETURN NEW;
END $$;
CREATE FUNCTION public.trading_refuse_change_of_limit() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'sales limits are append-only: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION public.trading_refuse_change_of_rule() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'price rules are append-only: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION public.trading_refuse_rename() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'a coin keeps its name: % is not %', NEW.name, OLD.name USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION public.wallets_copy_persons_of_proposal() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    proposal wallets_proposal;
BEGIN
    SELECT * INTO proposal FROM wallets_proposal WHERE id = NEW.proposal_id;
    NEW.asked_by_id := proposal.asked_by_id;
    NEW.beneficiary_id := proposal.beneficiary_id;
    NEW.needs_two := proposal.needs_two;
    NEW.decided_at := statement_timestamp();
    IF NEW.outcome = 'done' AND proposal.needs_two AND proposal.expires_at <= NEW.decided_at THEN
        RAISE EXCEPTION 'proposal % has expired', proposal.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION public.wallets_count_revocation() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    revokes boolean := NEW.is_active <> OLD.is_active
        OR (NEW.password <> OLD.password AND NEW.password_renewals <= OLD.password_renewals);
BEGIN
    UPDATE wallets_user
       SET token_version = CASE WHEN revokes THEN OLD.token_version + 1 ELSE OLD.token_version END
     WHERE id = NEW.id AND token_version < CASE WHEN revokes THEN OLD.token_version + 1 ELSE OLD.token_version END;
    -- Whoever made the revocation necessary may have signed in from some of them.
    IF revokes THEN
        DELETE FROM wallets_knownaddress WHERE user_id = NEW.id;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION public.wallets_date_break_glass() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.outcome IS NOT NULL THEN
        RAISE EXCEPTION 'a break-glass request begins without an end' USING ERRCODE = 'restrict_violation';
    END IF;
    NEW.asked_at := statement_timestamp();
    RETURN NEW;
END $$;
CREATE FUNCTION public.wallets_date_proposal() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.asked_at := statement_timestamp();
    RETURN NEW;
END $$;
CREATE FUNCTION public.wallets_end_break_glass() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF OLD.outcome IS NOT NULL OR NEW.outcome IS NULL
       OR (NEW.id, NEW.user_id, NEW.reason, NEW.asked_from, NEW.asked_at, NEW.ready_at)
          IS DISTINCT FROM (OLD.id, OLD.user_id, OLD.reason, OLD.asked_from, OLD.asked_at, OLD.ready_at) THEN
        RAISE EXCEPTION 'break-glass requests end once, and change in nothing else' USING ERRCODE = 'restrict_violation';
    END IF;
    NEW.ended_at := statement_timestamp();
    RETURN NEW;
END $$;
CREATE FUNCTION public.wallets_guard_payout() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION 'payouts are never removed: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.id, NEW.customer_id, NEW.payee_id, NEW.amount, NEW.end_to_end_id, NEW.created_at, NEW.idempotency_key,
        NEW.request_hash)
       IS DISTINCT FROM
       (OLD.id, OLD.customer_id, OLD.payee_id, OLD.amount, OLD.end_to_end_id, OLD.created_at, OLD.idempotency_key,
        OLD.request_hash)
       OR (OLD.file_id IS NOT NULL AND NEW.file_id IS DISTINCT FROM OLD.file_id)
    THEN
        RAISE EXCEPTION 'what a payout is about never changes' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('requested', 'approved'), ('requested', 'rejected'), ('requested', 'cancelled'), ('requested', 'paid'),
        ('approved', 'rejected'), ('approved', 'cancelled'), ('approved', 'sent'), ('approved', 'paid'),
        ('sent', 'paid'), ('sent', 'failed'), ('sent', 'returned'), ('paid', 'returned'),
        ('rejected', 'paid'), ('cancelled', 'paid'), ('failed', 'paid'), ('returned', 'paid'))
    THEN
        RAISE EXCEPTION 'a payout that is % does not become %', OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION public.wallets_guard_payout_file() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (OLD.written_at IS NULL OR NEW.written_at = OLD.written_at) THEN
        IF to_jsonb(NEW) - 'content' - 'written_at' = to_jsonb(OLD) - 'content' - 'written_at' THEN
            RETURN NEW;  -- encrypted again by another key, or written for the first time
        END IF;
    END IF;
    RAISE EXCEPTION 'files of payouts are append-only: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION public.wallets_keep_break_glass() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'break-glass requests are kept: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION public.wallets_keep_credential_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.credentials_changed_at := OLD.credentials_changed_at;
    RETURN NEW;
END $$;
CREATE FUNCTION public.wallets_keep_debtors_frozen() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF EXISTS (SELECT FROM wallets_receivable WHERE customer_id = NEW.owner_id AND amount > 0) THEN
        RAISE EXCEPTION 'customer % owes, so the wallet stays frozen', NEW.owner_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION public.wallets_refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'transactions are append-only: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION public.wallets_refuse_change_of_proposal() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'proposals are append-only: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION public.wallets_refuse_debt_of_unfrozen() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM wallets_wallet WHERE owner_id = NEW.customer_id AND asset = 'USD' AND frozen) THEN
        RAISE EXCEPTION 'customer % is not frozen, so nothing can be owed', NEW.customer_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION public.wallets_refuse_log_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN -- OLD is not there for TRUNCATE
        IF OLD.at < now() - interval '30 days' THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'the security log is append-only: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION public.wallets_refuse_wallet_of_staff() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    is_of_staff boolean;
BEGIN
    SELECT is_staff OR is_superuser INTO is_of_staff FROM wallets_user WHERE id = NEW.owner_id FOR SHARE;
    IF is_of_staff AND coalesce(current_setting('exchange.seeds_admin', true), '') <> 'on' THEN
        RAISE EXCEPTION 'user % is a member of staff, and staff have no wallet', NEW.owner_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION public.wallets_sum_returns() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state = 'taken' THEN
        UPDATE wallets_deposit SET returned = returned - OLD.amount WHERE id = OLD.deposit_id;
    END IF;
    IF NEW.state = 'taken' THEN
        UPDATE wallets_deposit SET returned = returned + NEW.amount WHERE id = NEW.deposit_id;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION public.wallets_take_wallet_of_staff() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM FROM wallets_wallet WHERE owner_id = NEW.id ORDER BY id FOR UPDATE;
    IF EXISTS (SELECT FROM wallets_wallet WHERE owner_id = NEW.id AND balance <> 0)
       OR EXISTS (SELECT FROM wallets_transaction WHERE customer_id = NEW.id)
    THEN
        RAISE EXCEPTION 'user % has or had money, and staff have none', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    DELETE FROM wallets_wallet WHERE owner_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TABLE public.auth_group (
    id integer NOT NULL,
    name character varying(150) NOT NULL
);
ALTER TABLE public.auth_group ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_group_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.auth_group_permissions (
    id bigint NOT NULL,
    group_id integer NOT NULL,
    permission_id integer NOT NULL
);
ALTER TABLE public.auth_group_permissions ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_group_permissions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.auth_permission (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    content_type_id integer NOT NULL,
    codename character varying(100) NOT NULL
);
ALTER TABLE public.auth_permission ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_permission_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.django_admin_log (
    id integer NOT NULL,
    action_time timestamp with time zone NOT NULL,
    object_id text,
    object_repr character varying(200) NOT NULL,
    action_flag smallint NOT NULL,
    change_message text NOT NULL,
    content_type_id integer,
    user_id bigint NOT NULL,
    CONSTRAINT django_admin_log_action_flag_check CHECK ((action_flag >= 0))
);
ALTER TABLE public.django_admin_log ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.django_admin_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.django_content_type (
    id integer NOT NULL,
    app_label character varying(100) NOT NULL,
    model character varying(100) NOT NULL
);
ALTER TABLE public.django_content_type ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.django_content_type_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.django_migrations (
    id bigint NOT NULL,
    app character varying(255) NOT NULL,
    name character varying(255) NOT NULL,
    applied timestamp with time zone NOT NULL
);
ALTER TABLE public.django_migrations ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.django_migrations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.django_session (
    session_key character varying(40) NOT NULL,
    session_data text NOT NULL,
    expire_date timestamp with time zone NOT NULL
);
CREATE TABLE public.procrastinate_events (
    id bigint NOT NULL,
    job_id bigint NOT NULL,
    type public.procrastinate_job_event_type,
    at timestamp with time zone DEFAULT now()
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='2000', autovacuum_vacuum_cost_delay='0');
CREATE SEQUENCE public.procrastinate_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.procrastinate_events_id_seq OWNED BY public.procrastinate_events.id;
CREATE SEQUENCE public.procrastinate_jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.procrastinate_jobs_id_seq OWNED BY public.procrastinate_jobs.id;
CREATE TABLE public.procrastinate_periodic_defers (
    id bigint NOT NULL,
    task_name character varying(128) NOT NULL,
    defer_timestamp bigint,
    job_id bigint,
    periodic_id character varying(128) DEFAULT ''::character varying NOT NULL
);
CREATE SEQUENCE public.procrastinate_periodic_defers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.procrastinate_periodic_defers_id_seq OWNED BY public.procrastinate_periodic_defers.id;
CREATE TABLE public.procrastinate_workers (
    id bigint NOT NULL,
    last_heartbeat timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.procrastinate_workers ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.procrastinate_workers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.settlement_absentmarket (
    attempt_id bigint NOT NULL,
    first_at timestamp with time zone NOT NULL,
    latest_at timestamp with time zone NOT NULL,
    lists integer NOT NULL,
    CONSTRAINT an_absence_begins_before_it_ends CHECK ((first_at <= latest_at)),
    CONSTRAINT an_absence_has_a_list CHECK ((lists >= 1)),
    CONSTRAINT settlement_absentmarket_lists_check CHECK ((lists >= 0))
);
CREATE TABLE public.settlement_accountmove (
    id bigint NOT NULL,
    venue character varying(32) NOT NULL,
    asset character varying(12) NOT NULL,
    kind character varying(8) NOT NULL,
    amount numeric(38,8) NOT NULL,
    reason character varying(500) NOT NULL,
    booked_by_id bigint,
    booked_at timestamp with time zone NOT NULL,
    CONSTRAINT account_move_kind_is_known CHECK (((kind)::text = ANY ((ARRAY['opening'::character varying, 'move'::character varying])::text[]))),
    CONSTRAINT account_moves_say_where_and_why CHECK (((NOT ((venue)::text = ''::text)) AND (NOT ((asset)::text = ''::text)) AND (NOT ((reason)::text = ''::text)))),
    CONSTRAINT moves_move_something CHECK (((NOT (amount = 'NaN'::numeric(38,8))) AND (((kind)::text = 'opening'::text) OR (NOT (amount = (0)::numeric))))),
    CONSTRAINT staff_book_all_but_first_readings CHECK (((booked_by_id IS NOT NULL) OR (((kind)::text = 'opening'::text) AND ((reason)::text = 'first reading'::text))))
);
ALTER TABLE public.settlement_accountmove ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.settlement_accountmove_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.settlement_attempt (
    id bigint NOT NULL,
    number smallint NOT NULL,
    client_order_id character varying(36) NOT NULL,
    state character varying(10) NOT NULL,
    quantity numeric(38,8),
    limit_price numeric,
    signed_at timestamp with time zone,
    valid_until timestamp with time zone,
    clock_offset interval,
    venue_order_id character varying(64) NOT NULL,
    executed numeric(38,8) NOT NULL,
    cost numeric(38,8) NOT NULL,
    commission numeric(38,8) NOT NULL,
    lookups integer NOT NULL,
    not_found integer NOT NULL,
    next_step_at timestamp with time zone NOT NULL,
    reason character varying(200) NOT NULL,
    answer jsonb,
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    coin_id bigint NOT NULL,
    batch_id bigint,
    excused boolean NOT NULL,
    recheck_at timestamp with time zone,
    budget numeric(38,8),
    venue character varying(32) DEFAULT ''::character varying NOT NULL,
    asks jsonb,
    CONSTRAINT adopted_attempts_are_filled CHECK (((batch_id IS NOT NULL) OR ((state)::text = 'filled'::text))),
    CONSTRAINT attempt_state_is_known CHECK (((state)::text = ANY ((ARRAY['new'::character varying, 'sent'::character varying, 'filled'::character varying, 'empty'::character varying, 'refused'::character varying, 'not_placed'::character varying, 'parked'::character varying])::text[]))),
    CONSTRAINT attempts_end_once CHECK ((((ended_at IS NULL) AND ((state)::text = ANY ((ARRAY['new'::character varying, 'sent'::character varying])::text[]))) OR ((NOT ((state)::text = ANY ((ARRAY['new'::character varying, 'sent'::character varying])::text[]))) AND (ended_at IS NOT NULL)))),
    CONSTRAINT attempts_stay_within_their_budget CHECK (((budget IS NULL) OR ((budget > (0)::numeric) AND (budget >= (quantity * limit_price)) AND (NOT ((budget = 'NaN'::numeric(38,8)) AND (budget IS NOT NULL)))))),
    CONSTRAINT fill_figures_are_plausible CHECK (((commission >= (0)::numeric) AND (commission <= executed) AND (cost >= (0)::numeric) AND (NOT (commission = 'NaN'::numeric(38,8))) AND (NOT (cost = 'NaN'::numeric(38,8))) AND (NOT (executed = 'NaN'::numeric(38,8))))),
    CONSTRAINT filled_attempts_bought_something CHECK ((((executed > (0)::numeric) AND ((state)::text = 'filled'::text)) OR ((NOT ((state)::text = 'filled'::text)) AND (executed = (0)::numeric)))),
    CONSTRAINT fills_stay_within_the_request CHECK (((NOT ((state)::text = 'filled'::text)) OR ((cost > (0)::numeric) AND (cost <= (((quantity * limit_price) * 1.02000001) + 0.00000003)) AND (executed <= quantity)))),
    CONSTRAINT only_attempts_that_were_sent_are_asked_for_again CHECK (((recheck_at IS NULL) OR ((signed_at IS NOT NULL) AND ((state)::text = 'not_placed'::text)))),
    CONSTRAINT sent_attempts_say_what_was_sent CHECK (((NOT ((state)::text = ANY ((ARRAY['sent'::character varying, 'filled'::character varying])::text[]))) OR ((limit_price > (0)::numeric) AND (quantity > (0)::numeric) AND (signed_at IS NOT NULL) AND (valid_until IS NOT NULL)))),
    CONSTRAINT settlement_attempt_lookups_check CHECK ((lookups >= 0)),
    CONSTRAINT settlement_attempt_not_found_check CHECK ((not_found >= 0)),
    CONSTRAINT settlement_attempt_number_check CHECK ((number >= 0))
);
ALTER TABLE public.settlement_attempt ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.settlement_attempt_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.settlement_balancereading (
    id bigint NOT NULL,
    venue character varying(32) NOT NULL,
    asset character varying(12) NOT NULL,
    amount numeric(38,8) NOT NULL,
    expected numeric(38,8),
    difference numeric(38,8),
    proposed numeric(38,8),
    read_at timestamp with time zone NOT NULL,
    steady_since timestamp with time zone,
    agreed_at timestamp with time zone,
    CONSTRAINT a_reading_is_compared_or_proposes_an_opening CHECK ((((difference IS NULL) AND (expected IS NULL) AND (proposed IS NOT NULL)) OR ((difference IS NOT NULL) AND (expected IS NOT NULL) AND (proposed IS NULL)))),
    CONSTRAINT a_reading_is_steady_since_an_earlier_one CHECK (((steady_since IS NULL) OR (steady_since <= read_at))),
    CONSTRAINT balances_are_not_negative CHECK (((amount >= (0)::numeric) AND (NOT (amount = 'NaN'::numeric(38,8)))))
);
ALTER TABLE public.settlement_balancereading ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.settlement_balancereading_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.settlement_batch (
    id bigint NOT NULL,
    state character varying(10) NOT NULL,
    orders_count integer NOT NULL,
    needed numeric(38,8) NOT NULL,
    charged numeric(38,2) NOT NULL,
    reserved numeric(38,8) NOT NULL,
    reason character varying(200) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    coin_id bigint NOT NULL,
    denials smallint DEFAULT 0 NOT NULL,
    resume_at timestamp with time zone,
    turns_given integer DEFAULT 0 NOT NULL,
    CONSTRAINT batch_reserve_is_not_negative CHECK (((reserved >= (0)::numeric) AND (NOT (reserved = 'NaN'::numeric(38,8))))),
    CONSTRAINT batch_state_is_known CHECK (((state)::text = ANY ((ARRAY['open'::character varying, 'settled'::character varying, 'refunded'::character varying, 'parked'::character varying])::text[]))),
    CONSTRAINT closed_batches_hold_no_reserve CHECK ((((closed_at IS NULL) AND ((state)::text = ANY ((ARRAY['open'::character varying, 'parked'::character varying])::text[]))) OR ((NOT ((state)::text = ANY ((ARRAY['open'::character varying, 'parked'::character varying])::text[]))) AND (closed_at IS NOT NULL) AND (reserved = (0)::numeric)))),
    CONSTRAINT settlement_batch_denials_check CHECK ((denials >= 0)),
    CONSTRAINT settlement_batch_orders_count_check CHECK ((orders_count >= 0)),
    CONSTRAINT settlement_batch_turns_given_check CHECK ((turns_given >= 0))
);
ALTER TABLE public.settlement_batch ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.settlement_batch_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.settlement_databasewatch (
    id smallint NOT NULL,
    place character varying(200) NOT NULL,
    known_at timestamp with time zone NOT NULL,
    beat bigint NOT NULL,
    doubted_at timestamp with time zone,
    doubted_place character varying(200) NOT NULL,
    doubt character varying(200) NOT NULL,
    stopped_at timestamp with time zone,
    found jsonb NOT NULL,
    statements_since timestamp with time zone,
    CONSTRAINT a_doubt_has_a_reason CHECK (((((doubt)::text = ''::text) AND (doubted_at IS NULL) AND ((doubted_place)::text = ''::text)) OR ((doubted_at IS NOT NULL) AND (NOT ((doubt)::text = ''::text))))),
    CONSTRAINT settlement_databasewatch_id_check CHECK ((id >= 0)),
    CONSTRAINT there_is_one_database_watch CHECK ((id = 1))
);
CREATE TABLE public.settlement_excess (
    id bigint NOT NULL,
    quantity numeric(38,8) NOT NULL,
    cost numeric(38,8) NOT NULL,
    commission numeric(38,8) NOT NULL,
    booked_at timestamp with time zone NOT NULL,
    attempt_id bigint NOT NULL,
    intervention_id bigint NOT NULL,
    CONSTRAINT an_excess_is_something CHECK (((commission >= (0)::numeric) AND (cost >= (0)::numeric) AND (quantity >= (0)::numeric) AND ((quantity > (0)::numeric) OR (cost > (0)::numeric) OR (commission > (0)::numeric)) AND (NOT (quantity = 'NaN'::numeric(38,8))) AND (NOT (cost = 'NaN'::numeric(38,8))) AND (NOT (commission = 'NaN'::numeric(38,8)))))
);
ALTER TABLE public.settlement_excess ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.settlement_excess_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.settlement_failingitem (
    id bigint NOT NULL,
    what character varying(40) NOT NULL,
    item character varying(200) NOT NULL,
    error character varying(300) NOT NULL,
    times integer NOT NULL,
    since timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    retry_at timestamp with time zone NOT NULL,
    CONSTRAINT settlement_failingitem_times_check CHECK ((times >= 0))
);
ALTER TABLE public.settlement_failingitem ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.settlement_failingitem_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.settlement_finding (
    id bigint NOT NULL,
    kind character varying(10) NOT NULL,
    subject character varying(200) NOT NULL,
    ours character varying(200) NOT NULL,
    theirs character varying(200) NOT NULL,
    amount numeric(38,8),
    found_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    note character varying(500) NOT NULL,
    attempt_id bigint,
    closed_by_id bigint,
    coin_id bigint,
    decided_by_id bigint,
    decision character varying(10) DEFAULT ''::character varying NOT NULL,
    venue character varying(32) DEFAULT ''::character varying NOT NULL,
    CONSTRAINT finding_kind_is_known CHECK (((kind)::text = ANY ((ARRAY['missing'::character varying, 'extra'::character varying, 'differs'::character varying, 'late_fill'::character varying, 'untrue'::character varying, 'ledger'::character varying, 'balance'::character varying])::text[]))),
    CONSTRAINT only_unknown_orders_are_decided_about_and_with_a_note CHECK ((((decided_by_id IS NULL) AND ((decision)::text = ''::text)) OR ((decided_by_id IS NOT NULL) AND ((decision)::text = ANY ((ARRAY['adopt'::character varying, 'not_ours'::character varying])::text[])) AND ((kind)::text = 'extra'::text) AND (NOT ((note)::text = ''::text))))),
    CONSTRAINT who_closes_a_finding_says_why CHECK (((closed_by_id IS NULL) OR ((closed_at IS NOT NULL) AND (NOT ((note)::text = ''::text)))))
);
ALTER TABLE public.settlement_finding ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.settlement_finding_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.settlement_installation (
    id smallint NOT NULL,
    code character varying(8) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT installation_code_is_hex CHECK (((code)::text ~ '^[0-9a-f]{8}$'::text)),
    CONSTRAINT settlement_installation_id_check CHECK ((id >= 0)),
    CONSTRAINT there_is_one_installation CHECK ((id = 1))
);
CREATE TABLE public.settlement_intervention (
    id bigint NOT NULL,
    action character varying(16) NOT NULL,
    reason character varying(500) NOT NULL,
    quantity numeric(38,8),
    cost numeric(38,8),
    commission numeric(38,8),
    requested_at timestamp with time zone NOT NULL,
    outcome character varying(8),
    detail character varying(500) NOT NULL,
    venue_answer jsonb,
    decided_at timestamp with time zone,
    attempt_id bigint,
    batch_id bigint NOT NULL,
    requested_by_id bigint NOT NULL,
    CONSTRAINT intervention_action_is_known CHECK (((action)::text = ANY ((ARRAY['look_again'::character varying, 'mark_filled'::character varying, 'mark_not_placed'::character varying, 'retry'::character varying, 'book_excess'::character varying, 'refund'::character varying])::text[]))),
    CONSTRAINT interventions_are_decided_once CHECK ((((decided_at IS NULL) AND (outcome IS NULL)) OR ((decided_at IS NOT NULL) AND ((outcome)::text = ANY ((ARRAY['done'::character varying, 'refused'::character varying])::text[]))))),
    CONSTRAINT interventions_have_a_reason CHECK ((NOT ((reason)::text = ''::text))),
    CONSTRAINT only_fills_state_figures CHECK (((((action)::text = 'mark_filled'::text) AND (commission >= (0)::numeric) AND (cost > (0)::numeric) AND (quantity > (0)::numeric) AND (commission IS NOT NULL) AND (cost IS NOT NULL) AND (quantity IS NOT NULL) AND (NOT ((quantity = 'NaN'::numeric(38,8)) AND (quantity IS NOT NULL))) AND (NOT ((cost = 'NaN'::numeric(38,8)) AND (cost IS NOT NULL))) AND (NOT ((commission = 'NaN'::numeric(38,8)) AND (commission IS NOT NULL)))) OR ((NOT ((action)::text = 'mark_filled'::text)) AND (commission IS NULL) AND (cost IS NULL) AND (quantity IS NULL))))
);
ALTER TABLE public.settlement_intervention ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.settlement_intervention_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.settlement_pause (
    id bigint NOT NULL,
    until timestamp with time zone,
    reason character varying(200) NOT NULL,
    times integer NOT NULL,
    is_of_calls boolean NOT NULL,
    set_at timestamp with time zone NOT NULL,
    coin_id bigint,
    set_by_id bigint,
    kind character varying(8) GENERATED ALWAYS AS (
CASE
    WHEN (set_by_id IS NOT NULL) THEN 'staff'::text
    WHEN is_of_calls THEN 'ban'::text
    WHEN (until IS NULL) THEN 'untrue'::text
    ELSE 'trouble'::text
END) STORED,
    venue character varying(32) DEFAULT ''::character varying NOT NULL,
    CONSTRAINT only_the_venue_stops_all_calls CHECK (((NOT is_of_calls) OR ((coin_id IS NULL) AND (set_by_id IS NULL)))),
    CONSTRAINT pauses_of_staff_have_no_end CHECK (((until IS NULL) OR (set_by_id IS NULL))),
    CONSTRAINT settlement_pause_times_check CHECK ((times >= 0))
);
ALTER TABLE public.settlement_pause ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.settlement_pause_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.settlement_purchasesum (
    id bigint NOT NULL,
    venue character varying(32) NOT NULL,
    received numeric(38,8) NOT NULL,
    cost numeric(38,8) NOT NULL,
    count bigint NOT NULL,
    last_ended timestamp with time zone,
    until timestamp with time zone NOT NULL,
    coin_id bigint NOT NULL,
    CONSTRAINT settlement_purchasesum_count_check CHECK ((count >= 0)),
    CONSTRAINT sums_hold_what_has_ended CHECK (((last_ended IS NULL) OR (last_ended <= until))),
    CONSTRAINT sums_of_purchases_are_plausible CHECK (((cost >= (0)::numeric) AND (received >= (0)::numeric) AND (NOT (received = 'NaN'::numeric(38,8))) AND (NOT (cost = 'NaN'::numeric(38,8)))))
);
ALTER TABLE public.settlement_purchasesum ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.settlement_purchasesum_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.settlement_venueaccount (
    id bigint NOT NULL,
    venue character varying(32) NOT NULL,
    asset character varying(12) NOT NULL,
    free numeric(38,8) NOT NULL,
    read_at timestamp with time zone NOT NULL,
    short_since timestamp with time zone,
    short_at timestamp with time zone,
    short_of numeric(38,2),
    short_coin_id bigint,
    CONSTRAINT a_shortage_says_of_what CHECK ((((short_at IS NULL) AND (short_coin_id IS NULL) AND (short_of IS NULL) AND (short_since IS NULL)) OR ((short_at IS NOT NULL) AND (short_coin_id IS NOT NULL) AND (short_of IS NOT NULL) AND (short_since IS NOT NULL)))),
    CONSTRAINT free_funds_are_not_negative CHECK (((free >= (0)::numeric) AND (NOT (free = 'NaN'::numeric(38,8)))))
);
ALTER TABLE public.settlement_venueaccount ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.settlement_venueaccount_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.settlement_venueentry (
    id bigint NOT NULL,
    name character varying(32) NOT NULL,
    priority smallint NOT NULL,
    state character varying(8) NOT NULL,
    added_at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    CONSTRAINT settlement_venueentry_priority_check CHECK ((priority >= 0)),
    CONSTRAINT venue_state_is_known CHECK (((state)::text = ANY ((ARRAY['in_use'::character varying, 'not_used'::character varying])::text[]))),
    CONSTRAINT venues_have_a_name CHECK ((NOT ((name)::text = ''::text)))
);
ALTER TABLE public.settlement_venueentry ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.settlement_venueentry_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.trading_closedmarket (
    coin_id bigint NOT NULL,
    since timestamp with time zone NOT NULL
);
CREATE TABLE public.trading_coin (
    id bigint NOT NULL,
    name character varying(12) NOT NULL,
    title character varying(60) NOT NULL,
    is_sold boolean NOT NULL,
    minimum numeric(20,8) NOT NULL,
    maximum numeric(20,8) DEFAULT 1000000 NOT NULL,
    step numeric(20,8) NOT NULL,
    fixed_price numeric,
    pool_policy character varying(8) NOT NULL,
    largest_amount numeric(38,8),
    CONSTRAINT coin_limits_allow_an_amount CHECK (((step <= (0)::numeric) OR (largest_amount IS NULL) OR (largest_amount >= (ceiling((minimum / step)) * step)))),
    CONSTRAINT coin_limits_are_in_order CHECK (((step > (0)::numeric) AND (NOT (step = 'NaN'::numeric(38,8))) AND (minimum > (0)::numeric) AND ((largest_amount IS NULL) OR ((NOT ((largest_amount = 'NaN'::numeric(38,8)) AND (largest_amount IS NOT NULL))) AND (largest_amount >= minimum))))),
    CONSTRAINT coin_name_is_a_symbol CHECK (((name)::text ~ '^[A-Z0-9]{1,12}$'::text)),
    CONSTRAINT dollars_are_not_a_coin CHECK ((NOT ((name)::text = 'USD'::text))),
    CONSTRAINT fixed_price_is_positive CHECK (((fixed_price IS NULL) OR ((fixed_price > (0)::numeric) AND (fixed_price < ('1000000000000'::bigint)::numeric)))),
    CONSTRAINT pool_policy_is_known CHECK (((pool_policy)::text = ANY ((ARRAY['buy'::character varying, 'refund'::character varying])::text[])))
);
ALTER TABLE public.trading_coin ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.trading_coin_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.trading_coinprice (
    coin_id bigint NOT NULL,
    value numeric NOT NULL,
    source character varying(32) NOT NULL,
    read_at timestamp with time zone NOT NULL,
    suspended_at timestamp with time zone,
    candidate numeric,
    candidate_readings smallint NOT NULL,
    bid numeric,
    book_at timestamp with time zone,
    last numeric,
    quoted_at timestamp with time zone,
    worst_ask numeric,
    asks_from timestamp with time zone,
    details_at timestamp with time zone,
    jumps_from timestamp with time zone,
    venue_time timestamp with time zone,
    CONSTRAINT bid_is_positive CHECK (((bid IS NULL) OR ((bid > (0)::numeric) AND (bid < ('1000000000000'::bigint)::numeric)))),
    CONSTRAINT last_price_is_positive CHECK (((last IS NULL) OR ((last > (0)::numeric) AND (last < ('1000000000000'::bigint)::numeric)))),
    CONSTRAINT price_is_positive CHECK (((value > (0)::numeric) AND (value < ('1000000000000'::bigint)::numeric))),
    CONSTRAINT trading_coinprice_candidate_readings_check CHECK ((candidate_readings >= 0)),
    CONSTRAINT worst_ask_is_positive CHECK (((worst_ask IS NULL) OR ((worst_ask > (0)::numeric) AND (worst_ask < ('1000000000000'::bigint)::numeric))))
);
CREATE TABLE public.trading_dayloss (
    id bigint NOT NULL,
    day date NOT NULL,
    coins numeric(38,8) NOT NULL,
    cost numeric(38,8) NOT NULL,
    charge numeric(38,2) NOT NULL,
    counted_at timestamp with time zone NOT NULL,
    coin_id bigint NOT NULL,
    CONSTRAINT a_loss_is_of_delivered_coins CHECK (((charge > (0)::numeric) AND (coins > (0)::numeric) AND (cost >= (0)::numeric) AND (NOT (coins = 'NaN'::numeric(38,8))) AND (NOT (cost = 'NaN'::numeric(38,8))) AND (NOT (charge = 'NaN'::numeric(38,8)))))
);
ALTER TABLE public.trading_dayloss ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.trading_dayloss_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.trading_headroom (
    id bigint NOT NULL,
    most numeric(14,2),
    used numeric(38,2) NOT NULL,
    room numeric(38,2),
    whole numeric(38,2),
    near_since timestamp with time zone,
    stopped_since timestamp with time zone,
    counted_at timestamp with time zone NOT NULL,
    coin_id bigint,
    CONSTRAINT headroom_is_not_negative CHECK (((used >= (0)::numeric) AND (NOT (used = 'NaN'::numeric(38,8))) AND ((room IS NULL) OR ((room >= (0)::numeric) AND (NOT ((room = 'NaN'::numeric(38,8)) AND (room IS NOT NULL))))) AND ((most IS NULL) OR ((most >= (0)::numeric) AND (NOT ((most = 'NaN'::numeric(38,8)) AND (most IS NOT NULL))))) AND ((whole IS NULL) OR ((whole >= (0)::numeric) AND (NOT ((whole = 'NaN'::numeric(38,8)) AND (whole IS NOT NULL))))))),
    CONSTRAINT sales_that_stop_were_near_it CHECK (((stopped_since IS NULL) OR (near_since IS NOT NULL)))
);
ALTER TABLE public.trading_headroom ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.trading_headroom_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.trading_order (
    id bigint NOT NULL,
    amount numeric(38,8) NOT NULL,
    price numeric NOT NULL,
    price_source character varying(32) NOT NULL,
    price_at timestamp with time zone NOT NULL,
    total_price numeric(38,2) NOT NULL,
    state character varying(12) NOT NULL,
    is_aggregated boolean NOT NULL,
    settle_by timestamp with time zone,
    batch_id bigint,
    reason character varying(100),
    idempotency_key character varying(255),
    request_hash character varying(64),
    created_at timestamp with time zone NOT NULL,
    settling_at timestamp with time zone,
    completed_at timestamp with time zone,
    refunded_at timestamp with time zone,
    cancelled_at timestamp with time zone,
    coin_id bigint NOT NULL,
    customer_id bigint NOT NULL,
    held_at timestamp with time zone,
    market_price numeric(38,18),
    spread_rate numeric(9,8),
    fee numeric(38,2) DEFAULT 0.00 NOT NULL,
    price_rule_id bigint,
    quote_id uuid,
    booked_fee numeric(38,2),
    rebate numeric(38,2) DEFAULT 0.00 NOT NULL,
    CONSTRAINT a_market_price_is_positive_and_has_a_spread CHECK ((((market_price IS NULL) = (spread_rate IS NULL)) AND ((market_price IS NOT NULL) OR ((fee = 0.0) AND (price_rule_id IS NULL))) AND (sign(market_price) = '1'::numeric) AND (spread_rate >= 0.0))),
    CONSTRAINT a_rebate_is_part_of_what_a_completed_order_paid CHECK (((rebate = 0.0) OR ((completed_at IS NOT NULL) AND (market_price IS NOT NULL) AND (rebate > 0.0) AND (rebate < (total_price - fee))))),
    CONSTRAINT cancelled_at_is_of_cancelled_orders CHECK ((((state)::text = 'cancelled'::text) = (cancelled_at IS NOT NULL))),
    CONSTRAINT charge_is_amount_times_price_rounded_up_and_the_fee CHECK ((total_price = (fee + (ceiling(((amount * price) * '100'::numeric)) / '100'::numeric)))),
    CONSTRAINT claimed_orders_have_a_batch CHECK (((batch_id IS NULL) = (settling_at IS NULL))),
    CONSTRAINT completed_at_is_of_completed_orders CHECK ((((state)::text = 'completed'::text) = (completed_at IS NOT NULL))),
    CONSTRAINT completed_orders_have_booked_their_fee CHECK (((completed_at IS NULL) OR (fee = COALESCE(booked_fee, 0.0)))),
    CONSTRAINT fee_is_not_negative CHECK (((fee >= 0.0) AND (fee < 'NaN'::numeric))),
    CONSTRAINT held_orders_say_since_when CHECK (((NOT ((state)::text = 'held'::text)) OR (held_at IS NOT NULL))),
    CONSTRAINT only_small_orders_wait_in_a_pool CHECK ((NOT ((state)::text =
CASE
    WHEN is_aggregated THEN 'pending'::text
    ELSE 'aggregated'::text
END))),
    CONSTRAINT order_amount_is_positive CHECK ((sign(amount) = '1'::numeric)),
    CONSTRAINT order_key_has_its_request_hash CHECK (((idempotency_key IS NULL) = (request_hash IS NULL))),
    CONSTRAINT order_price_is_positive CHECK (((price > 0.0) AND (price < '1000000000000'::numeric))),
    CONSTRAINT order_state_is_known CHECK (((state)::text = ANY ('{pending,aggregated,held,settling,completed,refunded,cancelled}'::text[]))),
    CONSTRAINT pooled_orders_have_a_deadline CHECK ((is_aggregated = (settle_by IS NOT NULL))),
    CONSTRAINT refunded_at_is_of_refunded_orders CHECK ((((state)::text = 'refunded'::text) = (refunded_at IS NOT NULL))),
    CONSTRAINT settled_orders_were_claimed_and_waiting_ones_were_not CHECK (((refunded_at IS NOT NULL) OR ((settling_at IS NOT NULL) = ((state)::text = ANY ('{settling,completed}'::text[])))))
);
ALTER TABLE public.trading_order ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.trading_order_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.trading_pricereading (
    id bigint NOT NULL,
    value numeric NOT NULL,
    source character varying(32) NOT NULL,
    read_at timestamp with time zone NOT NULL,
    coin_id bigint NOT NULL
);
ALTER TABLE public.trading_pricereading ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.trading_pricereading_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.trading_pricerule (
    id bigint NOT NULL,
    spread_rate numeric(9,8) NOT NULL,
    fee_rate numeric(9,8) NOT NULL,
    fee_minimum numeric(12,2) NOT NULL,
    fee_maximum numeric(12,2),
    valid_from timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    created_at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    reason character varying(200) NOT NULL,
    coin_id bigint,
    created_by_id bigint,
    CONSTRAINT a_rule_has_a_reason CHECK ((NOT ((reason)::text = ''::text))),
    CONSTRAINT fee_limits_are_in_order CHECK (((fee_minimum >= (0)::numeric) AND (NOT (fee_minimum = 'NaN'::numeric(38,8))) AND ((fee_maximum IS NULL) OR ((fee_maximum >= fee_minimum) AND (NOT ((fee_maximum = 'NaN'::numeric(38,8)) AND (fee_maximum IS NOT NULL))))))),
    CONSTRAINT fee_rate_is_a_share CHECK (((fee_rate >= (0)::numeric) AND (fee_rate <= (1)::numeric) AND (NOT (fee_rate = 'NaN'::numeric(38,8))))),
    CONSTRAINT no_rule_is_valid_in_the_past CHECK ((valid_from >= created_at)),
    CONSTRAINT spread_is_a_share CHECK (((spread_rate >= (0)::numeric) AND (spread_rate <= (1)::numeric) AND (NOT (spread_rate = 'NaN'::numeric(38,8)))))
);
ALTER TABLE public.trading_pricerule ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.trading_pricerule_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.trading_review (
    order_id bigint NOT NULL,
    rule character varying(10) NOT NULL,
    finding character varying(200) NOT NULL,
    decision character varying(10),
    decided_at timestamp with time zone,
    note character varying(500) NOT NULL,
    decided_by_id bigint,
    customer_id bigint NOT NULL,
    CONSTRAINT decisions_have_somebody_a_time_and_a_note CHECK ((((decided_at IS NULL) AND (decided_by_id IS NULL) AND (decision IS NULL) AND ((note)::text = ''::text)) OR ((decided_at IS NOT NULL) AND (decided_by_id IS NOT NULL) AND ((decision)::text = ANY ((ARRAY['released'::character varying, 'refunded'::character varying])::text[])) AND (NOT ((note)::text = ''::text))))),
    CONSTRAINT risk_rule_is_known CHECK (((rule)::text = ANY ((ARRAY['orders'::character varying, 'cancels'::character varying, 'value'::character varying])::text[])))
);
CREATE TABLE public.trading_saleslimit (
    id bigint NOT NULL,
    most numeric(14,2),
    created_at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    reason character varying(200) NOT NULL,
    coin_id bigint,
    created_by_id bigint,
    CONSTRAINT a_sales_limit_has_a_reason CHECK ((NOT ((reason)::text = ''::text))),
    CONSTRAINT a_sales_limit_is_not_negative CHECK (((most IS NULL) OR ((most >= (0)::numeric) AND (NOT ((most = 'NaN'::numeric(38,8)) AND (most IS NOT NULL))))))
);
ALTER TABLE public.trading_saleslimit ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.trading_saleslimit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.trading_salesstop (
    id bigint NOT NULL,
    day date NOT NULL,
    loss numeric(38,8) NOT NULL,
    ceiling numeric(38,8) NOT NULL,
    stopped_at timestamp with time zone,
    resumed_at timestamp with time zone,
    reason character varying(200) NOT NULL,
    coin_id bigint,
    resumed_by_id bigint,
    CONSTRAINT a_stop_ends_by_staff CHECK (((stopped_at IS NOT NULL) OR (resumed_at IS NOT NULL))),
    CONSTRAINT a_stop_has_a_loss_and_a_ceiling CHECK (((ceiling > (0)::numeric) AND (loss > (0)::numeric) AND (NOT (loss = 'NaN'::numeric(38,8))) AND (NOT (ceiling = 'NaN'::numeric(38,8))))),
    CONSTRAINT a_stop_is_of_a_reached_ceiling CHECK (((stopped_at IS NULL) OR (loss >= ceiling))),
    CONSTRAINT who_lets_sales_go_on_says_why CHECK (((((reason)::text = ''::text) AND (resumed_at IS NULL) AND (resumed_by_id IS NULL)) OR ((resumed_at IS NOT NULL) AND (resumed_by_id IS NOT NULL) AND (NOT ((reason)::text = ''::text)))))
);
ALTER TABLE public.trading_salesstop ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.trading_salesstop_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.trading_shop (
    id smallint NOT NULL,
    is_open boolean NOT NULL,
    reason character varying(200) NOT NULL,
    CONSTRAINT there_is_one_shop CHECK ((id = 1))
);
CREATE TABLE public.trading_suspension (
    id bigint NOT NULL,
    begun_at timestamp with time zone NOT NULL,
    price numeric NOT NULL,
    price_at timestamp with time zone NOT NULL,
    "limit" numeric(8,6) NOT NULL,
    readings jsonb NOT NULL,
    second jsonb,
    ended_at timestamp with time zone,
    outcome character varying(10) NOT NULL,
    ended_price numeric,
    seen_at timestamp with time zone,
    coin_id bigint NOT NULL,
    seen_by_id bigint,
    highest numeric,
    lowest numeric,
    CONSTRAINT a_suspension_has_a_price_and_a_limit CHECK (((price > (0)::numeric) AND (price < ('1000000000000'::bigint)::numeric) AND ("limit" > (0)::numeric) AND (NOT ("limit" = 'NaN'::numeric(38,8))))),
    CONSTRAINT an_ended_suspension_says_how CHECK ((((ended_at IS NULL) AND (ended_price IS NULL) AND ((outcome)::text = ''::text)) OR ((ended_at IS NOT NULL) AND (ended_price > (0)::numeric) AND ((outcome)::text = ANY ((ARRAY['returned'::character varying, 'confirmed'::character varying, 'accepted'::character varying, 'previous'::character varying])::text[]))))),
    CONSTRAINT staff_have_seen_an_ended_suspension CHECK ((((seen_at IS NULL) AND (seen_by_id IS NULL)) OR ((ended_at IS NOT NULL) AND (seen_at IS NOT NULL) AND (seen_by_id IS NOT NULL))))
);
ALTER TABLE public.trading_suspension ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.trading_suspension_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.trading_unclearcoin (
    coin_id bigint NOT NULL,
    since timestamp with time zone NOT NULL
);
CREATE TABLE public.wallets_breakglass (
    id bigint NOT NULL,
    reason character varying(500) NOT NULL,
    asked_from character varying(200) NOT NULL,
    asked_at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    ready_at timestamp with time zone NOT NULL,
    outcome character varying(7),
    ended_at timestamp with time zone,
    note character varying(500) NOT NULL,
    ended_by_id bigint,
    user_id bigint NOT NULL,
    CONSTRAINT a_break_glass_request_ends_as_it_may CHECK ((((ended_at IS NULL) AND (ended_by_id IS NULL) AND (outcome IS NULL)) OR ((ended_at >= ready_at) AND (ended_by_id IS NULL) AND ((outcome)::text = 'done'::text)) OR ((ended_at IS NOT NULL) AND (ended_by_id IS NOT NULL) AND ((outcome)::text = 'revoked'::text)) OR ((ended_at >= ready_at) AND (ended_by_id IS NULL) AND ((outcome)::text = 'lapsed'::text)))),
    CONSTRAINT a_break_glass_request_has_a_reason CHECK ((NOT ((reason)::text = ''::text))),
    CONSTRAINT a_break_glass_request_waits_before_its_effect CHECK ((ready_at > asked_at))
);
ALTER TABLE public.wallets_breakglass ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.wallets_breakglass_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.wallets_closedaccount (
    customer_id bigint NOT NULL,
    closed_at timestamp with time zone NOT NULL,
    reason character varying(500) NOT NULL,
    erased_at timestamp with time zone,
    closed_by_id bigint NOT NULL,
    CONSTRAINT an_account_is_closed_for_a_reason CHECK ((NOT ((reason)::text = ''::text))),
    CONSTRAINT nobody_closes_their_own_account CHECK ((NOT (closed_by_id = customer_id)))
);
CREATE TABLE public.wallets_deposit (
    id bigint NOT NULL,
    amount numeric(38,2) NOT NULL,
    source character varying(64) NOT NULL,
    reference text NOT NULL,
    state character varying(16) NOT NULL,
    received_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    decided_at timestamp with time zone,
    note text NOT NULL,
    approved_by_id bigint,
    customer_id bigint,
    decided_by_id bigint,
    returned numeric(38,2) DEFAULT 0 NOT NULL,
    reference_hash character varying(64) NOT NULL,
    CONSTRAINT a_credited_deposit_has_its_customer CHECK (((customer_id IS NOT NULL) = ((state)::text = 'credited'::text))),
    CONSTRAINT a_deposit_is_returned_in_full_at_most CHECK (((returned >= 0.0) AND (returned < 'NaN'::numeric) AND (returned <= amount))),
    CONSTRAINT a_deposit_names_its_source CHECK ((NOT ((source)::text = ''::text))),
    CONSTRAINT another_person_approves_a_decision_about_a_deposit CHECK (((approved_by_id IS NULL) OR (NOT ((approved_by_id = decided_by_id) AND (approved_by_id IS NOT NULL) AND (decided_by_id IS NOT NULL))))),
    CONSTRAINT deposit_amount_is_positive CHECK ((sign(amount) = '1'::numeric)),
    CONSTRAINT deposit_state_is_known CHECK (((state)::text = ANY ('{credited,unassigned,sent_back}'::text[]))),
    CONSTRAINT staff_send_deposits_back CHECK (((NOT ((state)::text = 'sent_back'::text)) OR (decided_by_id IS NOT NULL)))
);
ALTER TABLE public.wallets_deposit ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.wallets_deposit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.wallets_knownaddress (
    id bigint NOT NULL,
    address character varying(64) NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    user_id bigint NOT NULL
);
ALTER TABLE public.wallets_knownaddress ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.wallets_knownaddress_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.wallets_payee (
    id bigint NOT NULL,
    name text NOT NULL,
    account text NOT NULL,
    routing text,
    created_at timestamp with time zone NOT NULL,
    usable_at timestamp with time zone NOT NULL,
    removed_at timestamp with time zone,
    customer_id bigint NOT NULL,
    CONSTRAINT a_payee_is_removed_after_it_was_added CHECK (((removed_at IS NULL) OR (removed_at >= created_at))),
    CONSTRAINT a_payee_is_usable_after_it_was_added CHECK ((usable_at >= created_at)),
    CONSTRAINT wallets_payee_account_check CHECK (starts_with(account, 'gAAAA'::text)),
    CONSTRAINT wallets_payee_name_check CHECK (starts_with(name, 'gAAAA'::text)),
    CONSTRAINT wallets_payee_routing_check CHECK (starts_with(routing, 'gAAAA'::text))
);
ALTER TABLE public.wallets_payee ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.wallets_payee_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.wallets_payout (
    id bigint NOT NULL,
    amount numeric(38,2) NOT NULL,
    state character varying(16) NOT NULL,
    is_automatic boolean NOT NULL,
    end_to_end_id character varying(35) NOT NULL,
    bank_reference text NOT NULL,
    reason text NOT NULL,
    idempotency_key character varying(255),
    request_hash character varying(64),
    created_at timestamp with time zone NOT NULL,
    approved_at timestamp with time zone,
    rejected_at timestamp with time zone,
    cancelled_at timestamp with time zone,
    sent_at timestamp with time zone,
    paid_at timestamp with time zone,
    failed_at timestamp with time zone,
    returned_at timestamp with time zone,
    customer_id bigint NOT NULL,
    payee_id bigint,
    file_id bigint,
    came_back_as_id bigint,
    CONSTRAINT a_cancelled_payout_has_the_time CHECK (((cancelled_at IS NOT NULL) = ((state)::text = 'cancelled'::text))),
    CONSTRAINT a_failed_payout_has_the_time CHECK (((failed_at IS NOT NULL) = ((state)::text = 'failed'::text))),
    CONSTRAINT a_paid_payout_has_the_time CHECK ((((paid_at IS NOT NULL) = ((state)::text = 'paid'::text)) OR ((state)::text = 'returned'::text))),
    CONSTRAINT a_payout_that_came_back_as_a_deposit_is_returned CHECK (((came_back_as_id IS NULL) OR ((state)::text = 'returned'::text))),
    CONSTRAINT a_payout_without_a_payee_was_paid CHECK (((payee_id IS NOT NULL) OR ((state)::text = ANY ('{paid,returned}'::text[])))),
    CONSTRAINT a_rejected_payout_has_the_time CHECK (((rejected_at IS NOT NULL) = ((state)::text = 'rejected'::text))),
    CONSTRAINT a_returned_payout_has_the_time CHECK (((returned_at IS NOT NULL) = ((state)::text = 'returned'::text))),
    CONSTRAINT a_sent_payout_has_the_time CHECK (((sent_at IS NOT NULL) = ((state)::text = ANY ('{sent,paid,failed,returned}'::text[])))),
    CONSTRAINT an_approved_payout_has_the_time CHECK ((((approved_at IS NULL) = ((state)::text = 'requested'::text)) OR ((state)::text = ANY ('{rejected,cancelled}'::text[])))),
    CONSTRAINT payout_amount_is_positive CHECK ((sign(amount) = '1'::numeric)),
    CONSTRAINT payout_key_has_its_request_hash CHECK (((idempotency_key IS NULL) = (request_hash IS NULL))),
    CONSTRAINT payout_state_is_known CHECK (((state)::text = ANY ('{requested,approved,rejected,cancelled,sent,paid,failed,returned}'::text[]))),
    CONSTRAINT payouts_of_a_file_are_sent CHECK (((file_id IS NULL) OR (sent_at IS NOT NULL)))
);
ALTER TABLE public.wallets_payout ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.wallets_payout_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.wallets_payoutfile (
    id bigint NOT NULL,
    message_id character varying(35) NOT NULL,
    content text NOT NULL,
    sha256 character varying(64) NOT NULL,
    count integer NOT NULL,
    total numeric(38,2) NOT NULL,
    account character varying(64) NOT NULL,
    made_at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    written_at timestamp with time zone,
    made_by_id bigint NOT NULL,
    CONSTRAINT a_payout_file_has_payouts CHECK ((count > 0)),
    CONSTRAINT total_of_a_payout_file_is_positive CHECK ((sign(total) = '1'::numeric)),
    CONSTRAINT wallets_payoutfile_content_check CHECK (starts_with(content, 'gAAAA'::text)),
    CONSTRAINT wallets_payoutfile_count_check CHECK ((count >= 0))
);
ALTER TABLE public.wallets_payoutfile ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.wallets_payoutfile_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.wallets_personalkey (
    customer_id bigint NOT NULL,
    key text,
    destroyed_at timestamp with time zone,
    CONSTRAINT a_personal_key_is_there_or_destroyed CHECK ((((destroyed_at IS NULL) AND (key IS NOT NULL)) OR ((destroyed_at IS NOT NULL) AND (key IS NULL)))),
    CONSTRAINT wallets_personalkey_key_check CHECK (starts_with(key, 'gAAAA'::text))
);
CREATE TABLE public.wallets_proposal (
    id bigint NOT NULL,
    kind character varying(40) NOT NULL,
    payload jsonb NOT NULL,
    old text NOT NULL,
    new text NOT NULL,
    reason character varying(500) NOT NULL,
    needs_two boolean NOT NULL,
    asked_at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    asked_by_id bigint NOT NULL,
    beneficiary_id bigint,
    amount numeric(38,2),
    CONSTRAINT a_proposal_expires_after_it_was_made CHECK ((expires_at > asked_at)),
    CONSTRAINT a_proposal_has_a_reason CHECK ((NOT ((reason)::text = ''::text))),
    CONSTRAINT nobody_proposes_their_own_gain CHECK (((beneficiary_id IS NULL) OR (NOT ((beneficiary_id = asked_by_id) AND (beneficiary_id IS NOT NULL)))))
);
ALTER TABLE public.wallets_proposal ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.wallets_proposal_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.wallets_proposalrecord (
    proposal_id bigint NOT NULL,
    outcome character varying(9) NOT NULL,
    detail character varying(500) NOT NULL,
    note character varying(500) NOT NULL,
    needs_two boolean NOT NULL,
    decided_at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    asked_by_id bigint NOT NULL,
    beneficiary_id bigint,
    decided_by_id bigint,
    CONSTRAINT author_and_approver_differ CHECK (((decided_by_id IS NULL) OR ((decided_by_id = asked_by_id) AND ((outcome)::text = 'withdrawn'::text)) OR ((NOT ((outcome)::text = 'withdrawn'::text)) AND (NOT ((decided_by_id = asked_by_id) AND (decided_by_id IS NOT NULL)))))),
    CONSTRAINT nobody_decides_about_their_own_gain CHECK (((decided_by_id IS NULL) OR (beneficiary_id IS NULL) OR (NOT ((decided_by_id = beneficiary_id) AND (decided_by_id IS NOT NULL) AND (beneficiary_id IS NOT NULL))))),
    CONSTRAINT outcome_of_a_proposal_is_known CHECK (((outcome)::text = ANY ((ARRAY['done'::character varying, 'refused'::character varying, 'rejected'::character varying, 'withdrawn'::character varying])::text[]))),
    CONSTRAINT two_persons_decide_where_two_are_needed CHECK ((((decided_by_id IS NOT NULL) AND needs_two) OR ((decided_by_id IS NULL) AND (NOT needs_two) AND ((outcome)::text = 'done'::text))))
);
CREATE TABLE public.wallets_receivable (
    customer_id bigint NOT NULL,
    amount numeric(38,2) NOT NULL,
    since timestamp with time zone NOT NULL,
    CONSTRAINT debt_is_not_negative CHECK (((amount >= 0.0) AND (amount < 'NaN'::numeric)))
);
CREATE TABLE public.wallets_recoverycode (
    id bigint NOT NULL,
    digest character varying(64) NOT NULL,
    used_at timestamp with time zone,
    factor_id bigint NOT NULL,
    CONSTRAINT a_recovery_code_is_hashed CHECK (((digest)::text ~ '^[0-9a-f]{64}$'::text))
);
ALTER TABLE public.wallets_recoverycode ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.wallets_recoverycode_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.wallets_return (
    id bigint NOT NULL,
    amount numeric(38,2) NOT NULL,
    source character varying(64) NOT NULL,
    reference text NOT NULL,
    named text NOT NULL,
    state character varying(16) NOT NULL,
    taken numeric(38,2) NOT NULL,
    owed numeric(38,2) NOT NULL,
    received_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    won_at timestamp with time zone,
    seen_at timestamp with time zone,
    note text NOT NULL,
    approved_by_id bigint,
    customer_id bigint,
    decided_by_id bigint,
    deposit_id bigint,
    line_id bigint,
    seen_by_id bigint,
    reference_hash character varying(64) NOT NULL,
    CONSTRAINT a_return_names_its_source CHECK ((NOT ((source)::text = ''::text))),
    CONSTRAINT a_taken_return_has_its_deposit CHECK (((deposit_id IS NULL) = ((state)::text = 'waiting'::text))),
    CONSTRAINT a_won_return_has_its_time CHECK (((won_at IS NOT NULL) = ((state)::text = 'won'::text))),
    CONSTRAINT another_person_approves_a_return CHECK (((approved_by_id IS NULL) OR (NOT ((approved_by_id = decided_by_id) AND (approved_by_id IS NOT NULL) AND (decided_by_id IS NOT NULL))))),
    CONSTRAINT parts_of_a_return_add_up CHECK ((((owed = (0)::numeric) AND ((state)::text = 'waiting'::text) AND (taken = (0)::numeric)) OR ((NOT ((state)::text = 'waiting'::text)) AND (amount = (taken + owed))))),
    CONSTRAINT parts_of_a_return_are_not_negative CHECK (((taken >= 0.0) AND (taken < 'NaN'::numeric) AND (owed >= 0.0) AND (owed < 'NaN'::numeric))),
    CONSTRAINT return_amount_is_positive CHECK ((sign(amount) = '1'::numeric)),
    CONSTRAINT return_state_is_known CHECK (((state)::text = ANY ('{waiting,taken,won}'::text[]))),
    CONSTRAINT somebody_has_seen_a_seen_return CHECK (((seen_at IS NULL) = (seen_by_id IS NULL))),
    CONSTRAINT what_is_owed_has_its_customer CHECK (((owed = (0)::numeric) OR (customer_id IS NOT NULL)))
);
ALTER TABLE public.wallets_return ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.wallets_return_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.wallets_secondfactor (
    id bigint NOT NULL,
    secret text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    confirmed_at timestamp with time zone,
    last_step bigint NOT NULL,
    failures integer NOT NULL,
    failed_at timestamp with time zone,
    user_id bigint NOT NULL,
    CONSTRAINT failures_have_the_time_of_the_last CHECK ((((failed_at IS NULL) AND (failures = 0)) OR ((failed_at IS NOT NULL) AND (failures > 0)))),
    CONSTRAINT wallets_secondfactor_failures_check CHECK ((failures >= 0)),
    CONSTRAINT wallets_secondfactor_last_step_check CHECK ((last_step >= 0)),
    CONSTRAINT wallets_secondfactor_secret_check CHECK (starts_with(secret, 'gAAAA'::text))
);
ALTER TABLE public.wallets_secondfactor ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.wallets_secondfactor_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.wallets_securityevent (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    kind character varying(32) NOT NULL,
    realm character varying(16) NOT NULL,
    name_hash character varying(64) NOT NULL,
    address character varying(64) NOT NULL,
    network character varying(64) NOT NULL,
    details jsonb NOT NULL,
    actor_id bigint,
    user_id bigint,
    CONSTRAINT kind_of_security_event_is_known CHECK (((kind)::text = ANY ((ARRAY['registered'::character varying, 'signed_in'::character varying, 'sign_in_failed'::character varying, 'signed_out'::character varying, 'refresh_reused'::character varying, 'password_changed'::character varying, 'disabled'::character varying, 'enabled'::character varying, 'frozen'::character varying, 'unfrozen'::character varying, 'permissions_changed'::character varying, 'staff_at_new_address'::character varying, 'email_verified'::character varying, 'email_changed'::character varying, 'reset_sent'::character varying, 'session_ended'::character varying, 'new_device'::character varying, 'second_factor_on'::character varying, 'second_factor_off'::character varying, 'recovery_code_used'::character varying, 'otp_failed'::character varying, 'payee_added'::character varying, 'payee_removed'::character varying])::text[]))),
    CONSTRAINT name_of_an_account_is_not_hashed CHECK (((user_id IS NULL) OR ((name_hash)::text = ''::text))),
    CONSTRAINT realm_of_security_event_is_known CHECK (((realm)::text = ANY ((ARRAY['api'::character varying, 'admin'::character varying, 'command'::character varying])::text[])))
);
ALTER TABLE public.wallets_securityevent ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.wallets_securityevent_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.wallets_statement (
    id bigint NOT NULL,
    account character varying(64) NOT NULL,
    file_name character varying(100) NOT NULL,
    sha256 character varying(64) NOT NULL,
    opening numeric(38,2) NOT NULL,
    credits numeric(38,2) NOT NULL,
    debits numeric(38,2) NOT NULL,
    closing numeric(38,2) NOT NULL,
    last_day date,
    counts jsonb NOT NULL,
    state character varying(16) NOT NULL,
    imported_at timestamp with time zone NOT NULL,
    decided_at timestamp with time zone,
    decided_by_id bigint,
    imported_by_id bigint NOT NULL,
    previous_id bigint,
    CONSTRAINT a_decision_about_a_statement_has_its_person CHECK (((decided_by_id IS NULL) = ((state)::text = 'waiting'::text))),
    CONSTRAINT statement_balances_add_up CHECK ((closing = ((opening + credits) - debits))),
    CONSTRAINT statement_state_is_known CHECK (((state)::text = ANY ('{waiting,approved,credited,rejected}'::text[])))
);
ALTER TABLE public.wallets_statement ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.wallets_statement_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.wallets_statementline (
    id bigint NOT NULL,
    number integer NOT NULL,
    kind character varying(16) NOT NULL,
    amount numeric(38,2) NOT NULL,
    booked_on date NOT NULL,
    key character varying(64) NOT NULL,
    reference text NOT NULL,
    counterparty text NOT NULL,
    text text NOT NULL,
    remark character varying(200) NOT NULL,
    customer_id bigint,
    deposit_id bigint,
    statement_id bigint NOT NULL,
    end_to_end_id character varying(32) DEFAULT ''::character varying NOT NULL,
    payout_id bigint,
    reference_hash character varying(64) NOT NULL,
    contradicts_id bigint,
    seen_at timestamp with time zone,
    seen_by_id bigint,
    originals text,
    CONSTRAINT an_answer_about_a_payout_fits_it CHECK (((payout_id IS NULL) OR (contradicts_id IS NULL))),
    CONSTRAINT an_answer_about_a_payout_is_no_deposit CHECK (((payout_id IS NULL) OR (deposit_id IS NULL))),
    CONSTRAINT line_kind_is_known CHECK (((kind)::text = ANY ('{credit,debit,taken_back,given_back,pending,nothing}'::text[]))),
    CONSTRAINT only_dollars_that_came_in_become_deposits CHECK ((((kind)::text = ANY ('{credit,given_back}'::text[])) OR ((customer_id IS NULL) AND (deposit_id IS NULL)))),
    CONSTRAINT somebody_has_seen_a_seen_line CHECK (((seen_at IS NULL) = (seen_by_id IS NULL))),
    CONSTRAINT wallets_statementline_number_check CHECK ((number >= 0)),
    CONSTRAINT wallets_statementline_originals_check CHECK (starts_with(originals, 'gAAAA'::text))
);
ALTER TABLE public.wallets_statementline ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.wallets_statementline_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.wallets_storedkey (
    name character varying(20) NOT NULL,
    key text NOT NULL,
    CONSTRAINT wallets_storedkey_key_check CHECK (starts_with(key, 'gAAAA'::text))
);
CREATE TABLE public.wallets_tokenfamily (
    id uuid NOT NULL,
    current_jti character varying(64) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    user_id bigint NOT NULL,
    replaced_jti character varying(64),
    replaced_at timestamp with time zone,
    address character varying(64) DEFAULT ''::character varying NOT NULL,
    device character varying(200) DEFAULT ''::character varying NOT NULL,
    CONSTRAINT a_replaced_token_has_its_time CHECK ((((replaced_at IS NULL) AND (replaced_jti IS NULL)) OR ((replaced_at IS NOT NULL) AND (replaced_jti IS NOT NULL))))
);
CREATE TABLE public.wallets_transaction (
    id bigint NOT NULL,
    asset character varying(16) NOT NULL,
    amount numeric(38,8) NOT NULL,
    kind character varying(32) NOT NULL,
    reference character varying(100) NOT NULL,
    order_id bigint,
    balance_after numeric(38,8),
    idempotency_key character varying(255),
    request_hash character varying(64),
    created_at timestamp with time zone NOT NULL,
    customer_id bigint,
    reverses_id bigint,
    destination_id bigint NOT NULL,
    source_id bigint NOT NULL,
    CONSTRAINT a_correction_names_what_it_reverses CHECK (((reverses_id IS NOT NULL) = ((kind)::text = 'correction'::text))),
    CONSTRAINT balance_after_is_not_negative CHECK (((balance_after >= 0.0) AND (balance_after < 'NaN'::numeric))),
    CONSTRAINT balance_after_is_the_customers CHECK (((customer_id IS NULL) = (balance_after IS NULL))),
    CONSTRAINT customer_dollars_move_in_whole_cents CHECK (((NOT ((asset)::text = 'USD'::text)) OR ((kind)::text = 'fill_cost'::text) OR ((customer_id IS NULL) AND (reverses_id IS NOT NULL)) OR (amount = round(amount, 2)))),
    CONSTRAINT transaction_amount_is_positive CHECK ((sign(amount) = '1'::numeric)),
    CONSTRAINT transaction_key_has_its_request_hash CHECK (((idempotency_key IS NULL) = (request_hash IS NULL))),
    CONSTRAINT transaction_kind_is_known CHECK (((kind)::text = ANY ('{deposit,withdrawal,purchase,refund,price_improvement,delivery,revenue,fee,fill,fill_cost,unassigned,sent_back,payout,return,repurchase,write_off,goodwill,correction}'::text[]))),
    CONSTRAINT transaction_moves_between_two_wallets CHECK ((NOT (source_id = destination_id)))
);
ALTER TABLE public.wallets_transaction ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.wallets_transaction_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.wallets_user (
    id bigint NOT NULL,
    password character varying(128) NOT NULL,
    last_login timestamp with time zone,
    is_superuser boolean NOT NULL,
    username character varying(150) NOT NULL,
    first_name character varying(150) NOT NULL,
    last_name character varying(150) NOT NULL,
    email character varying(254) NOT NULL,
    is_staff boolean NOT NULL,
    is_active boolean NOT NULL,
    date_joined timestamp with time zone NOT NULL,
    token_version integer NOT NULL,
    password_renewals integer DEFAULT 0 NOT NULL,
    username_key character varying(450),
    username_skeleton character varying(450),
    subject uuid DEFAULT gen_random_uuid() NOT NULL,
    verified_email character varying(254) DEFAULT ''::character varying NOT NULL,
    credentials_changed_at timestamp with time zone,
    CONSTRAINT users_have_a_subject CHECK ((subject IS NOT NULL)),
    CONSTRAINT wallets_user_password_renewals_check CHECK ((password_renewals >= 0)),
    CONSTRAINT wallets_user_token_version_check CHECK ((token_version >= 0))
);
CREATE TABLE public.wallets_user_groups (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    group_id integer NOT NULL
);
ALTER TABLE public.wallets_user_groups ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.wallets_user_groups_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE public.wallets_user ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.wallets_user_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.wallets_user_user_permissions (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    permission_id integer NOT NULL
);
ALTER TABLE public.wallets_user_user_permissions ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.wallets_user_user_permissions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.wallets_wallet (
    id bigint NOT NULL,
    asset character varying(16) NOT NULL,
    role character varying(16) NOT NULL,
    balance numeric(38,8),
    frozen boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    owner_id bigint,
    cost numeric(38,8),
    venue character varying(32) DEFAULT ''::character varying NOT NULL,
    CONSTRAINT balance_is_not_negative CHECK (((balance >= 0.0) AND (balance < 'NaN'::numeric))),
    CONSTRAINT customer_wallets_have_an_owner CHECK (((owner_id IS NOT NULL) = ((role)::text = 'customer'::text))),
    CONSTRAINT dollar_balances_are_whole_cents CHECK (((NOT ((asset)::text = 'USD'::text)) OR (balance = round(balance, 2)))),
    CONSTRAINT inventory_alone_has_a_cost CHECK (((cost IS NULL) OR (((role)::text = 'inventory'::text) AND (cost >= 0.0) AND (cost < 'NaN'::numeric)))),
    CONSTRAINT inventory_is_of_coins CHECK ((NOT (((asset)::text = 'USD'::text) AND ((role)::text = 'inventory'::text)))),
    CONSTRAINT only_customers_and_inventory_store_a_balance CHECK (((balance IS NOT NULL) = ((role)::text = ANY ('{customer,inventory}'::text[])))),
    CONSTRAINT only_wallets_of_venues_name_one CHECK ((((venue)::text = ''::text) OR ((role)::text = 'venue'::text))),
    CONSTRAINT wallet_role_is_known CHECK (((role)::text = ANY ('{customer,funding,clearing,venue,inventory,fees,trading_result,unassigned,payable,receivable,goodwill,written_off}'::text[])))
);
ALTER TABLE public.wallets_wallet ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.wallets_wallet_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE ONLY public.procrastinate_events ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_events_id_seq'::regclass);
ALTER TABLE ONLY public.procrastinate_jobs ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_jobs_id_seq'::regclass);
ALTER TABLE ONLY public.procrastinate_periodic_defers ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_periodic_defers_id_seq'::regclass);
ALTER TABLE ONLY public.settlement_failingitem
    ADD CONSTRAINT an_item_fails_once_at_a_time UNIQUE (what, item);
ALTER TABLE ONLY public.settlement_attempt
    ADD CONSTRAINT attempts_of_a_batch_are_numbered UNIQUE (batch_id, number);
ALTER TABLE ONLY public.auth_group
    ADD CONSTRAINT auth_group_name_key UNIQUE (name);
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_group_id_permission_id_0cd325b0_uniq UNIQUE (group_id, permission_id);
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_group
    ADD CONSTRAINT auth_group_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_content_type_id_codename_01ab375a_uniq UNIQUE (content_type_id, codename);
ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.django_admin_log
    ADD CONSTRAINT django_admin_log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.django_content_type
    ADD CONSTRAINT django_content_type_app_label_model_76bd3d3b_uniq UNIQUE (app_label, model);
ALTER TABLE ONLY public.django_content_type
    ADD CONSTRAINT django_content_type_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.django_migrations
    ADD CONSTRAINT django_migrations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.django_session
    ADD CONSTRAINT django_session_pkey PRIMARY KEY (session_key);
ALTER TABLE ONLY public.wallets_deposit
    ADD CONSTRAINT each_deposit_is_received_once UNIQUE (reference_hash, source);
ALTER TABLE ONLY public.wallets_return
    ADD CONSTRAINT each_return_is_taken_once UNIQUE (reference_hash, source);
ALTER TABLE ONLY public.wallets_statementline
    ADD CONSTRAINT lines_of_a_statement_are_numbered UNIQUE (statement_id, number);
ALTER TABLE public.trading_review
    ADD CONSTRAINT nobody_decides_about_their_own_order CHECK (((decided_by_id IS NULL) OR (NOT ((decided_by_id = customer_id) AND (decided_by_id IS NOT NULL))))) NOT VALID;
ALTER TABLE ONLY public.trading_headroom
    ADD CONSTRAINT one_headroom_per_coin_and_one_for_all UNIQUE NULLS NOT DISTINCT (coin_id);
ALTER TABLE ONLY public.trading_dayloss
    ADD CONSTRAINT one_loss_per_day_and_coin UNIQUE (day, coin_id);
ALTER TABLE ONLY public.settlement_pause
    ADD CONSTRAINT one_pause_per_coin_and_one_for_the_venue UNIQUE NULLS NOT DISTINCT (venue, coin_id, kind);
ALTER TABLE ONLY public.settlement_balancereading
    ADD CONSTRAINT one_reading_per_venue_and_asset UNIQUE (venue, asset);
ALTER TABLE ONLY public.wallets_knownaddress
    ADD CONSTRAINT one_row_per_user_and_address UNIQUE (user_id, address);
ALTER TABLE ONLY public.settlement_venueaccount
    ADD CONSTRAINT one_row_per_venue_account UNIQUE (venue, asset);
ALTER TABLE ONLY public.trading_salesstop
    ADD CONSTRAINT one_stop_per_day_and_coin_and_one_for_all UNIQUE NULLS NOT DISTINCT (day, coin_id);
ALTER TABLE ONLY public.settlement_purchasesum
    ADD CONSTRAINT one_sum_of_purchases_per_venue_and_coin UNIQUE (venue, coin_id);
ALTER TABLE ONLY public.wallets_wallet
    ADD CONSTRAINT one_wallet_per_customer_and_asset UNIQUE (owner_id, asset);
ALTER TABLE ONLY public.procrastinate_events
    ADD CONSTRAINT procrastinate_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_unique UNIQUE (task_name, periodic_id, defer_timestamp);
ALTER TABLE ONLY public.procrastinate_workers
    ADD CONSTRAINT procrastinate_workers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.wallets_recoverycode
    ADD CONSTRAINT recovery_codes_differ UNIQUE (factor_id, digest);
ALTER TABLE ONLY public.settlement_absentmarket
    ADD CONSTRAINT settlement_absentmarket_pkey PRIMARY KEY (attempt_id);
ALTER TABLE ONLY public.settlement_accountmove
    ADD CONSTRAINT settlement_accountmove_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_attempt
    ADD CONSTRAINT settlement_attempt_client_order_id_key UNIQUE (client_order_id);
ALTER TABLE ONLY public.settlement_attempt
    ADD CONSTRAINT settlement_attempt_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_balancereading
    ADD CONSTRAINT settlement_balancereading_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_batch
    ADD CONSTRAINT settlement_batch_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_databasewatch
    ADD CONSTRAINT settlement_databasewatch_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_excess
    ADD CONSTRAINT settlement_excess_attempt_id_key UNIQUE (attempt_id);
ALTER TABLE ONLY public.settlement_excess
    ADD CONSTRAINT settlement_excess_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_failingitem
    ADD CONSTRAINT settlement_failingitem_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_finding
    ADD CONSTRAINT settlement_finding_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_installation
    ADD CONSTRAINT settlement_installation_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_intervention
    ADD CONSTRAINT settlement_intervention_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_pause
    ADD CONSTRAINT settlement_pause_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_purchasesum
    ADD CONSTRAINT settlement_purchasesum_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_venueaccount
    ADD CONSTRAINT settlement_venueaccount_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_venueentry
    ADD CONSTRAINT settlement_venueentry_name_key UNIQUE (name);
ALTER TABLE ONLY public.settlement_venueentry
    ADD CONSTRAINT settlement_venueentry_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trading_closedmarket
    ADD CONSTRAINT trading_closedmarket_pkey PRIMARY KEY (coin_id);
ALTER TABLE ONLY public.trading_coin
    ADD CONSTRAINT trading_coin_name_key UNIQUE (name);
ALTER TABLE ONLY public.trading_coin
    ADD CONSTRAINT trading_coin_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trading_coinprice
    ADD CONSTRAINT trading_coinprice_pkey PRIMARY KEY (coin_id);
ALTER TABLE ONLY public.trading_dayloss
    ADD CONSTRAINT trading_dayloss_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trading_headroom
    ADD CONSTRAINT trading_headroom_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trading_order
    ADD CONSTRAINT trading_order_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trading_pricereading
    ADD CONSTRAINT trading_pricereading_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trading_pricerule
    ADD CONSTRAINT trading_pricerule_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trading_review
    ADD CONSTRAINT trading_review_pkey PRIMARY KEY (order_id);
ALTER TABLE ONLY public.trading_saleslimit
    ADD CONSTRAINT trading_saleslimit_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trading_salesstop
    ADD CONSTRAINT trading_salesstop_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trading_shop
    ADD CONSTRAINT trading_shop_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trading_suspension
    ADD CONSTRAINT trading_suspension_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trading_unclearcoin
    ADD CONSTRAINT trading_unclearcoin_pkey PRIMARY KEY (coin_id);
ALTER TABLE ONLY public.wallets_wallet
    ADD CONSTRAINT wallet_id_and_asset_are_one_key UNIQUE (id, asset);
ALTER TABLE ONLY public.wallets_breakglass
    ADD CONSTRAINT wallets_breakglass_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.wallets_closedaccount
    ADD CONSTRAINT wallets_closedaccount_pkey PRIMARY KEY (customer_id);
ALTER TABLE ONLY public.wallets_deposit
    ADD CONSTRAINT wallets_deposit_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.wallets_knownaddress
    ADD CONSTRAINT wallets_knownaddress_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.wallets_payee
    ADD CONSTRAINT wallets_payee_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.wallets_payout
    ADD CONSTRAINT wallets_payout_end_to_end_id_key UNIQUE (end_to_end_id);
ALTER TABLE ONLY public.wallets_payout
    ADD CONSTRAINT wallets_payout_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.wallets_payoutfile
    ADD CONSTRAINT wallets_payoutfile_message_id_key UNIQUE (message_id);
ALTER TABLE ONLY public.wallets_payoutfile
    ADD CONSTRAINT wallets_payoutfile_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.wallets_personalkey
    ADD CONSTRAINT wallets_personalkey_pkey PRIMARY KEY (customer_id);
ALTER TABLE ONLY public.wallets_proposal
    ADD CONSTRAINT wallets_proposal_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.wallets_proposalrecord
    ADD CONSTRAINT wallets_proposalrecord_pkey PRIMARY KEY (proposal_id);
ALTER TABLE ONLY public.wallets_receivable
    ADD CONSTRAINT wallets_receivable_pkey PRIMARY KEY (customer_id);
ALTER TABLE ONLY public.wallets_recoverycode
    ADD CONSTRAINT wallets_recoverycode_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.wallets_return
    ADD CONSTRAINT wallets_return_line_id_key UNIQUE (line_id);
ALTER TABLE ONLY public.wallets_return
    ADD CONSTRAINT wallets_return_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.wallets_secondfactor
    ADD CONSTRAINT wallets_secondfactor_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.wallets_secondfactor
    ADD CONSTRAINT wallets_secondfactor_user_id_key UNIQUE (user_id);
ALTER TABLE ONLY public.wallets_securityevent
    ADD CONSTRAINT wallets_securityevent_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.wallets_statement
    ADD CONSTRAINT wallets_statement_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.wallets_statementline
    ADD CONSTRAINT wallets_statementline_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.wallets_storedkey
    ADD CONSTRAINT wallets_storedkey_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.wallets_tokenfamily
    ADD CONSTRAINT wallets_tokenfamily_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.wallets_transaction
    ADD CONSTRAINT wallets_transaction_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.wallets_transaction
    ADD CONSTRAINT wallets_transaction_reference_key UNIQUE (reference);
ALTER TABLE ONLY public.wallets_transaction
    ADD CONSTRAINT wallets_transaction_reverses_id_key UNIQUE (reverses_id);
ALTER TABLE ONLY public.wallets_user_groups
    ADD CONSTRAINT wallets_user_groups_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.wallets_user_groups
    ADD CONSTRAINT wallets_user_groups_user_id_group_id_39a120af_uniq UNIQUE (user_id, group_id);
ALTER TABLE ONLY public.wallets_user
    ADD CONSTRAINT wallets_user_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.wallets_user_user_permissions
    ADD CONSTRAINT wallets_user_user_permis_user_id_permission_id_79233d06_uniq UNIQUE (user_id, permission_id);
ALTER TABLE ONLY public.wallets_user_user_permissions
    ADD CONSTRAINT wallets_user_user_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.wallets_user
    ADD CONSTRAINT wallets_user_username_key UNIQUE (username);
ALTER TABLE ONLY public.wallets_wallet
    ADD CONSTRAINT wallets_wallet_pkey PRIMARY KEY (id);
CREATE UNIQUE INDEX a_finding_is_open_once ON public.settlement_finding USING btree (kind, subject) WHERE (closed_at IS NULL);
CREATE UNIQUE INDEX an_account_opens_once_per_asset ON public.settlement_accountmove USING btree (venue, asset) WHERE ((kind)::text = 'opening'::text);
CREATE INDEX attempts_by_age ON public.settlement_attempt USING btree (created_at);
CREATE INDEX attempts_by_venue_order ON public.settlement_attempt USING btree (venue_order_id);
CREATE INDEX attempts_in_flight ON public.settlement_attempt USING btree (next_step_at) WHERE ((state)::text = ANY ((ARRAY['new'::character varying, 'sent'::character varying])::text[]));
CREATE INDEX attempts_parked ON public.settlement_attempt USING btree (coin_id) WHERE ((state)::text = 'parked'::text);
CREATE INDEX attempts_that_were_sent ON public.settlement_attempt USING btree (ended_at) WHERE ((ended_at IS NOT NULL) AND (signed_at IS NOT NULL));
CREATE INDEX attempts_to_recheck ON public.settlement_attempt USING btree (recheck_at) WHERE (recheck_at IS NOT NULL);
CREATE INDEX auth_group_name_a6ea08ec_like ON public.auth_group USING btree (name varchar_pattern_ops);
CREATE INDEX auth_group_permissions_group_id_b120cbf9 ON public.auth_group_permissions USING btree (group_id);
CREATE INDEX auth_group_permissions_permission_id_84c5c92e ON public.auth_group_permissions USING btree (permission_id);
CREATE INDEX auth_permission_content_type_id_2f476e4b ON public.auth_permission USING btree (content_type_id);
CREATE INDEX automatic_payouts ON public.wallets_payout USING btree (approved_at) WHERE is_automatic;
CREATE INDEX batches_not_closed ON public.settlement_batch USING btree (coin_id) WHERE ((state)::text = ANY ((ARRAY['open'::character varying, 'parked'::character varying])::text[]));
CREATE INDEX closed_and_not_erased ON public.wallets_closedaccount USING btree (closed_at) WHERE (erased_at IS NULL);
CREATE INDEX credits_that_name_a_payout ON public.wallets_statementline USING btree (end_to_end_id) WHERE (((kind)::text = ANY ((ARRAY['credit'::character varying, 'given_back'::character varying])::text[])) AND (NOT ((end_to_end_id)::text = ''::text)));
CREATE INDEX debits_that_wait ON public.wallets_statementline USING btree (id) WHERE (((kind)::text = 'debit'::text) AND (payout_id IS NULL) AND (seen_at IS NULL));
CREATE INDEX debts_that_are_open ON public.wallets_receivable USING btree (since) WHERE (amount > (0)::numeric);
CREATE INDEX deposits_of_customer ON public.wallets_deposit USING btree (customer_id, created_at DESC, id DESC) WHERE (customer_id IS NOT NULL);
CREATE INDEX deposits_of_nobody ON public.wallets_deposit USING btree (id) WHERE ((state)::text = 'unassigned'::text);
CREATE INDEX django_admin_log_content_type_id_c4bce8eb ON public.django_admin_log USING btree (content_type_id);
CREATE INDEX django_admin_log_user_id_c564eba6 ON public.django_admin_log USING btree (user_id);
CREATE INDEX django_session_expire_date_a5c62663 ON public.django_session USING btree (expire_date);
CREATE INDEX django_session_session_key_c0390e0f_like ON public.django_session USING btree (session_key varchar_pattern_ops);
CREATE UNIQUE INDEX each_file_is_imported_once ON public.wallets_statement USING btree (account, sha256) WHERE (NOT ((state)::text = 'rejected'::text));
CREATE INDEX held_orders ON public.trading_order USING btree (held_at) WHERE ((state)::text = 'held'::text);
CREATE INDEX held_orders_of_customer ON public.trading_order USING btree (customer_id) WHERE ((state)::text = 'held'::text);
CREATE INDEX idx_procrastinate_jobs_worker_not_null ON public.procrastinate_jobs USING btree (worker_id) WHERE ((worker_id IS NOT NULL) AND (status = 'doing'::public.procrastinate_job_status));
CREATE INDEX idx_procrastinate_workers_last_heartbeat ON public.procrastinate_workers USING btree (last_heartbeat);
CREATE INDEX interventions_to_do ON public.settlement_intervention USING btree (requested_at) WHERE (outcome IS NULL);
CREATE INDEX lines_by_key ON public.wallets_statementline USING btree (key);
CREATE INDEX lines_of_deposit ON public.wallets_statementline USING btree (deposit_id) WHERE (deposit_id IS NOT NULL);
CREATE INDEX lines_of_payout ON public.wallets_statementline USING btree (payout_id) WHERE (payout_id IS NOT NULL);
CREATE INDEX lines_to_receive ON public.wallets_statementline USING btree (statement_id, number) WHERE ((deposit_id IS NULL) AND ((kind)::text = ANY ((ARRAY['credit'::character varying, 'given_back'::character varying])::text[])) AND (payout_id IS NULL));
CREATE INDEX newest_price_rules ON public.trading_pricerule USING btree (coin_id, valid_from DESC, id DESC);
CREATE INDEX newest_sales_limits ON public.trading_saleslimit USING btree (coin_id, id DESC);
CREATE UNIQUE INDEX one_attempt_in_flight_per_coin_and_venue ON public.settlement_attempt USING btree (coin_id, venue) WHERE ((state)::text = ANY ((ARRAY['new'::character varying, 'sent'::character varying])::text[]));
CREATE UNIQUE INDEX one_break_glass_request_of_a_user_waits ON public.wallets_breakglass USING btree (user_id) WHERE (outcome IS NULL);
CREATE UNIQUE INDEX one_house_wallet_per_role_asset_and_venue ON public.wallets_wallet USING btree (role, asset, venue) WHERE (owner_id IS NULL);
CREATE UNIQUE INDEX one_movement_per_idempotency_key ON public.wallets_transaction USING btree (customer_id, kind, idempotency_key) WHERE (idempotency_key IS NOT NULL);
CREATE UNIQUE INDEX one_open_suspension_per_coin ON public.trading_suspension USING btree (coin_id) WHERE (ended_at IS NULL);
CREATE UNIQUE INDEX one_order_per_idempotency_key ON public.trading_order USING btree (customer_id, idempotency_key) WHERE (idempotency_key IS NOT NULL);
CREATE UNIQUE INDEX one_order_per_quote ON public.trading_order USING btree (quote_id) WHERE (quote_id IS NOT NULL);
CREATE UNIQUE INDEX one_payout_per_idempotency_key ON public.wallets_payout USING btree (customer_id, idempotency_key) WHERE (idempotency_key IS NOT NULL);
CREATE UNIQUE INDEX one_statement_follows_another ON public.wallets_statement USING btree (previous_id) WHERE ((NOT ((state)::text = 'rejected'::text)) AND (previous_id IS NOT NULL));
CREATE UNIQUE INDEX one_statement_is_an_accounts_first ON public.wallets_statement USING btree (account) WHERE ((NOT ((state)::text = 'rejected'::text)) AND (previous_id IS NULL));
CREATE INDEX orders_of_batch ON public.trading_order USING btree (batch_id) WHERE (batch_id IS NOT NULL);
CREATE INDEX orders_of_customer ON public.trading_order USING btree (customer_id, created_at DESC, id DESC);
CREATE INDEX payable_payouts_of_customer ON public.wallets_payout USING btree (customer_id) WHERE ((state)::text = ANY ((ARRAY['requested'::character varying, 'approved'::character varying])::text[]));
CREATE INDEX payees_of_customer ON public.wallets_payee USING btree (customer_id, id) WHERE (removed_at IS NULL);
CREATE INDEX payout_files_not_written ON public.wallets_payoutfile USING btree (id) WHERE (written_at IS NULL);
CREATE INDEX payouts_of_customer ON public.wallets_payout USING btree (customer_id, created_at DESC, id DESC);
CREATE INDEX payouts_of_file ON public.wallets_payout USING btree (file_id) WHERE (file_id IS NOT NULL);
CREATE INDEX payouts_that_became_deposits ON public.wallets_payout USING btree (came_back_as_id) WHERE (came_back_as_id IS NOT NULL);
CREATE INDEX payouts_to_payee ON public.wallets_payout USING btree (payee_id) WHERE ((state)::text = ANY ((ARRAY['requested'::character varying, 'approved'::character varying])::text[]));
CREATE INDEX payouts_under_way ON public.wallets_payout USING btree (state, id) WHERE ((state)::text = ANY ((ARRAY['requested'::character varying, 'approved'::character varying, 'sent'::character varying])::text[]));
CREATE INDEX pooled_orders_with_fees ON public.trading_order USING btree (coin_id) INCLUDE (settle_by, total_price, fee) WHERE ((state)::text = 'aggregated'::text);
CREATE INDEX price_history ON public.trading_pricereading USING btree (coin_id, read_at DESC);
CREATE INDEX procrastinate_events_job_id_fkey_v1 ON public.procrastinate_events USING btree (job_id);
CREATE INDEX procrastinate_jobs_id_lock_idx_v1 ON public.procrastinate_jobs USING btree (id, lock) WHERE (status = ANY (ARRAY['todo'::public.procrastinate_job_status, 'doing'::public.procrastinate_job_status]));
CREATE UNIQUE INDEX procrastinate_jobs_lock_idx_v1 ON public.procrastinate_jobs USING btree (lock) WHERE (status = 'doing'::public.procrastinate_job_status);
CREATE INDEX procrastinate_jobs_priority_idx_v1 ON public.procrastinate_jobs USING btree (priority DESC, id) WHERE (status = 'todo'::public.procrastinate_job_status);
CREATE INDEX procrastinate_jobs_queue_name_idx_v1 ON public.procrastinate_jobs USING btree (queue_name);
CREATE UNIQUE INDEX procrastinate_jobs_queueing_lock_idx_v1 ON public.procrastinate_jobs USING btree (queueing_lock) WHERE (status = 'todo'::public.procrastinate_job_status);
CREATE INDEX procrastinate_periodic_defers_job_id_fkey_v1 ON public.procrastinate_periodic_defers USING btree (job_id);
CREATE INDEX proposals_by_their_end ON public.wallets_proposal USING btree (expires_at) WHERE needs_two;
CREATE INDEX returned_payouts_by_time ON public.wallets_payout USING btree (returned_at) WHERE ((came_back_as_id IS NULL) AND ((state)::text = 'returned'::text));
CREATE INDEX returns_not_seen ON public.wallets_return USING btree (id) WHERE (seen_at IS NULL);
CREATE INDEX returns_of_deposit ON public.wallets_return USING btree (deposit_id) WHERE (deposit_id IS NOT NULL);
CREATE INDEX reviews_to_decide ON public.trading_review USING btree (order_id) WHERE (decision IS NULL);
CREATE INDEX security_event_at_address ON public.wallets_securityevent USING btree (address) WHERE (NOT ((address)::text = ''::text));
CREATE INDEX security_event_by_actor ON public.wallets_securityevent USING btree (actor_id, id DESC) WHERE (NOT (actor_id IS NULL));
CREATE INDEX security_event_by_name ON public.wallets_securityevent USING btree (name_hash) WHERE (NOT ((name_hash)::text = ''::text));
CREATE INDEX security_event_by_time ON public.wallets_securityevent USING btree (at);
CREATE INDEX security_event_of_network ON public.wallets_securityevent USING btree (network, at DESC) WHERE (NOT ((network)::text = ''::text));
CREATE INDEX security_event_of_user ON public.wallets_securityevent USING btree (user_id, id DESC) WHERE (NOT (user_id IS NULL));
CREATE INDEX settlement_accountmove_booked_by_id_ac7b7107 ON public.settlement_accountmove USING btree (booked_by_id);
CREATE INDEX settlement_attempt_batch_id_600f3d21 ON public.settlement_attempt USING btree (batch_id);
CREATE INDEX settlement_attempt_client_order_id_5af0a17c_like ON public.settlement_attempt USING btree (client_order_id varchar_pattern_ops);
CREATE INDEX settlement_attempt_coin_id_0495883b ON public.settlement_attempt USING btree (coin_id);
CREATE INDEX settlement_batch_coin_id_2ac52754 ON public.settlement_batch USING btree (coin_id);
CREATE INDEX settlement_excess_intervention_id_ac3f6be5 ON public.settlement_excess USING btree (intervention_id);
CREATE INDEX settlement_finding_attempt_id_f4cf69ac ON public.settlement_finding USING btree (attempt_id);
CREATE INDEX settlement_finding_closed_by_id_82ef2472 ON public.settlement_finding USING btree (closed_by_id);
CREATE INDEX settlement_finding_coin_id_3a92bd95 ON public.settlement_finding USING btree (coin_id);
CREATE INDEX settlement_finding_decided_by_id_c9d2c9f7 ON public.settlement_finding USING btree (decided_by_id);
CREATE INDEX settlement_intervention_attempt_id_4da9e4ee ON public.settlement_intervention USING btree (attempt_id);
CREATE INDEX settlement_intervention_batch_id_3dcee639 ON public.settlement_intervention USING btree (batch_id);
CREATE INDEX settlement_intervention_requested_by_id_614bd505 ON public.settlement_intervention USING btree (requested_by_id);
CREATE INDEX settlement_jobs_by_lock ON public.procrastinate_jobs USING btree (lock) WHERE (lock IS NOT NULL);
CREATE INDEX settlement_pause_coin_id_1f1810b2 ON public.settlement_pause USING btree (coin_id);
CREATE INDEX settlement_pause_set_by_id_bf7a554a ON public.settlement_pause USING btree (set_by_id);
CREATE INDEX settlement_purchasesum_coin_id_5e69b3ae ON public.settlement_purchasesum USING btree (coin_id);
CREATE INDEX settlement_venueaccount_short_coin_id_afb11882 ON public.settlement_venueaccount USING btree (short_coin_id);
CREATE INDEX settlement_venueentry_name_ce1c4783_like ON public.settlement_venueentry USING btree (name varchar_pattern_ops);
CREATE INDEX settling_orders ON public.trading_order USING btree (batch_id, id) WHERE ((state)::text = 'settling'::text);
CREATE UNIQUE INDEX staff_have_different_addresses ON public.wallets_user USING btree (lower((verified_email)::text)) WHERE (is_staff AND ((verified_email)::text <> ''::text));
CREATE INDEX statements_that_are_not_done ON public.wallets_statement USING btree (id) WHERE ((state)::text = ANY ((ARRAY['waiting'::character varying, 'approved'::character varying])::text[]));
CREATE INDEX trading_coin_name_30c98cbc_like ON public.trading_coin USING btree (name varchar_pattern_ops);
CREATE INDEX trading_order_coin_id_f631c0da ON public.trading_order USING btree (coin_id);
CREATE INDEX trading_pricereading_coin_id_6e29885d ON public.trading_pricereading USING btree (coin_id);
CREATE INDEX trading_review_decided_by_id_92ee5b06 ON public.trading_review USING btree (decided_by_id);
CREATE INDEX trading_salesstop_resumed_by_id_fc90e7d1 ON public.trading_salesstop USING btree (resumed_by_id);
CREATE INDEX trading_suspension_coin_id_f56fc05c ON public.trading_suspension USING btree (coin_id);
CREATE INDEX trading_suspension_seen_by_id_a5a6a857 ON public.trading_suspension USING btree (seen_by_id);
CREATE INDEX transaction_by_time ON public.wallets_transaction USING brin (created_at) WITH (autosummarize='on');
CREATE INDEX transaction_of_order ON public.wallets_transaction USING btree (order_id) WHERE (order_id IS NOT NULL);
CREATE INDEX transaction_statement ON public.wallets_transaction USING btree (customer_id, created_at DESC, id DESC) WHERE (((asset)::text = 'USD'::text) AND (customer_id IS NOT NULL));
CREATE INDEX unseen_suspensions ON public.trading_suspension USING btree (ended_at) WHERE ((ended_at IS NOT NULL) AND (seen_at IS NULL));
CREATE UNIQUE INDEX usernames_differ_by_more_than_case ON public.wallets_user USING btree (lower((username)::text));
CREATE UNIQUE INDEX usernames_do_not_look_alike ON public.wallets_user USING btree (username_skeleton) WHERE (username_skeleton IS NOT NULL);
CREATE UNIQUE INDEX usernames_have_different_keys ON public.wallets_user USING btree (username_key) WHERE (username_key IS NOT NULL);
CREATE INDEX users_by_email ON public.wallets_user USING btree (upper((email)::text));
CREATE INDEX users_who_are_staff ON public.wallets_user USING btree (id) WHERE (is_staff OR is_superuser);
CREATE INDEX users_with_an_unclear_name ON public.wallets_user USING btree (id) WHERE ((username_key IS NULL) OR (username_skeleton IS NULL));
CREATE INDEX waiting_orders ON public.trading_order USING btree (coin_id, id) WHERE ((state)::text = ANY ((ARRAY['pending'::character varying, 'aggregated'::character varying])::text[]));
CREATE INDEX wallets_knownaddress_seen_at_0f150c62 ON public.wallets_knownaddress USING btree (seen_at);
CREATE INDEX wallets_payout_end_to_end_id_bbc0e931_like ON public.wallets_payout USING btree (end_to_end_id varchar_pattern_ops);
CREATE INDEX wallets_payoutfile_message_id_65c9e296_like ON public.wallets_payoutfile USING btree (message_id varchar_pattern_ops);
CREATE INDEX wallets_recoverycode_factor_id_234d8dbd ON public.wallets_recoverycode USING btree (factor_id);
CREATE INDEX wallets_storedkey_name_c241151a_like ON public.wallets_storedkey USING btree (name varchar_pattern_ops);
CREATE INDEX wallets_tokenfamily_expires_at_2ec23471 ON public.wallets_tokenfamily USING btree (expires_at);
CREATE INDEX wallets_tokenfamily_user_id_0f70eb9c ON public.wallets_tokenfamily USING btree (user_id);
CREATE INDEX wallets_transaction_customer_id_520a73f1 ON public.wallets_transaction USING btree (customer_id);
CREATE INDEX wallets_transaction_destination_id_607bf6a9 ON public.wallets_transaction USING btree (destination_id);
CREATE INDEX wallets_transaction_reference_0a54ebc3_like ON public.wallets_transaction USING btree (reference varchar_pattern_ops);
CREATE INDEX wallets_transaction_source_id_23c56a47 ON public.wallets_transaction USING btree (source_id);
CREATE INDEX wallets_user_groups_group_id_2bfbd54e ON public.wallets_user_groups USING btree (group_id);
CREATE INDEX wallets_user_groups_user_id_0cee6e54 ON public.wallets_user_groups USING btree (user_id);
CREATE UNIQUE INDEX wallets_user_subject_key ON public.wallets_user USING btree (subject);
CREATE INDEX wallets_user_user_permissions_permission_id_b24a3f9f ON public.wallets_user_user_permissions USING btree (permission_id);
CREATE INDEX wallets_user_user_permissions_user_id_61946160 ON public.wallets_user_user_permissions USING btree (user_id);
CREATE INDEX wallets_user_username_3241785d_like ON public.wallets_user USING btree (username varchar_pattern_ops);
CREATE INDEX wallets_wallet_owner_id_17fe3341 ON public.wallets_wallet USING btree (owner_id);
CREATE INDEX what_one_person_did_alone ON public.wallets_proposal USING btree (asked_by_id, kind, asked_at) WHERE ((amount IS NOT NULL) AND (NOT needs_two));
CREATE TRIGGER account_moves_are_append_only BEFORE DELETE OR UPDATE ON public.settlement_accountmove FOR EACH ROW EXECUTE FUNCTION public.settlement_refuse_account_move_change();
CREATE TRIGGER account_moves_are_never_emptied BEFORE TRUNCATE ON public.settlement_accountmove FOR EACH STATEMENT EXECUTE FUNCTION public.settlement_refuse_account_move_change();
CREATE TRIGGER break_glass_requests_are_kept BEFORE DELETE ON public.wallets_breakglass FOR EACH ROW EXECUTE FUNCTION public.wallets_keep_break_glass();
CREATE TRIGGER break_glass_requests_are_never_emptied BEFORE TRUNCATE ON public.wallets_breakglass FOR EACH STATEMENT EXECUTE FUNCTION public.wallets_keep_break_glass();
CREATE TRIGGER break_glass_requests_end_once BEFORE UPDATE ON public.wallets_breakglass FOR EACH ROW EXECUTE FUNCTION public.wallets_end_break_glass();
CREATE TRIGGER break_glass_requests_say_when_they_were_made BEFORE INSERT ON public.wallets_breakglass FOR EACH ROW EXECUTE FUNCTION public.wallets_date_break_glass();
CREATE TRIGGER changes_of_credentials_are_not_forgotten BEFORE UPDATE ON public.wallets_user FOR EACH ROW WHEN (((old.credentials_changed_at IS NOT NULL) AND ((new.credentials_changed_at IS NULL) OR (new.credentials_changed_at < old.credentials_changed_at)))) EXECUTE FUNCTION public.wallets_keep_credential_change();
CREATE TRIGGER coins_keep_their_names BEFORE UPDATE OF name ON public.trading_coin FOR EACH ROW WHEN (((new.name)::text IS DISTINCT FROM (old.name)::text)) EXECUTE FUNCTION public.trading_refuse_rename();
CREATE TRIGGER debtors_are_frozen AFTER INSERT OR UPDATE OF amount ON public.wallets_receivable FOR EACH ROW WHEN ((new.amount > (0)::numeric)) EXECUTE FUNCTION public.wallets_refuse_debt_of_unfrozen();
CREATE TRIGGER decided_reviews_never_change BEFORE DELETE OR UPDATE ON public.trading_review FOR EACH ROW WHEN ((old.decision IS NOT NULL)) EXECUTE FUNCTION public.trading_keep_decided_review();
CREATE TRIGGER excesses_are_append_only BEFORE DELETE OR UPDATE ON public.settlement_excess FOR EACH ROW EXECUTE FUNCTION public.settlement_refuse_excess_change();
CREATE TRIGGER excesses_are_never_emptied BEFORE TRUNCATE ON public.settlement_excess FOR EACH STATEMENT EXECUTE FUNCTION public.settlement_refuse_excess_change();
CREATE TRIGGER interventions_are_append_only BEFORE DELETE OR UPDATE ON public.settlement_intervention FOR EACH ROW EXECUTE FUNCTION public.settlement_refuse_change();
CREATE TRIGGER interventions_are_by_others BEFORE INSERT ON public.settlement_intervention FOR EACH ROW WHEN (((new.action)::text <> 'look_again'::text)) EXECUTE FUNCTION public.settlement_refuse_own_batch();
CREATE TRIGGER interventions_are_never_emptied BEFORE TRUNCATE ON public.settlement_intervention FOR EACH STATEMENT EXECUTE FUNCTION public.settlement_refuse_change();
CREATE TRIGGER maxima_are_alike BEFORE INSERT OR UPDATE ON public.trading_coin FOR EACH ROW EXECUTE FUNCTION public.trading_keep_maxima_alike();
CREATE TRIGGER payout_files_are_append_only BEFORE DELETE OR UPDATE ON public.wallets_payoutfile FOR EACH ROW EXECUTE FUNCTION public.wallets_guard_payout_file();
CREATE TRIGGER payout_files_are_never_emptied BEFORE TRUNCATE ON public.wallets_payoutfile FOR EACH STATEMENT EXECUTE FUNCTION public.wallets_guard_payout_file();
CREATE TRIGGER payouts_are_never_emptied BEFORE TRUNCATE ON public.wallets_payout FOR EACH STATEMENT EXECUTE FUNCTION public.wallets_guard_payout();
CREATE TRIGGER payouts_change_only_their_state BEFORE DELETE OR UPDATE ON public.wallets_payout FOR EACH ROW EXECUTE FUNCTION public.wallets_guard_payout();
CREATE TRIGGER price_rules_are_append_only BEFORE DELETE OR UPDATE ON public.trading_pricerule FOR EACH ROW EXECUTE FUNCTION public.trading_refuse_change_of_rule();
CREATE TRIGGER price_rules_are_never_emptied BEFORE TRUNCATE ON public.trading_pricerule FOR EACH STATEMENT EXECUTE FUNCTION public.trading_refuse_change_of_rule();
CREATE TRIGGER price_rules_say_when_they_were_made BEFORE INSERT ON public.trading_pricerule FOR EACH ROW EXECUTE FUNCTION public.trading_date_rule();
CREATE TRIGGER procrastinate_jobs_notify_queue_job_aborted_v1 AFTER UPDATE OF abort_requested ON public.procrastinate_jobs FOR EACH ROW WHEN (((old.abort_requested = false) AND (new.abort_requested = true) AND (new.status = 'doing'::public.procrastinate_job_status))) EXECUTE FUNCTION public.procrastinate_notify_queue_abort_job_v1();
CREATE TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1 AFTER INSERT ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::public.procrastinate_job_status)) EXECUTE FUNCTION public.procrastinate_notify_queue_job_inserted_v1();
ALTER TABLE public.procrastinate_jobs DISABLE TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1;
CREATE TRIGGER procrastinate_trigger_abort_requested_events_v1 AFTER UPDATE OF abort_requested ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.abort_requested = true)) EXECUTE FUNCTION public.procrastinate_trigger_abort_requested_events_procedure_v1();
CREATE TRIGGER procrastinate_trigger_delete_jobs_v1 BEFORE DELETE ON public.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION public.procrastinate_unlink_periodic_defers_v1();
CREATE TRIGGER procrastinate_trigger_scheduled_events_v1 AFTER INSERT OR UPDATE ON public.procrastinate_jobs FOR EACH ROW WHEN (((new.scheduled_at IS NOT NULL) AND (new.status = 'todo'::public.procrastinate_job_status))) EXECUTE FUNCTION public.procrastinate_trigger_function_scheduled_events_v1();
CREATE TRIGGER procrastinate_trigger_status_events_insert_v1 AFTER INSERT ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::public.procrastinate_job_status)) EXECUTE FUNCTION public.procrastinate_trigger_function_status_events_insert_v1();
CREATE TRIGGER procrastinate_trigger_status_events_update_v1 AFTER UPDATE OF status ON public.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION public.procrastinate_trigger_function_status_events_update_v1();
CREATE TRIGGER proposals_are_append_only BEFORE DELETE OR UPDATE ON public.wallets_proposal FOR EACH ROW EXECUTE FUNCTION public.wallets_refuse_change_of_proposal();
CREATE TRIGGER proposals_are_never_emptied BEFORE TRUNCATE ON public.wallets_proposal FOR EACH STATEMENT EXECUTE FUNCTION public.wallets_refuse_change_of_proposal();
CREATE TRIGGER proposals_say_when_they_were_made BEFORE INSERT ON public.wallets_proposal FOR EACH ROW EXECUTE FUNCTION public.wallets_date_proposal();
CREATE TRIGGER records_name_the_persons_of_their_proposal BEFORE INSERT ON public.wallets_proposalrecord FOR EACH ROW EXECUTE FUNCTION public.wallets_copy_persons_of_proposal();
CREATE TRIGGER records_of_proposals_are_append_only BEFORE DELETE OR UPDATE ON public.wallets_proposalrecord FOR EACH ROW EXECUTE FUNCTION public.wallets_refuse_change_of_proposal();
CREATE TRIGGER records_of_proposals_are_never_emptied BEFORE TRUNCATE ON public.wallets_proposalrecord FOR EACH STATEMENT EXECUTE FUNCTION public.wallets_refuse_change_of_proposal();
CREATE TRIGGER returns_of_a_deposit_are_summed_up AFTER INSERT OR UPDATE OF amount, deposit_id, state ON public.wallets_return FOR EACH ROW EXECUTE FUNCTION public.wallets_sum_returns();
CREATE TRIGGER reviews_name_the_customer BEFORE INSERT OR UPDATE ON public.trading_review FOR EACH ROW EXECUTE FUNCTION public.trading_name_customer_of_review();
CREATE TRIGGER revocations_are_counted AFTER UPDATE ON public.wallets_user FOR EACH ROW WHEN (((new.is_active <> old.is_active) OR ((new.password)::text <> (old.password)::text) OR (new.token_version < old.token_version))) EXECUTE FUNCTION public.wallets_count_revocation();
CREATE TRIGGER sales_limits_are_append_only BEFORE DELETE OR UPDATE ON public.trading_saleslimit FOR EACH ROW EXECUTE FUNCTION public.trading_refuse_change_of_limit();
CREATE TRIGGER sales_limits_are_never_emptied BEFORE TRUNCATE ON public.trading_saleslimit FOR EACH STATEMENT EXECUTE FUNCTION public.trading_refuse_change_of_limit();
CREATE TRIGGER sales_limits_say_when_they_were_set BEFORE INSERT ON public.trading_saleslimit FOR EACH ROW EXECUTE FUNCTION public.trading_date_limit();
CREATE TRIGGER security_log_is_append_only BEFORE DELETE OR UPDATE ON public.wallets_securityevent FOR EACH ROW EXECUTE FUNCTION public.wallets_refuse_log_change();
CREATE TRIGGER security_log_is_never_emptied BEFORE TRUNCATE ON public.wallets_securityevent FOR EACH STATEMENT EXECUTE FUNCTION public.wallets_refuse_log_change();
CREATE TRIGGER staff_get_no_wallet BEFORE INSERT ON public.wallets_wallet FOR EACH ROW WHEN (((new.owner_id IS NOT NULL) AND ((new.asset)::text = 'USD'::text))) EXECUTE FUNCTION public.wallets_refuse_wallet_of_staff();
CREATE TRIGGER staff_have_no_wallet AFTER UPDATE OF is_staff, is_superuser ON public.wallets_user FOR EACH ROW WHEN (((new.is_staff OR new.is_superuser) AND (NOT (old.is_staff OR old.is_superuser)))) EXECUTE FUNCTION public.wallets_take_wallet_of_staff();
CREATE TRIGGER transactions_are_append_only BEFORE DELETE OR UPDATE ON public.wallets_transaction FOR EACH ROW EXECUTE FUNCTION public.wallets_refuse_change();
CREATE TRIGGER transactions_are_never_emptied BEFORE TRUNCATE ON public.wallets_transaction FOR EACH STATEMENT EXECUTE FUNCTION public.wallets_refuse_change();
CREATE TRIGGER wallets_of_debtors_stay_frozen AFTER UPDATE OF frozen ON public.wallets_wallet FOR EACH ROW WHEN ((old.frozen AND (NOT new.frozen))) EXECUTE FUNCTION public.wallets_keep_debtors_frozen();
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissio_permission_id_84c5c92e_fk_auth_perm FOREIGN KEY (permission_id) REFERENCES public.auth_permission(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_group_id_b120cbf9_fk_auth_group_id FOREIGN KEY (group_id) REFERENCES public.auth_group(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_content_type_id_2f476e4b_fk_django_co FOREIGN KEY (content_type_id) REFERENCES public.django_content_type(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_transaction
    ADD CONSTRAINT destination_wallet_is_of_the_asset FOREIGN KEY (destination_id, asset) REFERENCES public.wallets_wallet(id, asset) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.django_admin_log
    ADD CONSTRAINT django_admin_log_content_type_id_c4bce8eb_fk_django_co FOREIGN KEY (content_type_id) REFERENCES public.django_content_type(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.django_admin_log
    ADD CONSTRAINT django_admin_log_user_id_c564eba6_fk_wallets_user_id FOREIGN KEY (user_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.procrastinate_events
    ADD CONSTRAINT procrastinate_events_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.procrastinate_jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES public.procrastinate_workers(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.procrastinate_jobs(id);
ALTER TABLE ONLY public.settlement_absentmarket
    ADD CONSTRAINT settlement_absentmar_attempt_id_b7f5fac3_fk_settlemen FOREIGN KEY (attempt_id) REFERENCES public.settlement_attempt(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_accountmove
    ADD CONSTRAINT settlement_accountmove_booked_by_id_ac7b7107_fk_wallets_user_id FOREIGN KEY (booked_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_attempt
    ADD CONSTRAINT settlement_attempt_batch_id_600f3d21_fk_settlement_batch_id FOREIGN KEY (batch_id) REFERENCES public.settlement_batch(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_attempt
    ADD CONSTRAINT settlement_attempt_coin_id_0495883b_fk_trading_coin_id FOREIGN KEY (coin_id) REFERENCES public.trading_coin(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_batch
    ADD CONSTRAINT settlement_batch_coin_id_2ac52754_fk_trading_coin_id FOREIGN KEY (coin_id) REFERENCES public.trading_coin(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_excess
    ADD CONSTRAINT settlement_excess_attempt_id_a0304c17_fk_settlement_attempt_id FOREIGN KEY (attempt_id) REFERENCES public.settlement_attempt(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_excess
    ADD CONSTRAINT settlement_excess_intervention_id_ac3f6be5_fk_settlemen FOREIGN KEY (intervention_id) REFERENCES public.settlement_intervention(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_finding
    ADD CONSTRAINT settlement_finding_attempt_id_f4cf69ac_fk_settlement_attempt_id FOREIGN KEY (attempt_id) REFERENCES public.settlement_attempt(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_finding
    ADD CONSTRAINT settlement_finding_closed_by_id_82ef2472_fk_wallets_user_id FOREIGN KEY (closed_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_finding
    ADD CONSTRAINT settlement_finding_coin_id_3a92bd95_fk_trading_coin_id FOREIGN KEY (coin_id) REFERENCES public.trading_coin(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_finding
    ADD CONSTRAINT settlement_finding_decided_by_id_c9d2c9f7_fk_wallets_user_id FOREIGN KEY (decided_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_intervention
    ADD CONSTRAINT settlement_intervent_attempt_id_4da9e4ee_fk_settlemen FOREIGN KEY (attempt_id) REFERENCES public.settlement_attempt(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_intervention
    ADD CONSTRAINT settlement_intervent_batch_id_3dcee639_fk_settlemen FOREIGN KEY (batch_id) REFERENCES public.settlement_batch(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_intervention
    ADD CONSTRAINT settlement_intervent_requested_by_id_614bd505_fk_wallets_u FOREIGN KEY (requested_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_pause
    ADD CONSTRAINT settlement_pause_coin_id_1f1810b2_fk_trading_coin_id FOREIGN KEY (coin_id) REFERENCES public.trading_coin(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_pause
    ADD CONSTRAINT settlement_pause_set_by_id_bf7a554a_fk_wallets_user_id FOREIGN KEY (set_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_purchasesum
    ADD CONSTRAINT settlement_purchasesum_coin_id_5e69b3ae_fk_trading_coin_id FOREIGN KEY (coin_id) REFERENCES public.trading_coin(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_venueaccount
    ADD CONSTRAINT settlement_venueacco_short_coin_id_afb11882_fk_trading_c FOREIGN KEY (short_coin_id) REFERENCES public.trading_coin(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_transaction
    ADD CONSTRAINT source_wallet_is_of_the_asset FOREIGN KEY (source_id, asset) REFERENCES public.wallets_wallet(id, asset) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.trading_closedmarket
    ADD CONSTRAINT trading_closedmarket_coin_id_458b7eb3_fk_trading_coin_id FOREIGN KEY (coin_id) REFERENCES public.trading_coin(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.trading_coinprice
    ADD CONSTRAINT trading_coinprice_coin_id_1477310c_fk_trading_coin_id FOREIGN KEY (coin_id) REFERENCES public.trading_coin(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.trading_dayloss
    ADD CONSTRAINT trading_dayloss_coin_id_1e3329d9_fk_trading_coin_id FOREIGN KEY (coin_id) REFERENCES public.trading_coin(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.trading_headroom
    ADD CONSTRAINT trading_headroom_coin_id_74a4a506_fk_trading_coin_id FOREIGN KEY (coin_id) REFERENCES public.trading_coin(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.trading_order
    ADD CONSTRAINT trading_order_coin_id_f631c0da_fk_trading_coin_id FOREIGN KEY (coin_id) REFERENCES public.trading_coin(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.trading_order
    ADD CONSTRAINT trading_order_customer_id_12775adf_fk_wallets_user_id FOREIGN KEY (customer_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.trading_pricereading
    ADD CONSTRAINT trading_pricereading_coin_id_6e29885d_fk_trading_coin_id FOREIGN KEY (coin_id) REFERENCES public.trading_coin(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.trading_pricerule
    ADD CONSTRAINT trading_pricerule_coin_id_988762de_fk_trading_coin_id FOREIGN KEY (coin_id) REFERENCES public.trading_coin(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.trading_pricerule
    ADD CONSTRAINT trading_pricerule_created_by_id_eafa1bc2_fk_wallets_user_id FOREIGN KEY (created_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.trading_review
    ADD CONSTRAINT trading_review_customer_id_0582ef29_fk_wallets_user_id FOREIGN KEY (customer_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.trading_review
    ADD CONSTRAINT trading_review_decided_by_id_92ee5b06_fk_wallets_user_id FOREIGN KEY (decided_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.trading_review
    ADD CONSTRAINT trading_review_order_id_9c85e36a_fk_trading_order_id FOREIGN KEY (order_id) REFERENCES public.trading_order(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.trading_saleslimit
    ADD CONSTRAINT trading_saleslimit_coin_id_06599ceb_fk_trading_coin_id FOREIGN KEY (coin_id) REFERENCES public.trading_coin(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.trading_saleslimit
    ADD CONSTRAINT trading_saleslimit_created_by_id_3599dbc4_fk_wallets_user_id FOREIGN KEY (created_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.trading_salesstop
    ADD CONSTRAINT trading_salesstop_coin_id_37dc5883_fk_trading_coin_id FOREIGN KEY (coin_id) REFERENCES public.trading_coin(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.trading_salesstop
    ADD CONSTRAINT trading_salesstop_resumed_by_id_fc90e7d1_fk_wallets_user_id FOREIGN KEY (resumed_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.trading_suspension
    ADD CONSTRAINT trading_suspension_coin_id_f56fc05c_fk_trading_coin_id FOREIGN KEY (coin_id) REFERENCES public.trading_coin(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.trading_suspension
    ADD CONSTRAINT trading_suspension_seen_by_id_a5a6a857_fk_wallets_user_id FOREIGN KEY (seen_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.trading_unclearcoin
    ADD CONSTRAINT trading_unclearcoin_coin_id_2393b484_fk_trading_coin_id FOREIGN KEY (coin_id) REFERENCES public.trading_coin(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_breakglass
    ADD CONSTRAINT wallets_breakglass_ended_by_id_7f836db6_fk_wallets_user_id FOREIGN KEY (ended_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_breakglass
    ADD CONSTRAINT wallets_breakglass_user_id_1fc70fc8_fk_wallets_user_id FOREIGN KEY (user_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_closedaccount
    ADD CONSTRAINT wallets_closedaccount_closed_by_id_38710d69_fk_wallets_user_id FOREIGN KEY (closed_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_closedaccount
    ADD CONSTRAINT wallets_closedaccount_customer_id_33ffbca5_fk_wallets_user_id FOREIGN KEY (customer_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_deposit
    ADD CONSTRAINT wallets_deposit_approved_by_id_5d30a106_fk_wallets_user_id FOREIGN KEY (approved_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_deposit
    ADD CONSTRAINT wallets_deposit_customer_id_8d174144_fk_wallets_user_id FOREIGN KEY (customer_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_deposit
    ADD CONSTRAINT wallets_deposit_decided_by_id_37fd74b3_fk_wallets_user_id FOREIGN KEY (decided_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_knownaddress
    ADD CONSTRAINT wallets_knownaddress_user_id_974d618d_fk_wallets_user_id FOREIGN KEY (user_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_payee
    ADD CONSTRAINT wallets_payee_customer_id_5027073c_fk_wallets_user_id FOREIGN KEY (customer_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_payout
    ADD CONSTRAINT wallets_payout_came_back_as_id_8d2f842a_fk_wallets_deposit_id FOREIGN KEY (came_back_as_id) REFERENCES public.wallets_deposit(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_payout
    ADD CONSTRAINT wallets_payout_customer_id_5bd44842_fk_wallets_user_id FOREIGN KEY (customer_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_payout
    ADD CONSTRAINT wallets_payout_file_id_dc851c98_fk_wallets_payoutfile_id FOREIGN KEY (file_id) REFERENCES public.wallets_payoutfile(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_payout
    ADD CONSTRAINT wallets_payout_payee_id_8063978b_fk_wallets_payee_id FOREIGN KEY (payee_id) REFERENCES public.wallets_payee(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_payoutfile
    ADD CONSTRAINT wallets_payoutfile_made_by_id_d99fc5da_fk_wallets_user_id FOREIGN KEY (made_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_personalkey
    ADD CONSTRAINT wallets_personalkey_customer_id_1483fc88_fk_wallets_user_id FOREIGN KEY (customer_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_proposal
    ADD CONSTRAINT wallets_proposal_asked_by_id_29c08fd7_fk_wallets_user_id FOREIGN KEY (asked_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_proposal
    ADD CONSTRAINT wallets_proposal_beneficiary_id_a3e9b84a_fk_wallets_user_id FOREIGN KEY (beneficiary_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_proposalrecord
    ADD CONSTRAINT wallets_proposalreco_beneficiary_id_7eebf72f_fk_wallets_u FOREIGN KEY (beneficiary_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_proposalrecord
    ADD CONSTRAINT wallets_proposalreco_decided_by_id_9a741c0a_fk_wallets_u FOREIGN KEY (decided_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_proposalrecord
    ADD CONSTRAINT wallets_proposalreco_proposal_id_4c685e69_fk_wallets_p FOREIGN KEY (proposal_id) REFERENCES public.wallets_proposal(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_proposalrecord
    ADD CONSTRAINT wallets_proposalrecord_asked_by_id_342d3215_fk_wallets_user_id FOREIGN KEY (asked_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_receivable
    ADD CONSTRAINT wallets_receivable_customer_id_203f3f32_fk_wallets_user_id FOREIGN KEY (customer_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_recoverycode
    ADD CONSTRAINT wallets_recoverycode_factor_id_234d8dbd_fk_wallets_s FOREIGN KEY (factor_id) REFERENCES public.wallets_secondfactor(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_return
    ADD CONSTRAINT wallets_return_approved_by_id_f8b4d138_fk_wallets_user_id FOREIGN KEY (approved_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_return
    ADD CONSTRAINT wallets_return_customer_id_6ef55747_fk_wallets_user_id FOREIGN KEY (customer_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_return
    ADD CONSTRAINT wallets_return_decided_by_id_5661b7e8_fk_wallets_user_id FOREIGN KEY (decided_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_return
    ADD CONSTRAINT wallets_return_deposit_id_e7b911b3_fk_wallets_deposit_id FOREIGN KEY (deposit_id) REFERENCES public.wallets_deposit(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_return
    ADD CONSTRAINT wallets_return_line_id_1354c09e_fk_wallets_statementline_id FOREIGN KEY (line_id) REFERENCES public.wallets_statementline(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_return
    ADD CONSTRAINT wallets_return_seen_by_id_61904585_fk_wallets_user_id FOREIGN KEY (seen_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_secondfactor
    ADD CONSTRAINT wallets_secondfactor_user_id_972c25f0_fk_wallets_user_id FOREIGN KEY (user_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_securityevent
    ADD CONSTRAINT wallets_securityevent_actor_id_e544347a_fk_wallets_user_id FOREIGN KEY (actor_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_securityevent
    ADD CONSTRAINT wallets_securityevent_user_id_4151c38c_fk_wallets_user_id FOREIGN KEY (user_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_statement
    ADD CONSTRAINT wallets_statement_decided_by_id_3368cbbc_fk_wallets_user_id FOREIGN KEY (decided_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_statement
    ADD CONSTRAINT wallets_statement_imported_by_id_96845b2c_fk_wallets_user_id FOREIGN KEY (imported_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_statement
    ADD CONSTRAINT wallets_statement_previous_id_d4fff7a5_fk_wallets_statement_id FOREIGN KEY (previous_id) REFERENCES public.wallets_statement(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_statementline
    ADD CONSTRAINT wallets_statementlin_contradicts_id_6884bfab_fk_wallets_p FOREIGN KEY (contradicts_id) REFERENCES public.wallets_payout(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_statementline
    ADD CONSTRAINT wallets_statementlin_statement_id_b74c8bdf_fk_wallets_s FOREIGN KEY (statement_id) REFERENCES public.wallets_statement(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_statementline
    ADD CONSTRAINT wallets_statementline_customer_id_2edd8664_fk_wallets_user_id FOREIGN KEY (customer_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_statementline
    ADD CONSTRAINT wallets_statementline_deposit_id_54d4daec_fk_wallets_deposit_id FOREIGN KEY (deposit_id) REFERENCES public.wallets_deposit(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_statementline
    ADD CONSTRAINT wallets_statementline_payout_id_218cbb1e_fk_wallets_payout_id FOREIGN KEY (payout_id) REFERENCES public.wallets_payout(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_statementline
    ADD CONSTRAINT wallets_statementline_seen_by_id_86e64eb4_fk_wallets_user_id FOREIGN KEY (seen_by_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_tokenfamily
    ADD CONSTRAINT wallets_tokenfamily_user_id_0f70eb9c_fk_wallets_user_id FOREIGN KEY (user_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_transaction
    ADD CONSTRAINT wallets_transaction_customer_id_520a73f1_fk_wallets_user_id FOREIGN KEY (customer_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_transaction
    ADD CONSTRAINT wallets_transaction_destination_id_607bf6a9_fk_wallets_w FOREIGN KEY (destination_id) REFERENCES public.wallets_wallet(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_transaction
    ADD CONSTRAINT wallets_transaction_reverses_id_e378b008_fk_wallets_t FOREIGN KEY (reverses_id) REFERENCES public.wallets_transaction(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_transaction
    ADD CONSTRAINT wallets_transaction_source_id_23c56a47_fk_wallets_wallet_id FOREIGN KEY (source_id) REFERENCES public.wallets_wallet(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_user_groups
    ADD CONSTRAINT wallets_user_groups_group_id_2bfbd54e_fk_auth_group_id FOREIGN KEY (group_id) REFERENCES public.auth_group(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_user_groups
    ADD CONSTRAINT wallets_user_groups_user_id_0cee6e54_fk_wallets_user_id FOREIGN KEY (user_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_user_user_permissions
    ADD CONSTRAINT wallets_user_user_pe_permission_id_b24a3f9f_fk_auth_perm FOREIGN KEY (permission_id) REFERENCES public.auth_permission(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_user_user_permissions
    ADD CONSTRAINT wallets_user_user_pe_user_id_61946160_fk_wallets_u FOREIGN KEY (user_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.wallets_wallet
    ADD CONSTRAINT wallets_wallet_owner_id_17fe3341_fk_wallets_user_id FOREIGN KEY (owner_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
REVOKE ALL ON FUNCTION public.wallets_take_wallet_of_staff() FROM PUBLIC;
