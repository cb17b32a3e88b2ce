"""What models retrieve, for a person to look at: pages of queries with candidates, as text and as HTML."""
