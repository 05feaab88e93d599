"""What the operating system is told and asked, and what it asks: logs, counts, signals, facts."""
