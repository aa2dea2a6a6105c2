"""Records from sequence and text files, coding sequences and their translation, fragments."""
