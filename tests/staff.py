"""Members of staff who may ask for everything, and decide about everything that somebody else asks for."""

from django.contrib.auth.models import Permission
from django.db import connection

from tests.owner import run_as_owner
from wallets.models import User


def make_chief(name, *args, **fields):
    """Make a superuser who has all permissions of the roles too: to be a superuser does not move money."""
    return let_do_everything(User.objects.create_superuser(name, *args, **fields))


def let_do_everything(user):
    """Give a user all permissions, and return them as they are then."""
    with connection.cursor() as cursor:  # `set` reads the hundreds of them first, and makes a model of each
        cursor.execute(
            f"INSERT INTO {User.user_permissions.through._meta.db_table} (user_id, permission_id)"
            f" SELECT %s, id FROM {Permission._meta.db_table} ON CONFLICT DO NOTHING",
            [user.pk],
        )
    return User.objects.get(pk=user.pk)


def give_powers_before_the_rule(user):
    """Make a customer with money a member of staff, as there may be from before the rule that staff have no wallet."""
    run_as_owner(f"UPDATE wallets_user SET is_staff = true WHERE id = {user.pk}")
