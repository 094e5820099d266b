"""Readings with bid, ask and times; suspensions; and prices of any number of places.

A column of type numeric(20, 8) becomes numeric without rewriting a row. Its checks would be made anew over all rows, so
those of orders are dropped before and added without a look at the rows, which the next migration takes.
"""

import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.math
import trading.models.fields
from decimal import Decimal
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trading', '0009_unclear_coins'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Suspension',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('begun_at', models.DateTimeField()),
                ('price', trading.models.fields.PriceField(help_text='The last good price (USD).')),
                ('price_at', models.DateTimeField()),
                ('limit', models.DecimalField(decimal_places=6, max_digits=8)),
                ('readings', models.JSONField(default=list, help_text='The first twenty and the last twenty.')),
                ('second', models.JSONField(blank=True, help_text='What the second source said last.', null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('outcome', models.CharField(blank=True, choices=[('returned', 'the old price came back'), ('confirmed', 'readings and a second source agreed'), ('accepted', 'staff accepted the price')], max_length=10)),
                ('ended_price', trading.models.fields.PriceField(blank=True, help_text='The price at which sales went on (USD).', null=True)),
                ('seen_at', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='coin',
            name='coin_name_is_a_symbol',
        ),
        migrations.RemoveConstraint(
            model_name='coin',
            name='fixed_price_is_positive',
        ),
        migrations.RemoveConstraint(
            model_name='coinprice',
            name='price_is_positive',
        ),
        migrations.RemoveConstraint(
            model_name='order',
            name='order_price_is_positive',
        ),
        migrations.RemoveConstraint(
            model_name='order',
            name='charge_is_amount_times_price_rounded_up',
        ),
        migrations.AddField(
            model_name='coinprice',
            name='bid',
            field=trading.models.fields.PriceField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='coinprice',
            name='book_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='coinprice',
            name='last',
            field=trading.models.fields.PriceField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='coinprice',
            name='quoted_at',
            field=models.DateTimeField(blank=True, help_text="The quote's own time, by our clock.", null=True),
        ),
        migrations.AddField(
            model_name='coinprice',
            name='worst_ask',
            field=trading.models.fields.PriceField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name='coin',
            name='fixed_price',
            field=trading.models.fields.PriceField(blank=True, help_text='A price set here never gets too old.', null=True),
        ),
        migrations.AlterField(
            model_name='coinprice',
            name='candidate',
            field=trading.models.fields.PriceField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name='coinprice',
            name='value',
            field=trading.models.fields.PriceField(),
        ),
        migrations.AlterField(
            model_name='order',
            name='price',
            field=trading.models.fields.PriceField(),
        ),
        migrations.AlterField(
            model_name='pricechange',
            name='value',
            field=trading.models.fields.PriceField(),
        ),
        migrations.AddConstraint(
            model_name='coin',
            constraint=models.CheckConstraint(condition=models.Q(('name__regex', '^[A-Z0-9]{1,12}$')), name='coin_name_is_a_symbol', violation_error_message="A coin's name is the venue's: 1 to 12 capital letters and digits, as 1INCH."),
        ),
        migrations.AddConstraint(
            model_name='coin',
            constraint=models.CheckConstraint(condition=models.Q(('fixed_price', None), models.Q(('fixed_price__gt', 0), ('fixed_price__lt', Decimal('1000000000000'))), _connector='OR'), name='fixed_price_is_positive'),
        ),
        migrations.AddConstraint(
            model_name='coinprice',
            constraint=models.CheckConstraint(condition=models.Q(('value__gt', 0), ('value__lt', Decimal('1000000000000'))), name='price_is_positive'),
        ),
        migrations.AddConstraint(
            model_name='coinprice',
            constraint=models.CheckConstraint(condition=models.Q(('bid', None), models.Q(('bid__gt', 0), ('bid__lt', Decimal('1000000000000'))), _connector='OR'), name='bid_is_positive'),
        ),
        migrations.AddConstraint(
            model_name='coinprice',
            constraint=models.CheckConstraint(condition=models.Q(('last', None), models.Q(('last__gt', 0), ('last__lt', Decimal('1000000000000'))), _connector='OR'), name='last_price_is_positive'),
        ),
        migrations.AddConstraint(
            model_name='coinprice',
            constraint=models.CheckConstraint(condition=models.Q(('worst_ask', None), models.Q(('worst_ask__gt', 0), ('worst_ask__lt', Decimal('1000000000000'))), _connector='OR'), name='worst_ask_is_positive'),
        ),
        AddConstraintNotValid(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('price__gt', 0), ('price__lt', Decimal('1000000000000'))), name='order_price_is_positive'),
        ),
        AddConstraintNotValid(
            model_name='order',
            constraint=models.CheckConstraint(
                condition=models.Q(('charge', django.db.models.functions.math.Round(django.db.models.functions.math.Ceil(models.F('amount') * models.F('price') * 100) / 100, 2))),
                name='charge_is_amount_times_price_rounded_up',
            ),
        ),
        migrations.AlterConstraint(
            model_name='coin',
            name='dollars_are_not_a_coin',
            constraint=models.CheckConstraint(condition=models.Q(('name', 'USD'), _negated=True), name='dollars_are_not_a_coin', violation_error_message='US dollars pay for coins, and are none.'),
        ),
        migrations.AddField(
            model_name='suspension',
            name='coin',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='suspensions', to='trading.coin'),
        ),
        migrations.AddField(
            model_name='suspension',
            name='seen_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='suspension',
            index=models.Index(condition=models.Q(('ended_at__isnull', False), ('seen_at', None)), fields=['ended_at'], name='unseen_suspensions'),
        ),
        migrations.AddConstraint(
            model_name='suspension',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('coin',), name='one_open_suspension_per_coin'),
        ),
        migrations.AddConstraint(
            model_name='suspension',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at', None), ('ended_price', None), ('outcome', '')), models.Q(('ended_at__isnull', False), ('ended_price__gt', 0), ('outcome__in', ['returned', 'confirmed', 'accepted'])), _connector='OR'), name='an_ended_suspension_says_how'),
        ),
        migrations.AddConstraint(
            model_name='suspension',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('seen_at', None), ('seen_by', None)), models.Q(('ended_at__isnull', False), ('seen_at__isnull', False), ('seen_by__isnull', False)), _connector='OR'), name='staff_have_seen_an_ended_suspension'),
        ),
        migrations.AddConstraint(
            model_name='suspension',
            constraint=models.CheckConstraint(condition=models.Q(('price__gt', 0), ('price__lt', Decimal('1000000000000')), ('limit__gt', 0), models.Q(('limit', django.db.models.functions.comparison.Cast(models.Value('NaN'), models.DecimalField(decimal_places=8, max_digits=38))), _negated=True)), name='a_suspension_has_a_price_and_a_limit'),
        ),
    ]
