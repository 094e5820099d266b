"""The shop's background tasks, as Celery's broker in Redis has them: a message in a list. No worker takes it here."""

import base64
import json
import uuid

import redis
from django.conf import settings

QUEUE = "celery"
_broker = redis.Redis.from_url(settings.BROKER_URL)


def enqueue(task, *args):
    """Push the message of a task that a worker is to run with these arguments."""
    task_id = str(uuid.uuid4())
    message = {
        "body": base64.b64encode(json.dumps([args, {}, {}]).encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": task, "id": task_id, "root_id": task_id, "retries": 0, "eta": None},
        "properties": {
            "correlation_id": task_id,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": QUEUE},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        },
    }
    _broker.lpush(QUEUE, json.dumps(message))
