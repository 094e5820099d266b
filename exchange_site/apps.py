from django.apps import AppConfig, apps
from django.core.checks import Tags, register
from django.db.models.signals import post_migrate


class ExchangeSiteConfig(AppConfig):
    name = "exchange_site"

    def ready(self) -> None:
        from exchange_site.admin.roles import make_roles_after_migrate
        from exchange_site.database.money import guard_migrations
        from exchange_site.seeding.magic import check_magic_coins
        from exchange_site.seeding.published import check_administrator

        register(check_administrator, Tags.database)
        register(check_magic_coins, Tags.database)
        guard_migrations()
        post_migrate.connect(make_roles_after_migrate, sender=apps.get_app_config("settlement"))
