"""The name of a customer, which decides whose payments are their own, is entered by two persons."""

from decimal import Decimal

import pytest

from tests.configure import configure
from tests.staff import make_chief
from wallets.exceptions import NeedsAnotherPerson, NotPermitted, ProposalRefused
from wallets.models import PersonalKey, Proposal, User
from wallets.runtime import clock
from wallets.selectors.sealed import ERASED, open_text
from wallets.services.customer_names import CUSTOMER_NAME
from wallets.services.proposals import approve, propose

pytestmark = pytest.mark.django_db(transaction=True)

MARY = {"first_name": "Mary Ann", "last_name": "Featherstone"}
NOBODY = {"first_name": "", "last_name": ""}


@pytest.fixture(autouse=True)
def _two(settings):
    configure(settings, "PROPOSALS", kinds={"customer_name": Decimal(0)})


@pytest.fixture
def ann():
    return make_chief("ann")


@pytest.fixture
def bob():
    return make_chief("bob")


def names_of(shopper):
    return User.objects.values("first_name", "last_name").get(pk=shopper.user.pk)


def ask(shopper, new, *, by):
    payload = CUSTOMER_NAME.payload_of(user=User.objects.get(pk=shopper.user.pk), new=new)
    return propose(kind=CUSTOMER_NAME.name, payload=payload, reason="the bank says so", asked_by=by)


class TestAName:
    def test_is_entered_when_a_second_person_approves_it(self, shopper, ann, bob):
        proposal = ask(shopper, MARY, by=ann)
        assert (proposal.needs_two, names_of(shopper)) == (True, NOBODY)
        with pytest.raises(NeedsAnotherPerson):
            approve(proposal_id=proposal.pk, approved_by=ann)
        assert names_of(shopper) == NOBODY
        record = approve(proposal_id=proposal.pk, approved_by=bob)
        assert (record.outcome, names_of(shopper)) == ("done", MARY)

    def test_is_removed_by_two_persons_too_because_any_payer_is_credited_then(self, shopper, ann, bob):
        User.objects.filter(pk=shopper.user.pk).update(**MARY)
        proposal = ask(shopper, NOBODY, by=ann)
        assert (proposal.old, proposal.new) == (f"{shopper.user}: a name", f"{shopper.user}: no name")
        assert names_of(shopper) == MARY
        approve(proposal_id=proposal.pk, approved_by=bob)
        assert names_of(shopper) == NOBODY

    def test_that_has_changed_meanwhile_is_not_entered(self, shopper, ann, bob):
        proposal = ask(shopper, MARY, by=ann)
        User.objects.filter(pk=shopper.user.pk).update(first_name="Jo")
        record = approve(proposal_id=proposal.pk, approved_by=bob)
        assert (record.outcome, names_of(shopper)["first_name"]) == ("refused", "Jo")

    def test_is_nobodys_own_to_enter(self, ann):
        payload = CUSTOMER_NAME.payload_of(user=ann, new=MARY)
        with pytest.raises(NeedsAnotherPerson):
            propose(kind=CUSTOMER_NAME.name, payload=payload, reason="mine", asked_by=ann)
        assert not Proposal.objects.exists()

    def test_is_asked_for_by_staff_who_change_users(self, shopper):
        clerk = User.objects.create_user("clerk", is_staff=True)
        with pytest.raises((NotPermitted, ProposalRefused)):
            ask(shopper, MARY, by=clerk)
        assert not Proposal.objects.exists()

    def test_that_is_the_same_is_no_change(self, shopper):
        assert CUSTOMER_NAME.payload_of(user=shopper.user, new=NOBODY) is None

    def test_is_sealed_in_the_record_and_goes_with_the_customers_key(self, shopper, ann):
        proposal = ask(shopper, MARY, by=ann)
        kept = f"{proposal.payload} {proposal.old} {proposal.new}"
        assert not [name for name in MARY.values() if name in kept]
        sealed = proposal.payload["last_name"]
        assert open_text(text=sealed) == "Featherstone"
        PersonalKey.objects.filter(customer=shopper.user).update(key=None, destroyed_at=clock.now())
        assert open_text(text=sealed) == ERASED
