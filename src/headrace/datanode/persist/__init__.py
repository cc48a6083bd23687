"""Stage 5, persist: the objects of syncs are put side by side and made ready in order."""
