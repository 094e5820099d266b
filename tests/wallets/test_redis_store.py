"""A process and Redis: closed connections, and servers that do not answer."""

import pytest

from wallets.runtime.redis_store import RedisAway, breaker, with_redis


def test_a_connection_that_redis_has_closed_is_replaced():
    with_redis(lambda client: client.set("kept", "1"))
    own = with_redis(lambda client: client.client_id())
    with_redis(lambda client: client.client_kill_filter(_id=own, skipme=False))
    assert with_redis(lambda client: client.get("kept")) == "1"
    assert with_redis(lambda client: client.client_id()) != own


def test_a_server_that_does_not_answer_is_skipped_for_a_moment(without_redis):
    asked = []
    for _ in range(3):
        with pytest.raises(RedisAway):
            with_redis(lambda client: asked.append(1) or client.ping())
    assert breaker.is_open()
    assert len(asked) <= 1
