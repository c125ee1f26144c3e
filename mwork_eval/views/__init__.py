"""What commands other than `mwork report` show."""
