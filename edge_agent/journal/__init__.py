"""What survives a power cut: jobs, marks, and the as-run log with its hash chain."""
