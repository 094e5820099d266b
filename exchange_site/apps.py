from django.apps import AppConfig
from django.core.checks import Tags, register


class ExchangeSiteConfig(AppConfig):
    name = "exchange_site"

    def ready(self) -> None:
        from exchange_site.database.money import guard_migrations
        from exchange_site.seeding.published import check_administrator

        register(check_administrator, Tags.database)
        guard_migrations()
