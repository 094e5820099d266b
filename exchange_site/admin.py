"""The admin as a whole: its names, and a sign-in that is limited like that of the API."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from wallets.callers import client_address
from wallets.exceptions import RateLimited
from wallets.limits import LOGIN, LOGIN_ADDRESS, count_call


class LimitedAuthenticationForm(AdminAuthenticationForm):
    """Counts against the limits of signing in: a password of staff is worth more than a customer's."""

    def clean(self) -> dict[str, Any]:
        assert isinstance(self.request, HttpRequest)
        name = self.cleaned_data.get("username", "")
        try:
            count_call(limit=LOGIN_ADDRESS, caller=client_address(self.request)).ensure_within()
            count_call(limit=LOGIN, caller=name.casefold()).ensure_within()
        except RateLimited as error:
            raise ValidationError(str(error)) from error
        found: dict[str, Any] = super().clean()
        return found


admin.site.site_header = "Crypto Exchange"
admin.site.site_title = "Crypto Exchange"
admin.site.index_title = "Operations"
admin.site.login_form = LimitedAuthenticationForm
