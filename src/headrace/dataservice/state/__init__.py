"""What the meta store says of vchannels and segments, read and followed."""
