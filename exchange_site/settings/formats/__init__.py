"""How the admin's pages show dates, by language. Django finds the modules by FORMAT_MODULE_PATH."""
