"""Stage 2, dispatch: what each entry means for its vchannel, and the version in force."""
