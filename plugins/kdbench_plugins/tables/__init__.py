"""Tables in text and Parquet files, read strictly: what a strict parser refuses is refused with file and row."""
