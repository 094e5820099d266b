"""The benchmark: `task bench` compares the service's speed with that of its database, see docs/performance.md."""
