"""The shop's background tasks. No worker runs while placing is measured."""

from celery import Celery, shared_task

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.set_default()


@shared_task(ignore_result=True)
def settle_order(order_id):
    """Buy the order's coins at the venue; not part of the stand-in."""
