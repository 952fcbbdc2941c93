"""What is worked out once from the rules: what each is judged on, and by which literal it is found."""
