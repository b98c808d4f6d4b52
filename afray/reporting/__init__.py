"""What a run leaves behind for people and for later runs: tables, certificate, report."""
