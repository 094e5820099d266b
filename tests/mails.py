"""The e-mails that the queue holds: sends them as a worker does, and finds the tokens in them."""

import re

from django.core import mail
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob

from settlement.clock import database_now
from wallets.services import mailing

TOKEN = re.compile(r"^[\w-]+:[\w-]+$", re.MULTILINE)


def send_mails():
    """Run the enqueued jobs for e-mails, and return the e-mails of these jobs."""
    already = len(mail.outbox)
    jobs = ProcrastinateJob.objects.filter(task_name=mailing.MAIL_TASK, status="todo").order_by("id")
    for job in list(jobs):
        mailing.send(**job.args, now=database_now())
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM procrastinate_events WHERE job_id = %s", [job.pk])
            cursor.execute("DELETE FROM procrastinate_jobs WHERE id = %s", [job.pk])
    return mail.outbox[already:]


def token_in(message):
    """Return the token of an e-mail."""
    return TOKEN.search(message.body).group()
