"""Real processes of the command and of whole clusters, and waiting for what they do."""
