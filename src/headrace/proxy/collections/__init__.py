"""Methods about collections as a whole: DDL, description, properties, statistics, flush."""
