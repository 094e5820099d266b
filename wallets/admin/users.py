"""Admin pages of customers and staff."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.forms import AdminPasswordChangeForm as OwnPasswordChangeForm
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from wallets.admin.actions import ask_for_reason, reported
from wallets.admin.names import NewUserForm, UserForm
from wallets.admin.powers import GroupForm, columns_to_save, keep_powers, name_of, wanted_names, wanted_powers
from wallets.admin.proposals import SavedByProposal, ask_to_do, ask_to_save
from wallets.admin.records import QuickAdmin, badge, find_customers, is_id, link_to, link_to_list
from wallets.exceptions import OtpInvalid, OtpRequired
from wallets.models import User, Wallet
from wallets.money import USD
from wallets.runtime import clock
from wallets.services.accounts import open_dollar_wallet, settle_name
from wallets.services.credentials import change_own_password
from wallets.services.customer_names import CUSTOMER_NAME
from wallets.services.proposing import FREEZE, GROUP_DELETION, GROUP_PERMISSIONS, UNFREEZE, USER_POWERS
from wallets.services.recorded_kinds import SEND_LINK
from wallets.services.second_factors import ensure_otp
from wallets.services.security_log import NO_POWERS, record_power_changes
from wallets.usernames import spell_out
from wallets.web.callers import limit_caller
from wallets.web.limits import RESET_LINK


class OwnPasswordForm(OwnPasswordChangeForm):
    """Changes the password of the staff member who is signed in, through `change_own_password`."""

    otp = forms.CharField(
        label="One-time code",
        help_text="If your second factor is on.",
        required=False,
        max_length=32,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}),
    )

    def clean(self) -> dict[str, Any] | None:
        cleaned: dict[str, Any] | None = super().clean()
        if not self.errors:
            try:
                ensure_otp(customer=self.user, code=self.cleaned_data["otp"] or None, now=clock.now())
            except (OtpRequired, OtpInvalid) as error:
                self.add_error("otp", str(error))
        return cleaned

    def set_password_and_save(self, user: User, password_field_name: str = "", commit: bool = True) -> User:  # noqa: FBT001, FBT002  Django's signature
        assert commit
        change_own_password(user=user, password=self.cleaned_data[password_field_name])
        return user


@admin.register(User)
class CustomerAdmin(SavedByProposal, QuickAdmin, UserAdmin):  # type: ignore[type-arg]  # for our User
    list_display = ("username", "email", "wallet", "standing", "is_staff", "date_joined")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_help_text = "The whole username or email address, or an id"
    actions = ("freeze", "unfreeze", "send_reset_link")
    object_actions = ("freeze", "unfreeze", "send_reset_link")
    form = UserForm
    add_form = NewUserForm
    readonly_fields = ("wallet", "standing", "spelling", "records", "proven_email", "last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "wallet", "standing", "records")}),
        ("Personal info", {"fields": ("first_name", "last_name", "email", "proven_email")}),
        *(UserAdmin.fieldsets or ())[2:],
        ("Why the powers or the name change", {"fields": ("reason",)}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("username", "email", "for_staff")}),)
    change_form_template = "wallets/record_change_form.html"

    def user_change_password(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Refuse: staff who set a password know it, and could sign in with it. They send a link instead."""
        raise PermissionDenied

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave out the spelling of an ordinary name, which is empty."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or not spell_out(obj.username):
            return fieldsets
        (title, first), *rest = fieldsets
        name, *others = first["fields"]
        return ((title, {**first, "fields": (name, "spelling", *others)}), *rest)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        dollars = Wallet.objects.filter(owner=OuterRef("pk"), asset=USD)
        users: QuerySet[User] = super().get_queryset(request)
        return users.annotate(
            balance=Subquery(dollars.values("balance")),
            wallet_id=Subquery(dollars.values("pk")),
            is_frozen=Exists(dollars.filter(frozen=True)),
        )

    def find(self, term: str) -> Q:
        found = Q(pk__in=find_customers(term))
        if is_id(term):
            found |= Q(pk=int(term))
        return found | Q(email=term) if "@" in term else found

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        """Save all but powers and names. They stay as they are until `save_related` proposes them."""
        if not change:
            super().save_model(request, obj, form, change)
            if not form.cleaned_data["for_staff"]:
                open_dollar_wallet(owner=obj)
            return
        stored = User.objects.select_for_update(no_key=True).get(pk=obj.pk)
        form.powers, form.names = (wanted(stored, form.cleaned_data) for wanted in (wanted_powers, wanted_names))
        keep_powers(obj, stored=stored, cleaned=form.cleaned_data)
        # Not the whole row: it was read before the lock, and would bring an old password back.
        obj.save(update_fields=columns_to_save(form.changed_data))
        settle_name(user=obj)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        super().save_related(request, form, formsets, change)
        if not change:
            record_power_changes(user=form.instance, before=NO_POWERS)
            return
        asked = {
            USER_POWERS.name: USER_POWERS.payload_of(user=form.instance, new=form.powers),
            CUSTOMER_NAME.name: CUSTOMER_NAME.payload_of(user=form.instance, new=form.names),
        }
        proposals = [
            ask_to_save(page=self, request=request, kind=kind, payload=payload, reason=form.cleaned_data["reason"])
            for kind, payload in asked.items()
            if payload is not None
        ]
        form.waiting = [proposal for proposal in proposals if proposal.needs_two]

    @admin.display(description="Wallet (USD)")
    def wallet(self, user: Any) -> SafeString | str:
        return link_to("wallets_wallet", user.wallet_id, f"{user.balance:,.2f}" if user.wallet_id else None)

    @admin.display(description="Standing")
    def standing(self, user: Any) -> SafeString | str:
        state = "frozen" if user.is_frozen else "active"
        shown = badge(state if user.is_active else "disabled")
        is_clear = user.username_key and user.username_skeleton
        return shown if is_clear else format_html("{} {}", shown, badge("late", "unclear name"))

    @admin.display(description="Unusual characters")
    def spelling(self, user: User) -> str:
        return spell_out(user.username)

    @admin.display(description="Address is proven", boolean=True)
    def proven_email(self, user: User) -> bool:
        return bool(user.verified_email) and user.verified_email == user.email

    @admin.display(description="Records")
    def records(self, user: User) -> SafeString:
        links = [
            link_to_list("trading_order", "orders", customer__id__exact=user.pk),
            link_to_list("wallets_transaction", "transactions", customer__id__exact=user.pk),
            link_to_list("wallets_wallet", "wallets", owner__id__exact=user.pk),
            link_to_list("wallets_securityevent", "security log", user__id__exact=user.pk),
        ]
        if user.is_staff:
            links.append(link_to_list("wallets_securityevent", "what they did to others", actor__id__exact=user.pk))
        return format_html_join(" · ", "{}", ((link,) for link in links))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let only superusers change staff, so that nobody gains rights by the permission to change customers."""
        is_above = obj is not None and (obj.is_staff or obj.is_superuser)
        return super().has_change_permission(request, obj) and (not is_above or _is_superuser(request))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Let nobody change an address: a link for a new password is sent to it."""
        powers = () if _is_superuser(request) else ("is_staff", "is_superuser", "groups", "user_permissions")
        return (*self.readonly_fields, *powers, *(("email",) if obj else ()))

    def has_freeze_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("wallets.freeze_user")

    @admin.action(description="Freeze", permissions=["freeze"])
    def freeze(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        """Stop the chosen customers from moving money, at once."""
        reason = ask_for_reason(
            page=self, request=request, chosen=queryset, action="freeze", title="Freeze these customers"
        )
        if isinstance(reason, HttpResponse):
            return reason
        for user in queryset:
            with reported(page=self, request=request, item=user):
                payload = FREEZE.payload_of(owner_id=user.pk)
                ask_to_do(page=self, request=request, kind=FREEZE.name, payload=payload, reason=reason)
                self._tell(request, user, f"Frozen: {reason}")
        return None

    @admin.action(description="Unfreeze", permissions=["freeze"])
    def unfreeze(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        reason = ask_for_reason(
            page=self, request=request, chosen=queryset, action="unfreeze", title="Unfreeze these customers"
        )
        if isinstance(reason, HttpResponse):
            return reason
        for user in queryset:
            with reported(page=self, request=request, item=user):
                payload = UNFREEZE.payload_of(owner_id=user.pk)
                proposal = ask_to_do(page=self, request=request, kind=UNFREEZE.name, payload=payload, reason=reason)
                done = "Asked to unfreeze" if proposal.needs_two else "Unfrozen"
                self._tell(request, user, f"{done}: {reason}")
        return None

    @admin.action(description="Send a link for a new password", permissions=["change"])
    def send_reset_link(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        """Let the chosen users choose a new password, by a link that only they read."""
        title = "Send a link for a new password"
        reason = ask_for_reason(page=self, request=request, chosen=queryset, action="send_reset_link", title=title)
        if isinstance(reason, HttpResponse):
            return reason
        limit_caller(request, RESET_LINK, caller=str(request.user.pk))
        for user in queryset:
            with reported(page=self, request=request, item=user):
                payload = SEND_LINK.payload_of(user=user)
                ask_to_do(page=self, request=request, kind=SEND_LINK.name, payload=payload, reason=reason)
                self.log_change(request, user, f"Link for a new password sent: {reason}")
                self.message_user(request, f"A link is sent to {user}.")
        return None

    def _tell(self, request: HttpRequest, user: User, done: str) -> None:
        """Record what was done to a user, and say it: `Frozen: a reason` becomes `Frozen: the user`."""
        self.log_change(request, user, done)
        self.message_user(request, f"{done.split(':', maxsplit=1)[0]}: {user}")


admin.site.unregister(Group)


@admin.register(Group)
class GroupPowersAdmin(SavedByProposal, GroupAdmin):
    """Django's own page of groups, which here proposes the permissions that a group gains or loses."""

    form = GroupForm
    actions = ("delete_groups",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and _is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and _is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Offer no page that deletes without a reason: the action asks for one."""
        return False

    def has_remove_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("auth.delete_group") and _is_superuser(request)

    @admin.action(description="Delete", permissions=["remove"])
    def delete_groups(self, request: HttpRequest, queryset: QuerySet[Group]) -> HttpResponse | None:
        """Delete the chosen groups, whose members lose the permissions at once."""
        title = "Delete these groups"
        reason = ask_for_reason(page=self, request=request, chosen=queryset, action="delete_groups", title=title)
        if isinstance(reason, HttpResponse):
            return reason
        for group in queryset:
            with reported(page=self, request=request, item=group):
                payload = GROUP_DELETION.payload_of(group=group)
                ask_to_do(page=self, request=request, kind=GROUP_DELETION.name, payload=payload, reason=reason)
                self.message_user(request, f"{group} is deleted.")
        return None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Let nobody rename a group: superusers who approve powers read its name."""
        return (*self.readonly_fields, "name") if obj else self.readonly_fields

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        wanted = [name_of(permission) for permission in form.cleaned_data["permissions"]]
        form.cleaned_data["permissions"] = form.instance.permissions.all()
        super().save_related(request, form, formsets, change)
        payload = GROUP_PERMISSIONS.payload_of(group=form.instance, new=wanted)
        if payload is not None:
            reason, kind = form.cleaned_data["reason"], GROUP_PERMISSIONS.name
            proposal = ask_to_save(page=self, request=request, kind=kind, payload=payload, reason=reason)
            form.waiting = [proposal] if proposal.needs_two else []


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)
