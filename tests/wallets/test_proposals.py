"""Proposals: what one member of staff asks for, another one approves, once."""

import subprocess
import sys
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.db import DatabaseError, IntegrityError, transaction

from exchange_site.configuration import Configuration
from exchange_site.configuration.persons import KINDS
from exchange_site.stack.processes import PROJECT
from settlement.verification import verify_everything
from tests.configure import configure
from tests.conftest import process_environment
from tests.owner import by_owner, run_as_owner
from tests.processes import at_once
from tests.staff import make_chief
from tests.wallets.bank import DAY, IBAN
from trading.models import SalesLimit
from trading.services.proposing.kinds import SALES_LIMIT
from wallets.exceptions import MayNotDecide, NeedsAnotherPerson, ProposalClosed, ProposalRefused
from wallets.models import Proposal, ProposalRecord, User
from wallets.services import proposals
from wallets.services.deposit_kinds import DEPOSIT
from wallets.services.proposals import approve, propose, registered_kinds, reject, withdraw

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def make_staff(db):
    def make(name, *permissions, **fields):
        staff = User.objects.create_user(name, is_staff=True, **fields)
        for permission in permissions:
            app, codename = permission.split(".")
            staff.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
        return User.objects.get(pk=staff.pk)

    return make


@pytest.fixture
def ann(make_staff):
    """Asks for sales limits."""
    return make_staff("ann", "trading.add_saleslimit")


@pytest.fixture
def bob(make_staff):
    """Decides about proposals."""
    return make_staff("bob", "wallets.decide_proposal")


@pytest.fixture
def _two(settings):
    configure(settings, "PROPOSALS", kinds={"sales_limit": Decimal(0)})


@pytest.fixture
def ask(coin, ann):
    """Ask for another sales limit of ABAN: the first one is 100.00."""
    SalesLimit.objects.create(coin=coin, most=100, reason="the first")

    def ask(most="200.00", by=ann, reason="more customers"):
        limit = SalesLimit(coin=coin, most=most and Decimal(most), reason=reason)
        return propose(kind="sales_limit", payload=SALES_LIMIT.payload_of(limit=limit), reason=reason, asked_by=by)

    return ask


def limits():
    return [limit.most for limit in SalesLimit.objects.order_by("pk")]


class TestAProposal:
    def test_is_carried_out_at_once_where_one_person_suffices(self, ask, ann):
        proposal = ask()
        assert limits() == [100, 200]
        record = ProposalRecord.objects.get()
        assert (proposal.needs_two, record.proposal, record.outcome) == (False, proposal, "done")
        assert (record.asked_by, record.decided_by) == (ann, None)
        assert (proposal.old, proposal.new) == ("ABAN: 100.00 USD", "ABAN: 200.00 USD")

    @pytest.mark.usefixtures("_two")
    def test_waits_for_a_second_person_where_two_are_needed(self, ask):
        assert ask().needs_two
        assert limits() == [100]
        assert not ProposalRecord.objects.exists()

    @pytest.mark.usefixtures("_two")
    @pytest.mark.parametrize("most", ["99.99", "100.00", "0.00"])
    def test_that_only_lessens_exposure_waits_for_nobody(self, ask, most):
        assert not ask(most).needs_two
        assert limits() == [100, Decimal(most)]
        assert ProposalRecord.objects.get().decided_by is None

    @pytest.mark.usefixtures("_two")
    @pytest.mark.parametrize("most", ["100.01", None])
    def test_that_lifts_a_limit_waits(self, ask, most):
        assert ask(most).needs_two
        assert limits() == [100]

    def test_by_somebody_who_may_not_ask_for_it_is_refused(self, ask, bob):
        with pytest.raises(ProposalRefused):
            ask(by=bob)
        assert limits() == [100]
        assert not Proposal.objects.exists()

    def test_that_fails_is_not_there(self, ask, ann, coin):
        payload = {"coin": coin.pk, "most": "-1", "reason": "x", "before": SalesLimit.objects.get().pk}
        with pytest.raises(IntegrityError, match="a_sales_limit_is_not_negative"):
            propose(kind="sales_limit", payload=payload, reason="x", asked_by=ann)
        assert limits() == [100]
        assert not Proposal.objects.exists()


