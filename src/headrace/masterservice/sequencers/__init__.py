"""Which proxy sequences which pchannel, and the calls that make it so."""
