"""Which orders of the venue are adopted, and which are not. The venue is on paper; see also test_restoring.py."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from model_bakery import baker

from settlement.models import Attempt, AttemptState, Finding, FindingDecision, FindingKind
from settlement.services.adopting import CannotAdopt, UnknownOrder, adopt, carry_out_decision, list_unknown
from settlement.services.findings import decide_about_order, name_stranger
from settlement.services.reconciling.judging import Comparison, judge_stranger
from settlement.venues.protocol import OrderNotFound, Unknown
from tests.conftest import make_coin
from tests.settlement.conftest import attempts, states
from tests.settlement.paper_venue import PaperVenue, executed
from trading.models import Coin
from wallets.models import Wallet, WalletRole

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books_balance", "coin")]

NAME = "ce" + "0" * 32
SENT = {
    "quantity": Decimal(15),
    "limit_price": Decimal("4.2"),
    "budget": Decimal(100),
    "clock_offset": timedelta(0),
    "signed_at": "2026-01-01T00:00Z",
    "valid_until": "2026-01-01T00:00Z",
}
ENDED = {"ended_at": "2026-01-01T00:01Z"}


@pytest.fixture
def venue():
    return PaperVenue()


@pytest.fixture
def attempt(place, claim):
    """An attempt to buy 15 coins for an order of 60 dollars, which was never sent as far as we know."""
    place("60.00")
    claim()
    return Attempt.objects.get()


def order(*, name=NAME, number="1", quantity="5", cost="20", coin="ABAN"):
    return UnknownOrder(
        venue="binance",
        coin_name=coin,
        client_order_id=name,
        venue_order_id=number,
        quantity=Decimal(quantity),
        cost=None if cost is None else Decimal(cost),
    )


def unknown(venue, coin="ABAN"):
    """Return the venue's numbers of the orders that our books lack."""
    listed = [listed for name, _, listed in venue.orders if name == coin]
    return [each.venue_order_id for each in list_unknown(venue="binance", coin_name=coin, listed=listed)]


def change(attempt, **values):
    Attempt.objects.filter(pk=attempt.pk).update(**values)
    attempt.refresh_from_db()


def fill(attempt, *, number):
    """Let an attempt be filled with coins that are booked, as the venue's order of this number."""
    answer = executed(number, quantity="15.02", cost="60.08", asked=Decimal("15.02"))
    fallen = order(name=attempt.client_order_id, number=number, quantity="15.02", cost="60.08")
    adopt(order=fallen, venue=PaperVenue(answers={number: answer}), note="x")
    attempt.refresh_from_db()
    assert (attempt.state, attempt.venue_order_id) == (AttemptState.FILLED, number)


def inventory(coin="ABAN"):
    return Wallet.objects.get(role=WalletRole.INVENTORY, asset=coin).balance


def extras():
    return Finding.objects.filter(kind=FindingKind.EXTRA).order_by("id")


