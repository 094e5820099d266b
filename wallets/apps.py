from django.apps import AppConfig
from django.db.models.signals import post_migrate

from wallets.runtime import clock


class WalletsConfig(AppConfig):
    name = "wallets"

    def ready(self) -> None:
        # Imported here: models cannot be loaded before the registry is ready.
        from wallets.services.house import open_house_wallets_after_migrate

        clock.measure_on_connect()
        post_migrate.connect(open_house_wallets_after_migrate, sender=self)
