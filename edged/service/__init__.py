"""What the operating system is told and asked: logs, counts, the machine's own facts."""
