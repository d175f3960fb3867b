#!/usr/bin/env python3
"""Asks questions of many captures at once: hunt.py FOLDER, of Parquet files that `peregrine export` wrote.

Needs DuckDB (pip install duckdb). The questions are SQL: change them, or take them to Spark or Trino.
"""

import sys

import duckdb

QUESTIONS = {
    "Which programs ran, in how many captures?": """
        select "proc.exepath" as program, count(distinct filename) as captures, count(*) as runs
        from events where "evt.type" in ('execve', 'execveat') and not "evt.failed"
        group by all order by runs desc, program limit 10""",
    "Who connected where?": """
        select "proc.name" as program, "fd.sip" as address, "fd.sport" as port, count(*) as times
        from events where "evt.type" = 'connect' and "fd.sip" is not null
        group by all order by times desc, program, address, port limit 10""",
    "Which files of accounts were read, and by whom?": """
        select "proc.cmdline" as command, "fd.name" as file, min("evt.rawtime") as first
        from events where "evt.type" in ('open', 'openat', 'openat2')
            and "fd.name" in ('/etc/shadow', '/etc/passwd', '/etc/sudoers')
        group by all order by first limit 10""",
    "What ran in containers?": """
        select "container.id" as container, "container.image.repository" as image, count(distinct "proc.pid") as processes
        from events where "container.id" != 'host' group by all order by processes desc, container limit 10""",
}


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    db = duckdb.connect()
    files = sys.argv[1].replace("'", "''") + "/*.parquet"
    db.execute(f"create view events as from read_parquet('{files}', union_by_name = true, filename = true)")
    for question, sql in QUESTIONS.items():
        print(question)
        print(db.sql(sql), "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
