"""What runs a machine: the driver, its journal, time, retry, supervision and telemetry."""
