"""Reports: what `kdbench leaderboard` can make of records."""
