"""Made and mutated requests at the front door: `make fuzz ARGS="--seed N --cases M"`."""
