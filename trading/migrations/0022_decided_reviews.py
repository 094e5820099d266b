"""A review that somebody has decided stays as it was decided, for good."""

from django.db import migrations

KEPT = """
CREATE FUNCTION trading_keep_decided_review() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the review of order % is decided: % is refused', OLD.order_id, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER decided_reviews_never_change BEFORE UPDATE OR DELETE ON trading_review
    FOR EACH ROW WHEN (OLD.decision IS NOT NULL) EXECUTE FUNCTION trading_keep_decided_review();
"""

CHANGEABLE = """
DROP TRIGGER decided_reviews_never_change ON trading_review;
DROP FUNCTION trading_keep_decided_review();
"""


class Migration(migrations.Migration):
    dependencies = [("trading", "0021_shorter_checks_validated")]

    operations = [migrations.RunSQL(KEPT, CHANGEABLE)]
