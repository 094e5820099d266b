"""The admin's titles, and its sign-in, which is limited like the API's sign-in, with counters of its own."""

from typing import Any, Final

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.signals import user_logged_in
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import ValidationError
from django.forms import CharField, TextInput
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from wallets.admin.users import OwnPasswordForm
from wallets.exceptions import InvalidCredentials, OtpInvalid, OtpRequired, RateLimited, SecondFactorMissing
from wallets.models import User
from wallets.runtime import clock
from wallets.services.addresses import remember_address
from wallets.services.second_factors import ensure_otp_of_staff
from wallets.services.security_log import record_failed_sign_in
from wallets.web.addresses import client_address
from wallets.web.callers import limit_address, limit_caller
from wallets.web.limits import OWN_PASSWORD, STAFF_LOGIN_ADDRESS
from wallets.web.signing_in import OF_STAFF, counted_sign_in, uncounted_if_busy

_GAVE_CODE: Final = "gave_second_factor"


class LimitedAuthenticationForm(AdminAuthenticationForm):
    """Limit attempts as the API does, and count them apart: failures there must not keep staff out of the admin.

    Names are taken as they are typed; Django's own field would normalise them.
    """

    username = CharField(widget=TextInput(attrs={"autofocus": True}), strip=False)
    otp = CharField(
        label="One-time code, if your second factor is on:",
        label_suffix="",
        required=False,
        max_length=32,
        widget=TextInput(attrs={"autocomplete": "one-time-code"}),
    )

    def clean(self) -> dict[str, Any]:
        assert isinstance(self.request, HttpRequest)
        try:
            with counted_sign_in(self.request, username=self.cleaned_data.get("username", ""), limits=OF_STAFF):
                found: dict[str, Any] = super().clean()
                self._check_second_factor()
                self._remember_address(self.request)
        except RateLimited as error:
            message = f"Too many calls. Try again in {error.retry_after_seconds} seconds."
            raise ValidationError(message) from error
        except OtpRequired as error:
            raise ValidationError("Type the one-time code of your second factor too.") from error
        except (OtpInvalid, SecondFactorMissing) as error:
            raise ValidationError(str(error)) from error
        return found

    def _check_second_factor(self) -> None:
        if user := self.get_user():
            code = self.cleaned_data.get("otp") or None
            vars(self.request)[_GAVE_CODE] = ensure_otp_of_staff(staff=user, code=code, now=clock.now())

    def confirm_login_allowed(self, user: User) -> None:
        """Refuse whoever is no staff, and record it: Django sends its signal of a failure for wrong passwords only."""
        try:
            super().confirm_login_allowed(user)
        except ValidationError:
            record_failed_sign_in(name=user.get_username())
            raise

    def _remember_address(self, request: HttpRequest) -> None:
        """Raise ValidationError if the password was changed while it was checked."""
        if user := self.get_user():
            address = client_address(request)
            if not remember_address(user_id=user.pk, version=user.token_version, address=address, now=clock.now()):
                record_failed_sign_in(name=user.get_username())
                raise self.get_invalid_login_error()


def _mark_session(*, request: HttpRequest, **_: Any) -> None:
    """Note in a new session whether it was opened with a code. Django has renewed or emptied the session before."""
    request.session[_GAVE_CODE] = vars(request).get(_GAVE_CODE, False)


def _has_permission(request: HttpRequest) -> bool:
    """Let staff in, and where they need a second factor only by a session that was opened with a code.

    A session may be older than the switch, or than the release that asks for codes.
    """
    if settings.SIGN_IN.staff_second_factor and not request.session.get(_GAVE_CODE):
        return False
    return bool(request.user.is_active and request.user.is_staff)


user_logged_in.connect(_mark_session)

admin.site.has_permission = _has_permission  # type: ignore[method-assign]
admin.site.site_header = "Crypto Exchange"
admin.site.site_title = "Crypto Exchange"
admin.site.index_title = "Operations"
admin.site.login_form = LimitedAuthenticationForm


def change_own_password(request: HttpRequest) -> HttpResponseBase:
    """Show Django's password page with a form that also ends all tokens issued before. Attempts are limited.

    A person who gave an old password that was changed meanwhile has no session any more, and comes to the login page.
    """
    if request.method == "POST":
        limit_caller(request, OWN_PASSWORD, caller=str(request.user.pk))
        limit_address(request, STAFF_LOGIN_ADDRESS)
    view = PasswordChangeView.as_view(
        form_class=OwnPasswordForm,
        success_url=reverse("admin:password_change_done"),
        extra_context=admin.site.each_context(request),
    )
    with uncounted_if_busy(request):
        try:
            return view(request)
        except InvalidCredentials:
            return redirect("admin:index")
