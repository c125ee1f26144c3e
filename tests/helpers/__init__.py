"""What test files share: tiny models, folders made by hand, scores and sets, the command, fixtures."""
