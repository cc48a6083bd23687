"""Stage 5, persist: puts the objects of syncs in parallel, and hands syncs on in cut order."""
