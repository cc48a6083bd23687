"""One fake for each role, as the others see it; what production decides, it decides as production
does."""
