"""An app with the command of django-migration-linter, which `task check` runs and no image holds."""
