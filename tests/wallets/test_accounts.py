import time
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from tests.configure import configure
from tests.processes import at_once
from wallets.exceptions import InvalidCredentials, TokenInvalid, UsernameTaken, WeakPassword
from wallets.models import TokenFamily, User, Wallet
from wallets.runtime import clock
from wallets.services.accounts import freeze_within_transaction, register, sign_in, unfreeze_within_transaction
from wallets.services.credentials import change_password
from wallets.services.dated_tokens import AccessToken
from wallets.services.tokens import (
    prune_token_families,
    read_access_token,
    rotate_refresh_token,
    sign_out,
    start_token_family,
)

pytestmark = pytest.mark.django_db


def sign_up(now, username="alice"):
    return register(username=username, password="password123", email="Alice@EXAMPLE.com", now=now)


class TestRegister:
    def test_opens_the_wallet_with_the_user(self, now):
        pair = sign_up(now)
        user = User.objects.get()
        assert read_access_token(pair.access).subject == user.subject
        assert (Wallet.objects.get(owner=user).balance, user.email) == (0, "Alice@example.com")

    @pytest.mark.parametrize("again", ["alice", "ALICE"])
    def test_refuses_a_taken_name_and_leaves_no_trace(self, now, again):
        sign_up(now)
        with pytest.raises(UsernameTaken):
            sign_up(now, again)
        assert (User.objects.count(), TokenFamily.objects.count()) == (1, 1)

    def test_refuses_a_short_password(self, now):
        with pytest.raises(WeakPassword):
            register(username="bob", password="short", email="", now=now)
        assert not User.objects.exists()

    def test_refuses_names_that_differ_only_in_case_in_the_database_too(self, now):
        sign_up(now)
        with pytest.raises(IntegrityError, match="usernames_differ"), transaction.atomic():
            User.objects.create_user("Alice")


class TestSignIn:
    def test_returns_tokens(self, now):
        sign_up(now)
        assert sign_in(username="alice", password="password123", now=now).access

    def test_refuses_an_unknown_name_a_wrong_password_and_a_disabled_account_alike(self, now):
        sign_up(now)
        for name, password in [("alice", "wrong-password"), ("nobody", "password123")]:
            with pytest.raises(InvalidCredentials):
                sign_in(username=name, password=password, now=now)
        User.objects.update(is_active=False)
        with pytest.raises(InvalidCredentials):
            sign_in(username="alice", password="password123", now=now)


