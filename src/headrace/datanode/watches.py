"""Decides which epoch of a vchannel may start on this node.

An epoch starts once: what was stopped never starts again under it, since copies of its reports may
still be on their way, and its object keys are taken. A watch that was sent before a release may
arrive after it; the release has ended its epoch.
"""

from enum import StrEnum

from headrace.model.channel import VChannel
from headrace.model.ids import Epoch


class Verdict(StrEnum):
    """On a watch."""

    STARTS = "starts"
    RUNS = "runs"  # this epoch runs already: accepted, nothing happens
    REFUSED = "refused"


class Watches:
    """The epochs that this process has seen; -1 = none."""

    def __init__(self) -> None:
        self._highest: dict[VChannel, Epoch] = {}

    def judge(self, vchannel: VChannel, epoch: Epoch, running: Epoch | None) -> Verdict:
        """What becomes of a watch; `running` is the epoch of the flowgraph that runs, if one
        does."""
        if epoch == running:
            return Verdict.RUNS
        if epoch <= self._highest.get(vchannel, -1):
            return Verdict.REFUSED
        self._highest[vchannel] = epoch
        return Verdict.STARTS

    def released(self, vchannel: VChannel, epoch: Epoch) -> None:
        """A release ends its epoch, known or not."""
        self._highest[vchannel] = max(epoch, self._highest.get(vchannel, -1))
