"""What a run leaves behind: its directory, metrics, trajectories and evaluations. Reading and writing, no judgement."""
