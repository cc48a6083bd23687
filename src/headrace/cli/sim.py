"""`headrace sim`: runs seeds and says what each showed."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import typer
from rich.progress import Progress

from headrace.sim.run import Result, run_seed


def results(first: int, seeds: int) -> Iterator[Result]:
    """The seeds' results in order, one process a core."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        try:
            yield from pool.map(run_seed, range(first, first + seeds))
        finally:
            pool.shutdown(cancel_futures=True)


def run_seeds(*, seeds: int, first: int, trace: bool) -> int:
    """Run the seeds in order; 1 at the first violation, which is printed with its seed."""
    totals = {"writes": 0, "acknowledged": 0, "kills": 0, "freezes": 0}
    virtual_s = 0.0
    if trace:
        found: Iterator[Result] = (
            run_seed(s, echo=typer.echo) for s in range(first, first + seeds)
        )
    else:
        found = results(first, seeds)
    with Progress(disable=trace) as progress:
        bar = progress.add_task("seeds", total=seeds)
        for result in found:
            progress.advance(bar)
            if result.violation:
                _say_violation(result)
                return 1
            for name in totals:
                totals[name] += getattr(result, name)
            virtual_s += result.virtual_s
    said = ", ".join(f"{value:,} {name}" for name, value in totals.items())
    typer.echo(f"{seeds} seeds, no violation: {said}, {virtual_s / 3600:.1f} virtual hours")
    return 0


def _say_violation(result: Result) -> None:
    typer.echo(f"seed {result.seed}: {result.violation}", err=True)
    again = f"headrace sim --seeds 1 --seed {result.seed} --trace"
    typer.echo(f"what happened, step by step: {again}", err=True)
