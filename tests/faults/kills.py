"""The named places at which processes die or freeze; see wallets/failpoints.py."""

POINTS_OF_API = ("order.debited", "order.committed")
POINTS_OF_WORKER = ("claim.claimed", "claim.committed", "attempt.sent", "attempt.answered", "job.done")
POINTS = (*POINTS_OF_API, *POINTS_OF_WORKER, "cancel.credited", "refund.credited")
SHOTS = tuple(f"{point}={action}" for point in POINTS for action in ("kill", "stop"))