class TestAListedOrder:
    def test_that_bought_coins_and_has_no_attempt_is_unknown(self, venue):
        venue.have(NAME)
        venue.have("ce1", number="2", quantity="0", cost="0")
        venue.have("ce2", number="3")
        assert unknown(venue) == ["1", "3"]

    def test_of_an_attempt_that_was_never_sent_is_unknown(self, venue, attempt):
        venue.have(attempt.client_order_id)
        assert unknown(venue) == ["1"]

    @pytest.mark.parametrize("state", [AttemptState.SENT, AttemptState.PARKED, AttemptState.NOT_PLACED])
    def test_of_an_attempt_that_was_sent_is_looked_up_anyhow(self, venue, attempt, state):
        change(attempt, state=state, **SENT, **({} if state == AttemptState.SENT else ENDED))
        venue.have(attempt.client_order_id)
        assert unknown(venue) == []

    def test_is_unknown_if_the_attempts_id_belongs_to_another_order(self, venue, attempt):
        change(attempt, state=AttemptState.PARKED, venue_order_id="1", **SENT, **ENDED)
        venue.have(attempt.client_order_id)
        venue.have(attempt.client_order_id, number="2")
        assert unknown(venue) == ["2"]

    def test_of_a_filled_attempt_is_known_under_any_name(self, venue, attempt):
        fill(attempt, number="1")
        venue.have("another name")
        assert unknown(venue) == []

    def test_is_unknown_if_its_number_is_that_of_an_attempt_that_bought_nothing(self, venue, attempt):
        change(attempt, state=AttemptState.EMPTY, venue_order_id="1", **SENT, **ENDED)
        venue.have("another name")
        assert unknown(venue) == ["1"]

    def test_is_unknown_if_its_number_is_that_of_another_coins_order(self, venue, attempt):
        fill(attempt, number="1")
        make_coin("OTHER", "4.00")
        venue.have("another name", coin="OTHER")
        assert unknown(venue, "OTHER") == ["1"]

    @pytest.mark.parametrize("kind", [FindingKind.EXTRA, FindingKind.MISSING])
    def test_is_left_out_once_staff_have_decided_about_it(self, venue, admin_user, coin, kind):
        listed = venue.have(NAME)
        venue.have("ce2", number="2")
        closed = {"closed_by": admin_user, "closed_at": timezone.now(), "note": "not ours"}
        find(coin, listed, kind=kind, **closed)
        assert unknown(venue) == (["2"] if kind == FindingKind.EXTRA else ["1", "2"])

    @pytest.mark.parametrize("closed", [{}, {"closed_at": "2026-01-01T00:00Z"}])
    def test_is_unknown_while_staff_have_not_decided(self, venue, coin, closed):
        find(coin, venue.have(NAME), **closed)
        assert unknown(venue) == ["1"]


def find(coin, listed, *, kind=FindingKind.EXTRA, **fields):
    subject = name_stranger(client_order_id=listed.client_order_id, venue_order_id=listed.venue_order_id)
    return baker.make(Finding, kind=kind, coin=coin, subject=subject, amount=listed.quantity, **fields)


class TestAnUnknownOrder:
    def test_is_told_with_its_figures_as_far_as_they_are_known(self):
        assert str(order()) == f"order {NAME} 1, of ABAN at binance: 5 for 20"
        assert str(order(cost=None)) == f"order {NAME} 1, of ABAN at binance: 5"


