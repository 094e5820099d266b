"""Whoever approves powers reads names: those stay the names of what the powers are about."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from exchange_site.configuration.persons import KINDS
from tests.configure import configure
from tests.staff import make_chief
from wallets.models import Proposal, ProposalRecord, User
from wallets.services.proposals import approve
from wallets.services.security_log import list_permissions

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _two(settings):
    configure(settings, "PROPOSALS", kinds=dict.fromkeys(KINDS, Decimal(0)))


@pytest.fixture
def ann(db):
    client = Client()
    client.force_login(make_chief("ann"))
    return client


@pytest.fixture
def bob(db):
    return make_chief("bob")


@pytest.fixture
def eve(db):
    return User.objects.create_user("eve", verified_email="eve@example.com")


@pytest.fixture
def weak(db):
    return Group.objects.create(name="helpers")


@pytest.fixture
def strong(db):
    group = Group.objects.create(name="chiefs")
    group.permissions.add(Permission.objects.get(codename="freeze_user"))
    return group


def join(client, user, group):
    """Ask for a group that a user is to be in."""
    data = {"username": user.username, "email": "", "is_active": "on", "groups": [group.pk], "reason": "because"}
    client.post(f"/admin/wallets/user/{user.pk}/change/", data, follow=True)
    return Proposal.objects.get()


def save_group(client, group, name, *codenames):
    chosen = [Permission.objects.get(codename=each).pk for each in codenames]
    data = {"name": name, "permissions": chosen, "reason": "because"}
    return client.post(f"/admin/auth/group/{group.pk}/change/", data, follow=True)


def outcome(proposal, bob):
    return approve(proposal_id=proposal.pk, approved_by=bob).outcome


class TestAGroup:
    def test_is_not_renamed(self, ann, weak, strong):
        save_group(ann, strong, "other", "freeze_user")
        strong.refresh_from_db()
        assert (strong.name, list_permissions(strong)) == ("chiefs", ["wallets.freeze_user"])
        assert not Proposal.objects.exists()

    def test_still_gets_a_name_when_it_is_added(self, ann, db):
        ann.post("/admin/auth/group/add/", {"name": "new", "permissions": [], "reason": ""}, follow=True)
        assert Group.objects.filter(name="new").exists()


class TestAMembership:
    def test_is_given_as_it_was_read(self, ann, bob, eve, weak):
        assert outcome(join(ann, eve, weak), bob) == "done"
        assert [*eve.groups.all()] == [weak]

    def test_in_a_group_whose_name_went_to_another_one_is_refused(self, ann, bob, eve, weak, strong):
        asked = join(ann, eve, weak)
        Group.objects.filter(pk=weak.pk).update(name="old")
        Group.objects.filter(pk=strong.pk).update(name="helpers")
        assert outcome(asked, bob) == "refused"
        assert not eve.groups.exists()

    def test_in_a_group_that_was_renamed_is_refused(self, ann, bob, eve, weak):
        asked = join(ann, eve, weak)
        Group.objects.filter(pk=weak.pk).update(name="other")
        assert outcome(asked, bob) == "refused"
        assert not eve.groups.exists()

    def test_in_a_group_that_was_deleted_and_made_again_is_refused(self, ann, bob, eve, weak):
        asked = join(ann, eve, weak)
        weak.delete()
        Group.objects.create(name="helpers")
        assert outcome(asked, bob) == "refused"
        assert not eve.groups.exists()

    def test_in_a_group_that_has_other_permissions_by_now_is_refused(self, ann, bob, eve, weak):
        asked = join(ann, eve, weak)
        weak.permissions.add(Permission.objects.get(codename="freeze_user"))
        assert outcome(asked, bob) == "refused"
        assert not eve.groups.exists()

    def test_of_a_user_who_was_renamed_is_refused(self, ann, bob, eve, weak):
        asked = join(ann, eve, weak)
        User.objects.filter(pk=eve.pk).update(username="carol")
        assert outcome(asked, bob) == "refused"
        assert "another name" in ProposalRecord.objects.get().detail
        assert not eve.groups.exists()


class TestPermissionsOfAGroup:
    def test_are_refused_once_it_has_another_name_or_other_members(self, ann, bob, eve, weak):
        for change in (lambda: eve.groups.add(weak), lambda: Group.objects.filter(pk=weak.pk).update(name="other")):
            save_group(ann, weak, "helpers", "freeze_user")
            asked = Proposal.objects.latest("pk")
            change()
            assert outcome(asked, bob) == "refused"
            assert list_permissions(weak) == []
