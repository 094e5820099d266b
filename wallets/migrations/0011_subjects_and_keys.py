"""Joins two lines of migrations that need not wait for each other."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("wallets", "0010_subjects_of_all"), ("wallets", "0010_keys_of_usernames")]

    operations = []
