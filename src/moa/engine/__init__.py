"""The only room that runs tasks: drives a flow, records what happens, and lets others watch."""
