"""One role as a process of its own: start, logs, metrics, memory, and a clean end."""
