"""Parquet files whose vectors are the received bytes: pages, levels, footers, and their reader."""
