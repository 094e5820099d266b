"""Compare the service's speed with its own database's: `task bench`, see docs/performance.md."""