@pytest.mark.usefixtures("_two")
class TestAnApproval:
    def test_carries_the_proposal_out_and_is_recorded(self, ask, ann, bob):
        proposal = ask()
        record = approve(proposal_id=proposal.pk, approved_by=bob, note="I have seen it")
        assert limits() == [100, 200]
        record.refresh_from_db()
        assert (record.outcome, record.asked_by, record.decided_by) == ("done", ann, bob)
        assert (record.note, record.detail) == ("I have seen it", f"sales limit {SalesLimit.objects.last().pk} of ABAN")
        assert SalesLimit.objects.last().created_by == ann

    def test_has_one_effect_when_fifty_come_at_once(self, ask, make_staff):
        proposal = ask()
        people = [make_staff(f"manager{number}", "wallets.decide_proposal") for number in range(50)]

        def approve_as(number):
            try:
                return approve(proposal_id=proposal.pk, approved_by=people[number]).outcome
            except ProposalClosed:
                return None

        outcomes = at_once(50, approve_as)
        assert sorted(filter(None, outcomes)) == ["done"]
        assert limits() == [100, 200]
        assert ProposalRecord.objects.count() == 1

    def test_by_the_author_is_refused(self, ask, make_staff):
        both = make_staff("both", "trading.add_saleslimit", "wallets.decide_proposal")
        proposal = ask(by=both)
        with pytest.raises(NeedsAnotherPerson):
            approve(proposal_id=proposal.pk, approved_by=both)
        with pytest.raises(NeedsAnotherPerson):
            reject(proposal_id=proposal.pk, decided_by=both, note="x")
        assert limits() == [100]
        assert not ProposalRecord.objects.exists()

    def test_by_the_customer_who_gains_is_refused(self, ask, bob, monkeypatch):
        monkeypatch.setattr(SALES_LIMIT, "beneficiary_id", lambda payload: bob.pk)
        proposal = ask()
        with pytest.raises(NeedsAnotherPerson):
            approve(proposal_id=proposal.pk, approved_by=bob)
        assert limits() == [100]
        assert not ProposalRecord.objects.exists()

    @pytest.mark.parametrize(
        "fields", [{"is_active": False}, {"is_staff": False}, {"is_superuser": True, "is_active": False}]
    )
    def test_by_somebody_who_is_no_active_staff_is_refused(self, ask, bob, fields):
        proposal = ask()
        User.objects.filter(pk=bob.pk).update(**fields)
        with pytest.raises(MayNotDecide):
            approve(proposal_id=proposal.pk, approved_by=bob)
        assert limits() == [100]

    def test_without_the_permission_is_refused(self, ask, make_staff):
        proposal = ask()
        with pytest.raises(MayNotDecide):
            approve(proposal_id=proposal.pk, approved_by=make_staff("eve", "trading.add_saleslimit"))
        assert limits() == [100]

    def test_of_what_the_world_no_longer_allows_ends_the_proposal_undone(self, ask, bob, coin):
        proposal = ask()
        SalesLimit.objects.create(coin=coin, most=50, reason="a bad night")
        record = approve(proposal_id=proposal.pk, approved_by=bob)
        assert (record.outcome, limits()) == ("refused", [100, 50])
        assert "Another sales limit was set meanwhile" in record.detail
        with pytest.raises(ProposalClosed):
            approve(proposal_id=proposal.pk, approved_by=bob)

    @pytest.mark.parametrize("take", ["permission", "account"])
    def test_of_an_author_who_may_no_longer_ask_ends_the_proposal_undone(self, ask, ann, bob, take):
        proposal = ask()
        if take == "permission":
            ann.user_permissions.clear()
        else:
            User.objects.filter(pk=ann.pk).update(is_active=False)
        assert approve(proposal_id=proposal.pk, approved_by=bob).outcome == "refused"
        assert limits() == [100]

    def test_that_is_half_done_leaves_nothing(self, ask, bob, monkeypatch):
        proposal = ask()

        def carry_out(self, **given):
            SalesLimit.objects.create(coin=None, most=1, reason="half")
            raise ProposalRefused

        monkeypatch.setattr(type(SALES_LIMIT), "carry_out", carry_out)
        assert approve(proposal_id=proposal.pk, approved_by=bob).outcome == "refused"
        assert limits() == [100]

    def test_comes_too_late_after_the_hours(self, ask, bob):
        proposal = ask()
        _age(proposal)
        with pytest.raises(ProposalClosed):
            approve(proposal_id=proposal.pk, approved_by=bob)
        assert limits() == [100]
        assert not ProposalRecord.objects.exists()

    def test_of_a_kind_that_this_release_does_not_know_ends_undone(self, ask, bob, monkeypatch):
        proposal = ask()
        monkeypatch.delitem(proposals._kinds, "sales_limit")
        assert approve(proposal_id=proposal.pk, approved_by=bob).outcome == "refused"
        assert limits() == [100]


