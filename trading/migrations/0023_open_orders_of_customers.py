"""An index of the open orders of each customer, for what is in orders and for a customer's share of a sales limit.

Without it, these sums read every order that the customer has ever placed. Concurrently: nobody who writes has to wait.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("trading", "0022_decided_reviews")]

    operations = [
        AddIndexConcurrently(
            model_name="order",
            index=models.Index(
                fields=["customer"],
                condition=Q(state__in=["pending", "aggregated", "held", "settling"]),
                name="open_orders_of_customer",
            ),
        ),
    ]
