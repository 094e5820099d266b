-- Passes over rows that others have locked, as if there were none.
SKIP LOCKED
