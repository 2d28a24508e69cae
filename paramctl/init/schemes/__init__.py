"""The schemes that come with paramctl, by family."""