class TestRefresh:
    def test_returns_a_new_pair_that_can_be_refreshed(self, shopper, now):
        pair = rotate_refresh_token(refresh=shopper.tokens.refresh, now=now)
        assert rotate_refresh_token(refresh=pair.refresh, now=now)

    def test_returns_the_same_pair_for_30_seconds_more(self, shopper, now):
        pair = rotate_refresh_token(refresh=shopper.tokens.refresh, now=now)
        again = rotate_refresh_token(refresh=shopper.tokens.refresh, now=now + timedelta(seconds=30))
        assert again == pair
        assert rotate_refresh_token(refresh=again.refresh, now=now)

    def test_ends_the_family_when_a_token_is_used_again_after_that(self, shopper, now):
        pair = rotate_refresh_token(refresh=shopper.tokens.refresh, now=now)
        with pytest.raises(TokenInvalid):
            rotate_refresh_token(refresh=shopper.tokens.refresh, now=now + timedelta(seconds=30.1))
        with pytest.raises(TokenInvalid):
            rotate_refresh_token(refresh=pair.refresh, now=now)

    def test_ends_the_family_when_an_older_token_is_used_again(self, shopper, now):
        pair = rotate_refresh_token(refresh=shopper.tokens.refresh, now=now)
        newest = rotate_refresh_token(refresh=pair.refresh, now=now)
        with pytest.raises(TokenInvalid):
            rotate_refresh_token(refresh=shopper.tokens.refresh, now=now)
        with pytest.raises(TokenInvalid):
            rotate_refresh_token(refresh=newest.refresh, now=now)

    def test_gives_as_much_grace_as_is_set(self, shopper, now, settings):
        configure(settings, "SIGN_IN", refresh_grace=timedelta(0))
        rotate_refresh_token(refresh=shopper.tokens.refresh, now=now)
        with pytest.raises(TokenInvalid):
            rotate_refresh_token(refresh=shopper.tokens.refresh, now=now + timedelta(milliseconds=1))

    @pytest.mark.parametrize("end", ["sign out", "disable", "change the password"])
    def test_gives_no_grace_once_the_sign_in_has_ended(self, shopper, now, end):
        pair = rotate_refresh_token(refresh=shopper.tokens.refresh, now=now)
        if end == "sign out":
            sign_out(refresh=pair.refresh, user_id=shopper.user.pk, now=now)
        elif end == "disable":
            User.objects.filter(pk=shopper.user.pk).update(is_active=False)
        else:
            change_password(user=shopper.user, password="another-one-1")
        with pytest.raises(TokenInvalid):
            rotate_refresh_token(refresh=shopper.tokens.refresh, now=now)

    def test_dates_no_token_in_the_future(self, shopper, now):
        pair = rotate_refresh_token(refresh=shopper.tokens.refresh, now=now + timedelta(minutes=1))
        assert read_access_token(pair.access)
        assert rotate_refresh_token(refresh=pair.refresh, now=now + timedelta(minutes=2))

    def test_works_for_other_sign_ins_after_a_sign_out(self, shopper, now):
        other = start_token_family(user=shopper.user, now=now)
        sign_out(refresh=shopper.tokens.refresh, user_id=shopper.user.pk, now=now)
        with pytest.raises(TokenInvalid):
            rotate_refresh_token(refresh=shopper.tokens.refresh, now=now)
        assert rotate_refresh_token(refresh=other.refresh, now=now)

    def test_refuses_a_disabled_account_and_an_outdated_token(self, shopper, now):
        User.objects.filter(pk=shopper.user.pk).update(is_active=False)
        with pytest.raises(TokenInvalid):
            rotate_refresh_token(refresh=shopper.tokens.refresh, now=now)
        User.objects.filter(pk=shopper.user.pk).update(is_active=True, token_version=1)
        with pytest.raises(TokenInvalid):
            rotate_refresh_token(refresh=shopper.tokens.refresh, now=now)

    @pytest.mark.parametrize("token", ["", "x", "a.b.c"])
    def test_refuses_text_that_is_not_a_token(self, now, token):
        with pytest.raises(TokenInvalid):
            rotate_refresh_token(refresh=token, now=now)

    def test_refuses_an_access_token_for_a_refresh_token_and_the_reverse(self, shopper, now):
        with pytest.raises(TokenInvalid):
            rotate_refresh_token(refresh=shopper.tokens.access, now=now)
        with pytest.raises(TokenInvalid):
            read_access_token(shopper.tokens.refresh)

    def test_access_tokens_expire_although_their_signature_is_cached(self, shopper):
        token = AccessToken(shopper.tokens.access)
        token.set_exp(from_time=token.current_time, lifetime=timedelta(seconds=2))
        while True:
            try:
                assert read_access_token(str(token)).subject == shopper.user.subject
            except TokenInvalid:
                break
            time.sleep(0.01)  # leave the processor to others
        assert clock.now().timestamp() >= token["exp"]

    def test_expired_families_are_pruned(self, shopper, now):
        assert prune_token_families(before=now) == 0
        TokenFamily.objects.update(expires_at=now)
        assert prune_token_families(before=now.replace(year=now.year + 1)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_refresh_token_used_many_times_at_once_yields_one_pair(make_shopper, now):
    shopper = make_shopper()

    pairs = at_once(8, lambda _: rotate_refresh_token(refresh=shopper.tokens.refresh, now=now))
    assert {(pair.access, pair.refresh) for pair in pairs} == {(pairs[0].access, pairs[0].refresh)}
    assert rotate_refresh_token(refresh=pairs[0].refresh, now=now)


def test_signing_out_with_another_customers_token_is_refused(make_shopper, now):
    one, other = make_shopper(), make_shopper()
    with pytest.raises(TokenInvalid):
        sign_out(refresh=one.tokens.refresh, user_id=other.user.pk, now=now)
    assert rotate_refresh_token(refresh=one.tokens.refresh, now=now)


class TestFreezing:
    def test_stops_the_next_movement_although_the_tokens_are_valid(self, api, shopper):
        freeze_within_transaction(owner_id=shopper.user.pk)
        answer = api("PATCH", "accounts/wallet/withdraw/", {"amount": "1"}, by=shopper)
        assert answer.json()["code"] == "account_frozen"
        assert api("GET", "accounts/wallet/", by=shopper).status_code == 200
        unfreeze_within_transaction(owner_id=shopper.user.pk)
        assert api("PATCH", "accounts/wallet/withdraw/", {"amount": "1"}, by=shopper).status_code == 200
