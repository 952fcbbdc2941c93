"""The types that stages exchange. Imports nothing of the project but `errors`."""
