"""What an analyst asks behind an alert: which packets it is about, and what they say."""
