"""What stays of runs: a folder with the scenario, how it was run, and a row for each run.

folder    where everything lies; `latest` points to the newest
manifest  what was run, with which code, by which command
record    one finished run, as a line of `runs.jsonl`
journal   appends finished runs durably, and reads them again
rows      one flat row for each run: CSV, and Parquet where duckdb is installed
summary   the verdict over all runs, and the answers to the scenario's question
traces    event logs of runs, as JSON lines
compare   differences between two folders, and whether they are more than noise
bootstrap confidence intervals
"""
