"""A model looked through on a terminal, with the keyboard; the only room that knows Textual."""
