"""Revocation that no code can forget, the token that was replaced last, and one key for all spellings of a username."""

from django.db import migrations, models
from django.db.models import Q

import wallets.models.accounts
from wallets.usernames import key_of, skeleton_of

# AFTER, not BEFORE: for a BEFORE trigger, an UPDATE that names `username` (as each save of a form does) locks the row so
# strictly that it deadlocks with inserts that refer to the row.
COUNT_REVOCATIONS = """
CREATE FUNCTION wallets_count_revocation() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    revokes boolean := NEW.is_active <> OLD.is_active
        OR (NEW.password <> OLD.password AND NEW.password_renewals <= OLD.password_renewals);
BEGIN
    UPDATE wallets_user
       SET token_version = CASE WHEN revokes THEN OLD.token_version + 1 ELSE OLD.token_version END
     WHERE id = NEW.id AND token_version < CASE WHEN revokes THEN OLD.token_version + 1 ELSE OLD.token_version END;
    -- Whoever made the revocation necessary may have signed in from some of them.
    IF revokes THEN
        DELETE FROM wallets_knownaddress WHERE user_id = NEW.id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER revocations_are_counted AFTER UPDATE ON wallets_user
    FOR EACH ROW
    WHEN (NEW.is_active <> OLD.is_active OR NEW.password <> OLD.password OR NEW.token_version < OLD.token_version)
    EXECUTE FUNCTION wallets_count_revocation();
"""

COUNT_NOTHING = """
DROP TRIGGER revocations_are_counted ON wallets_user;
DROP FUNCTION wallets_count_revocation();
"""

CHUNK = 1000


def fill(apps, schema_editor):
    """Compute key and skeleton of each username. The first user of a name gets them; later ones keep null.

    The first is the user whose name is written as its key, else the oldest. The function of today is used, because
    names must be compared in one way only.
    """
    users = apps.get_model("wallets", "User").objects.using(schema_editor.connection.alias)
    names = users.order_by("pk").values_list("pk", "username")
    by_key = _first_of_each(names, key_of)
    by_skeleton = _first_of_each(names, skeleton_of)
    pks = list(users.order_by("pk").values_list("pk", flat=True))
    for begin in range(0, len(pks), CHUNK):
        chunk = list(users.filter(pk__in=pks[begin : begin + CHUNK]).only("pk", "username"))
        for user in chunk:
            user.username_key = _own(by_key, key_of(user.username), user.pk)
            user.username_skeleton = _own(by_skeleton, skeleton_of(user.username), user.pk)
        users.bulk_update(chunk, ["username_key", "username_skeleton"])


def _first_of_each(names, compute):
    first = {}
    for pk, username in names.iterator(chunk_size=CHUNK):
        text = compute(username)
        if text is not None and (text not in first or username == text):
            first[text] = pk
    return first


def _own(first, text, pk):
    return text if text is not None and first[text] == pk else None


class Migration(migrations.Migration):

    dependencies = [
        ("wallets", "0007_never_emptied"),
    ]

    operations = [
        migrations.AddField("tokenfamily", "replaced_jti", models.CharField(blank=True, max_length=64, null=True)),
        migrations.AddField("tokenfamily", "replaced_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddConstraint(
            "tokenfamily",
            models.CheckConstraint(
                condition=Q(replaced_jti=None, replaced_at=None)
                | Q(replaced_jti__isnull=False, replaced_at__isnull=False),
                name="a_replaced_token_has_its_time",
            ),
        ),
        migrations.AlterModelManagers("user", managers=[("objects", wallets.models.accounts.Users())]),
        migrations.AddField("user", "password_renewals", models.PositiveIntegerField(db_default=0, default=0, editable=False)),
        migrations.AddField(
            "user",
            "username_key",
            wallets.models.accounts.UsernameKeyField(editable=False, max_length=450, null=True),
        ),
        migrations.AddField(
            "user",
            "username_skeleton",
            wallets.models.accounts.UsernameSkeletonField(editable=False, max_length=450, null=True),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AddConstraint(
            "user", models.UniqueConstraint(fields=("username_key",), name="usernames_have_different_keys")
        ),
        migrations.AddConstraint(
            "user", models.UniqueConstraint(fields=("username_skeleton",), name="usernames_do_not_look_alike")
        ),
        migrations.AddIndex(
            "user",
            models.Index(
                condition=Q(username_key=None) | Q(username_skeleton=None),
                fields=["id"],
                name="users_with_an_unclear_name",
            ),
        ),
        migrations.RunSQL(sql=COUNT_REVOCATIONS, reverse_sql=COUNT_NOTHING),
    ]
