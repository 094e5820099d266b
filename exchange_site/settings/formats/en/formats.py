"""Dates with seconds and the zone, because staff compare them with logs. Django's own end at the minute, and in a.m."""

DATE_FORMAT = "Y-m-d"
DATETIME_FORMAT = "Y-m-d H:i:s e"