class TestAdopting:
    @pytest.mark.parametrize("cost", ["20", None], ids=["listed with a cost", "with a cost that is not known"])
    def test_books_coins_and_cost_and_says_so_in_a_closed_finding(self, venue, cost):
        venue.have(NAME)
        attempt = adopt(order=order(cost=cost), venue=venue, note="why")
        assert (attempt.client_order_id, attempt.batch, attempt.cost, inventory()) == (NAME, None, 20, 5)
        [finding] = extras()
        assert (finding.note, finding.attempt, finding.closed_by) == ("why", attempt, None)
        assert finding.closed_at
        assert finding.theirs == ("5" if cost is None else "5 for 20")

    def test_is_done_once(self, venue):
        venue.have(NAME)
        first = adopt(order=order(), venue=venue, note="x")
        assert adopt(order=order(), venue=venue, note="x") is None
        assert (attempts(), inventory()) == ([first], 5)

    def test_books_two_orders_with_one_id_and_closes_a_finding_about_each(self, venue):
        venue.have(NAME)
        venue.have(NAME, number="2", quantity="7", cost="28")
        adopt(order=order(), venue=venue, note="x")
        second = adopt(order=order(number="2", quantity="7", cost="28"), venue=venue, note="x")
        assert (second.venue_order_id, second.executed, inventory()) == ("2", 7, 12)
        assert [finding.theirs for finding in extras().exclude(closed_at=None)] == ["5 for 20", "7 for 28"]

    def test_books_orders_of_two_coins_that_have_one_number(self, venue):
        make_coin("OTHER", "4.00")
        for name, coin in ((NAME, "ABAN"), ("ce2", "OTHER")):
            for number in ("1", "2"):
                venue.have(name, coin=coin, number=number)
                assert adopt(order=order(name=name, coin=coin, number=number), venue=venue, note="x").coin.name == coin
        assert (inventory(), inventory("OTHER"), len(attempts())) == (10, 10, 4)

    def test_makes_a_coin_that_is_missing_and_does_not_sell_it(self, venue):
        venue.have(NAME, coin="GONE")
        adopt(order=order(coin="GONE"), venue=venue, note="x")
        assert (Coin.objects.get(name="GONE").is_sold, inventory("GONE")) == (False, 5)

    @pytest.mark.parametrize(
        ("was", "told", "reason"),
        [
            ({}, {"status": "open", "final": False}, "still open"),
            ({"coin": "no name"}, {}, "no name for a coin"),
            ({}, {"cost": "0"}, "for nothing"),
            ({}, {"asked": None}, "does not say what was asked for"),
            ({"quantity": "0", "cost": None}, {"quantity": "0", "cost": "0", "status": "canceled"}, "bought nothing"),
            ({"quantity": "6", "cost": None}, {}, "listed with 6 coins, and found with 5"),
            ({"quantity": "4", "cost": None}, {}, "listed with 4 coins, and found with 5"),
            ({"number": "2"}, {}, "listed with 5 coins"),
            ({"cost": "20.00000001"}, {}, "listed with a cost of 20.00000001, and found with 20"),
            ({}, {"cost": "20.40000001"}, "listed with a cost of 20, and found with 20.40000001"),
        ],
    )
    def test_refuses_what_cannot_be_true_and_books_nothing(self, venue, was, told, reason):
        asked = {"asked": Decimal(5), "limit_price": Decimal("4.1")}
        answer = executed(**{**asked, **told})
        venue.answers = {"1": answer, "2": answer}
        with pytest.raises(CannotAdopt, match=reason):
            adopt(order=order(**was), venue=venue, note="x")
        assert (attempts(), inventory()) == ([], 0)
        findings = [(finding.closed_at, finding.ours) for finding in extras()]
        if was.get("coin"):
            assert (findings, Coin.objects.count()) == ([], 1)
        else:
            assert [(closed, reason in ours) for closed, ours in findings] == [(None, True)]

    @pytest.mark.parametrize("commission", ["0", "0.4"])
    def test_accepts_a_cost_with_the_commission_that_a_list_leaves_out(self, venue, commission):
        venue.answers["1"] = executed(cost=Decimal(20) + Decimal(commission), quote_commission=Decimal(commission))
        assert adopt(order=order(), venue=venue, note="x").cost == Decimal(20) + Decimal(commission)

    @pytest.mark.parametrize("answer", [OrderNotFound(), Unknown(reason="away")])
    def test_needs_an_answer(self, venue, answer):
        venue.answers["1"] = answer
        with pytest.raises(CannotAdopt):
            adopt(order=order(), venue=venue, note="x")
        assert (attempts(), inventory(), extras().get().closed_at) == ([], 0, None)


