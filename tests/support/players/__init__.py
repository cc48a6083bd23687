"""Players of scripts: each carries out one role's commands and prints what its machine orders."""
