from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import post_migrate

from wallets.runtime import clock


class WalletsConfig(AppConfig):
    name = "wallets"

    def ready(self) -> None:
        # Imported here: models cannot be loaded before the registry is ready.
        from wallets.models.keys import make_stored_keys_after_migrate
        from wallets.services.house import open_house_wallets_after_migrate
        from wallets.services.payouts.ending import cancel_open_payouts
        from wallets.services.proposing import register_kinds
        from wallets.services.returns.giving_back import register_giver

        register_kinds()
        register_giver(cancel_open_payouts)
        clock.measure_on_connect()
        post_migrate.connect(make_stored_keys_after_migrate, sender=self)
        post_migrate.connect(open_house_wallets_after_migrate, sender=self)
        # Django sends these for each password that is checked, and for each session of staff.
        user_login_failed.connect(_record_failed_sign_in)
        user_logged_in.connect(_record_staff_sign_in)
        user_logged_out.connect(_record_staff_sign_out)


def _record_failed_sign_in(*, credentials: dict[str, Any], **_: Any) -> None:
    from wallets.services.security_log import record_failed_sign_in

    record_failed_sign_in(name=str(credentials.get("username", "")))


def _record_staff_sign_in(*, user: Any, **_: Any) -> None:
    from wallets.services.security_log import record_staff_sign_in

    record_staff_sign_in(user=user)


def _record_staff_sign_out(*, user: Any, **_: Any) -> None:
    from wallets.models import SecurityEventKind
    from wallets.services.security_log import record_event

    if user is not None:
        record_event(SecurityEventKind.SIGNED_OUT, user=user)
