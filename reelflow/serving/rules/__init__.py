"""Rules of a business about lists, of a file or of a request."""
