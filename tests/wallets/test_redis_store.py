"""A process and Redis: closed connections, and servers that do not answer."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from exchange_site.stack.processes import free_port
from exchange_site.stack.servers import prepare_redis
from tests.configure import configure
from tests.proxy import Proxy
from wallets.runtime import redis_store
from wallets.runtime.redis_round import RedisRound
from wallets.runtime.redis_store import RedisAway, breaker, execute, with_redis


def test_a_connection_that_redis_has_closed_is_replaced():
    with_redis(lambda client: client.set("kept", "1"))
    own = with_redis(lambda client: client.client_id())
    with_redis(lambda client: client.client_kill_filter(_id=own, skipme=False))
    assert with_redis(lambda client: client.get("kept")) == "1"
    assert with_redis(lambda client: client.client_id()) != own


def test_a_connection_that_redis_has_closed_is_replaced_for_a_script_too():
    count = ("EVAL", "return redis.call('INCR', KEYS[1])", 1, "counter")
    first = with_redis(lambda client: execute(client, *count))
    own = with_redis(lambda client: client.client_id())
    with_redis(lambda client: client.client_kill_filter(_id=own, skipme=False))
    assert with_redis(lambda client: execute(client, *count)) == first + 1
    assert with_redis(lambda client: client.client_id()) != own
    assert not breaker.is_open()


def test_a_script_that_fails_says_why_and_keeps_the_connection():
    own = with_redis(lambda client: client.client_id())
    client = redis_store._client()
    with pytest.raises(redis.exceptions.NoScriptError):
        execute(client, "EVALSHA", "0" * 40, 0)
    assert execute(client, "ECHO", "ä") == "ä"
    assert with_redis(lambda client: client.client_id()) == own


def test_a_server_that_does_not_answer_is_skipped_for_a_moment(without_redis):
    asked = []
    for _ in range(3):
        with pytest.raises(RedisAway):
            with_redis(lambda client: asked.append(1) or client.ping())
    assert breaker.is_open()
    assert len(asked) <= 1


@pytest.fixture
def two_servers(settings):
    """Two servers behind one address; return the address, which leads to the first, and a client of each."""
    with ExitStack() as ending:
        servers = []
        for _ in range(2):
            folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="redis-")))
            folder.chmod(0o755)  # else the user who runs the servers could not enter it
            server = prepare_redis(folder, durable=False)
            ending.enter_context(server.running())
            client = redis.Redis(port=server.port, password=server.password, decode_responses=True)
            ending.callback(client.close)
            client.config_set("requirepass", "same")
            servers.append((server.port, client))
        proxy = Proxy(servers[0][0])
        ending.callback(proxy.close)
        configure(settings, "REDIS", port=proxy.port, password="same")
        vars(redis_store._own).clear()
        yield proxy, servers
        vars(redis_store._own).clear()


def test_a_server_that_became_a_replica_is_left_for_the_one_that_took_over(two_servers):
    proxy, ((_, first), (second_port, second)) = two_servers
    with_redis(lambda client: client.set("kept", "first"))
    first.replicaof("127.0.0.1", str(free_port()))
    proxy.lead_to(second_port)  # as a name that now has another address: the old connection stays where it is
    with_redis(lambda client: client.set("kept", "second"))
    assert (first.get("kept"), second.get("kept")) == ("first", "second")
    assert not breaker.is_open()


def test_a_refusal_within_a_script_counts_as_one(two_servers):
    proxy, ((_, first), (second_port, second)) = two_servers
    count = "return redis.call('INCR', KEYS[1])"
    assert with_redis(lambda client: client.eval(count, 1, "counter")) == 1
    first.replicaof("127.0.0.1", str(free_port()))
    proxy.lead_to(second_port)
    assert with_redis(lambda client: client.eval(count, 1, "counter")) == 1
    assert (first.get("counter"), second.get("counter")) == ("1", "1")


def test_a_replica_without_a_successor_is_skipped_for_a_moment(two_servers):
    _, ((_, first), _) = two_servers
    first.replicaof("127.0.0.1", str(free_port()))
    with pytest.raises(RedisAway):
        with_redis(lambda client: client.set("kept", "1"))
    assert breaker.is_open()
    first.replicaof("NO", "ONE")
    breaker.reset()
    assert with_redis(lambda client: client.set("kept", "1"))


def test_a_changed_password_needs_no_restart(two_servers, settings):
    _, ((_, first), _) = two_servers
    with_redis(lambda client: client.set("kept", "1"))
    first.config_set("requirepass", "other")
    first.client_kill_filter(_type="normal", skipme=True)
    with pytest.raises(RedisAway):
        with_redis(lambda client: client.get("kept"))
    first.config_set("requirepass", "same")
    breaker.reset()
    assert with_redis(lambda client: client.get("kept")) == "1"


def read_in_a_round(key):
    asked = RedisRound()
    asked.prefetch(key)
    asked.count({"calls": (60, 1000)})
    return asked.find(key)


@pytest.mark.parametrize("bytes_in_time", [0, 3])
@pytest.mark.parametrize(
    "read",
    [
        lambda key: with_redis(lambda client: client.get(key)),
        lambda key: with_redis(lambda client: execute(client, "GET", key)),
        read_in_a_round,
    ],
    ids=["of a client", "of a connection", "of a request's round"],
)
def test_an_answer_that_comes_too_late_is_not_that_of_the_next_command(two_servers, read, bytes_in_time):
    proxy, ((_, server), _) = two_servers
    server.mset({"one": "first", "other": "second"})
    assert read("one") == "first"
    with proxy.late(after=bytes_in_time), pytest.raises(RedisAway):
        read("one")
    breaker.reset()
    assert read("other") == "second"
