"""Which data node watches which vchannel, under which epoch."""
