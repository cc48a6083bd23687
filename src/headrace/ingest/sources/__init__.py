"""Files as a stream of columns: Parquet, CSV, JSON Lines, npy."""
