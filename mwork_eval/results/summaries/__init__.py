"""Results folders summarised: their scores and the rows of their tables, in a form that can stand beside others."""