class TestAdoptingTheOrderOfAnAttempt:
    @pytest.fixture
    def own(self, attempt, venue):
        venue.have(attempt.client_order_id, quantity="15.02", cost="60.08")
        return order(name=attempt.client_order_id, quantity="15.02", cost="60.08")

    def test_that_waits_completes_its_orders(self, attempt, own, venue):
        assert adopt(order=own, venue=venue, note="x") == attempt
        attempt.refresh_from_db()
        assert (attempt.state, states(), len(attempts())) == (AttemptState.FILLED, ["completed"], 1)

    @pytest.mark.parametrize("state", [AttemptState.NOT_PLACED, AttemptState.REFUSED])
    @pytest.mark.parametrize("was_sent", [False, True])
    def test_that_was_given_up_books_it_late(self, attempt, own, venue, state, was_sent):
        sent = {**SENT, "quantity": Decimal("15.02")} if was_sent else {}
        change(attempt, state=state, **sent, **ENDED)
        assert adopt(order=own, venue=venue, note="x") == attempt
        attempt.refresh_from_db()
        assert (attempt.state, states(), len(attempts())) == (AttemptState.FILLED, ["completed"], 1)
        late = Finding.objects.get(kind=FindingKind.LATE_FILL)
        assert (late.closed_at is None) == was_sent, "staff look at a late fill, unless we forgot that it was sent"

    @pytest.mark.parametrize("state", [AttemptState.SENT, AttemptState.PARKED])
    def test_that_is_looked_up_anyhow_books_nothing(self, attempt, own, venue, state):
        change(attempt, state=state, **SENT, **({} if state == AttemptState.SENT else ENDED))
        with pytest.raises(CannotAdopt, match=f"its attempt is {state}, and settlement looks it up"):
            adopt(order=own, venue=venue, note="x")
        attempt.refresh_from_db()
        assert (attempt.state, inventory(), len(attempts())) == (state, 0, 1)

    def test_that_ended_without_coins_makes_another_attempt(self, attempt, own, venue):
        change(attempt, state=AttemptState.EMPTY, venue_order_id="9", **SENT, **ENDED)
        adopted = adopt(order=own, venue=venue, note="x")
        assert (adopted.venue_order_id, adopted.batch, states()) == ("1", None, ["completed"])
        assert adopted != attempt

    def test_of_another_coin_books_nothing(self, attempt, own, venue):
        make_coin("OTHER", "4.00")
        venue.have(attempt.client_order_id, coin="OTHER", number="2")
        with pytest.raises(CannotAdopt, match="its id is that of a purchase of ABAN"):
            adopt(order=order(name=attempt.client_order_id, number="2", coin="OTHER"), venue=venue, note="x")
        attempt.refresh_from_db()
        assert (attempt.state, inventory("OTHER"), extras().get().closed_at) == (AttemptState.NEW, 0, None)

    def test_beside_a_purchase_of_another_coin_changes_that_one_not(self, attempt, venue):
        make_coin("OTHER", "4.00")
        venue.have(NAME, coin="OTHER")
        adopt(order=order(coin="OTHER"), venue=venue, note="x")
        attempt.refresh_from_db()
        assert (attempt.state, inventory("OTHER")) == (AttemptState.NEW, 5)

    def test_leaves_other_attempts_and_findings_alone(self, attempt, own, venue, coin, admin_user):
        other = find(coin, venue.have("ce2", number="2"))
        late = find(coin, venue.have("ce3", number="3"), kind=FindingKind.LATE_FILL)
        change(attempt, state=AttemptState.NOT_PLACED, **ENDED)
        adopt(order=own, venue=venue, note="x")
        for finding in (other, late):
            finding.refresh_from_db()
        assert (other.closed_at, late.closed_at) == (None, None)


