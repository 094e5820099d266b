"""Forms of users that never rename anybody: Django's own would normalise each name that is saved."""

from typing import Any, ClassVar

from django import forms
from django.contrib.auth.forms import UserChangeForm
from django.core.exceptions import ValidationError

from wallets.admin.powers import NEEDS_REASON, NEEDS_REASON_FOR_NAME, reason_field, wanted_names, wanted_powers
from wallets.exceptions import DomainError
from wallets.models import User
from wallets.services.accounts import accept_new_name
from wallets.services.customer_names import read_names
from wallets.services.security_log import read_powers


class NewUserForm(forms.ModelForm):  # type: ignore[type-arg]  # for our User
    """Adds a user, who chooses a password by a link in an e-mail. Staff may choose a reserved name."""

    for_staff = forms.BooleanField(label="Will be staff", required=False, help_text="Staff have no wallet.")

    class Meta:
        model = User
        fields = ("username", "email")
        field_classes: ClassVar[dict[str, type[forms.Field]]] = {"username": forms.CharField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].required = True

    def clean_username(self) -> str:
        return _accept(self.cleaned_data["username"], of=None, for_staff=True)

    def save(self, commit: bool = True) -> User:  # noqa: FBT001, FBT002  Django's signature
        self.instance.set_unusable_password()
        user: User = super().save(commit)
        return user


class UserForm(UserChangeForm):  # type: ignore[type-arg]  # for our User
    """Changes a user. A name that stays as it is needs to keep no rule, so that everybody can be disabled."""

    reason = reason_field()
    password = None  # type: ignore[assignment]  # so Django leaves a field out

    class Meta(UserChangeForm.Meta):
        field_classes = {"username": forms.CharField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "username" in self.fields:
            self.fields["username"].strip = False  # type: ignore[attr-defined]  # a CharField

    def clean_username(self) -> str:
        name: str = self.cleaned_data["username"]
        if name == self.instance.username:
            return name
        return _accept(name, of=self.instance, for_staff=self.instance.is_staff)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        stored = User.objects.get(pk=self.instance.pk)
        if cleaned.get("reason", "").strip():
            return cleaned
        if wanted_powers(stored, cleaned) != read_powers(stored):
            self.add_error("reason", NEEDS_REASON)
        elif wanted_names(stored, cleaned) != read_names(stored):
            self.add_error("reason", NEEDS_REASON_FOR_NAME)
        return cleaned

    def _get_validation_exclusions(self) -> set[str]:
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]  # Django's hook
        return excluded if "username" in self.changed_data else {*excluded, "username"}


def _accept(username: str, *, of: User | None, for_staff: bool) -> str:
    try:
        return accept_new_name(username, of=of, for_staff=for_staff)
    except DomainError as error:
        raise ValidationError(str(error)) from error
