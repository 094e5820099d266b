-- FROZEN: the tables that placing a large order touches, with their indexes, constraints, functions and triggers, as
-- pg_dump wrote them in November 2026. Do not bring this file up to date: rates of order.sql compare over the years
-- only while nothing here changes. What the code does today is measured by `task bench`, on the tables of today.
--
-- Left out are the tables that an order does not touch, and with them the foreign keys that come from them.

SET check_function_bodies = false;
SET search_path = '';

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


SET default_tablespace = '';

SET default_table_access_method = heap;

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

CREATE FUNCTION public.trading_refuse_rename() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'a coin keeps its name: % is not %', NEW.name, OLD.name USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION public.wallets_refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'transactions are append-only: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;

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

CREATE TABLE public.trading_coin (
    id bigint NOT NULL,
    name character varying(12) NOT NULL,
    title character varying(60) NOT NULL,
    is_sold boolean NOT NULL,
    minimum numeric(20,8) NOT NULL,
    maximum numeric(20,8) NOT NULL,
    step numeric(20,8) NOT NULL,
    fixed_price numeric(20,8),
    pool_policy character varying(8) NOT NULL,
    CONSTRAINT coin_limits_are_in_order CHECK (((step > (0)::numeric) AND (NOT (step = 'NaN'::numeric(38,8))) AND (minimum > (0)::numeric) AND (NOT (maximum = 'NaN'::numeric(38,8))) AND (maximum >= minimum))),
    CONSTRAINT coin_name_is_a_symbol CHECK (((name)::text ~ '^[A-Z0-9]{2,12}$'::text)),
    CONSTRAINT dollars_are_not_a_coin CHECK ((NOT ((name)::text = 'USD'::text))),
    CONSTRAINT fixed_price_is_positive CHECK (((fixed_price IS NULL) OR ((fixed_price > (0)::numeric) AND (NOT ((fixed_price = 'NaN'::numeric(38,8)) AND (fixed_price IS NOT NULL)))))),
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

CREATE TABLE public.trading_order (
    id bigint NOT NULL,
    amount numeric(38,8) NOT NULL,
    price numeric(20,8) NOT NULL,
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
    CONSTRAINT cancelled_at_is_of_cancelled_orders CHECK ((((cancelled_at IS NOT NULL) AND ((state)::text = 'cancelled'::text)) OR ((NOT ((state)::text = 'cancelled'::text)) AND (cancelled_at IS NULL)))),
    CONSTRAINT charge_is_amount_times_price_rounded_up CHECK ((total_price = round((ceiling(((amount * price) * (100)::numeric)) / (100)::numeric), 2))),
    CONSTRAINT claimed_orders_have_a_batch CHECK ((((batch_id IS NULL) AND (settling_at IS NULL)) OR ((batch_id IS NOT NULL) AND (settling_at IS NOT NULL)))),
    CONSTRAINT completed_at_is_of_completed_orders CHECK ((((completed_at IS NOT NULL) AND ((state)::text = 'completed'::text)) OR ((NOT ((state)::text = 'completed'::text)) AND (completed_at IS NULL)))),
    CONSTRAINT held_orders_say_since_when CHECK (((NOT ((state)::text = 'held'::text)) OR (held_at IS NOT NULL))),
    CONSTRAINT only_small_orders_wait_in_a_pool CHECK (((NOT (is_aggregated AND ((state)::text = 'pending'::text))) AND (NOT ((NOT is_aggregated) AND ((state)::text = 'aggregated'::text))))),
    CONSTRAINT order_amount_is_positive CHECK (((amount > (0)::numeric) AND (NOT (amount = 'NaN'::numeric(38,8))))),
    CONSTRAINT order_key_has_its_request_hash CHECK ((((idempotency_key IS NULL) AND (request_hash IS NULL)) OR ((idempotency_key IS NOT NULL) AND (request_hash IS NOT NULL)))),
    CONSTRAINT order_price_is_positive CHECK (((price > (0)::numeric) AND (NOT (price = 'NaN'::numeric(38,8))))),
    CONSTRAINT order_state_is_known CHECK (((state)::text = ANY ((ARRAY['pending'::character varying, 'aggregated'::character varying, 'held'::character varying, 'settling'::character varying, 'completed'::character varying, 'refunded'::character varying, 'cancelled'::character varying])::text[]))),
    CONSTRAINT pooled_orders_have_a_deadline CHECK (((is_aggregated AND (settle_by IS NOT NULL)) OR ((NOT is_aggregated) AND (settle_by IS NULL)))),
    CONSTRAINT refunded_at_is_of_refunded_orders CHECK ((((refunded_at IS NOT NULL) AND ((state)::text = 'refunded'::text)) OR ((NOT ((state)::text = 'refunded'::text)) AND (refunded_at IS NULL)))),
    CONSTRAINT settled_orders_were_claimed CHECK (((NOT ((state)::text = ANY ((ARRAY['settling'::character varying, 'completed'::character varying])::text[]))) OR (settling_at IS NOT NULL))),
    CONSTRAINT waiting_orders_are_unclaimed CHECK (((NOT ((state)::text = ANY ((ARRAY['pending'::character varying, 'aggregated'::character varying, 'held'::character varying, 'cancelled'::character varying])::text[]))) OR (settling_at IS NULL)))
);

ALTER TABLE public.trading_order ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.trading_order_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.wallets_transaction (
    id bigint NOT NULL,
    asset character varying(16) NOT NULL,
    amount numeric(38,8) NOT NULL,
    kind character varying(16) NOT NULL,
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
    CONSTRAINT a_correction_names_what_it_reverses CHECK ((((reverses_id IS NULL) OR ((kind)::text = 'correction'::text)) AND (1 = (
CASE
    WHEN (reverses_id IS NULL) THEN 1
    ELSE 0
END +
CASE
    WHEN ((kind)::text = 'correction'::text) THEN 1
    ELSE 0
END)))),
    CONSTRAINT balance_after_is_not_negative CHECK (((balance_after IS NULL) OR ((balance_after >= (0)::numeric) AND (NOT ((balance_after = 'NaN'::numeric(38,8)) AND (balance_after IS NOT NULL)))))),
    CONSTRAINT balance_after_is_the_customers CHECK ((((balance_after IS NULL) AND (customer_id IS NULL)) OR ((balance_after IS NOT NULL) AND (customer_id IS NOT NULL)))),
    CONSTRAINT customer_dollars_move_in_whole_cents CHECK (((NOT ((asset)::text = 'USD'::text)) OR ((kind)::text = 'fill_cost'::text) OR ((customer_id IS NULL) AND ((kind)::text = 'correction'::text)) OR (amount = round(amount, 2)))),
    CONSTRAINT transaction_amount_is_positive CHECK (((amount > (0)::numeric) AND (NOT (amount = 'NaN'::numeric(38,8))))),
    CONSTRAINT transaction_key_has_its_request_hash CHECK ((((idempotency_key IS NULL) AND (request_hash IS NULL)) OR ((idempotency_key IS NOT NULL) AND (request_hash IS NOT NULL)))),
    CONSTRAINT transaction_kind_is_known CHECK (((kind)::text = ANY ((ARRAY['deposit'::character varying, 'withdrawal'::character varying, 'purchase'::character varying, 'refund'::character varying, 'delivery'::character varying, 'revenue'::character varying, 'fill'::character varying, 'fill_cost'::character varying, 'correction'::character varying])::text[]))),
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
    CONSTRAINT wallets_user_token_version_check CHECK ((token_version >= 0))
);

ALTER TABLE public.wallets_user ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.wallets_user_id_seq
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
    CONSTRAINT balance_is_not_negative CHECK (((balance IS NULL) OR ((balance >= (0)::numeric) AND (NOT ((balance = 'NaN'::numeric(38,8)) AND (balance IS NOT NULL)))))),
    CONSTRAINT customer_wallets_have_an_owner CHECK ((((owner_id IS NULL) OR ((role)::text = 'customer'::text)) AND (1 = (
CASE
    WHEN (owner_id IS NULL) THEN 1
    ELSE 0
END +
CASE
    WHEN ((role)::text = 'customer'::text) THEN 1
    ELSE 0
END)))),
    CONSTRAINT dollar_balances_are_whole_cents CHECK (((NOT ((asset)::text = 'USD'::text)) OR (balance IS NULL) OR (balance = round(balance, 2)))),
    CONSTRAINT inventory_is_of_coins CHECK ((NOT (((asset)::text = 'USD'::text) AND ((role)::text = 'inventory'::text)))),
    CONSTRAINT only_customers_and_inventory_store_a_balance CHECK ((((balance IS NOT NULL) AND ((role)::text = ANY ((ARRAY['customer'::character varying, 'inventory'::character varying])::text[]))) OR ((NOT ((role)::text = ANY ((ARRAY['customer'::character varying, 'inventory'::character varying])::text[]))) AND (balance IS NULL)))),
    CONSTRAINT wallet_role_is_known CHECK (((role)::text = ANY ((ARRAY['customer'::character varying, 'funding'::character varying, 'clearing'::character varying, 'venue'::character varying, 'inventory'::character varying, 'fees'::character varying, 'trading_result'::character varying])::text[])))
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

ALTER TABLE ONLY public.trading_coin
    ADD CONSTRAINT trading_coin_name_key UNIQUE (name);

ALTER TABLE ONLY public.trading_coin
    ADD CONSTRAINT trading_coin_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.trading_order
    ADD CONSTRAINT trading_order_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.wallets_wallet
    ADD CONSTRAINT wallet_id_and_asset_are_one_key UNIQUE (id, asset);

ALTER TABLE ONLY public.wallets_transaction
    ADD CONSTRAINT wallets_transaction_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.wallets_transaction
    ADD CONSTRAINT wallets_transaction_reference_key UNIQUE (reference);

ALTER TABLE ONLY public.wallets_transaction
    ADD CONSTRAINT wallets_transaction_reverses_id_key UNIQUE (reverses_id);

ALTER TABLE ONLY public.wallets_user
    ADD CONSTRAINT wallets_user_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.wallets_user
    ADD CONSTRAINT wallets_user_username_key UNIQUE (username);

ALTER TABLE ONLY public.wallets_wallet
    ADD CONSTRAINT wallets_wallet_pkey PRIMARY KEY (id);

CREATE INDEX held_orders ON public.trading_order USING btree (held_at) WHERE ((state)::text = 'held'::text);

CREATE INDEX idx_procrastinate_jobs_worker_not_null ON public.procrastinate_jobs USING btree (worker_id) WHERE ((worker_id IS NOT NULL) AND (status = 'doing'::public.procrastinate_job_status));

CREATE INDEX idx_procrastinate_workers_last_heartbeat ON public.procrastinate_workers USING btree (last_heartbeat);

CREATE UNIQUE INDEX one_house_wallet_per_role_and_asset ON public.wallets_wallet USING btree (role, asset) WHERE (owner_id IS NULL);

CREATE UNIQUE INDEX one_movement_per_idempotency_key ON public.wallets_transaction USING btree (customer_id, kind, idempotency_key) WHERE (idempotency_key IS NOT NULL);

CREATE UNIQUE INDEX one_order_per_idempotency_key ON public.trading_order USING btree (customer_id, idempotency_key) WHERE (idempotency_key IS NOT NULL);

CREATE INDEX orders_of_batch ON public.trading_order USING btree (batch_id) WHERE (batch_id IS NOT NULL);

CREATE INDEX orders_of_customer ON public.trading_order USING btree (customer_id, created_at DESC, id DESC);

CREATE INDEX pooled_orders ON public.trading_order USING btree (coin_id) INCLUDE (settle_by, total_price) WHERE ((state)::text = 'aggregated'::text);

CREATE INDEX procrastinate_events_job_id_fkey_v1 ON public.procrastinate_events USING btree (job_id);

CREATE INDEX procrastinate_jobs_id_lock_idx_v1 ON public.procrastinate_jobs USING btree (id, lock) WHERE (status = ANY (ARRAY['todo'::public.procrastinate_job_status, 'doing'::public.procrastinate_job_status]));

CREATE UNIQUE INDEX procrastinate_jobs_lock_idx_v1 ON public.procrastinate_jobs USING btree (lock) WHERE (status = 'doing'::public.procrastinate_job_status);

CREATE INDEX procrastinate_jobs_priority_idx_v1 ON public.procrastinate_jobs USING btree (priority DESC, id) WHERE (status = 'todo'::public.procrastinate_job_status);

CREATE INDEX procrastinate_jobs_queue_name_idx_v1 ON public.procrastinate_jobs USING btree (queue_name);

CREATE UNIQUE INDEX procrastinate_jobs_queueing_lock_idx_v1 ON public.procrastinate_jobs USING btree (queueing_lock) WHERE (status = 'todo'::public.procrastinate_job_status);

CREATE INDEX procrastinate_periodic_defers_job_id_fkey_v1 ON public.procrastinate_periodic_defers USING btree (job_id);

CREATE INDEX settlement_jobs_by_lock ON public.procrastinate_jobs USING btree (lock) WHERE (lock IS NOT NULL);

CREATE INDEX settling_orders ON public.trading_order USING btree (batch_id, id) WHERE ((state)::text = 'settling'::text);

CREATE INDEX trading_coin_name_30c98cbc_like ON public.trading_coin USING btree (name varchar_pattern_ops);

CREATE INDEX trading_order_coin_id_f631c0da ON public.trading_order USING btree (coin_id);

CREATE INDEX transaction_of_order ON public.wallets_transaction USING btree (order_id) WHERE (order_id IS NOT NULL);

CREATE INDEX transaction_statement ON public.wallets_transaction USING btree (customer_id, created_at DESC, id DESC) WHERE (((asset)::text = 'USD'::text) AND (customer_id IS NOT NULL));

CREATE UNIQUE INDEX usernames_differ_by_more_than_case ON public.wallets_user USING btree (lower((username)::text));

CREATE INDEX waiting_orders ON public.trading_order USING btree (coin_id, id) WHERE ((state)::text = ANY ((ARRAY['pending'::character varying, 'aggregated'::character varying])::text[]));

CREATE INDEX wallets_transaction_customer_id_520a73f1 ON public.wallets_transaction USING btree (customer_id);

CREATE INDEX wallets_transaction_destination_id_607bf6a9 ON public.wallets_transaction USING btree (destination_id);

CREATE INDEX wallets_transaction_reference_0a54ebc3_like ON public.wallets_transaction USING btree (reference varchar_pattern_ops);

CREATE INDEX wallets_transaction_source_id_23c56a47 ON public.wallets_transaction USING btree (source_id);

CREATE INDEX wallets_user_username_3241785d_like ON public.wallets_user USING btree (username varchar_pattern_ops);

CREATE INDEX wallets_wallet_owner_id_17fe3341 ON public.wallets_wallet USING btree (owner_id);

CREATE TRIGGER coins_keep_their_names BEFORE UPDATE OF name ON public.trading_coin FOR EACH ROW WHEN (((new.name)::text IS DISTINCT FROM (old.name)::text)) EXECUTE FUNCTION public.trading_refuse_rename();

CREATE TRIGGER procrastinate_jobs_notify_queue_job_aborted_v1 AFTER UPDATE OF abort_requested ON public.procrastinate_jobs FOR EACH ROW WHEN (((old.abort_requested = false) AND (new.abort_requested = true) AND (new.status = 'doing'::public.procrastinate_job_status))) EXECUTE FUNCTION public.procrastinate_notify_queue_abort_job_v1();

CREATE TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1 AFTER INSERT ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::public.procrastinate_job_status)) EXECUTE FUNCTION public.procrastinate_notify_queue_job_inserted_v1();