class TestAKilledApproval:
    """A process dies by SIGKILL in the middle of an approval of a deposit."""

    APPROVE = (
        "import django; django.setup(); from wallets.models import User;"
        " from wallets.services.proposals import approve;"
        " approve(proposal_id={}, approved_by=User.objects.get(username='bob'))"
    )

    def approve_in_a_process(self, proposal, **environment):
        command = [sys.executable, "-c", self.APPROVE.format(proposal.pk)]
        variables = process_environment(DJANGO_SETTINGS_MODULE="exchange_site.settings", **environment)
        return subprocess.run(command, env=variables, cwd=PROJECT, capture_output=True, check=False).returncode

    @pytest.mark.parametrize("point", ["proposal.carried_out", "proposal.recorded"])
    def test_leaves_nothing_and_has_one_effect_when_it_comes_again(self, point, bob, shopper, settings, tmp_path):
        configure(settings, "PROPOSALS", kinds={"deposit": Decimal(0)})
        given = {"customer_id": shopper.user.pk, "amount": Decimal(25), "source": IBAN, "reference": "b1"}
        payload = DEPOSIT.payload_of(**given, received_on=DAY)
        boss = make_chief("boss")
        proposal = propose(kind="deposit", payload=payload, reason="seen", asked_by=boss)
        killed = self.approve_in_a_process(proposal, FAILPOINTS=f"{point}=kill", FAILPOINTS_DIR=str(tmp_path))
        assert killed == -9
        assert (shopper.wallet.balance, ProposalRecord.objects.count(), verify_everything()) == (100, 0, [])
        assert self.approve_in_a_process(proposal) == 0
        assert (shopper.wallet.balance, ProposalRecord.objects.get().outcome, verify_everything()) == (125, "done", [])


@pytest.mark.usefixtures("_two")
class TestTheEndWithoutADeed:
    def test_is_a_rejection_by_another_person(self, ask, bob):
        proposal = ask()
        assert reject(proposal_id=proposal.pk, decided_by=bob, note="too much").outcome == "rejected"
        with pytest.raises(ProposalClosed):
            approve(proposal_id=proposal.pk, approved_by=bob)
        assert limits() == [100]

    def test_is_a_withdrawal_by_the_author_alone(self, ask, ann, bob):
        proposal = ask()
        with pytest.raises(MayNotDecide):
            withdraw(proposal_id=proposal.pk, withdrawn_by=bob)
        assert not ProposalRecord.objects.exists()
        assert withdraw(proposal_id=proposal.pk, withdrawn_by=ann).outcome == "withdrawn"
        with pytest.raises(ProposalClosed):
            approve(proposal_id=proposal.pk, approved_by=bob)
        assert limits() == [100]


