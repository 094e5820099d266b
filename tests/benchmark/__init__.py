"""How fast the service is beside its own database: `task bench`, see docs/performance.md."""
