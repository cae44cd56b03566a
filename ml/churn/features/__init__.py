"""What is known of a customer on a day: one specification, compiled to Polars and to Spark."""
