"""The log edge: pchannels as fenced, durable streams of messages."""
