"""The one appender of a pchannel: order, timestamps, segments of rows, seals, ids of requests."""
