"""The words of the command line and of the report, in English and Korean."""
