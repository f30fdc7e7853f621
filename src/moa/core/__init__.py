"""Ground floor: values, pure functions and Protocols. Standard library only; knows nothing of what stands above."""
