from django.apps import AppConfig
from django.db.models.signals import post_migrate


class TradingConfig(AppConfig):
    name = "trading"

    def ready(self) -> None:
        # Imported here: models cannot be loaded before the registry is ready.
        from trading.services.cancelling import cancel_open_orders
        from trading.services.obstacles import find_obstacles
        from trading.services.price_rules import make_default_rule_after_migrate
        from trading.services.proposing.kinds import register_kinds
        from wallets.selectors.ledger import register_statement_in_orders
        from wallets.services.closing import register_obstacles
        from wallets.services.returns.giving_back import register_giver

        register_kinds()
        register_statement_in_orders("trading.open_charges")
        register_giver(cancel_open_orders)
        register_obstacles(find_obstacles)
        post_migrate.connect(make_default_rule_after_migrate, sender=self)
