"""Stage 3: insert buffer, delete buffer, sync policy, byte budget."""
