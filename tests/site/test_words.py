"""One word for one thing: words that are no longer used, and the files that may still have them."""

import re
from fnmatch import fnmatch

import pytest

from exchange_site.stack.processes import PROJECT
from tests.ci_scripts import load

# A pattern, the word to use instead, and the files that may match: names on the wire, in the database or outside.
GIVEN_UP = [
    (r"\borders_wait\b", "request_claim", []),
    (r"\bis_of_calls\b", "stops_all_calls", ["settlement/models/pauses.py", "settlement/sql/*", "docs/glossary.md", "exchange_site/database/grants.py", "tests/settlement/test_pausing.py"]),
    (r"\bfind_pause_of_calls\b", "ask_to_call", []),
    (r"\bpause_for_silence\b", "pause_after_no_answer", []),
    (r"\bforget_trouble\b", "lift_automatic_pauses", []),
    (r"\bgive_up_looking\b", "presume_not_placed", []),
    (r"\bbook_what_was_bought_after_all\b", "book_late_fills", []),
    (r"\b_is_to_be_left_alone\b", "_is_being_settled", []),
    (r"\bpush_standing_attempts\b", "nudge_stalled_attempts", []),
    (r"\b_told\b", "_as_record", []),
    (r"\b_marked\b", "_attempt_in_question", []),
    (r"\b[Dd]oubted\b", "suspect", []),
    (r"\bAnybody\b(?= *[(:,\]])", "AnonymousCaller", []),
    (r"\bclosed_at = 0\.0|\bself\.closed_at\b", "retry_at", []),
    (r"\bMOST_OF_A_KIND\b|\bMOST_CHOSEN\b", "MAX_PER_KIND, MAX_CHOSEN", []),
    (r"\bletting_go\b|\blet_go_of_the_database\b", "connections", []),
    (r"\b(ask_again|_ask_later|look_again|LOOK_AGAIN)\b", "look_up, recheck", ["settlement/models/interventions.py", "tests/site/test_admin.py", "tests/site/test_one_person.py"]),
    (r"\bPriceReading\b", "PriceChange", []),
    (r"\bpricereading\b", "pricechange", ["trading/models/prices.py"]),
    (r"\blist_coin\b|\bset_on_sale\b", "put_on_sale, stop_selling, sell_again", []),
    (r"\bread_offer\b|\bget_offer\b", "load_offer", []),
    (r"\btrading[./]events\b", "trading/jobs", []),
    (r"\btrading[./](prices|pricing|aggregation)\b", "offers, rounding, pool_rules", []),
    (r"\bsettlement[./](exchanges|attention|letting_go)\b", "venues, to_do, connections", []),
    (r"\bsettlement[./]services[./](booking|pricing)\b", "outcomes, batches, price_feed", []),
    (r"\bexchange_site[./](development|benchmark|history|operators)\b", "stack, tests/benchmark, admin/to_do", []),
    (r"\bwallets[./](http|limit_cache|record_admin|callers|redis_store)\b", "web, runtime, admin/records", []),
    (r"\bkey\.key\b", "key.value", []),
    (r"(?<!_)\btotal_price\b", "charge", ["docs/*", "trading/api/*", "trading/schemas/*", "trading/models/orders.py", "*/sql/*", "README.md", "tests/*", "clients/*", "exchange_site/stack/demo/*", "exchange_site/api/story.py", "exchange_site/templates/exchange_site/home.html"]),
    (r"\bis_aggregated\b", "is_pooled", ["docs/*", "trading/api/*", "trading/schemas/*", "trading/models/orders.py", "*/sql/*", "tests/*", "exchange_site/stack/demo/*", "exchange_site/api/story.py", "exchange_site/templates/exchange_site/home.html"]),
    (r"\bAGGREGATED\b", "POOLED", []),
    (r"\boperators' list\b|\boperator's list\b", "to-do page", []),
    (r"(?<![_/`])\battention\b", "to do", ["docs/glossary.md", "exchange_site/urls.py", "tests/site/test_admin.py", "deploy/prometheus/*"]),
    (r"\b[Ww]ish(es)?\b", "order_request", []),
    (r"\bpools\.count\b", "pools.add", []),
    (r"^Answer = |-> Answer\b|: Answer\b|\[Answer\b", "Body, VenueAnswer, GetResponse", []),
    (r"class NotFound\b", "OrderNotFound, of the venue", ["wallets/exceptions.py"]),
    (r"def (pause|resume)\(", "stop_selling, sell_again; a pause is of buying", []),
    (r"\b(batch|Batch|parked)\.losses\b|\bname_losses\b|\bend_lost\b", "denials", []),
    (r"\b_GIVEN_UP\b|\b_IN_DOUBT\b", "GIVEN_UP, UNDECIDED, IN_DOUBT of settlement.models", []),
    (r"\bhimself\b|\bhis\b|\bherself\b", "themselves, their", []),
    (r"\bon demand\. Harmless\b", "on request. Safe to run again.", []),
]  # fmt: skip


def own_texts():
    endings = (".py", ".md", ".html", ".sql", ".yml", ".toml", ".env", ".css")
    ours = map(str, load("own_files").list_own_files(PROJECT, *endings))
    without = {"CHANGELOG.md", "tests/site/test_words.py", "exchange_site/database/baseline.sql"}
    return [name for name in ours if "/migrations/" not in name and name not in without]


TEXTS = {name: (PROJECT / name).read_text() for name in own_texts()}


def places(pattern, *, allowed=()):
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in TEXTS.items()
        # Most texts have no such word, which one search of the whole text tells quicker than one of each line.
        if re.search(pattern, text, re.MULTILINE) and not any(fnmatch(name, each) for each in allowed)
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(pattern, line)
    ]


@pytest.mark.parametrize(("pattern", "instead", "allowed"), GIVEN_UP, ids=[pattern for pattern, _, _ in GIVEN_UP])
def test_a_word_that_is_no_longer_used_is_only_in_allowed_files(pattern, instead, allowed):
    assert places(pattern, allowed=allowed) == [], f"say {instead}"


class TestTheCounterparty:
    """Its name is venue. `exchange` is this product, and a part of names of variables, metrics and the wire."""

    ALLOWED = r"exchange_site|ccxt\.exchanges|exchange_simulator|[Ee]xchange simulator|[Cc]rypto[- _][Ee]xchange|EXCHANGE_|\"exchange_|refused_by_the_exchange|exchanges/|not_listed_at_the_exchange|crypto_exchange|`exchange_\w+`|[Ee]xchanges? (username|a )|(been|is) exchanged for|been exchanged|[Ee]xchange (the|a) (refresh )?token|is exchanged"

    @pytest.mark.parametrize("app", ["wallets", "trading", "settlement"])
    def test_is_called_venue_in_the_code(self, app):
        found = [
            place
            for place in places(r"[Ee]xchange")
            if place.startswith(f"{app}/") and re.search(r"[Ee]xchange", re.sub(self.ALLOWED, "", place))
        ]
        assert found == []


class TestFindings:
    def test_are_named_only_in_reconciliation(self):
        """Rules of the ledger have violations instead, and reviews have grounds."""
        rooms = ("wallets/", "trading/")
        found = [place for place in places(r"\b[Ff]inding") if place.startswith(rooms)]
        assert [place for place in found if 'db_column="finding"' not in place] == []
