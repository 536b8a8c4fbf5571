"""The contract of an exported model, its client, and the golden requests that hold it."""