@pytest.mark.usefixtures("_two")
class TestTheDatabase:
    @pytest.mark.parametrize("table", ["wallets_proposal", "wallets_proposalrecord"])
    @pytest.mark.parametrize(
        "change", ["UPDATE {table} SET {column} = {column}", "DELETE FROM {table}", "TRUNCATE {table} CASCADE"]
    )
    def test_changes_no_row_even_for_its_owner(self, ask, bob, table, change):
        approve(proposal_id=ask().pk, approved_by=bob)
        column = "reason" if table == "wallets_proposal" else "note"
        with by_owner(), pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            transaction.get_connection().cursor().execute(change.format(table=table, column=column))
        assert ProposalRecord.objects.count() == 1

    def test_lets_the_application_only_lock_a_proposal(self, ask):
        proposal = ask()
        with pytest.raises(DatabaseError, match="append-only"):
            Proposal.objects.filter(pk=proposal.pk).update(id=proposal.pk + 1)
        with pytest.raises(DatabaseError, match="permission denied"):
            Proposal.objects.filter(pk=proposal.pk).update(new="something else")

    @pytest.mark.parametrize("claimed", ["ann", "bob"])
    def test_lets_no_author_approve_whoever_they_say_has_asked(self, ask, ann, bob, claimed):
        proposal, asked_by = ask(), {"ann": ann, "bob": bob}[claimed]
        with pytest.raises(IntegrityError, match="author_and_approver_differ"):
            ProposalRecord.objects.create(
                proposal=proposal, outcome="done", asked_by=asked_by, needs_two=True, decided_by=ann
            )

    @pytest.mark.parametrize("claimed", [True, False])
    def test_wants_a_second_person_whatever_the_record_says(self, ask, ann, claimed):
        with pytest.raises(IntegrityError, match="two_persons_decide_where_two_are_needed"):
            ProposalRecord.objects.create(proposal=ask(), outcome="done", asked_by=ann, needs_two=claimed)

    def test_lets_nobody_decide_about_their_own_gain(self, ask, ann, bob, monkeypatch):
        monkeypatch.setattr(SALES_LIMIT, "beneficiary_id", lambda payload: bob.pk)
        with pytest.raises(IntegrityError, match="nobody_decides_about_their_own_gain"):
            ProposalRecord.objects.create(
                proposal=ask(), outcome="done", asked_by=ann, needs_two=True, decided_by=bob, beneficiary=None
            )

    def test_lets_nobody_propose_their_own_gain(self, ask, ann):
        proposal = ask()
        proposal.pk, proposal.beneficiary = None, ann
        with pytest.raises(IntegrityError, match="nobody_proposes_their_own_gain"):
            proposal.save()

    def test_wants_a_reason(self, ask):
        proposal = ask()
        proposal.pk, proposal.reason = None, ""
        with pytest.raises(IntegrityError, match="a_proposal_has_a_reason"):
            proposal.save()

    def test_wants_an_end_after_the_beginning(self, ask):
        proposal = ask()
        proposal.pk, proposal.expires_at = None, proposal.expires_at.replace(year=2001)
        with pytest.raises(IntegrityError, match="a_proposal_expires_after_it_was_made"):
            proposal.save()

    def test_knows_the_outcomes(self, ask, ann, bob):
        with pytest.raises(IntegrityError, match="outcome_of_a_proposal_is_known"):
            ProposalRecord.objects.create(
                proposal=ask(), outcome="guessed", asked_by=ann, needs_two=True, decided_by=bob
            )

    def test_lets_nothing_be_done_after_the_hours(self, ask, ann, bob):
        proposal = ask()
        _age(proposal)
        with pytest.raises(IntegrityError, match="has expired"):
            ProposalRecord.objects.create(
                proposal=proposal, outcome="done", asked_by=ann, needs_two=True, decided_by=bob
            )

    def test_keeps_one_end_of_a_proposal(self, ask, ann, bob):
        proposal = ask()
        reject(proposal_id=proposal.pk, decided_by=bob, note="no")
        with pytest.raises(IntegrityError):
            ProposalRecord.objects.create(
                proposal=proposal, outcome="done", asked_by=ann, needs_two=True, decided_by=bob
            )


def production(**variables):
    return Configuration._parse({"DEBUG": "False", **variables}).proposals


class TestTheConfiguration:
    def test_names_the_kinds_that_are_registered(self):
        assert set(KINDS) == {name for name, kind in registered_kinds().items() if not kind.only_lessens}

    def test_needs_two_for_all_in_production_and_for_none_in_development(self, settings):
        assert production().kinds.keys() == set(KINDS)
        assert Configuration._parse({"DEBUG": "True"}).proposals.kinds == {}

    @pytest.mark.parametrize(("amount", "needed"), [("1000.00", False), ("1000.01", True), (None, True)])
    def test_lets_one_person_release_small_orders(self, amount, needed):
        assert production().needs_two(kind="release_order", amount=amount and Decimal(amount)) is needed

    def test_needs_two_for_a_deed_of_no_dollars_where_no_amount_is_given(self):
        assert production().needs_two(kind="import", amount=Decimal(0))
        assert not production().needs_two(kind="release_order", amount=Decimal(0))

    @pytest.mark.parametrize(
        "text",
        ["prices", "price_rule:5", "release_order:x", "release_order:-1", "release_order:NaN", "all, everything"],
    )
    def test_refuses_what_it_does_not_know(self, text):
        with pytest.raises(ValueError, match="TWO_PERSONS"):
            production(TWO_PERSONS=text)


def _age(proposal):
    run_as_owner(
        "UPDATE wallets_proposal SET asked_at = asked_at - interval '73 hours',"
        f" expires_at = expires_at - interval '73 hours' WHERE id = {proposal.pk}"
    )
