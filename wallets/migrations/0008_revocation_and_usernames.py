"""Revocation that no code can forget, the token that was replaced last, and columns for the keys of usernames.

No statement here rewrites a table or reads one for long. 0010 fills the columns and makes the indexes.
"""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q

import wallets.models.accounts

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

class Migration(migrations.Migration):

    dependencies = [
        ("wallets", "0007_never_emptied"),
    ]

    operations = [
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
        migrations.RunSQL(sql=COUNT_REVOCATIONS, reverse_sql=COUNT_NOTHING),
        # After the users, which is the order in which whatever moves money locks both.
        migrations.AddField("tokenfamily", "replaced_jti", models.CharField(blank=True, max_length=64, null=True)),
        migrations.AddField("tokenfamily", "replaced_at", models.DateTimeField(blank=True, null=True)),
        AddConstraintNotValid(
            "tokenfamily",
            models.CheckConstraint(
                condition=Q(replaced_jti=None, replaced_at=None)
                | Q(replaced_jti__isnull=False, replaced_at__isnull=False),
                name="a_replaced_token_has_its_time",
            ),
        ),
    ]
