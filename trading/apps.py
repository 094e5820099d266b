from django.apps import AppConfig
from django.db.models.signals import post_migrate


class TradingConfig(AppConfig):
    name = "trading"

    def ready(self) -> None:
        # Imported here: models cannot be loaded before the registry is ready.
        from trading.services.obstacles import find_obstacles
        from trading.services.price_rules import make_default_rule_after_migrate
        from trading.services.proposing.kinds import register_kinds
        from wallets.services.closing import register_obstacles

        register_kinds()
        register_obstacles(find_obstacles)
        post_migrate.connect(make_default_rule_after_migrate, sender=self)
