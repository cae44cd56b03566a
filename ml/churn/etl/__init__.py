"""From where the tables lie to what is kept of them: only what is new is read, by Polars or by Spark."""