ALTER TABLE public.procrastinate_jobs DISABLE TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1;

CREATE TRIGGER procrastinate_trigger_abort_requested_events_v1 AFTER UPDATE OF abort_requested ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.abort_requested = true)) EXECUTE FUNCTION public.procrastinate_trigger_abort_requested_events_procedure_v1();

CREATE TRIGGER procrastinate_trigger_delete_jobs_v1 BEFORE DELETE ON public.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION public.procrastinate_unlink_periodic_defers_v1();

CREATE TRIGGER procrastinate_trigger_scheduled_events_v1 AFTER INSERT OR UPDATE ON public.procrastinate_jobs FOR EACH ROW WHEN (((new.scheduled_at IS NOT NULL) AND (new.status = 'todo'::public.procrastinate_job_status))) EXECUTE FUNCTION public.procrastinate_trigger_function_scheduled_events_v1();

CREATE TRIGGER procrastinate_trigger_status_events_insert_v1 AFTER INSERT ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::public.procrastinate_job_status)) EXECUTE FUNCTION public.procrastinate_trigger_function_status_events_insert_v1();

CREATE TRIGGER procrastinate_trigger_status_events_update_v1 AFTER UPDATE OF status ON public.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION public.procrastinate_trigger_function_status_events_update_v1();

