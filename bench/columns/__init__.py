"""What a column of each type costs, in one process."""
