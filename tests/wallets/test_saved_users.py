"""A page that saves a user writes what its form has changed, and nothing that it read before."""

import pytest
from django.test import Client

from tests.staff import make_chief
from wallets.admin.users import CustomerAdmin
from wallets.models import User
from wallets.services.credentials import change_password

pytestmark = pytest.mark.django_db(transaction=True)

OLD, NEW = "correct horse", "battery staple"


@pytest.fixture
def staff(db):
    client = Client()
    client.force_login(make_chief("staff"))
    return client


@pytest.fixture
def finn(db):
    return User.objects.create_user("finn", "finn@example.com", OLD)


@pytest.fixture
def meanwhile(monkeypatch):
    """Let something happen after the page has read the user, and before it saves."""

    def at_that_time(happens):
        saves = CustomerAdmin.save_model

        def save_model(*args, **kwargs):
            happens()
            return saves(*args, **kwargs)

        monkeypatch.setattr(CustomerAdmin, "save_model", save_model)

    return at_that_time


def save(client, user, **changes):
    data = {"username": user.username, "first_name": "", "is_active": "on", "reason": "because", **changes}
    answer = client.post(f"/admin/wallets/user/{user.pk}/change/", data)
    assert answer.status_code == 302


class TestSavingAUser:
    def test_keeps_a_password_that_was_changed_meanwhile(self, staff, finn, meanwhile):
        meanwhile(lambda: change_password(user=User.objects.get(pk=finn.pk), password=NEW))
        save(staff, finn, first_name="Finn")
        finn.refresh_from_db()
        assert (finn.check_password(NEW), finn.check_password(OLD), finn.first_name) == (True, False, "Finn")

    def test_keeps_an_address_that_was_proven_and_powers_that_were_taken_meanwhile(self, staff, finn, meanwhile):
        User.objects.filter(pk=finn.pk).update(is_superuser=True)
        meanwhile(
            lambda: User.objects.filter(pk=finn.pk).update(
                email="new@example.com", verified_email="new@example.com", is_superuser=False
            )
        )
        save(staff, finn, last_name="Finn")
        finn.refresh_from_db()
        assert (finn.email, finn.verified_email, finn.is_superuser) == ("new@example.com",) * 2 + (False,)

    def test_without_a_change_writes_nothing(self, staff, finn):
        before = User.objects.filter(pk=finn.pk).values().get()
        save(staff, finn)
        assert User.objects.filter(pk=finn.pk).values().get() == before

    def test_still_renames(self, staff, finn):
        save(staff, finn, username="finnegan")
        finn.refresh_from_db()
        assert (finn.username, finn.username_key, User.objects.get_by_natural_key("FINNEGAN")) == (
            "finnegan",
            "finnegan",
            finn,
        )