CREATE TRIGGER transactions_are_append_only BEFORE DELETE OR UPDATE ON public.wallets_transaction FOR EACH ROW EXECUTE FUNCTION public.wallets_refuse_change();

ALTER TABLE ONLY public.wallets_transaction
    ADD CONSTRAINT destination_wallet_is_of_the_asset FOREIGN KEY (destination_id, asset) REFERENCES public.wallets_wallet(id, asset) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.procrastinate_events
    ADD CONSTRAINT procrastinate_events_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.procrastinate_jobs(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES public.procrastinate_workers(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.procrastinate_jobs(id);

ALTER TABLE ONLY public.wallets_transaction
    ADD CONSTRAINT source_wallet_is_of_the_asset FOREIGN KEY (source_id, asset) REFERENCES public.wallets_wallet(id, asset) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.trading_order
    ADD CONSTRAINT trading_order_coin_id_f631c0da_fk_trading_coin_id FOREIGN KEY (coin_id) REFERENCES public.trading_coin(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.trading_order
    ADD CONSTRAINT trading_order_customer_id_12775adf_fk_wallets_user_id FOREIGN KEY (customer_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.wallets_transaction
    ADD CONSTRAINT wallets_transaction_customer_id_520a73f1_fk_wallets_user_id FOREIGN KEY (customer_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.wallets_transaction
    ADD CONSTRAINT wallets_transaction_destination_id_607bf6a9_fk_wallets_w FOREIGN KEY (destination_id) REFERENCES public.wallets_wallet(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.wallets_transaction
    ADD CONSTRAINT wallets_transaction_reverses_id_e378b008_fk_wallets_t FOREIGN KEY (reverses_id) REFERENCES public.wallets_transaction(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.wallets_transaction
    ADD CONSTRAINT wallets_transaction_source_id_23c56a47_fk_wallets_wallet_id FOREIGN KEY (source_id) REFERENCES public.wallets_wallet(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.wallets_wallet
    ADD CONSTRAINT wallets_wallet_owner_id_17fe3341_fk_wallets_user_id FOREIGN KEY (owner_id) REFERENCES public.wallets_user(id) DEFERRABLE INITIALLY DEFERRED;
