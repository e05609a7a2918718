"""The tables of a cohort: Arrow arrays, samples.tsv and samples.parquet, single reports, and their end."""
