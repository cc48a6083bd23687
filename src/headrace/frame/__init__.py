"""The frame that every role lives in: start, session, election, machine, callers, health, end."""
