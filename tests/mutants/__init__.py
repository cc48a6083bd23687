"""Builds with one rule of the protocol left out, and what must notice each of them.

A mutant is an edit of source text (`edits`): what stands in a module of production code, and what
stands there instead. The modules named after roles hold the mutants, `catalog` all of them, by the
rules of the executable model (`tests/model`). A child process (`child`) applies the edits while it
imports Headrace and then runs the simulator, or one focused scene (`scenes`), until the named
invariant or refusal fires. `measure` runs all and writes `killed.json`, which
`docs/internals/mutants.md` shows.
"""