class TestADecisionOfStaff:
    @pytest.fixture
    def finding(self, coin, venue):
        return find(coin, venue.have(NAME))

    def decide(self, finding, admin_user, decision=FindingDecision.ADOPT):
        now = timezone.now()
        assert decide_about_order(finding=finding, decision=decision, decided_by=admin_user, note="ours", now=now)

    def test_to_adopt_is_carried_out_once_and_closed_in_their_name(self, finding, venue, admin_user):
        self.decide(finding, admin_user)
        for _ in range(2):
            carry_out_decision(finding_id=finding.pk, get_venue=lambda _: venue)
        finding.refresh_from_db()
        assert (finding.closed_by, finding.note, finding.attempt) == (admin_user, "ours", Attempt.objects.get())
        assert (inventory(), extras().count(), venue.calls["1"]) == (5, 1, 1)

    def test_is_about_the_figures_that_they_have_seen(self, attempt, venue, coin, admin_user, now):
        """Reconciliation, which runs before the worker does, must not put others in their place."""
        change(attempt, state=AttemptState.NOT_PLACED, **ENDED)
        listed = venue.have(attempt.client_order_id, quantity="15.02", cost="45.06")
        found = find(coin, listed, theirs="15.02 for 60.08")
        self.decide(found, admin_user)
        run = Comparison(coin=coin, venue=venue, since=now, now=now, settled_before=now)
        judge_stranger(run=run, stranger=listed)
        assert run.raised == {found.pk}
        carry_out_decision(finding_id=found.pk, get_venue=lambda _: venue)
        found.refresh_from_db()
        assert (found.theirs, found.closed_at, inventory()) == ("15.02 for 60.08", None, 0)

    def test_is_waited_for(self, finding, venue):
        carry_out_decision(finding_id=finding.pk, get_venue=lambda _: venue)
        assert (attempts(), venue.calls) == ([], {})

    def test_that_an_order_is_not_ours_adopts_nothing(self, finding, venue, admin_user):
        self.decide(finding, admin_user, FindingDecision.NOT_OURS)
        carry_out_decision(finding_id=finding.pk, get_venue=lambda _: venue)
        assert (attempts(), venue.calls) == ([], {})

    def test_is_about_one_finding(self, finding, venue, coin, admin_user):
        other = find(coin, venue.have("ce2", number="2", quantity="7", cost="28"))
        for each in (finding, other):
            self.decide(each, admin_user)
        carry_out_decision(finding_id=other.pk, get_venue=lambda _: venue)
        finding.refresh_from_db()
        assert (inventory(), finding.closed_at) == (7, None)

    def test_about_an_order_without_a_coin_is_left_to_them(self, venue, admin_user):
        finding = find(None, venue.have(NAME))
        self.decide(finding, admin_user)
        carry_out_decision(finding_id=finding.pk, get_venue=lambda _: venue)
        finding.refresh_from_db()
        assert (finding.closed_at, finding.decision, attempts()) == (None, FindingDecision.ADOPT, [])

    @pytest.mark.parametrize("state", [AttemptState.NEW, AttemptState.NOT_PLACED])
    def test_has_an_attempts_order_booked_that_cost_far_less_than_its_ask(
        self, attempt, venue, coin, admin_user, state
    ):
        if state != AttemptState.NEW:
            change(attempt, state=state, **ENDED)
        listed = venue.have(attempt.client_order_id, quantity="15.02", cost="45.06")
        found = find(coin, listed, theirs="15.02 for 45.06")
        with pytest.raises(CannotAdopt, match=r"cost 45\.06 for 15\.02, at least"):
            adopt(order=order(name=attempt.client_order_id, quantity="15.02", cost="45.06"), venue=venue, note="x")
        attempt.refresh_from_db()
        assert (attempt.state, inventory()) == (state, 0)
        self.decide(found, admin_user)
        carry_out_decision(finding_id=found.pk, get_venue=lambda _: venue)
        found.refresh_from_db()
        attempt.refresh_from_db()
        assert (attempt.state, attempt.cost, found.closed_by) == (AttemptState.FILLED, Decimal("45.06"), admin_user)
        assert states() == ["completed"]

    def test_has_no_lower_cost_booked_than_they_have_seen(self, attempt, venue, coin, admin_user):
        listed = venue.have(attempt.client_order_id, quantity="15.02", cost="45.06")
        found = find(coin, listed, theirs="15.02 for 60.08")
        self.decide(found, admin_user)
        carry_out_decision(finding_id=found.pk, get_venue=lambda _: venue)
        found.refresh_from_db()
        attempt.refresh_from_db()
        assert (attempt.state, found.decision, inventory()) == (AttemptState.NEW, "", 0)
        assert found.ours.startswith("not adopted: cost 45.06 for 15.02, at least")

    def test_is_asked_for_again_if_the_order_cannot_be_adopted(self, finding, venue, coin, admin_user):
        other = find(coin, venue.have("ce2", number="2"))
        for each in (finding, other):
            self.decide(each, admin_user)
        venue.answers["1"] = OrderNotFound()
        carry_out_decision(finding_id=finding.pk, get_venue=lambda _: venue)
        finding.refresh_from_db()
        other.refresh_from_db()
        assert (finding.decision, finding.decided_by, finding.closed_at) == ("", None, None)
        assert finding.ours == "not adopted: the venue does not find it any more"
        assert other.decision == FindingDecision.ADOPT
