"""The executable model of the protocol: every reachable state of small scenes, rule by rule."""
