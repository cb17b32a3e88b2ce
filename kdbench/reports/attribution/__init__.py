"""What each teacher contributes: Shapley values over sub-teams."""
