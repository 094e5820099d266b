"""Admin page of the security log."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from django.contrib import admin
from django.db.models import Q
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from wallets.admin.records import RecordAdmin, badge, find_customers, is_id, link_to, link_to_list
from wallets.models import SecurityEvent
from wallets.services.security_log import hash_name

_WORDS: Final = {"is_staff": "staff", "is_superuser": "superuser"}


@admin.register(SecurityEvent)
class SecurityEventAdmin(RecordAdmin):
    list_display = ("at", "what", "account", "by", "address_link", "realm")
    list_filter = ("kind", "realm", "at")
    list_select_related = ("user", "actor")
    search_fields = ("user",)
    search_help_text = "The whole username, an address, or the id of an entry; also a username that no account has"
    fields = ("id", "at", "what", "realm", "account", "name_hash", "address_link", "network_link", "by")
    readonly_fields = fields

    def find(self, term: str) -> Q:
        if is_id(term):
            return Q(pk=int(term))
        customers = find_customers(term)
        if customers:
            return Q(user_id__in=customers) | Q(actor_id__in=customers)
        return Q(network=term) | Q(address=term) | Q(name_hash=hash_name(term))

    @admin.display(description="What")
    def what(self, event: SecurityEvent) -> SafeString:
        """Name the kind of the event, and its details below."""
        lines = [badge(event.kind, event.get_kind_display()), *_read_out(event.details)]
        return format_html_join(SafeString("<br>"), "{}", ((line,) for line in lines))

    @admin.display(description="Account")
    def account(self, event: SecurityEvent) -> SafeString | str:
        """Link to the account, or to all attempts with the same name that no account has."""
        if event.user_id:
            return link_to("wallets_user", event.user_id, event.user)
        name = f"unknown name {event.name_hash[:8]}"
        return _link_to_same("name_hash", event.name_hash, name) if event.name_hash else "-"

    @admin.display(description="Address")
    def address_link(self, event: SecurityEvent) -> SafeString | str:
        return _link_to_same("address", event.address)

    @admin.display(description="Network")
    def network_link(self, event: SecurityEvent) -> SafeString | str:
        return _link_to_same("network", event.network)

    @admin.display(description="By")
    def by(self, event: SecurityEvent) -> SafeString | str:
        return link_to("wallets_user", event.actor_id, event.actor)

    def get_actions(self, request: Any) -> dict[str, Any]:
        return {}


def _link_to_same(field: str, value: str, text: str | None = None) -> SafeString | str:
    """Return a link to the entries that have the same value in a field."""
    return link_to_list("wallets_securityevent", text or value, **{field: value}) if value else "-"


def _read_out(details: Mapping[str, Any]) -> Iterator[str]:
    """Return an entry's details in words: `permissions: + wallets.freeze_user`."""
    rest = dict(details)
    if rest.pop("others_may_be_missing", False):
        yield "the last entry of this kind that the minute has room for: more may have happened"
    if "group" in rest:
        yield f"group {rest.pop('group')}"
    if rest.keys() >= {"old", "new"}:
        yield _change(rest.pop("old"), rest.pop("new"))
    for name, value in rest.items():
        is_change = isinstance(value, Mapping) and value.keys() == {"old", "new"}
        yield f"{_WORDS.get(name, name)}: {_change(value['old'], value['new']) if is_change else value}"


def _change(old: Any, new: Any) -> str:
    """Return what was added to and taken from a list, or the old and the new value of anything else."""
    if isinstance(old, list) and isinstance(new, list):
        return ", ".join([*_signed("+", new, old), *_signed("\N{MINUS SIGN}", old, new)])
    return f"{_word(old)} \N{RIGHTWARDS ARROW} {_word(new)}"


def _signed(sign: str, names: Iterable[object], without: Iterable[object]) -> Iterator[str]:
    return (f"{sign} {name}" for name in names if name not in without)


def _word(value: object) -> object:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
