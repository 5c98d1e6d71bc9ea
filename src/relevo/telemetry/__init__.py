"""What operators see: log lines and metrics. Holds no prompt, no answer, no key."""
