"""An index of the users who are staff, for the to-do page. Concurrently: nobody who writes has to wait."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("wallets", "0058_encrypted_words_about_payouts")]

    operations = [
        AddIndexConcurrently(
            model_name="user",
            index=models.Index(
                fields=["id"], condition=Q(is_staff=True) | Q(is_superuser=True), name="users_who_are_staff"
            ),
        ),
    ]
