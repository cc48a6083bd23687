"""What a client asks about collections as a whole: DDL, description, statistics, flush."""
