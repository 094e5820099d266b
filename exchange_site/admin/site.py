"""The admin's titles, and its sign-in, which is limited like the API's sign-in."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import ValidationError
from django.forms import CharField, TextInput
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from wallets.admin.users import OwnPasswordForm
from wallets.exceptions import RateLimited
from wallets.usernames import account_named
from wallets.web.callers import client_address
from wallets.web.limits import LOGIN, LOGIN_ADDRESS, Limit, count_call


class LimitedAuthenticationForm(AdminAuthenticationForm):
    """Count attempts against the API's sign-in limits: a staff password is worth more than a customer's.

    Names are taken as they are typed; Django's own field would normalise them.
    """

    username = CharField(widget=TextInput(attrs={"autofocus": True}), strip=False)

    def clean(self) -> dict[str, Any]:
        assert isinstance(self.request, HttpRequest)
        name = self.cleaned_data.get("username", "")
        try:
            self._count(LOGIN_ADDRESS, caller=client_address(self.request))
            self._count(LOGIN, caller=account_named(name))
        except RateLimited as error:
            raise ValidationError(str(error)) from error
        found: dict[str, Any] = super().clean()
        return found

    def _count(self, limit: Limit, *, caller: str) -> None:
        [usage] = count_call(limits=[limit], caller=caller)
        usage.ensure_within()


admin.site.site_header = "Crypto Exchange"
admin.site.site_title = "Crypto Exchange"
admin.site.index_title = "Operations"
admin.site.login_form = LimitedAuthenticationForm


def change_own_password(request: HttpRequest) -> HttpResponseBase:
    """Show Django's password page with a form that also ends all tokens issued before."""
    view = PasswordChangeView.as_view(
        form_class=OwnPasswordForm,
        success_url=reverse("admin:password_change_done"),
        extra_context=admin.site.each_context(request),
    )
    return view(request)
