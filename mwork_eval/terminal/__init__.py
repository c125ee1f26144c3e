"""What a terminal shows: tables and progress bars; the one room besides `cli/` that knows rich and click."""
