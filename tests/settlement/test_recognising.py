"""Whether the database is the one whose purchases we know. Without a venue; see also test_restoring.py."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from settlement.exceptions import SendingStopped
from settlement.models import DatabaseWatch, Installation
from settlement.services import recognising
from settlement.services.recognising import (
    end_doubt_about_database,
    ensure_may_send,
    put_in_doubt,
    read_watch,
    stop_sending,
    watch_database,
)
from tests.owner import run_as_owner
from wallets.runtime.redis_store import with_redis

pytestmark = pytest.mark.django_db

LARGEST = 2**63 - 1


@pytest.fixture(autouse=True)
def _new_process(monkeypatch):
    """Let this process have read nothing yet: the database of these tests keeps its code, and its beat goes back."""
    monkeypatch.setattr(recognising, "_seen", {})


@pytest.fixture
def between_reading_and_writing(monkeypatch):
    """Let something happen once, after the watch was read and before anything follows from that."""

    def happens(event):
        read, waiting = recognising.read_watch, [event]

        def read_and_let_it_happen():
            found = read()
            while waiting:
                waiting.pop()()
            return found

        monkeypatch.setattr(recognising, "read_watch", read_and_let_it_happen)

    return happens


def watch():
    return DatabaseWatch.objects.get()


def change(**values):
    DatabaseWatch.objects.update(**values)


def move(*parts):
    """Let the watch know another place than the one where the database is, which differs in these parts."""
    before = read_watch().here.split("/")
    for part in parts:
        before[part] += "0"
    change(place="/".join(before))


def remember_in_redis(text):
    with_redis(lambda client: client.set(f"settlement:database:{read_watch().code}", text))


def hint(*, beat=0, order_id=0):
    remember_in_redis(json.dumps({"beat": beat, "order_id": order_id}))


def may_send():
    try:
        ensure_may_send()
    except SendingStopped:
        return False
    return True


class TestTheDatabase:
    def test_that_we_know_is_trusted_with_one_statement(self, django_assert_num_queries):
        with django_assert_num_queries(1):
            ensure_may_send()
        assert watch().doubted_at is None

    def test_beats_and_has_everything_until_now(self):
        before = watch()
        assert watch_database() is None
        assert watch_database() is None
        assert (watch().beat, watch().known_at > before.known_at) == (before.beat + 2, True)

    @pytest.mark.parametrize(
        ("parts", "reason"),
        [
            ([0], "it is another server"),
            ([1], "it is on another timeline"),
            ([2], "its server was started again"),
            ([3], "it is another database of the server"),
            ([4], "its data was written anew"),
            ([1, 2], "it is on another timeline, its server was started again"),
        ],
    )
    def test_in_another_place_is_in_doubt_and_says_what_differs(self, parts, reason):
        move(*parts)
        before = watch()
        assert not may_send()
        assert watch_database().doubted_at == watch().doubted_at
        assert (watch().doubt, watch().doubted_at is None) == (reason, False)
        assert (watch().beat, watch().known_at, watch().place) == (before.beat, before.known_at, before.place)

    @pytest.mark.parametrize(("part", "level"), [(2, "INFO"), (1, "ERROR")])
    def test_whose_server_was_only_started_again_raises_no_alarm(self, part, level, caplog):
        caplog.set_level("INFO")
        move(part)
        assert not may_send()
        logged = [record.levelname for record in caplog.records if "nothing is sent" in record.getMessage()]
        assert logged == [level]

    def test_whose_venue_was_never_asked_is_in_doubt(self):
        change(place="")
        assert not may_send()
        assert watch().doubt == "no venue has been asked yet"

    def test_that_was_set_back_behind_what_this_process_has_read_is_in_doubt(self):
        watch_database()
        watch_database()
        with_redis(lambda client: client.flushall())
        change(beat=watch().beat - 1)
        assert not may_send()
        assert watch().doubt == "it has been set back"

    def test_is_trusted_by_a_process_that_has_read_more_of_another_one(self):
        recognising._seen["deadbeef"] = LARGEST
        assert may_send()
        assert watch_database() is None

    def test_is_watched_while_other_processes_beat(self):
        watch_database()
        change(beat=watch().beat + 5)
        assert (may_send(), watch_database()) == (True, None)

    def test_makes_the_rows_that_tell_it_apart_once(self, django_assert_num_queries):
        with django_assert_num_queries(1):
            first = read_watch()
        assert (first.code, first.place) == (Installation.objects.get().code, first.here)


@pytest.mark.django_db(transaction=True)
class TestADatabaseWhoseTablesWereEmptied:
    @pytest.mark.parametrize(
        "tables",
        [["databasewatch"], ["installation"], ["installation", "databasewatch"]],
        ids=["the watch", "the code", "both"],
    )
    def test_gets_the_missing_rows(self, tables):
        run_as_owner("; ".join(f"DELETE FROM settlement_{table}" for table in tables))
        found = read_watch()
        assert (found.code, found.doubted_at) == (Installation.objects.get().code, None)
        assert (found.place == found.here) == ("databasewatch" in tables), "a copy of the code is another place"


class TestWhatRedisHasSeen:
    @pytest.mark.parametrize("more", ["beat", "order_id"])
    def test_puts_the_database_in_doubt_if_it_is_more_than_there_is(self, more):
        there = read_watch()
        seen = {"beat": there.beat, "order_id": there.last_order_id}
        hint(**seen)
        assert put_in_doubt().doubted_at is None, "as much as there is"
        hint(**{**seen, more: seen[more] + 1})
        assert watch_database() is not None
        assert watch().doubt == "Redis has seen a later state of it"
        assert not may_send()

    def test_may_be_as_large_as_a_column(self):
        hint(beat=LARGEST)
        assert put_in_doubt().doubted_at is not None

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "null",
            "x",
            "9" * 9999,
            "[" * 9999,
            '["beat", "order_id"]',
            '{"beat": 99}',
            '{"beat": "99", "order_id": 0}',
            '{"beat": 99.0, "order_id": 0}',
            '{"beat": 1e400, "order_id": 0}',
            '{"beat": true, "order_id": 0}',
            '{"beat": 99, "order_id": null}',
            '{"beat": 99, "order_id": -1}',
            '{"beat": -1, "order_id": 9999999}',
            f'{{"beat": {LARGEST + 1}, "order_id": 0}}',
        ],
    )
    def test_is_not_believed_if_it_makes_no_sense(self, text):
        remember_in_redis(text)
        assert watch_database() is None
        assert may_send()

    def test_is_not_needed(self, without_redis):
        assert (may_send(), watch_database()) == (True, None)

    def test_is_not_missed_after_it_was_flushed(self):
        watch_database()
        with_redis(lambda client: client.flushall())
        assert (may_send(), watch_database()) == (True, None)

    def test_tells_another_process(self):
        watch_database()
        recognising._seen.clear()
        change(beat=watch().beat - 1)
        assert watch_database() is not None
        assert watch().doubt == "Redis has seen a later state of it"


class TestADoubt:
    def test_keeps_its_beginning_while_the_database_stays_where_it_is(self):
        move(1)
        began = put_in_doubt().doubted_at
        assert put_in_doubt().doubted_at == began, "else the wait for requests under way would never end"

    def test_begins_anew_when_the_database_moves_again(self):
        move(1)
        began = put_in_doubt().doubted_at
        change(doubted_place="elsewhere")
        again = put_in_doubt()
        assert (again.doubted_at > began, again.doubted_place) == (True, again.here)

    def test_stays_when_the_database_is_back(self):
        known = watch().place
        move(2)
        put_in_doubt()
        change(place=known)
        assert not may_send()
        assert watch_database().doubted_at is not None

    def test_tells_whether_it_ends_by_itself(self):
        move(1)
        with pytest.raises(SendingStopped) as waits:
            ensure_may_send()
        stop_sending(found=["order x"])
        with pytest.raises(SendingStopped) as stopped:
            ensure_may_send()
        assert (waits.value.is_stopped, stopped.value.is_stopped) == (False, True)

    def test_is_not_overwritten_by_a_process_that_read_an_earlier_one(self, between_reading_and_writing):
        move(1)
        put_in_doubt()
        change(doubted_place="elsewhere")
        later = watch().doubted_at + timedelta(seconds=1)
        between_reading_and_writing(lambda: change(doubted_at=later, doubt="a later one", doubted_place="there"))
        put_in_doubt()
        assert (watch().doubted_at, watch().doubt, watch().doubted_place) == (later, "a later one", "there")

    def test_that_begins_while_the_database_is_compared_stops_its_beat(self, between_reading_and_writing):
        between_reading_and_writing(lambda: stop_sending(found=["order x"]))
        before = watch()
        assert watch_database().stopped_at is not None
        assert (watch().beat, watch().known_at) == (before.beat, before.known_at)

    @pytest.mark.parametrize("at_once", [False, True])
    def test_of_staff_stops_a_database_that_we_know(self, at_once):
        if at_once:
            move(1)
            put_in_doubt()
        stop_sending(found=["order x"])
        assert not may_send()
        said = "it is on another timeline" if at_once else "staff run after_restore"
        assert (watch().found, watch().doubt) == (["order x"], said)

    def test_leaves_a_database_alone_that_is_only_said_to_be_stopped(self):
        change(stopped_at=watch().known_at)
        assert not may_send()
        assert watch_database() is not None


class TestTheEndOfADoubt:
    @pytest.fixture
    def in_doubt(self):
        watch_database()
        watch_database()
        move(1)
        change(beat=1)
        return put_in_doubt()

    def test_lets_buying_go_on_in_the_new_place(self, in_doubt):
        assert not may_send()
        assert end_doubt_about_database(watch=in_doubt)
        assert (watch().place, watch().doubt, watch().known_at) == (in_doubt.here, "", in_doubt.now)
        assert may_send(), "no beat that a process has read is missing"
        assert watch_database() is None

    @pytest.mark.parametrize("what", ["moved", "began anew", "ended", "was stopped"])
    def test_changes_nothing_if_it_has_changed_meanwhile(self, in_doubt, what):
        if what == "moved":
            in_doubt = replace(in_doubt, here="elsewhere")
        elif what == "began anew":
            change(doubted_at=in_doubt.doubted_at + timedelta(seconds=1))
        elif what == "ended":
            change(doubted_at=None, doubt="", doubted_place="")
        else:
            stop_sending(found=["order x"])
        before = watch().__dict__ | {"_state": None}
        assert not end_doubt_about_database(watch=in_doubt)
        assert watch().__dict__ | {"_state": None} == before

    def test_is_up_to_staff_after_sending_was_stopped(self, in_doubt):
        stop_sending(found=["order x"])
        assert end_doubt_about_database(watch=in_doubt, even_if_stopped=True)
        assert (may_send(), watch().stopped_at, watch().found) == (True, None, [])
