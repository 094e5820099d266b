"""Admin page of the security log."""

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.utils.safestring import SafeString

from wallets.admin.records import RecordAdmin, find_customers, is_id, link_to
from wallets.models import SecurityEvent
from wallets.services.security_log import hash_name


@admin.register(SecurityEvent)
class SecurityEventAdmin(RecordAdmin):
    list_display = ("id", "at", "kind", "realm", "account", "address", "by", "details")
    list_filter = ("kind", "realm")
    list_select_related = ("user", "actor")
    search_fields = ("user",)
    search_help_text = "The whole username, an address, or the id of an entry; also a username that no account has"
    fields = ("at", "kind", "realm", "account", "name_hash", "address", "network", "by", "details")
    readonly_fields = fields

    def find(self, term: str) -> Q:
        if is_id(term):
            return Q(pk=int(term))
        customers = find_customers(term)
        if customers:
            return Q(user_id__in=customers) | Q(actor_id__in=customers)
        return Q(network=term) | Q(address=term) | Q(name_hash=hash_name(term))

    @admin.display(description="Account")
    def account(self, event: SecurityEvent) -> SafeString | str:
        if event.user_id is None:
            return f"unknown name {event.name_hash[:8]}" if event.name_hash else "-"
        return link_to("wallets_user", event.user_id, event.user)

    @admin.display(description="By")
    def by(self, event: SecurityEvent) -> SafeString | str:
        return link_to("wallets_user", event.actor_id, event.actor)

    def get_actions(self, request: Any) -> dict[str, Any]:
        return {}
