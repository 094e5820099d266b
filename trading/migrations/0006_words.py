"""Renames models and fields to the words of the glossary; tables and columns keep their names."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Ceil, Round


def rename_permissions(apps, schema_editor, *, old="pricereading", new="pricechange", title="price change"):
    """Rename the content type and the permissions: Django renames neither for an operation on the state alone."""
    using = schema_editor.connection.alias
    content_types = apps.get_model("contenttypes", "ContentType").objects.using(using)
    content_type = content_types.filter(app_label="trading", model=old).first()
    if content_type is None:
        return
    content_type.model = new
    content_type.save(using=using, update_fields=["model"])
    for permission in apps.get_model("auth", "Permission").objects.using(using).filter(content_type=content_type):
        action = permission.codename.partition("_")[0]
        permission.codename, permission.name = f"{action}_{new}", f"Can {action} {title}"
        permission.save(using=using, update_fields=["codename", "name"])


def restore_permissions(apps, schema_editor):
    rename_permissions(apps, schema_editor, old="pricechange", new="pricereading", title="price reading")


ORDER_CONSTRAINTS = [
    models.CheckConstraint(
        condition=Q(charge=Round(Ceil(F("amount") * F("price") * 100) / 100, 2)),
        name="charge_is_amount_times_price_rounded_up",
    ),
    models.CheckConstraint(
        condition=Q(is_pooled=True, settle_by__isnull=False) | Q(is_pooled=False, settle_by=None),
        name="pooled_orders_have_a_deadline",
    ),
    models.CheckConstraint(
        condition=~Q(state="pending", is_pooled=True) & ~Q(state="aggregated", is_pooled=False),
        name="only_small_orders_wait_in_a_pool",
    ),
]


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("trading", "0005_fewer_indexes"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                *(
                    migrations.RemoveConstraint(model_name="order", name=constraint.name)
                    for constraint in ORDER_CONSTRAINTS
                ),
                migrations.RemoveIndex(model_name="order", name="pooled_orders"),
                migrations.RenameField(model_name="order", old_name="total_price", new_name="charge"),
                migrations.AlterField(
                    model_name="order",
                    name="charge",
                    field=models.DecimalField(db_column="total_price", decimal_places=2, max_digits=38),
                ),
                migrations.RenameField(model_name="order", old_name="is_aggregated", new_name="is_pooled"),
                migrations.AlterField(
                    model_name="order", name="is_pooled", field=models.BooleanField(db_column="is_aggregated")
                ),
                migrations.AlterField(
                    model_name="order",
                    name="state",
                    field=models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("aggregated", "Pooled"),
                            ("held", "Held"),
                            ("settling", "Settling"),
                            ("completed", "Completed"),
                            ("refunded", "Refunded"),
                            ("cancelled", "Cancelled"),
                        ],
                        max_length=12,
                    ),
                ),
                migrations.AddIndex(
                    model_name="order",
                    index=models.Index(
                        condition=Q(state="aggregated"),
                        fields=["coin"],
                        include=["settle_by", "charge"],
                        name="pooled_orders",
                    ),
                ),
                *(
                    migrations.AddConstraint(model_name="order", constraint=constraint)
                    for constraint in ORDER_CONSTRAINTS
                ),
                migrations.RenameField(model_name="review", old_name="finding", new_name="grounds"),
                migrations.AlterField(
                    model_name="review",
                    name="grounds",
                    field=models.CharField(db_column="finding", max_length=200),
                ),
                migrations.AlterModelTable(name="pricereading", table="trading_pricereading"),
                migrations.RenameModel(old_name="PriceReading", new_name="PriceChange"),
                migrations.AlterField(
                    model_name="pricechange",
                    name="coin",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="price_changes", to="trading.coin"
                    ),
                ),
                migrations.AlterField(
                    model_name="coinprice",
                    name="coin",
                    field=models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="current_price",
                        serialize=False,
                        to="trading.coin",
                    ),
                ),
                migrations.AlterField(
                    model_name="coin",
                    name="fixed_price",
                    field=models.DecimalField(
                        blank=True,
                        decimal_places=8,
                        help_text="A price set here never gets too old.",
                        max_digits=20,
                        null=True,
                    ),
                ),
                migrations.AlterField(
                    model_name="shop",
                    name="reason",
                    field=models.CharField(
                        blank=True, help_text="Why the shop is closed. Not shown to customers.", max_length=200
                    ),
                ),
                migrations.AlterField(
                    model_name="review",
                    name="note",
                    field=models.CharField(blank=True, help_text="The reason for the decision.", max_length=500),
                ),
            ],
        ),
        migrations.RunPython(rename_permissions, restore_permissions),
    ]
